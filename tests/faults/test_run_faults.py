"""`stepwell run` when something breaks: the program's result and end are those that it has without."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.kernel.tool import SECONDS, Stepwell, ended, wait_until
from tests.storage.slow import Control, Settings, Slow

from stepwell.mounts import kernel, mount_of, mounts
from stepwell.store import Store

pytestmark = pytest.mark.kernel

READER = """
import hashlib, os, sys
digest = hashlib.sha256()
try:
    fd = os.open(sys.argv[1] + "/big", os.O_RDONLY)
    while part := os.read(fd, 65536):
        digest.update(part)
except OSError as error:
    print(error.errno, flush=True)
    sys.exit(43)
print(digest.hexdigest(), flush=True)
"""

HEAD = """
import os, sys
fd = os.open(sys.argv[1] + "/big", os.O_RDONLY)
for _ in range(151):
    os.read(fd, 65536)
print("enough", flush=True)
"""

BIG = 19 << 20


@pytest.fixture
def stepwell(tmp_path: Path) -> Stepwell:
    return Stepwell(tmp_path / "store.duckdb")


@pytest.fixture
def big(slow: Slow) -> bytes:
    data = os.urandom(BIG)
    (slow.source / "big").write_bytes(data)
    return data


@pytest.fixture
def slow(slow_program: Path, tmp_path: Path) -> Slow:
    source, mount = tmp_path / "source", tmp_path / "mount"
    source.mkdir()
    mount.mkdir()
    return Slow(slow_program, source, mount, Settings(latency_us=20_000, readahead_bytes=65_536))


def engine_of(process: subprocess.Popen[Any]) -> int | None:
    """Return the process id of the engine that a running `stepwell run` has started."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == process.pid and b"stepwell.prefetch" in words:
            return int(entry.name)
    return None


def busy(storage: Control) -> bool:
    """Whether more is read at once than the reader and the kernel's readahead do."""
    return storage.counters["most_in_flight"] > 4


def test_a_killed_engine_is_told_and_changes_nothing(stepwell: Stepwell, slow: Slow, big: bytes) -> None:
    with (
        slow.mounted() as storage,
        ended(stepwell.start("run", "--", sys.executable, "-c", READER, str(slow.mount))) as process,
    ):
        wait_until(lambda: busy(storage), "the engine reads nothing")
        engine = engine_of(process)
        assert engine is not None
        os.kill(engine, signal.SIGKILL)
        out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out) == (0, hashlib.sha256(big).hexdigest() + "\n")
    assert "the prefetch engine has ended unexpectedly" in err
    assert stepwell.rows("select status, exit_code from traces") == [("complete", 0)]


@pytest.mark.usefixtures("big")
def test_a_mount_that_dies_fails_the_program_as_it_would_alone(stepwell: Stepwell, slow: Slow) -> None:
    with (
        slow.mounted() as storage,
        ended(stepwell.start("run", "--", sys.executable, "-c", READER, str(slow.mount))) as process,
    ):
        wait_until(lambda: busy(storage), "the engine reads nothing")
        storage.set(die_at=storage.counters["reads"] + 2)
        out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out) in {(43, "107\n"), (43, "103\n")}, err  # ENOTCONN, ECONNABORTED
    assert "recorded trace 1" in err


def test_a_disk_that_fills_up_is_told_and_changes_nothing(small_disk: Path, slow: Slow, big: bytes) -> None:
    stepwell = Stepwell(small_disk / "store.duckdb")
    with (
        slow.mounted() as storage,
        ended(stepwell.start("run", "--", sys.executable, "-c", READER, str(slow.mount))) as process,
    ):
        wait_until(lambda: busy(storage), "the engine reads nothing")
        with (small_disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(bytes(4096)):
                pass
        out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out) == (0, hashlib.sha256(big).hexdigest() + "\n")
    assert "space" in err
    (small_disk / "filler").unlink()
    assert "recovered trace" in stepwell.run("traces").stderr
    assert stepwell.rows("select exit_code from traces") == [(0,)]


@pytest.mark.usefixtures("big")
def test_a_program_that_ends_early_is_not_waited_for(stepwell: Stepwell, slow: Slow) -> None:
    with slow.mounted() as storage:
        with ended(stepwell.start("run", "--", sys.executable, "-c", HEAD, str(slow.mount))) as process:
            wait_until(lambda: busy(storage), "the engine reads nothing")
            out, err = process.communicate(timeout=SECONDS)
        wait_until(lambda: not storage.counters["in_flight"], "something is still read")
        assert engine_of(process) is None
    assert (process.returncode, out) == (0, "enough\n"), err


