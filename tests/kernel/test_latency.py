"""How long accesses took, and what they waited for."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kernel.known import COUNT, PAGE, Recorded, make_file, record, run
from tests.kernel.tool import SECONDS, Stepwell

from stepwell.store import Store
from stepwell.trace.definition import HISTOGRAM_BUCKETS

pytestmark = pytest.mark.kernel

BUSY = 1009
SLOW_RATE = 65_536
"""Bytes that the slow file system gives in a second, after as many at once."""


@pytest.fixture(scope="module")
def recorded(workload: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    directory = tmp_path_factory.mktemp("latency")
    names = ["busy", "cold", "direct", "uring_direct"]
    for name in names:
        make_file(directory / name)
    stepwell = Stepwell(tmp_path_factory.mktemp("store") / "store.duckdb")
    with record(stepwell, workload, directory, names) as recorded:
        yield recorded


def test_what_is_not_in_the_cache_is_filled_and_waited_for_and_then_is_there(
    recorded: Recorded,
) -> None:
    assert recorded.runs("cold") == [run("read", COUNT, 0, PAGE, PAGE)] * 2
    columns = "filled, waited, wait_ns, latency_ns, latency_max_ns"
    sql = f"SELECT {columns} FROM runs JOIN files USING (trace, file) WHERE path = ? ORDER BY seq"
    cold, warm = recorded.rows(sql, "cold")
    filled, waited, wait_ns, latency_ns, latency_max_ns = cold
    assert filled == COUNT
    assert 0 <= waited <= COUNT  # a page may arrive before the thread has gone to sleep
    assert (waited == 0) == (wait_ns == 0)
    assert 0 < latency_max_ns <= latency_ns
    assert wait_ns <= latency_ns
    assert warm[:3] == (0, 0, 0)


def test_direct_reads_fill_no_cache(recorded: Recorded) -> None:
    sql = "SELECT sum(filled), sum(waited) FROM runs JOIN files USING (trace, file) WHERE path = ?"
    ((filled, waited),) = recorded.rows(sql, "direct")
    assert filled == 0
    assert 0 <= waited <= COUNT + 1


@pytest.mark.parametrize("name", ["busy", "cold", "direct", "uring_direct"])
def test_histogram_sum_and_maximum_agree_with_each_other_and_the_count(recorded: Recorded, name: str) -> None:
    columns = "count, histogram, latency_ns, latency_max_ns, r.flags & 1 = 1"
    rows = recorded.rows(f"SELECT {columns} FROM runs r JOIN files USING (trace, file) WHERE path = ?", name)
    counted = 0
    for count, histogram, total, longest, asynchronous in rows:
        if histogram is None:
            assert count <= 2 or asynchronous
            counted += 0 if asynchronous else count
            continue
        counted += sum(histogram)
        assert len(histogram) == HISTOGRAM_BUCKETS
        assert asynchronous or sum(histogram) == count
        highest = max((bucket for bucket, number in enumerate(histogram) if number), default=0)
        assert highest == max(0, longest.bit_length() - 9)
        assert sum(number << bucket + 8 for bucket, number in enumerate(histogram) if bucket) <= total
        assert total < sum(number << bucket + 9 for bucket, number in enumerate(histogram)) + 1
    assert counted == {"busy": BUSY, "cold": 2 * COUNT, "direct": COUNT + 1, "uring_direct": COUNT - 2}[name]


def test_a_thread_spends_no_more_time_in_accesses_than_it_lives(recorded: Recorded) -> None:
    sql = """SELECT any_value(end_ns - t.start_ns), any_value(user_ns + system_ns), sum(latency_ns), sum(wait_ns),
        min(r.start_ns - t.start_ns), max(r.start_ns + r.span_ns - end_ns)
        FROM runs r JOIN threads t USING (trace, thread) WHERE r.flags = 0"""
    ((wall, processor, latency, wait, first, last),) = recorded.store.rows(sql)
    assert 0 <= wait <= latency < wall
    assert latency - wait <= processor + wall // 2  # what is no waiting is work, or having lost the processor
    assert first > 0 > last


def test_a_reader_of_slow_storage_is_told_to_stall(stepwell: Stepwell, workload: Path, tmp_path: Path) -> None:
    if not Path("/dev/fuse").exists():
        pytest.skip("this machine has no /dev/fuse")
    under, slow = tmp_path / "under", tmp_path / "slow"
    under.mkdir()
    slow.mkdir()
    make_file(under / "cold")
    script = """
        setpriv --pdeathsig KILL bindfs -f --read-rate=$RATE under slow &
        until mountpoint -q slow; do kill -0 $! || exit; sleep 0.01; done
        "$@"; code=$?; umount -l slow; exit $code
    """
    argv = stepwell.argv("record", "--under", str(slow), "--", str(workload), str(slow), "cold")
    environment = os.environ | {"RATE": str(SLOW_RATE)}
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", *argv],
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        cwd=tmp_path,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    least = (COUNT * PAGE - SLOW_RATE) * 10**9 // SLOW_RATE
    with Store.open(stepwell.store, "r") as store:
        cold, warm = store.rows("SELECT filled, waited, wait_ns FROM runs ORDER BY seq")
        assert cold[:2] == (COUNT, COUNT)
        assert warm == (0, 0, 0)
        assert least < cold[2]
    (reader,) = json.loads(stepwell.run("report", "-o", "json").stdout)["readers"]
    assert least < cold[2] == reader["wait_ns"] <= reader["stall_ns"] <= reader["wall_ns"]
    assert reader["cpu_ns"] < reader["wall_ns"] // 2


def test_who_has_no_processor_is_told_to_have_been_ready(stepwell: Stepwell, tmp_path: Path) -> None:
    make_file(tmp_path / "file")
    spin = "import time; open('file').close(); end = time.monotonic() + 0.5\nwhile time.monotonic() < end: pass"
    both = 'taskset -p -c "$1" $$ >&2; python3 -c "$2" & python3 -c "$2"; wait'
    processor = str(min(os.sched_getaffinity(0)))
    stepwell.run("record", "--", "sh", "-c", both, "sh", processor, spin, cwd=tmp_path)
    with Store.open(stepwell.store, "r") as store:
        rows = store.rows("SELECT end_ns - start_ns, user_ns + system_ns, queued_ns FROM threads ORDER BY user_ns DESC")
    spun = rows[:2]
    for wall, processor_time, queued in spun:
        assert processor_time + queued < 1.01 * wall
    # They share one: while one runs, the other waits for it, but for what each does before and after the other.
    assert sum(queued for _, _, queued in spun) > min(processor_time for _, processor_time, _ in spun) / 2
