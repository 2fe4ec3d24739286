"""`stepwell import`: what is printed, exit codes, importing twice, and what a kill leaves."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.kernel.tool import wait_until
from tests.unit.importers.bringing import stepwell
from tests.unit.importers.test_import_hostile import WHOLE

from stepwell.collectors.importers import FORMATS
from stepwell.store import Store


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "store.duckdb"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    found = {}
    for name, content in WHOLE.items():
        found[name] = tmp_path / f"some.{name}.file"
        found[name].write_bytes(content)
    return found


def left(place: Path) -> list[Path]:
    return list(place.with_name(place.name + ".spool").glob("*"))


def test_each_file_is_a_trace(place: Path, files: dict[str, Path]) -> None:
    done = stepwell("import", *files.values(), store=place)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[0] == ["TRACE", "FORMAT", "ACCESSES", "BYTES", "SKIPPED", "FILE"]
    assert [(row[0], row[1]) for row in rows[1:]] == [(str(number + 1), name) for number, name in enumerate(files)]
    assert "limit: latencies are not known" in done.stderr
    assert "skipped 1: accesses to pipes, sockets" in done.stderr
    assert not left(place)


def test_json_and_importing_twice(place: Path, files: dict[str, Path]) -> None:
    first = json.loads(stepwell("import", files["fio"], "-o", "json", store=place).stdout)
    assert first == [
        {
            "file": str(files["fio"]), "trace": 1, "new": True, "format": "fio", "accesses": 2, "bytes": 20, "lost": 0,
            "skipped": {}, "limits": first[0]["limits"],
        }
    ]  # fmt: skip
    copy = files["fio"].with_name("copy")
    copy.write_bytes(WHOLE["fio"])
    again = stepwell("import", copy, "-o", "json", store=place)
    assert again.returncode == 0
    assert json.loads(again.stdout) == [first[0] | {"new": False, "file": str(copy)}]
    assert f"{copy} is already in the store, as trace 1" in stepwell("import", copy, store=place).stderr


def test_a_broken_file_ends_the_import_and_keeps_what_came_before(place: Path, files: dict[str, Path]) -> None:
    files["strace"].write_text("7 close(3) = 0\nbroken\n")
    arguments = ("import", files["csv"], files["strace"], files["fio"], "-o", "json")
    done = stepwell(*arguments, store=place)
    assert done.returncode == 6
    assert f"stepwell: error: {files['strace']}, line 2: no line of strace's: 'broken'" in done.stderr
    assert [one["format"] for one in json.loads(done.stdout)] == ["csv"]
    done = stepwell(*arguments, "--keep-going", store=place)
    assert done.returncode == 6
    assert f"{files['strace']}, line 2: " in done.stderr
    assert [(one["format"], one["new"]) for one in json.loads(done.stdout)] == [("csv", False), ("fio", True)]
    assert not left(place)


def test_formats_can_be_named_and_listed(place: Path, files: dict[str, Path]) -> None:
    listed = stepwell("import", "--formats", store=place).stdout
    assert [line.split()[0] for line in listed.splitlines()[1:]] == list(FORMATS)
    done = stepwell("import", files["fio"], "--format", "strace", store=place)
    assert (done.returncode, done.stdout) == (6, "")
    assert "line 1: no line of strace's: 'fio version 3 iolog'" in done.stderr
    assert stepwell("import", files["fio"], "--format", "nothing", store=place).returncode == 2
    assert stepwell("import", store=place).returncode == 2
    assert not left(place)


def test_the_report_of_an_imported_trace(place: Path, files: dict[str, Path]) -> None:
    for name, file in files.items():
        assert stepwell("import", file, store=place).returncode == 0
        done = stepwell("report", store=place)
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), (name, done.stderr)
    assert stepwell("report", "--trace", "1", "-o", "html", store=place).returncode == 0


def test_a_spool_that_cannot_be_written(place: Path, files: dict[str, Path]) -> None:
    place.with_name(place.name + ".spool").write_text("in the way")
    done = stepwell("import", files["fio"], store=place)
    assert done.returncode == 4
    assert "make that possible, or use --store" in done.stderr


def test_a_killed_import_leaves_nothing_that_is_taken_for_a_trace(place: Path, tmp_path: Path) -> None:
    rows = tmp_path / "many.csv"
    with rows.open("w") as file:
        file.write("path,op,offset,size\n")
        for start in range(0, 3_000_000, 1000):
            file.write("".join(f"/d/{i % 997},read,{i * 7919},{i}\n" for i in range(start, start + 1000)))
    command = [
        sys.executable,
        "-c",
        "from stepwell.cli.main import main; main()",
        "--store",
        str(place),
        "import",
        str(rows),
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    for how in (signal.SIGINT, signal.SIGKILL):
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as importing:
            wait_until(
                lambda: importing.poll() is not None or any(path.stat().st_size > 1 << 20 for path in left(place)),
                "no spool file",
            )
            assert importing.poll() is None
            (spool,) = left(place)
            with spool.open() as file, pytest.raises(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            importing.send_signal(how)
            _, said = importing.communicate(timeout=60)
        assert importing.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)
        assert "Traceback" not in said
        assert left(place) == ([] if how == signal.SIGINT else [spool])
    assert stepwell("traces", "-o", "json", store=place).stdout == "[]\n"
    small = tmp_path / "small.csv"
    small.write_bytes(WHOLE["csv"])
    assert stepwell("import", small, store=place).returncode == 0
    assert left(place) == []
    with Store.open(place, "r") as store:
        assert store.rows("SELECT count(*), max(accesses) FROM traces") == [(1, 3)]
