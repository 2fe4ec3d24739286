"""More open files, threads, runs and records than are kept: what is not kept is counted, and the rest is exact."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest
from tests.kernel.collecting import ask, collecting, compile_many
from tests.kernel.tool import SECONDS, Stepwell, ended, wait_until

from stepwell.collectors.ebpf import collector
from stepwell.store import Store

pytestmark = pytest.mark.kernel

SIZE = 4093


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> str:
    return compile_many(tmp_path_factory.mktemp("many"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "file"
    path.parent.mkdir()
    path.write_bytes(os.urandom(997 * SIZE))
    return path


def totals(store: Store) -> tuple[int, int]:
    """Return how many accesses are in the store, and how many it says were lost."""
    ((kept,),) = store.rows("SELECT count(*) FROM accesses")
    ((lost,),) = store.rows("SELECT coalesce(sum(count), 0)::BIGINT FROM losses")
    return kept, lost


OPENER = """
import ctypes, os, sys, threading
path, threads, files = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
turn = threading.Barrier(threads)
def work():
    ctypes.CDLL(None).unshare(0x400)  # CLONE_FILES: a table of descriptors for each thread, whose size is limited
    fds = [os.open(path, os.O_RDONLY) for _ in range(files)]
    turn.wait()
    for again in range(3):
        for fd in fds:
            os.pread(fd, 11, again * 13)
    turn.wait()
    for fd in fds:
        os.close(fd)
each = [threading.Thread(target=work) for _ in range(threads)]
for thread in each:
    thread.start()
for thread in each:
    thread.join()
"""


def test_a_process_with_a_hundred_thousand_open_files(stepwell: Stepwell, data: Path) -> None:
    files = 7 * 15013
    command = [sys.executable, "-S", "-c", OPENER, str(data), "7", "15013"]
    done = stepwell.run("record", "--under", str(data.parent), "--", *command)
    assert done.returncode == 0, done.stderr
    assert "nothing lost" in done.stderr
    with Store.open(stepwell.store, "r") as store:
        assert totals(store) == (3 * files, 0)
        assert store.rows("SELECT count(*), min(n), max(n) FROM (SELECT sum(count) n FROM runs GROUP BY open)") == [
            (files, 3, 3)
        ]
        assert store.rows("SELECT state, count(*) FROM opens GROUP BY state") == [(0, files)]
        assert store.rows("SELECT event, count(*) FROM events GROUP BY event") == [("close", files)]
        ((degraded,),) = store.rows("SELECT degraded FROM traces")
    # Only so many runs are open at once; the accesses beyond are each a run, which the trace says.
    assert json.loads(degraded).keys() == {"uncoalesced"}
    assert json.loads(degraded)["uncoalesced"] >= files - collector.HEADS
    report = stepwell.run("report")
    assert "uncoalesced" in report.stdout[:2000]


def test_ten_thousand_threads(stepwell: Stepwell, data: Path, many: str) -> None:
    done = stepwell.run("record", "--under", str(data.parent), "--", many, "threads", str(data), "10007")
    assert done.returncode == 0, done.stderr
    assert "nothing lost" in done.stderr
    with Store.open(stepwell.store, "r") as store:
        assert totals(store) == (3 * 10007, 0)
        each = 'SELECT min("offset"), max("offset") - min("offset"), count(*) FROM accesses GROUP BY thread ORDER BY 1'
        assert store.rows(each) == [(i, 2 * SIZE, 3) for i in range(10007)]
        assert store.rows("SELECT count(*), count(DISTINCT tid) FROM threads WHERE end_ns > start_ns") == [
            (10007, 10007)
        ]


def test_more_open_files_than_are_known_lose_whole_files_and_say_how_much(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "OPENS", 101)
    command = [sys.executable, "-S", "-c", OPENER, str(data), "2", "211"]
    with collecting(tmp_path / "spool", data.parent, *command) as recording, recording.end() as store:
        kept, lost = totals(store)
        assert kept + lost == 2 * 3 * 211
        assert 0 < kept <= 3 * 101
        assert store.rows("SELECT DISTINCT n FROM (SELECT sum(count) n FROM runs GROUP BY open)") == [(3,)]
        assert store.rows("SELECT hop, count FROM losses") == [("opens", lost)]


STARTER = f"""
import os, sys
for line in sys.stdin:
    if os.fork() == 0:
        for _ in range(997):
            os.pread(os.open(sys.argv[1], os.O_RDONLY), {SIZE}, 0)
        os._exit(0)
    os.wait()
    print(".", flush=True)
