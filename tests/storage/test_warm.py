"""`stepwell warm` on a storage that counts what is read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.kernel.tool import SECONDS, Stepwell, ended, wait_until
from tests.storage.conftest import Storage
from tests.storage.slow import Control, is_waiting
from tests.unit.recordings import Recording

from stepwell.warm import Journal

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="this machine has no /dev/fuse"),
]

MIB = 1 << 20
SIZES = {"a": 3 * MIB + 5, "b/small": 1, "b/empty": 0, "b/z": 131_072, "c": MIB}
TOTAL = sum(SIZES.values())


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "stepwell" / "warm"


@pytest.fixture(autouse=True)
def files(source: Path) -> None:
    (source / "b").mkdir()
    for name, size in SIZES.items():
        (source / name).write_bytes(os.urandom(size))
    (source / "link").symlink_to("/etc/passwd")
    (source / "b" / "loop").symlink_to("..")
    os.mkfifo(source / "pipe")


def warmed(stepwell: Stepwell, *arguments: object, code: int = 0) -> dict[str, Any]:
    done = stepwell.run("warm", *map(str, arguments), "-o", "json")
    assert done.returncode == code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def read_bytes(control: Control) -> set[tuple[int, int]]:
    """Return the pages that were read, by inode and number."""
    return {
        (int(read["inode"]), page)
        for read in control.reads()
        for page in range(int(read["offset"]) // 4096, (int(read["offset"] + read["size"]) + 4095) // 4096)
    }


def all_pages(source: Path) -> set[tuple[int, int]]:
    return {((source / name).stat().st_ino, page) for name, size in SIZES.items() for page in range(-(-size // 4096))}


def test_all_is_read_once_and_then_nothing_more(
    stepwell: Stepwell, storage: Storage, source: Path, mount: Path, state: Path
) -> None:
    with storage(latency_us=1009) as control:
        found = warmed(stepwell, mount, "--concurrency", 7)
        assert (found["status"], found["files"], found["done"], found["failed"]) == ("complete", 5, 5, 0)
        assert (found["brought_bytes"], found["resident_bytes"]) == (TOTAL, 0)
        assert control.counters["bytes"] == TOTAL
        assert 2 <= control.counters["most_in_flight"] <= 7
        reads = control.counters["reads"]
        for name in SIZES:
            assert (mount / name).read_bytes() == (source / name).read_bytes()
        assert control.counters["reads"] == reads
        again = warmed(stepwell, mount / "a", mount / "b")
        assert (again["files"], again["brought_bytes"], again["resident_bytes"]) == (4, 0, TOTAL - MIB)
        assert control.counters["reads"] == reads
    assert not list(state.iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_so_many_reads_are_under_way_and_ctrl_c_ends_them(
    stepwell: Stepwell, storage: Storage, mount: Path, number: int
) -> None:
    with storage() as control:
        control.set(latency_us=10 * SECONDS * 1_000_000)
        with ended(stepwell.start("warm", str(mount), "--concurrency", "3", "-o", "json")) as process:
            wait_until(lambda: control.counters["in_flight"] == 3, "three reads are not under way")
            process.send_signal(number)
            output, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + number
    assert json.loads(output)["status"] == "interrupted"
    assert "goes on from here" in errors


ONE_BY_ONE = ("--concurrency", "1", "--block-size", "64KiB")


def interrupted(
    stepwell: Stepwell, control: Control, state: Path, mount: Path, number: int, noted: str
) -> subprocess.Popen[str]:
    """Warm until something is noted, then send a signal; afterwards the storage is fast."""
    control.set(latency_us=20_011)
    with ended(stepwell.start("warm", str(mount), *ONE_BY_ONE)) as process:
        wait_until(lambda: any(noted in one.read_text() for one in state.glob("*")), "nothing is noted")
        process.send_signal(number)
        process.communicate(timeout=SECONDS)
    assert len(list(state.iterdir())) == 1
    control.set(latency_us=0)
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_what_was_interrupted_goes_on(
    stepwell: Stepwell, storage: Storage, source: Path, mount: Path, state: Path, number: int, code: int
) -> None:
    # Nothing stays in the page cache, so that only the journal can know.
    with storage(direct=1) as control:
        assert interrupted(stepwell, control, state, mount, number, '"').returncode == code
        first = control.counters["bytes"]
        found = warmed(stepwell, mount, *ONE_BY_ONE)
        assert found["status"] == "complete"
        assert 65_536 <= found["known_bytes"] <= first
        assert found["known_bytes"] + found["brought_bytes"] == TOTAL
        assert read_bytes(control) >= all_pages(source)
        assert not list(state.iterdir())
        assert warmed(stepwell, mount, *ONE_BY_ONE)["brought_bytes"] == TOTAL


def test_what_is_another_since_is_read_anew(
    stepwell: Stepwell, storage: Storage, source: Path, mount: Path, state: Path
) -> None:
    (source / "0").write_bytes(bytes(70_001))
    (source / "1").write_bytes(bytes(70_001))
    (source / "2").write_bytes(bytes(70_001))
    with storage(direct=1, valid_ms=0) as control:
        interrupted(stepwell, control, state, mount, signal.SIGINT, f"{mount}/a")
        (source / "new").write_bytes(bytes(70_001))
        (source / "new").rename(source / "0")
        with (source / "1").open("ab") as grown:
            grown.write(bytes(7))
        control.reset()
        found = warmed(stepwell, mount, *ONE_BY_ONE)
        assert found["failures"] == []
        read = [sum(int(one["size"]) for one in control.reads(source / name)) for name in ("0", "1", "2")]
        assert read == [70_001, 70_008, 0]


def test_each_machine_has_a_journal_of_its_own(
    stepwell: Stepwell, storage: Storage, tmp_path: Path, mount: Path, state: Path
) -> None:
    boot = tmp_path / "boot_id"
    boot.write_text("another-machine\n")
    script = 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"'
    elsewhere = ["unshare", "--mount", "sh", "-c", script, str(boot)]
    with storage(direct=1) as control:
        interrupted(stepwell, control, state, mount, signal.SIGINT, '"')
        with Journal.of(state, [str(mount)]):
            done = stepwell.run("warm", str(mount))
            assert (done.returncode, done.stdout) == (1, "")
            assert "is being warmed by another stepwell" in done.stderr
            argv = [*elsewhere, *stepwell.argv("warm", str(mount), "-o", "json")]
            done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=SECONDS)
            assert json.loads(done.stdout)["brought_bytes"] == TOTAL
        found = warmed(stepwell, mount, *ONE_BY_ONE)
        assert found["known_bytes"] >= 65_536
        assert found["known_bytes"] + found["brought_bytes"] == TOTAL


def test_where_nothing_can_be_noted_all_is_read(
    stepwell: Stepwell, storage: Storage, tmp_path: Path, mount: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with storage() as control:
        found = warmed(stepwell, mount / "a")
        assert (found["status"], found["brought_bytes"]) == ("complete", SIZES["a"])
        assert found["forgotten"].endswith("Not a directory")
        control.set(latency_us=10 * SECONDS * 1_000_000)
        with ended(stepwell.start("warm", str(mount / "c"))) as process:
            wait_until(lambda: control.counters["in_flight"], "it does not read")
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert "Not a directory: what was read is not noted" in errors
    assert "goes on" not in errors


def test_restart_begins_anew(stepwell: Stepwell, storage: Storage, mount: Path, state: Path) -> None:
    with storage(direct=1) as control:
        interrupted(stepwell, control, state, mount, signal.SIGINT, '"')
        assert warmed(stepwell, mount, "--restart", "--concurrency", 128)["brought_bytes"] == TOTAL


def test_bandwidth_is_kept_to(stepwell: Stepwell, storage: Storage, mount: Path) -> None:
    rate = 2 * MIB
    with storage():
        found = warmed(stepwell, mount, "--bandwidth", f"{rate}/s")
    assert found["brought_bytes"] == TOTAL
    assert found["bytes_s"] <= 1.05 * rate


def test_a_file_that_fails_is_named_and_the_next_run_is_new(
    stepwell: Stepwell, storage: Storage, mount: Path, state: Path
) -> None:
    # Nothing stays in the page cache: it is as if all had been evicted in between.
    with storage(direct=1) as control:
        control.set(fail_at=1)
        done = stepwell.run("warm", str(mount), "--concurrency", "1")
        assert done.returncode == 1
        assert f"FAILED: {mount}/a: EIO" in done.stdout
        assert not list(state.iterdir())
        control.reset()
        control.set(fail_at=0)
        found = warmed(stepwell, mount)
        assert (found["failed"], found["done"], found["brought_bytes"]) == (0, 5, TOTAL)


def test_a_storage_that_hangs_is_told(storage: Storage, mount: Path) -> None:
    script = "from stepwell.warm import engine; engine.HUNG_S = 0.3; from stepwell.cli.main import main; main()"
    with storage(hang_at=3) as control:
        argv = [sys.executable, "-c", script, "warm", str(mount), "--concurrency", "2"]
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=SECONDS)
        assert control.counters["hung"] == 1
    assert done.returncode == 1
    assert "does not answer" in done.stderr


def test_waiting_for_the_bandwidth_is_no_hang(storage: Storage, mount: Path) -> None:
    script = "from stepwell.warm import engine; engine.HUNG_S = 2; from stepwell.cli.main import main; main()"
    with storage(latency_us=300_007):
        argv = [sys.executable, "-c", script, "warm", str(mount / "b" / "z"), "--bandwidth", "24KiB/s"]
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["warm", "bench"])
def test_ctrl_c_ends_a_command_on_a_storage_that_answers_nothing(
    stepwell: Stepwell, storage: Storage, mount: Path, command: str
) -> None:
    with storage() as control, control.stopped(), ended(stepwell.start(command, str(mount / "b"))) as process:
        wait_until(lambda: is_waiting(process.pid), "it does not look at the storage")
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == -signal.SIGINT


def test_directories_that_cannot_be_listed_are_told(stepwell: Stepwell, tmp_path: Path, state: Path) -> None:
    top, name = tmp_path / "deep", "d" * 251
    top.mkdir()
    (top / "file").write_bytes(bytes(11))
    at = os.open(top, os.O_RDONLY)
    for _ in range(17):  # a longer path than the kernel takes at once
        os.mkdir(name, dir_fd=at)
        below = os.open(name, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    found = warmed(stepwell, top, code=1)
    assert (found["status"], found["files"], found["done"], found["failed"]) == ("complete", 1, 1, 0)
    (unlisted,) = found["unlisted"]
    assert unlisted["path"].startswith(f"{top}/{name}/")
    assert unlisted["error"] == "ENAMETOOLONG"
    assert not list(state.iterdir())
    assert f"NOT LISTED: {unlisted['path'][:60]}" in stepwell.run("warm", str(top)).stdout


ORDERS = {
    ("--order", "name"): ["a", "b/small", "b/z", "c"],
    ("--order", "popularity"): ["b/z", "c", "a", "b/small"],
    ("--order", "trace"): ["c", "b/z", "a", "b/small"],
    ("--order", "trace", "--trace", "1"): ["b/z", "a", "b/small", "c"],
}


def test_the_order_is_the_one_asked_for(stepwell: Stepwell, storage: Storage, source: Path, mount: Path) -> None:
    traces = [[("b/z", 17, 10)], [("c", 13, 10), ("b/z", 3, 20)]]
    for number, files in enumerate(traces):
        recording = Recording(stepwell.store.parent / f"{number}.spool")
        recording.thread(1, end=10**9)
        for file, (name, count, start) in enumerate(files, 1):
            seen = mount if number else mount.parent / "link"
            recording.open(file, os.fsencode(seen / name), size=SIZES[name], thread=1)
            recording.run(file, thread=1, at=[start * 10**6 + one for one in range(count)], offset=[0] * count)
        recording.end(10**9)
        recording.stored()
    names = {(source / name).stat().st_ino: name for name in SIZES}
    with storage(direct=1) as control:
        (mount.parent / "link").symlink_to(mount)
        for options, order in ORDERS.items():
            control.reset()
            warmed(stepwell, mount.parent / "link", "--concurrency", 1, "--block-size", "64MiB", *options)
            assert list(dict.fromkeys(names[int(one["inode"])] for one in control.reads())) == order


def test_what_cannot_be_warmed_is_one_clear_error(stepwell: Stepwell, tmp_path: Path) -> None:
    for arguments, code, problem in (
        ((str(tmp_path / "none"),), 2, "does not exist"),
        ((), 2, "Missing argument"),
        ((str(tmp_path), "--trace", "1"), 2, "give --order trace"),
        ((str(tmp_path), "--bandwidth", "fast"), 2, "200MiB/s"),
        ((str(tmp_path), "--order", "popularity"), 5, "stepwell record"),
        (("/dev/null",), 1, "neither a file nor a directory"),
    ):
        done = stepwell.run("warm", *arguments)
        assert done.returncode == code, done.stderr
        assert problem in done.stderr
        assert not done.stdout
