"""Recorders that are killed, stopped, doubled, or short of disk: what they leave, and what becomes of the trace."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import random
import re
import select
import signal
import struct
import subprocess
from pathlib import Path

import pytest
from tests.kernel.collecting import ask, compile_many
from tests.kernel.tool import SECONDS, Stepwell, ended, wait_until

from stepwell.store import Store, ingest_leftovers
from stepwell.trace.definition import RUN, RUN_SHORT
from stepwell.trace.spool import Spool

pytestmark = pytest.mark.kernel

SIZE = 4093
BLOCKS = 997


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> str:
    return compile_many(tmp_path_factory.mktemp("many"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "file"
    path.parent.mkdir()
    path.write_bytes(os.urandom(BLOCKS * SIZE))
    return path


@pytest.fixture
def stepwell(tmp_path: Path) -> Stepwell:
    return Stepwell(tmp_path / "store" / "store.duckdb")


def is_full(directory: Path) -> bool:
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize < 1 << 20


def offsets(count: int) -> list[int]:
    """Return what `many random` reads."""
    state, result = 1, []
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        result.append((state >> 33) % BLOCKS * SIZE)
    return result


def spooled(stepwell: Stepwell) -> int:
    """Return how many accesses are in the spool file already."""
    if not stepwell.spools:
        return 0
    with Spool(stepwell.spools[0]) as spool:
        return sum(int(block.records["count"].sum()) for block in spool.blocks({RUN.kind, RUN_SHORT.kind}))


KINDS = {"prog": 11, "map": 12, "link": 31}
"""Commands of bpf(2) that give the next id."""


def bpf_objects() -> set[tuple[str, int]]:
    """Return the ids of all BPF programs, maps and links of the machine."""
    libc, found = ctypes.CDLL(None, use_errno=True), set()
    for kind, command in KINDS.items():
        attribute = ctypes.create_string_buffer(16)
        while libc.syscall(321, command, attribute, 16) == 0:
            (number,) = struct.unpack_from("I", attribute, 4)
            found.add((kind, number))
            struct.pack_into("I", attribute, 0, number)
    return found


def owned(pid: int) -> set[tuple[str, int]]:
    """Return the ids of the BPF objects that a process has open."""
    found = set()
    for file in Path(f"/proc/{pid}/fdinfo").iterdir():
        ids = re.findall(r"^(prog|map|link)_id:\s+(\d+)", file.read_text(), re.MULTILINE)
        found |= {(kind, int(number)) for kind, number in ids}
    return found


def is_let_go(stepwell: Stepwell) -> bool:
    """Whether neither recorder nor keeper has the spool file any more, if there is one."""
    for spool in stepwell.spools:
        with spool.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
    return True


def kept(stepwell: Stepwell) -> list[tuple[int, int]]:
    """Bring in what was left behind, and return number and offset of each access of the only trace."""
    wait_until(lambda: is_let_go(stepwell), "the keeper has ended the trace")
    with Store.open(stepwell.store, "w") as store:
        assert not ingest_leftovers(store, Path(f"{stepwell.store}.spool")).unusable
        assert store.rows("SELECT count(*) FROM traces")[0][0] <= 1
        return store.rows('SELECT seq, "offset" FROM accesses ORDER BY seq')


@pytest.mark.parametrize("moment", range(11))
def test_killed_at_any_moment_nothing_stays_but_the_command_and_its_trace(
    stepwell: Stepwell, data: Path, many: str, moment: int
) -> None:
    """The moments are spread over the start of a recording, its course, and its end."""
    delay = random.Random(moment).uniform(0, 2.2)
    count = 30_011
    command = ["record", "--under", str(data.parent), "--", many, "random", str(data), str(count)]
    with ended(stepwell.start(*command)) as recorder:
        assert recorder.stdin
        assert recorder.stdout
        recorder.stdin.write("go\n" * 3)
        recorder.stdin.flush()
        select.select([], [], [], delay)
        recorder.send_signal(signal.SIGSTOP)
        wait_until(lambda: "(stopped)" in Path(f"/proc/{recorder.pid}/status").read_text(), "stopped")
        mine = owned(recorder.pid)
        recorder.kill()
        recorder.wait(SECONDS)
        wait_until(lambda: not mine & bpf_objects(), "BPF objects outlive their recorder")
        recorder.stdin.close()
        answers = recorder.stdout.read()
    expected = offsets(3 * count)
    accesses = kept(stepwell)
    assert answers == ".\n" * 3 or (answers == "" and not accesses), "the command was harmed"
    first = accesses[0][0] if accesses else 0
    assert len({seq for seq, _ in accesses}) == len(accesses) <= len(expected)
    assert all(offset == expected[seq - first] for seq, offset in accesses)
    assert not stepwell.spools
    assert kept(stepwell) == accesses


@pytest.mark.parametrize("before", [0, 1], ids=["at_once", "later"])
def test_killed_it_loses_nothing(stepwell: Stepwell, data: Path, many: str, before: int) -> None:
    """Neither what is in the ring buffer, which a recorder that is stopped does not empty, nor the runs still open."""
    count = 10_007
    with ended(
        stepwell.start("record", "--under", str(data.parent), "--", many, "random", str(data), str(count))
    ) as recorder:
        for _ in range(before):
            ask(recorder)
            wait_until(lambda: spooled(stepwell) >= count - 2, "all runs that ended are in the spool file")
        assert recorder.stdin
        assert recorder.stdout
        if not before:  # only then is it certain that recording has begun
            ask(recorder)
        recorder.send_signal(signal.SIGSTOP)
        ask(recorder)
        recorder.kill()
        recorder.wait(SECONDS)
        assert [offset for _, offset in kept(stepwell)] == offsets(2 * count)
        ask(recorder)  # the command goes on, unseen
    with Store.open(stepwell.store, "r") as store:
        assert store.rows("SELECT status, exit_code, lost FROM traces") == [("interrupted", None, 0)]
        assert store.rows("SELECT comm, exit_code, end_ns > 0 FROM readers") == [("many", None, True)]
        assert store.rows("SELECT accesses, end_ns > 0 FROM threads") == [(2 * count, True)]


def test_killed_on_a_full_disk_the_trace_says_what_had_no_room(small_disk: Path, data: Path, many: str) -> None:
    count = 100_003
    stepwell = Stepwell(small_disk / "store.duckdb")
    with ended(
        stepwell.start("record", "--under", str(data.parent), "--", many, "random", str(data), str(count))
    ) as recorder:
        ask(recorder)
        wait_until(lambda: is_full(small_disk), "the disk is full")
        recorder.kill()
        recorder.wait(SECONDS)
    wait_until(lambda: is_let_go(stepwell), "the keeper has ended the trace")
    subprocess.run(["mount", "-o", "remount,size=100m", small_disk], check=True)
    accesses = kept(stepwell)
    with Store.open(stepwell.store, "r") as store:
        assert store.rows("SELECT hop, count FROM losses") == [("spool", count - len(accesses))]
    assert len(accesses) > 10_007


def test_a_recorder_does_not_need_its_keeper(stepwell: Stepwell, data: Path, many: str) -> None:
    count = 10_007
    with ended(
        stepwell.start("record", "--under", str(data.parent), "--", many, "random", str(data), str(count))
    ) as recorder:
        ask(recorder)
        children = Path(f"/proc/{recorder.pid}/task/{recorder.pid}/children").read_text().split()
        (keeper,) = (pid for pid in children if Path(f"/proc/{pid}/comm").read_text() == "stepwell-keeper\n")
        assert Path(f"/proc/{keeper}/cmdline").read_bytes().strip(b"\0") == b"stepwell-keeper"
        os.kill(int(keeper), signal.SIGKILL)
        ask(recorder)
        _, said = recorder.communicate(timeout=SECONDS)
        assert recorder.returncode == 0
    assert "nothing lost" in said
    assert [offset for _, offset in kept(stepwell)] == offsets(2 * count)


@pytest.mark.parametrize("delay", [0.05, 0.2, 0.4, 0.6, 0.8])
def test_killed_while_it_stores_nothing_is_doubled_or_lost(
    stepwell: Stepwell, data: Path, many: str, delay: float
) -> None:
    count = 100_003
    with ended(
        stepwell.start("record", "--under", str(data.parent), "--", many, "random", str(data), str(count))
    ) as recorder:
        ask(recorder)
        wait_until(lambda: spooled(stepwell) >= count - 2, "all runs that ended are in the spool file")
        assert recorder.stdin
        recorder.stdin.close()
        select.select([], [], [], delay)
        recorder.kill()
        recorder.wait(SECONDS)
    assert [offset for _, offset in kept(stepwell)] in (offsets(count), offsets(count - 1), offsets(count - 2))


def test_a_pause_of_the_recorder_loses_nothing_that_has_room(stepwell: Stepwell, data: Path, many: str) -> None:
    count = 10_007
    with ended(
        stepwell.start("record", "--under", str(data.parent), "--", many, "random", str(data), str(count))
    ) as recorder:
        ask(recorder)
        recorder.send_signal(signal.SIGSTOP)
        ask(recorder)
        recorder.send_signal(signal.SIGCONT)
        ask(recorder)
        _, said = recorder.communicate(timeout=SECONDS)
        assert recorder.returncode == 0
    assert "nothing lost" in said
    assert [offset for _, offset in kept(stepwell)] == offsets(3 * count)


def test_two_recorders_of_one_process_are_both_exact(tmp_path: Path, data: Path, many: str) -> None:
    count = 50_021
    popen = subprocess.Popen(
        [many, "random", str(data), str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    both = [Stepwell(tmp_path / f"{name}.duckdb") for name in ("one", "other")]
    with ended(popen) as process:
        arguments = ["record", "--under", str(data.parent), "--pid", str(process.pid)]
        with ended(both[0].start(*arguments)) as one, ended(both[1].start(*arguments)) as other:
            for recorder in (one, other):
                assert recorder.stderr
                assert "recording pid" in recorder.stderr.readline()
            ask(process)
            assert process.stdin
            process.stdin.close()
            for recorder in (one, other):
                assert recorder.wait(SECONDS) == 0
                assert recorder.stderr
                assert "nothing lost" in recorder.stderr.read()
    for stepwell in both:
        assert [offset for _, offset in kept(stepwell)] == offsets(count)


def test_a_full_disk_costs_what_had_no_room_and_the_trace_says_so(small_disk: Path, data: Path, many: str) -> None:
    count = 200_003
    stepwell = Stepwell(small_disk / "store.duckdb")
    done = stepwell.run(
        "record", "--under", str(data.parent), "--", many, "random", str(data), str(count), input="go\n"
    )
    assert (done.returncode, done.stdout) == (0, ".\n")
    assert "space" in done.stderr
    assert str(stepwell.spools[0]) in done.stderr
    subprocess.run(["mount", "-o", "remount,size=100m", small_disk], check=True)
    listing = stepwell.run("traces")
    assert "recovered trace" in listing.stderr
    assert not stepwell.spools
    with Store.open(stepwell.store, "r") as store:
        ((accesses, status, exit_code),) = store.rows("SELECT accesses, status, exit_code FROM traces")
        ((hop, lost),) = store.rows("SELECT hop, count FROM losses")
        assert (status, exit_code, hop) == ("complete", 0, "spool")
        assert accesses + lost == count
        assert accesses > 10_007
    assert f"{lost:,}" in stepwell.run("report").stdout[:1000]


def test_a_disk_that_is_full_for_a_while_costs_nothing(small_disk: Path, data: Path, many: str) -> None:
    count = 50_021
    stepwell = Stepwell(small_disk / "store.duckdb")
    with ended(
        stepwell.start("record", "--under", str(data.parent), "--", many, "random", str(data), str(count))
    ) as recorder:
        ask(recorder)
        wait_until(lambda: is_full(small_disk), "the disk is full")
        ask(recorder)
        subprocess.run(["mount", "-o", "remount,size=100m", small_disk], check=True)
        _, said = recorder.communicate(timeout=SECONDS)
        assert recorder.returncode == 0
    assert "nothing lost" in said
    assert [offset for _, offset in kept(stepwell)] == offsets(2 * count)


def test_a_disk_without_any_room_is_said_before_the_command_runs(small_disk: Path) -> None:
    with (small_disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while filler.write(bytes(4096)):
            pass
    done = Stepwell(small_disk / "store.duckdb").run("record", "--", "echo", "ran")
    assert (done.returncode, done.stdout) == (125, "")
    assert "No space left on device" in done.stderr
    assert "--store" in done.stderr
