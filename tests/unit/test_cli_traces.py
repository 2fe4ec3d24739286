"""traces, query, export and rm on a real store, filled from spool files as a recorder leaves them."""

from __future__ import annotations

import fcntl
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result

from stepwell.cli.main import cli
from stepwell.cli.place import Place
from stepwell.trace.definition import RUN_SHORT
from stepwell.trace.layout import DTYPES
from stepwell.trace.spool import SpoolWriter


def leave_recording(place: Place, uuid: str, runs: int = 23) -> Path:
    """Write the spool file of a recording of `runs` accesses of 4,093 bytes."""
    place.spools.mkdir(parents=True, exist_ok=True)
    path = place.spools / f"{uuid}.spool"
    records = np.zeros(runs, DTYPES[RUN_SHORT.kind])
    records["kind"] = RUN_SHORT.kind
    records["count"] = 1
    records["open"] = 1
    records["seq"] = np.arange(runs)
    records["start_ns"] = 1_000_000 + np.arange(runs)
    records["size"] = records["tail"] = records["requested"] = 4093
    with SpoolWriter(path) as spool:
        spool.meta(
            uuid=uuid, command=["cat", "a b"], scope="command", start_realtime_ns=0, start_monotonic_ns=1_000_000
        )
        spool.write(RUN_SHORT.kind, records)
        spool.meta(end_monotonic_ns=3_201_000_000, exit_code=7, losses={"ring": 2})
    return path


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.of(tmp_path / "store.duckdb")


