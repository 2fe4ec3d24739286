"""What can go wrong with a store: the message is clear, and nothing that was recorded is lost or doubled."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import duckdb
import numpy as np
import pytest

from stepwell.cli.place import Place
from stepwell.store import (
    Store,
    StoreCorruptError,
    StoreError,
    StoreFullError,
    StoreLockedError,
    StoreNewerError,
    StoreReadOnlyError,
    ingest,
    ingest_leftovers,
)
from stepwell.store.tables import SCHEMA_VERSION
from stepwell.trace.definition import RUN_SHORT
from stepwell.trace.layout import DTYPES
from stepwell.trace.spool import SpoolWriter

root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


def write_spool(path: Path, runs: int) -> None:
    """Write a trace of single reads that do not compress."""
    rng = np.random.default_rng(11)
    with SpoolWriter(path) as writer:
        writer.meta(start_monotonic_ns=0, end_monotonic_ns=1)
        for first in range(0, runs, 10_007):
            records = np.zeros(min(10_007, runs - first), DTYPES[RUN_SHORT.kind])
            records["count"] = 1
            for name in ("offset", "requested", "seq", "latency_ns", "wait_ns", "start_ns"):
                records[name] = rng.integers(0, 1 << 62, len(records))
            writer.write(RUN_SHORT.kind, records)


def accesses(database: Path) -> list[tuple[str, int]]:
    with Store.open(database, "r") as store:
        table = store.query(
            "SELECT uuid, count(*) AS n FROM traces JOIN accesses USING (trace) GROUP BY ALL"
        ).read_all()
    return [(row["uuid"], row["n"]) for row in table.to_pylist()]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9, 1.0])
def test_killed_while_ingesting_a_trace_is_there_exactly_once_afterwards(tmp_path: Path, share: float) -> None:
    write_spool(tmp_path / "trace.spool", 300_007)
    database = tmp_path / "store.duckdb"
    with Store.open(tmp_path / "timing.duckdb", "w") as store:
        began = time.monotonic()
        ingest(store, tmp_path / "trace.spool")
        whole = time.monotonic() - began
    program = (
        "import sys; from pathlib import Path; from stepwell.store import *; s = Store.open(Path(sys.argv[1]), 'w');"
        "print(flush=True); print(ingest_leftovers(s, Path(sys.argv[2])), flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", program, database, tmp_path], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        try:
            child.wait(whole * share)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
    with Store.open(database, "w") as store:
        ingest_leftovers(store, tmp_path)
    assert accesses(database) == [("trace", 300_007)]
    assert not (tmp_path / "trace.spool").exists()


@root
def test_on_a_full_disk_the_recording_stays_and_is_taken_later(tmp_path: Path, small_disk: Path) -> None:
    write_spool(tmp_path / "trace.spool", 500_009)
    database = small_disk / "store.duckdb"
    with (
        pytest.raises(StoreFullError, match=r"no space is left for the store .*; free some"),
        Store.open(database, "w") as store,
    ):
        ingest_leftovers(store, tmp_path)
    assert (tmp_path / "trace.spool").exists()
    subprocess.run(["mount", "-o", "remount,size=200m", small_disk], check=True)
    with Store.open(database, "w") as store:
        ingest_leftovers(store, tmp_path)
    assert accesses(database) == [("trace", 500_009)]


@contextlib.contextmanager
def held(database: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Let another process have the store open to write, until its input ends."""
    program = (
        "import sys; from pathlib import Path; from stepwell.store import Store;"
        "s = Store.open(Path(sys.argv[1]), 'w'); print(flush=True); sys.stdin.read()"
    )
    command: list[str | Path] = [sys.executable, "-c", program, database]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child
        child.communicate()


@pytest.mark.parametrize("mode", ["r", "w"])
def test_a_locked_store_names_the_process_that_has_it(tmp_path: Path, mode: str) -> None:
    database = tmp_path / "store.duckdb"
    with held(database) as child:
        message = rf"process {child.pid} has the store {database} open; try again when it has ended"
        with pytest.raises(StoreLockedError, match=message) as caught:
            Store.open(database, "r" if mode == "r" else "w")
        assert (caught.value.pid, caught.value.exit_code) == (child.pid, 4)
    Store.open(database, "w").close()