@pytest.mark.usefixtures("big")
def test_a_signal_reaches_the_program_and_all_ends(stepwell: Stepwell, slow: Slow) -> None:
    with (
        slow.mounted() as storage,
        ended(stepwell.start("run", "--", sys.executable, "-c", READER, str(slow.mount))) as process,
    ):
        wait_until(lambda: busy(storage), "the engine reads nothing")
        engine = engine_of(process)
        process.terminate()
        _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + signal.SIGTERM
    assert "recorded trace 1" in err
    assert not Path(f"/proc/{engine}").exists()


def test_when_stepwell_is_killed_the_program_runs_on_and_the_engine_ends(
    stepwell: Stepwell, slow: Slow, big: bytes, tmp_path: Path
) -> None:
    result = tmp_path / "result"
    with slow.mounted() as storage, result.open("w") as output:
        argv = stepwell.argv("run", "--", sys.executable, "-c", READER, str(slow.mount))
        with subprocess.Popen(argv, stdout=output) as process:
            wait_until(lambda: busy(storage), "the engine reads nothing")
            engine = engine_of(process)
            process.kill()
        wait_until(result.read_text, "the program has no result")
        wait_until(lambda: not Path(f"/proc/{engine}").exists(), "the engine is still there")
    assert result.read_text() == hashlib.sha256(big).hexdigest() + "\n"
    assert "recovered trace 1" in stepwell.run("traces").stderr


@pytest.mark.usefixtures("big")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_before_the_program_begins_leaves_no_mount_changed(
    stepwell: Stepwell, slow: Slow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with slow.mounted():
        mount = mount_of(str(slow.mount), mounts())
        assert mount is not None
        before = kernel.settings(mount)["read_ahead_kb"]
        setting = {"engine": "linux", "path": mount.point, "name": "read_ahead_kb", "value": "4096"}
        words = dict.fromkeys(("how", "reason", "source"), "as it was measured")
        target = {"path": mount.point, "policy": "none", "reason": "it is fast enough"}
        budget = {"memory_bytes": 1 << 26, "in_flight": 8}
        plan = {"version": 1, "mode": "auto", "budget": budget, "targets": [target], "settings": [setting | words]}
        (tmp_path / "plan.json").write_text(json.dumps(plan))
        arguments = ("--plan", str(tmp_path / "plan.json"), "--tune-mounts", "--", "sleep", str(SECONDS))
        with ended(stepwell.start("run", *arguments)) as process:
            wait_until(lambda: kernel.settings(mount)["read_ahead_kb"] == 4096, "the mount is not set")
            process.send_signal(number)
            _, err = process.communicate(timeout=SECONDS)
        assert process.returncode == 128 + number, err
        assert kernel.settings(mount)["read_ahead_kb"] == before
        # A trace in which a mount was set otherwise is none in which nobody acted.
        assert stepwell.rows("select action from verdicts") in ([], [("kept",)])
        assert not list((tmp_path / "state").rglob("*.json"))


@pytest.mark.usefixtures("big")
@pytest.mark.parametrize("ordered", [True, False])
def test_a_store_that_is_busy_and_a_signal_at_the_end_change_nothing(
    stepwell: Stepwell, slow: Slow, *, ordered: bool
) -> None:
    arguments = ("--order-from", "last") if ordered else ()
    with slow.mounted():
        assert stepwell.run("record", "--", "dd", f"if={slow.mount}/big", "of=/dev/null").returncode == 0
        with ended(stepwell.start("run", *arguments, "--", "sh", "-c", "echo $$; read line; exit 37")) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            command = int(process.stdout.readline())
            with Store.open(stepwell.store, "w"):
                process.stdin.write("\n")
                process.stdin.flush()
                wait_until(lambda: not Path(f"/proc/{command}").exists(), "the program does not end")
                process.terminate()
                _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 37, err
    assert "the recording is not in the store yet" in err
    assert " ahead" in err, "what was done is told in any case"
    assert "recovered trace 2" in stepwell.run("traces").stderr
    assert stepwell.rows("select exit_code, status from traces where trace = 2") == [(37, "complete")]
