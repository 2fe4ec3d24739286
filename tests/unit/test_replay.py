"""Replays of synthetic traces on real files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner, Result
from tests.unit.recordings import MS, Recording

from stepwell.cli.main import cli
from stepwell.replay import ReplayError
from stepwell.trace.definition import Op

SIZE = 23 * 4093


def _recording(directory: Path) -> Recording:
    recording = Recording(directory / "made.spool")
    recording.thread(1, end=31 * MS)
    recording.thread(2, end=31 * MS)
    recording.open(1, b"/data/a.bin", size=SIZE)
    recording.open(2, b"/data/sub/b.bin", size=3 * 4096, thread=2)
    recording.open(3, b"/usr/lib/libc.so.6", size=4096)
    recording.open(4, b"/data/out", size=8192)
    return recording


@pytest.fixture
def store(tmp_path: Path) -> Path:
    recording = _recording(tmp_path)
    recording.run(1, at=2 * MS, count=23, stride=4093, size=4093, requested=4093, seq=0, span_ns=22 * MS)
    recording.run(2, thread=2, at=[5 * MS, 6 * MS, 7 * MS], seq=np.arange(3), offset=[8192, 0, 4096])
    recording.run(3, at=1 * MS, seq=90)
    recording.run(4, at=25 * MS, seq=91, op=Op.WRITE, count=2, stride=4096, span_ns=MS)
    recording.end(31 * MS)
    return recording.stored()


def invoke(store: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--store", str(store), "replay", "1", *arguments], standalone_mode=False)


def replayed(store: Path, directory: Path, *arguments: str) -> dict[str, Any]:
    done = invoke(store, "--on", str(directory), "-o", "json", *arguments)
    assert done.exception is None, done.exception
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def error(store: Path, directory: Path, *arguments: str) -> str:
    done = invoke(store, "--on", str(directory), *arguments)
    assert isinstance(done.exception, ReplayError), (done.exception, done.stdout)
    return str(done.exception)


def test_every_access_is_issued_on_files_made_for_it(store: Path, tmp_path: Path) -> None:
    found = replayed(store, tmp_path / "new", "--make-files")
    assert (found["status"], found["planned"], found["issued"], found["errors"]) == ("complete", 26, 26, {})
    assert (found["root"], found["files"], found["threads"], found["workers"]) == ("/data", 2, 2, 2)
    (read,) = found["operations"]
    assert (read["op"], read["other_size"]) == ("read", 0)
    assert [read[side][what] for side in ("recorded", "replayed") for what in ("accesses", "bytes")] == [
        26, SIZE + 3 * 4096, 26, SIZE + 3 * 4096,
    ]  # fmt: skip
    assert found["recorded_ns"] == 22 * MS + 1000
    assert found["replayed_ns"] >= 22 * MS
    assert found["recorded_stall_ns"] == 26_000
    left = {"software_files": 1, "software_accesses": 1, "writes": 2}
    assert left.items() <= found["left_out"].items()
    made = tmp_path / "new" / "a.bin"
    assert made.stat().st_size == SIZE
    assert made.stat().st_blocks * 512 >= SIZE
    assert len(set(made.read_bytes())) == 256
    assert (tmp_path / "new/sub/b.bin").stat().st_size == 3 * 4096
    assert not (tmp_path / "new" / "out").exists()


def test_json_is_as_its_schema_says(store: Path, tmp_path: Path) -> None:
    schema = json.loads(invoke(store, "--schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    found = replayed(store, tmp_path / "new", "--make-files", "--speed", "max")
    jsonschema.validate(found, schema)
    assert list(found) == list(schema["properties"])


def test_words_and_table(store: Path, tmp_path: Path) -> None:
    done = invoke(store, "--on", str(tmp_path / "new"), "--make-files", "--sparse", "--speed", "2x")
    assert "26 of 26 accesses on 2 files by 2 threads" in done.stdout
    assert "Left out: 1 access to 1 file of programs (see --software)." in done.stdout
    assert "Left out: 2 accesses that wrote (see --writes)." in done.stdout
    assert done.stderr == f"stepwell: made 2 files below {tmp_path / 'new'}\n"
    assert (tmp_path / "new" / "a.bin").stat().st_blocks == 0


def test_speed_divides_time(store: Path, tmp_path: Path) -> None:
    replayed(store, tmp_path / "new", "--make-files")
    half = replayed(store, tmp_path / "new", "--speed", "0.25x")
    assert half["replayed_ns"] >= 88 * MS
    assert half["speed"] == 0.25
    fast = replayed(store, tmp_path / "new", "--speed", "max")
    assert (fast["speed"], fast["issued"], fast["late"]["max_ns"]) == (0, 26, 0)


@pytest.mark.parametrize("speed", ["0x", "-1x", "fast", "1e3", "nan", ""])
def test_what_is_no_speed(store: Path, tmp_path: Path, speed: str) -> None:
    done = CliRunner().invoke(cli, ["--store", str(store), "replay", "1", "--on", str(tmp_path), "--speed", speed])
    assert done.exit_code == 2
    assert "is not max or a factor" in done.stderr


def test_files_that_are_missing(store: Path, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(SIZE))
    message = error(store, tmp_path)
    assert "1 of 2 files are missing" in message
    assert "sub/b.bin; copy them there, or make them with --make-files" in message
    assert "No such file" in error(store, tmp_path / "nowhere")
    assert "Not a directory" in error(store, tmp_path / "a.bin")


def test_what_is_there_is_never_changed(store: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.bin").write_bytes(b"mine")
    before = (data / "a.bin").stat()
    done = invoke(store, "--on", str(data), "--make-files", "-o", "json")
    assert "1 file below" in done.stderr
    assert "smaller than recorded" in done.stderr
    found = json.loads(done.stdout)
    assert found["smaller_files"] == 1
    assert found["operations"][0]["other_size"] == 23
    assert found["operations"][0]["replayed"]["bytes"] == 4 + 3 * 4096
    after = (data / "a.bin").stat()
    assert (data / "a.bin").read_bytes() == b"mine"
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


@pytest.mark.parametrize("where", ["file", "directory", "dangling"])
def test_symbolic_links_do_not_lead_out(store: Path, tmp_path: Path, where: str) -> None:
    data, outside = tmp_path / "data", tmp_path / "outside"
    data.mkdir()
    outside.mkdir()
    (data / "a.bin").write_bytes(bytes(SIZE))
    if where == "file":
        (outside / "b.bin").write_bytes(bytes(8192))
        (data / "sub").mkdir()
        (data / "sub/b.bin").symlink_to(outside / "b.bin")
    elif where == "directory":
        (data / "sub").symlink_to(outside)
    else:
        (data / "sub").mkdir()
        (data / "sub/b.bin").symlink_to("../../outside/b.bin")
    assert "leads out of" in error(store, data, "--make-files")
    assert sorted(path.name for path in outside.iterdir()) == (["b.bin"] if where == "file" else [])


def test_symbolic_links_may_stay_inside(store: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "real").mkdir(parents=True)
    (data / "sub").symlink_to("real")
    (data / "real/b.bin").write_bytes(bytes(3 * 4096))
    assert replayed(store, data, "--make-files")["errors"] == {}


def test_only_regular_files_are_opened(store: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.bin")
    assert "not a regular file" in error(store, tmp_path, "--make-files")


def test_writes_go_to_files_made_for_them_and_to_nothing_else(store: Path, tmp_path: Path) -> None:
    made, mine = tmp_path / "made", tmp_path / "mine"
    found = replayed(store, made, "--make-files", "--writes")
    assert [(one["op"], one["replayed"]["accesses"]) for one in found["operations"]] == [("read", 26), ("write", 2)]
    (made / "out").write_bytes(b"1" * 8192)
    replayed(store, made)
    assert (made / "out").read_bytes() == b"1" * 8192
    assert replayed(store, made, "--writes")["issued"] == 28
    assert b"1" * 4096 not in (made / "out").read_bytes()
    assert (made / "out").stat().st_size == 8192
    mine.mkdir()
    (mine / "out").write_bytes(b"precious")
    assert "was not made by --make-files" in error(store, mine, "--make-files", "--writes")
    (made / "out").unlink()
    (made / "out").write_bytes(b"precious")
    assert "was not made by --make-files" in error(store, made, "--writes")
    assert [(directory / "out").read_bytes() for directory in (mine, made)] == [b"precious", b"precious"]


def test_no_space(store: Path, tmp_path: Path) -> None:
    recording = Recording(tmp_path / "large.spool")
    recording.thread(1, end=31 * MS)
    recording.open(1, b"/data/large", size=2**60)
    recording.run(1, offset=2**60 - 4096)
    recording.end(31 * MS)
    recording.stored()
    done = CliRunner().invoke(
        cli, ["--store", str(store), "replay", "2", "--on", str(tmp_path / "new"), "--make-files"]
    )
    assert isinstance(done.exception, ReplayError)
    assert "choose another directory, or --sparse" in str(done.exception)
    assert [path.name for path in (tmp_path / "new").iterdir()] == []


def test_accesses_that_fail_are_told_and_set_the_exit_code(store: Path, tmp_path: Path) -> None:
    recording = Recording(tmp_path / "wrong.spool")
    recording.thread(1, end=31 * MS)
    recording.open(1, b"/data/a.bin", size=SIZE)
    recording.run(1, op=Op.MMAP, at=MS * np.arange(1, 3), seq=np.arange(2), offset=[0, 2**20])
    recording.end(31 * MS)
    recording.stored()
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.bin").write_bytes(bytes(SIZE))
    arguments = ["--store", str(store), "replay", "2", "--on", str(tmp_path / "data"), "-o", "json"]
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    found = json.loads(done.stdout)
    assert (found["errors"], found["issued"], found["status"]) == ({"EFAULT": 1}, 2, "complete")
    assert done.return_value == 1


def test_a_recorded_directory_takes_the_place_of_another(store: Path, tmp_path: Path) -> None:
    found = replayed(store, tmp_path / "new", "--under", "/data/sub", "--make-files")
    assert (found["root"], found["files"], found["issued"]) == ("/data/sub", 1, 3)
    assert (tmp_path / "new/b.bin").stat().st_size == 3 * 4096
    assert found["left_out"]["elsewhere_files"] == 3
    assert "no access to replay below /nothing" in error(store, tmp_path, "--under", "/nothing")


def test_ctrl_c_tells_what_was_done(store: Path, tmp_path: Path) -> None:
    recording = Recording(tmp_path / "long.spool")
    recording.thread(1, end=10**6 * MS)
    recording.open(1, b"/data/a.bin", size=SIZE)
    recording.run(1, at=[0, 10**6 * MS], seq=np.arange(2))
    recording.end(10**6 * MS)
    recording.stored()
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.bin").write_bytes(bytes(SIZE))
    code = (
        "import os, signal\n"
        "from stepwell.replay.native.library import Replay\n"
        "wait = Replay.wait\n"
        "def watched(self, ms):\n"
        "    if self.done: os.kill(os.getpid(), signal.SIGINT)\n"
        "    return wait(self, ms)\n"
        "Replay.wait = watched\n"
        "from stepwell.cli.main import main; main()"
    )
    arguments = ["--store", str(store), "replay", "2", "--on", str(tmp_path / "data"), "-o", "json"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 128 + signal.SIGINT, done.stderr
    found = json.loads(done.stdout)
    assert (found["status"], found["planned"], found["issued"]) == ("interrupted", 2, 1)