def run(place: Place, *arguments: str, stdin: str | None = None) -> Result:
    result = CliRunner().invoke(cli, ["--store", str(place.store), *arguments], input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def stepwell(place: Place, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-c",
        "from stepwell.cli.main import main; main()",
        "--store",
        str(place.store),
        *arguments,
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=environment)


def test_where_traces_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    own = Place.of(None)
    assert own.store == tmp_path / "data" / "stepwell" / "stepwell.duckdb"
    assert own.spools == tmp_path / "state" / "stepwell" / "spool"
    assert own.command == "stepwell"
    chosen = Place.of(Path("a b.duckdb"))
    assert chosen.spools == Path("a b.duckdb.spool")
    assert chosen.command == "stepwell --store 'a b.duckdb'"


def test_no_traces_is_an_empty_list(place: Place) -> None:
    listing = run(place, "traces", "-o", "json")
    assert (listing.exit_code, json.loads(listing.stdout)) == (0, [])
    assert not place.store.exists()


def test_left_over_recordings_come_in_once(place: Place) -> None:
    leave_recording(place, "first")
    table = run(place, "traces")
    assert "recovered trace 1" in table.stderr
    row = table.stdout.splitlines()[1].split()
    assert row[0] == "1"
    assert row[3:] == ["3.2", "s", "complete", "7", "23", "91.9", "KiB", "2", "cat", "'a", "b'"]
    again = run(place, "traces")
    assert (again.stdout, again.stderr) == (table.stdout, "")
    assert list(place.spools.iterdir()) == []


def test_a_recording_in_progress_is_left_alone(place: Place) -> None:
    spool = leave_recording(place, "running")
    with spool.open("rb") as recorder:
        fcntl.flock(recorder, fcntl.LOCK_EX)
        assert json.loads(run(place, "traces", "-o", "json").stdout) == []
    assert spool.exists()
    assert len(json.loads(run(place, "traces", "-o", "json").stdout)) == 1


def test_a_store_that_others_read_is_read_without_the_left_overs(place: Place) -> None:
    leave_recording(place, "first")
    run(place, "traces")
    spool = leave_recording(place, "second")
    with place.reading():  # brings the second in, then reads
        assert not spool.exists()
        spool = leave_recording(place, "third")
        listing = stepwell(place, "traces", "-o", "json")
    assert listing.returncode == 0
    assert len(json.loads(listing.stdout)) == 2
    assert "not in the store yet" in listing.stderr
    assert spool.exists()


def test_a_locked_store_is_an_error_of_one_line(place: Place) -> None:
    leave_recording(place, "first")
    with place.writing():
        done = stepwell(place, "traces")
    assert (done.returncode, done.stdout) == (4, "")
    assert f"process {os.getpid()} has the store" in done.stderr
    assert "Traceback" not in done.stderr


def test_query_in_every_form(place: Place) -> None:
    leave_recording(place, "first")
    sql = "select count(*) as n, sum(size) as octets from accesses"
    assert run(place, "query", sql).stdout.split() == ["n", "octets", "23", str(23 * 4093)]
    assert json.loads(run(place, "query", sql, "-o", "json").stdout) == [{"n": 23, "octets": 23 * 4093}]
    assert run(place, "query", "-", "-o", "csv", stdin=sql).stdout.splitlines()[1].replace('"', "") == f"23,{23 * 4093}"
    arrow = run(place, "query", sql, "-o", "arrow").stdout_bytes
    parquet = run(place, "query", sql, "-o", "parquet").stdout_bytes
    for table in (pa.ipc.open_stream(arrow).read_all(), pyarrow.parquet.read_table(io.BytesIO(parquet))):
        assert table["n"].to_pylist() == [23]


def test_what_would_steer_a_terminal_is_escaped_in_a_table(place: Place) -> None:
    leave_recording(place, "first")
    result = run(place, "query", "select e'a\\nb\\x1b[2J' as name")
    assert result.stdout.splitlines()[1].rstrip() == r"a\nb\x1b[2J"


def test_a_long_table_is_cut_and_says_so(place: Place) -> None:
    leave_recording(place, "first", runs=1009)
    result = run(place, "query", "select seq from accesses order by seq")
    assert [line.strip() for line in result.stdout.splitlines()] == ["seq", *map(str, range(1000))]
    assert "the first 1,000 rows" in result.stderr
    leave_recording(place, "second", runs=1000)
    exact = run(place, "query", "select seq from accesses where trace = 2")
    assert len(exact.stdout.splitlines()) == 1001
    assert "the first" not in exact.stderr


def test_schema_names_every_view(place: Place) -> None:
    result = run(place, "query", "--schema")
    for view in ("traces", "readers", "files", "runs", "accesses", "losses"):
        assert f"\n{view}: " in f"\n{result.stdout}"


def test_a_query_cannot_write_and_tells_where_to_look(place: Place) -> None:
    leave_recording(place, "first")
    for sql in ("drop view traces", "select nonsense from traces", "copy traces to '/tmp/stepwell-must-not-exist'"):
        done = stepwell(place, "query", sql)
        assert (done.returncode, done.stdout) == (2, ""), sql
        assert "stepwell query --schema" in done.stderr


@pytest.mark.parametrize(("form", "copies"), [("csv", 10_000), ("json", 10_000), ("table", 1), ("csv", 1)])
def test_a_reader_of_the_output_that_leaves_early_is_no_error(place: Place, form: str, copies: int) -> None:
    leave_recording(place, "first")
    command = [sys.executable, "-c", "from stepwell.cli.main import main; main()", "--store", str(place.store)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    arguments = ["query", f"select * from accesses a, range({copies})", "-o", form]
    read, write = os.pipe()
    with subprocess.Popen([*command, *arguments], stdout=write, stderr=subprocess.PIPE, env=environment) as process:
        os.close(write)
        os.close(read)
        assert process.stderr is not None
        assert [line for line in process.stderr.read().splitlines() if b"recovered" not in line] == []
        assert process.wait(timeout=60) == 1


def test_export_and_rm(place: Place, tmp_path: Path) -> None:
    for uuid in ("first", "second", "third"):
        leave_recording(place, uuid)
    exported = run(place, "export", "2", "-o", str(tmp_path / "out"))
    assert exported.stdout.strip() == str(tmp_path / "out")
    assert pyarrow.parquet.read_table(tmp_path / "out" / "runs.parquet").num_rows == 23
    assert stepwell(place, "export", "2", "-o", str(tmp_path / "out")).returncode == 4
    assert stepwell(place, "rm", "1", "29").returncode == 5
    assert "removed 2 traces: 1, 3" in run(place, "rm", "1", "last").stderr
    assert [trace["trace"] for trace in json.loads(run(place, "traces", "-o", "json").stdout)] == [2]


@pytest.mark.parametrize("trace", ["29", "0", "-1", "first", "1.0", ""])
def test_traces_that_do_not_exist(place: Place, trace: str) -> None:
    leave_recording(place, "first")
    done = stepwell(place, "rm", "--", trace)
    assert done.returncode == 5
    assert "`stepwell traces` lists" in done.stderr