@pytest.mark.parametrize("mode", ["r", "w"])
def test_commands_wait_for_a_store_that_is_soon_free(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place.of(tmp_path / "store.duckdb")
    with held(place.store) as child:
        monkeypatch.setattr(time, "sleep", lambda _: child.communicate())  # it is waited for, so it ends
        with place.reading() if mode == "r" else place.writing() as store:
            assert store.traces() == []


@pytest.mark.parametrize("content", [b"", b"not a database" * 1000, bytes(12288)])
def test_what_is_not_a_database_is_left_alone(tmp_path: Path, content: bytes) -> None:
    database = tmp_path / "store.duckdb"
    database.write_bytes(content)
    with pytest.raises(StoreCorruptError, match="move it away and a new one is made"):
        Store.open(database, "w")
    assert database.read_bytes() == content


def test_damage_is_reported_as_damage(tmp_path: Path) -> None:
    write_spool(tmp_path / "trace.spool", 50_021)
    database = tmp_path / "store.duckdb"
    with Store.open(database, "w") as store:
        ingest(store, tmp_path / "trace.spool")
    content = bytearray(database.read_bytes())
    for at in range(3 * 4096, len(content), 4096):
        content[at + 100] ^= 0xFF
    database.write_bytes(content)
    with pytest.raises(StoreCorruptError, match="restore it from a copy"):
        Store.open(database, "w")


def test_another_database_is_not_taken_for_a_store(tmp_path: Path) -> None:
    database = tmp_path / "other.duckdb"
    with duckdb.connect(database) as connection:
        connection.execute("CREATE TABLE mine (i INTEGER)")
    with pytest.raises(StoreCorruptError, match="not a Stepwell store; choose another file with --store"):
        Store.open(database, "w")


@pytest.mark.parametrize("mode", ["r", "w"])
def test_a_newer_store_says_to_upgrade(tmp_path: Path, mode: str) -> None:
    database = tmp_path / "store.duckdb"
    with Store.open(database, "w") as store:
        store.connection.execute("UPDATE stored.version SET version = version + 1")
    with pytest.raises(StoreNewerError, match=f"schema version {SCHEMA_VERSION + 1}, .*; upgrade Stepwell"):
        Store.open(database, "r" if mode == "r" else "w")


@root
def test_a_read_only_file_system_can_be_read_and_says_why_not_written(tmp_path: Path, small_disk: Path) -> None:
    write_spool(tmp_path / "trace.spool", 13)
    database = small_disk / "store.duckdb"
    with Store.open(database, "w") as store:
        ingest(store, tmp_path / "trace.spool")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(StoreReadOnlyError, match=r"Read-only file system.*choose another with --store"):
        Store.open(database, "w")
    with pytest.raises(StoreReadOnlyError):
        Store.open(small_disk / "below" / "store.duckdb", "w")
    assert accesses(database) == [("trace", 13)]


def test_a_directory_is_not_a_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="choose another with --store"):
        Store.open(tmp_path, "w")


DOWNGRADES = {
    3: "ALTER TABLE stored.thread DROP COLUMN queued_ns;",
    2: "DROP TABLE stored.plan; DROP TABLE stored.verdict;",
    1: """
ALTER TABLE stored.trace DROP COLUMN analysis;
ALTER TABLE stored.file DROP COLUMN mtime_ns;
ALTER TABLE stored.pattern DROP COLUMN evidence;
DROP TABLE stored.counter;
""",
}
"""What makes a store of the next schema version one of this version, the newest first."""


@pytest.mark.parametrize("mode", ["r", "w"])
@pytest.mark.parametrize("version", DOWNGRADES)
def test_an_older_store_is_brought_up_to_date_and_keeps_its_traces(
    tmp_path: Path, mode: Literal["r", "w"], version: int
) -> None:
    database = tmp_path / "store.duckdb"
    write_spool(tmp_path / "trace.spool", 13)
    columns = """SELECT table_name, column_name, data_type FROM duckdb_columns()
        WHERE NOT internal AND database_name <> 'temp' ORDER BY ALL"""
    with Store.open(database, "w") as store:
        ingest(store, tmp_path / "trace.spool")
        expected, (traces,) = store.rows(columns), store.rows("SELECT uuid, accesses, bytes FROM traces")
        for (view,) in store.rows("SELECT view_name FROM duckdb_views() WHERE NOT internal"):
            store.connection.execute(f"DROP VIEW {view}")
        for older in range(SCHEMA_VERSION - 1, version - 1, -1):
            store.connection.execute(DOWNGRADES[older])
        store.connection.execute("UPDATE stored.version SET version = ?", [version])
        assert store.rows(columns) != expected
    with Store.open(database, mode) as store:
        assert store.rows(columns) == expected
        assert store.rows("SELECT uuid, accesses, bytes FROM traces") == [traces]
        assert store.unanalysed(1) == [1]
        assert store.rows("SELECT * FROM plans UNION ALL BY NAME SELECT * FROM verdicts") == []