"""


def test_open_files_that_ended_with_their_process_are_forgotten(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "OPENS", 1511)
    command = [sys.executable, "-S", "-c", STARTER, str(data)]
    with collecting(tmp_path / "spool", data.parent, *command) as recording:
        for _ in range(5):
            ask(recording.command)
            wait_until(lambda: recording.collector.counters().open_files < 500, "closed files are still known")
        with recording.end() as store:
            assert totals(store) == (5 * 997, 0)


def test_more_runs_at_once_than_are_kept_cost_more_and_lose_nothing(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "HEADS", 64)
    command = [sys.executable, "-S", "-c", OPENER, str(data), "2", "211"]
    with collecting(tmp_path / "spool", data.parent, *command) as recording, recording.end() as store:
        assert totals(store) == (2 * 3 * 211, 0)
        ((degraded,),) = store.rows("SELECT degraded FROM traces")
        assert json.loads(degraded)["uncoalesced"] > 2 * 3 * (211 - 64)


def test_a_recorder_that_is_stopped_says_how_much_it_missed(stepwell: Stepwell, data: Path, many: str) -> None:
    accesses = 5 * 250_007
    command = ["record", "--under", str(data.parent), "--", many, "random", str(data), str(accesses // 5)]
    with ended(stepwell.start(*command)) as recorder:
        assert recorder.stdin
        assert recorder.stdout
        assert recorder.stderr
        for line in range(5):
            if line == 1:
                recorder.send_signal(signal.SIGSTOP)
            ask(recorder)
        recorder.stdin.close()
        child, _keeper = Path(f"/proc/{recorder.pid}/task/{recorder.pid}/children").read_text().split()
        wait_until(lambda: "(zombie)" in Path(f"/proc/{child}/status").read_text(), "the command has ended")
        recorder.send_signal(signal.SIGCONT)
        assert recorder.wait(SECONDS) == 0
        said = recorder.stderr.read()
    with Store.open(stepwell.store, "r") as store:
        kept, lost = totals(store)
        assert kept + lost == accesses
        assert lost > 100_003
        assert store.rows("SELECT hop, count FROM losses") == [("ring", lost)]
        assert store.rows("SELECT path, deleted FROM files") == [(str(data), False)]  # what runs depend on is not lost
        reader = "SELECT r.comm, exit_code, accesses FROM readers r JOIN threads USING (trace, reader)"
        assert store.rows(reader) == [("many", 0, accesses)]
    assert f"{lost:,} lost (ring)" in said
    assert f"{lost:,}" in stepwell.run("report").stdout[:1000]


def test_open_runs_are_seen_from_outside_while_they_grow(tmp_path: Path, data: Path, many: str) -> None:
    with collecting(tmp_path / "spool", data.parent, many, "steps", str(data), "23") as recording:
        for step in range(1, 32):
            ask(recording.command)
            seen = recording.collector.counters()
            assert (seen.accesses, seen.bytes, seen.lost) == (23 * step, 23 * step * SIZE, 0)
            assert seen.runs == 0
            assert recording.collector.open_runs()["count"].tolist() == [23 * step]
        with recording.end() as store:
            assert totals(store) == (31 * 23, 0)
            assert store.rows('SELECT "offset", stride, count FROM runs') == [(0, SIZE, 31 * 23)]


def test_what_is_seen_of_an_open_run_is_never_torn(tmp_path: Path, data: Path, many: str) -> None:
    count = 997 * 701
    with collecting(tmp_path / "spool", data.parent, many, "sequential", str(data), str(count)) as recording:
        assert recording.command.stdin
        assert recording.command.stdout
        recording.command.stdin.write("go\n")
        recording.command.stdin.flush()
        last, looks = 0, 0
        while recording.collector.counters().accesses < count:
            for run in recording.collector.open_runs():
                looks += 1
                assert (run["size"], run["tail"], run["requested"]) == (SIZE, SIZE, SIZE)
                assert run["seq_span"] == run["count"] - 1
                assert run["histogram"].sum() == run["count"]
                assert run["seq"] + run["count"] >= last
                last = int(run["seq"] + run["count"])
        assert recording.command.stdout.readline() == ".\n"
        assert looks > 23
        with recording.end() as store:
            assert totals(store) == (count, 0)
