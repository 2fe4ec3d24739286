"""Where the time of a trace went, through a real store: who waited for what, and what it was bound by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.unit.recordings import MS, T0, Recording

from stepwell.analysis.waits import Process, Team, Waits, waits
from stepwell.analysis.waits.model import Use
from stepwell.analysis.waits.teams import jobs
from stepwell.store import NoTraceError, Store
from stepwell.trace.definition import EVENT, HISTOGRAM_SHIFT, OPEN, RUN, THREAD, THREAD_END, EventKind, Op, RunFlag

COUNT = 211
SIZES = np.array([4096, 16_384, 65_536, 131_072])
LATENCY_NS = 2 * MS
BYTES_S = 100_000_000


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(tmp_path / "first.spool")


def studied(recording: Recording, duration: int) -> Waits:
    recording.end(duration)
    with Store.open(recording.stored(), "r") as store:
        return waits(store, store.latest_trace())


def fetches(
    recording: Recording, file: int, thread: int = 1, *, begin: int = 0, count: int = COUNT, factor: float = 1,
    work_ns: int = 0, latency_ns: int = LATENCY_NS, scale: int = 1, requests: NDArray[np.int64] = SIZES, first: int = 0,
) -> int:  # fmt: skip
    """Write reads by one thread, one after the other, that all waited; return when the last one ended."""
    sizes = requests[np.arange(count) % len(requests)]
    took = ((latency_ns + sizes * 10**9 // BYTES_S) * factor).astype(np.int64) * scale
    at = begin + np.concatenate([[0], np.cumsum(took + work_ns * scale)[:-1]])
    recording.run(
        file, thread, at=at, size=sizes, requested=sizes, tail=sizes, offset=first + np.arange(count) << 20,
        seq=np.arange(count), latency_ns=took, latency_max_ns=took, wait_ns=took, waited=1, filled=sizes // 4096,
    )  # fmt: skip
    return int(at[-1] + took[-1])


def team(found: Waits, pid: int) -> Team:
    (one,) = (team for team in found.teams if pid in team.pids)
    return one


def process(found: Waits, pid: int) -> Process:
    (one,) = (process for process in found.processes if process.pid == pid)
    return one


def test_an_unknown_trace_is_an_error(recording: Recording) -> None:
    recording.end(1)
    with Store.open(recording.stored(), "r") as store, pytest.raises(NoTraceError, match="there is no trace 23"):
        waits(store, 23)


def test_a_trace_without_accesses_has_no_teams(recording: Recording) -> None:
    recording.thread(1)
    found = studied(recording, MS)
    assert (found.teams, found.datasets, found.storages) == ((), (), ())


def test_one_reader_at_a_time_is_bound_by_latency(recording: Recording) -> None:
    recording.open(1, b"/data/set/a", size=COUNT << 20)
    end = fetches(recording, 1, work_ns=100_000)
    recording.thread(1, end=end, cpu=COUNT * 100_000)
    found = studied(recording, end)
    (storage,) = found.storages
    assert storage.latency_ns is not None
    assert storage.bytes_s is not None
    assert storage.latency_ns.value == pytest.approx(LATENCY_NS, rel=0.05)
    assert storage.bytes_s.value == pytest.approx(BYTES_S, rel=0.05)
    assert storage.depth == pytest.approx(1.0)
    (one,) = found.teams
    account = one.account
    parts = account.cpu_ns + account.read_ns + account.write_ns + account.metadata_ns + account.other_ns
    assert account.queued_ns == 0
    assert parts == account.wall_ns == end
    assert account.read_ns == sum(storage.ns for storage in found.storages)
    assert one.verdict.bound == "latency"
    assert one.critical_high == pytest.approx(account.read_ns / end, rel=0.01)
    assert one.critical_low == pytest.approx(one.critical_high, rel=0.05)
    assert (found.datasets[0].dataset, found.datasets[0].verdict.bound) == ("/data/set", "latency")


def test_large_fetches_are_bound_by_bandwidth(recording: Recording) -> None:
    recording.open(1, b"/data/set/a", size=COUNT << 20)
    end = fetches(recording, 1, latency_ns=20_000)
    recording.thread(1, end=end)
    assert studied(recording, end).teams[0].verdict.bound == "bandwidth"


def test_computing_hides_what_little_is_waited_for(recording: Recording) -> None:
    recording.open(1, b"/data/set/a", size=COUNT << 20)
    end = fetches(recording, 1, work_ns=100 * MS)
    recording.thread(1, end=end, cpu=COUNT * 100 * MS)
    assert studied(recording, end).teams[0].verdict.bound == "compute"


@pytest.mark.parametrize(("queued", "bound"), [(0, "elsewhere"), (500, "compute"), (2**64 - 1, "elsewhere")])
def test_who_is_ready_but_has_no_processor_is_bound_by_computing(recording: Recording, queued: int, bound: str) -> None:
    recording.open(1, b"/data/set/a", size=COUNT << 20)
    fetches(recording, 1, count=23)  # they sleep for 69 ms or so
    end = 1_000 * MS
    recording.add(THREAD, thread=1, pid=1001, tid=1001, ppid=1, start_ns=T0, process_start_ns=3, comm=b"cat")
    recording.add(
        THREAD_END, thread=1, end_ns=T0 + end, user_ns=200 * MS, exited=1,
        queued_ns=queued if queued > 1000 else (queued + 69) * MS,
    )  # fmt: skip
    (one,) = studied(recording, end).teams
    assert one.verdict.bound == bound
    account = one.account
    if bound == "compute":
        assert account.queued_ns == pytest.approx(500 * MS, rel=0.05)
    parts = (
        account.cpu_ns,
        account.queued_ns,
        account.read_ns,
        account.write_ns,
        account.metadata_ns,
        account.other_ns,
    )
    assert sum(parts) == end


def test_what_never_sleeps_comes_from_memory(recording: Recording) -> None:
    recording.open(1, b"/data/set/a", size=1 << 20)
    recording.run(1, at=np.arange(COUNT) * 2000, seq=np.arange(COUNT), latency_ns=1500, latency_max_ns=1500)
    recording.thread(1, end=COUNT * 2000, cpu=COUNT * 1900)
    found = studied(recording, COUNT * 2000)
    assert (found.teams[0].verdict.bound, found.storages) == ("cached", ())


def test_opens_that_wait_are_metadata(recording: Recording) -> None:
    for number in range(1, COUNT + 1):
        text = b"%d\0set\0data\0" % number
        recording.add(
            OPEN, text, thread=1, open=number, ino=number, dev=8 << 20 | 1, start_ns=T0 + number * 3 * MS,
            latency_ns=2 * MS, size=4096,
        )  # fmt: skip
        recording.run(number, at=number * 3 * MS + 2 * MS, seq=number)
    end = (COUNT + 1) * 3 * MS
    recording.thread(1, end=end)
    (one,) = studied(recording, end).teams
    assert (one.account.metadata_ns, one.uses[0].opens, one.verdict.bound) == (COUNT * 2 * MS, COUNT, "metadata")


def test_quick_opens_are_work(recording: Recording) -> None:
    recording.add(OPEN, b"a\0set\0data\0", thread=1, open=1, ino=1, dev=1, start_ns=T0, latency_ns=7_000)
    recording.run(1)
    recording.thread(1, end=MS)
    assert studied(recording, MS).teams[0].account.metadata_ns == 0


def test_syncs_and_writes_that_wait_are_writing(recording: Recording) -> None:
    recording.open(1, b"/data/set/a")
    recording.run(1, op=Op.WRITE, at=np.arange(COUNT) * MS, seq=np.arange(COUNT), latency_ns=MS // 2,
                  latency_max_ns=MS // 2, wait_ns=MS // 2, waited=1)  # fmt: skip
    recording.add(EVENT, b"", thread=1, open=1, event=EventKind.SYNC, start_ns=T0 + COUNT * MS, latency_ns=10 * MS)
    end = (COUNT + 10) * MS
    recording.thread(1, end=end)
    (one,) = studied(recording, end).teams
    assert (one.account.write_ns, one.verdict.bound) == (COUNT * MS // 2 + 10 * MS, "write")


def workers(
    recording: Recording,
    shares: dict[int, int],
    consumer_cpu: int = 0,
    *,
    sets: Mapping[int, bytes] = MappingProxyType({}),
    requests: Mapping[int, NDArray[np.int64]] = MappingProxyType({}),
) -> int:
    """Write a consumer with the number 1 and workers that are its children; return when all have ended."""
    last = 0
    recording.add(THREAD, thread=1, pid=1001, tid=1001, ppid=7, start_ns=T0, process_start_ns=3, comm=b"train")
    for number, count in shares.items():
        pid = 1000 + number
        recording.add(THREAD, thread=number, pid=pid, tid=pid, ppid=1001, start_ns=T0, process_start_ns=3, comm=b"load")
        recording.open(number, b"%s/%d" % (sets.get(number, b"/data/set"), number), size=count << 20, thread=number)
        end = fetches(recording, number, number, count=count, requests=requests.get(number, SIZES))
        recording.add(THREAD_END, thread=number, end_ns=T0 + end, exited=1, comm=b"load")
        last = max(last, end)
    recording.add(THREAD_END, thread=1, end_ns=T0 + last, user_ns=consumer_cpu, exited=1)
    return last


def test_workers_of_an_epoch_from_memory_are_not_behind_whom_others_are(recording: Recording) -> None:
    """Three workers wait for the first epoch; three new ones find the second in memory."""
    recording.add(THREAD, thread=1, pid=1001, tid=1001, ppid=7, start_ns=T0, process_start_ns=3, comm=b"train")
    begin = end = 0
    for number in (2, 3, 5, 11, 13, 17):
        pid, cached = 1000 + number, number > 10
        begin = end if number == 11 else begin
        recording.add(
            THREAD, thread=number, pid=pid, tid=pid, ppid=1001, start_ns=T0 + begin, process_start_ns=3, comm=b"load"
        )
        recording.open(number, b"/data/set/%d" % number, size=97 << 20, thread=number)
        last = fetches(recording, number, number, begin=begin, count=97, factor=0.03 if cached else 1)
        recording.add(THREAD_END, thread=number, end_ns=T0 + last, exited=1, comm=b"load")
        end = max(end, last)
    recording.add(THREAD_END, thread=1, end_ns=T0 + end, exited=1)
    one = team(studied(recording, end), 1002)
    assert (len(one.pids), one.straggler) == (6, None)


def test_workers_are_a_team_that_works_for_its_parent(recording: Recording) -> None:
    end = workers(recording, dict.fromkeys((2, 3, 5, 7), COUNT))
    one = team(studied(recording, end), 1002)
    assert (one.pids, one.consumer, one.straggler) == ((1002, 1003, 1005, 1007), 1, None)
    assert one.width == pytest.approx(4.0)
    assert one.critical_high == pytest.approx(1.0)
    assert one.critical_low == pytest.approx(1.0)
    assert one.verdict.bound == "latency"


def test_waiting_is_hidden_behind_a_consumer_that_computes(recording: Recording) -> None:
    shares = dict.fromkeys((2, 3), COUNT)
    end = workers(recording, shares, consumer_cpu=10**15)
    one = team(studied(recording, end), 1002)
    assert (one.critical_low, one.critical_high) == (0.0, 0.0)


def test_one_worker_with_most_of_the_work_is_an_imbalance(recording: Recording) -> None:
    end = workers(recording, {2: 59, 3: 59, 5: 59, 7: 4 * COUNT})
    one = team(studied(recording, end), 1002)
    assert one.straggler is not None
    assert one.pids[one.readers.index(one.straggler)] == 1007
    even = end * (4 * COUNT + 3 * 59) / 4 / (4 * COUNT)
    assert one.uneven_ns == pytest.approx(end - even, rel=0.02)
    assert one.verdict.bound == "imbalance"


@pytest.mark.parametrize(
    ("sets", "requests"),
    [
        ({7: b"/archive/index"}, {}),
        ({}, {7: SIZES // 13}),
    ],
    ids=["another dataset", "smaller reads"],
)
def test_a_process_with_another_job_is_no_worker_that_has_too_much_to_do(
    recording: Recording, sets: dict[int, bytes], requests: dict[int, NDArray[np.int64]]
) -> None:
    end = workers(recording, {2: 59, 3: 59, 5: 59, 7: 4 * COUNT}, sets=sets, requests=requests)
    found = studied(recording, end)
    assert [team(found, pid).pids for pid in (1002, 1007)] == [(1002, 1003, 1005), (1007,)]
    assert [one.straggler for one in found.teams] == [None, None]
    assert {one.consumer for one in found.teams} == {1}
    assert "imbalance" not in {one.verdict.bound for one in found.teams}


def pool(recording: Recording, *, begin: int, main: int, cpu: int) -> int:
    """Write a process whose main thread computes, and three more of its threads that read from `begin` on.

    Args:
        recording: where it is written.
        begin: when the other threads start.
        main: reads of the main thread, which begin then, too.
        cpu: computing of the main thread, before `begin` as far as there is time, and after its reads.
    """
    ends = []
    for thread, count in ((1, main), (2, COUNT), (3, COUNT), (5, COUNT)):
        start = 0 if thread == 1 else begin
        recording.add(
            THREAD, thread=thread, pid=1001, tid=1000 + thread, ppid=1, start_ns=T0 + start, process_start_ns=3,
            comm=b"columns",
        )  # fmt: skip
        recording.open(thread, b"/data/set/%d" % thread, size=COUNT << 20, thread=thread)
        ends.append(fetches(recording, thread, thread, begin=begin, count=count))
    last = max(ends) + max(0, cpu - begin)
    for thread in (1, 2, 3, 5):
        recording.add(
            THREAD_END, thread=thread, end_ns=T0 + (last if thread == 1 else max(ends)), exited=1,
            user_ns=cpu if thread == 1 else 0, comm=b"columns",
        )  # fmt: skip
    return last


def test_a_thread_that_worked_before_there_were_others_has_not_too_much_to_do(recording: Recording) -> None:
    end = pool(recording, begin=9_000 * MS, main=COUNT, cpu=9_000 * MS)
    (one,) = studied(recording, end).teams
    assert (one.threads, one.straggler) == (4, None)


@pytest.mark.parametrize(("main", "is_behind"), [(COUNT // 3, False), (COUNT, True)])
def test_a_thread_that_computes_beside_readers_is_behind_only_if_it_reads_its_share(
    recording: Recording, main: int, is_behind: bool
) -> None:
    end = pool(recording, begin=0, main=main, cpu=9_000 * MS)
    (one,) = studied(recording, end).teams
    assert (one.threads, one.straggler is not None) == (4, is_behind)


def test_workers_whose_requests_differ_by_little_from_one_to_the_next_are_one_team(recording: Recording) -> None:
    requests = {number: SIZES // part for number, part in ((3, 3), (5, 9), (7, 27))}
    end = workers(recording, dict.fromkeys((2, 3, 5, 7), COUNT), requests=requests)
    assert team(studied(recording, end), 1002).pids == (1002, 1003, 1005, 1007)


def use(**given: Any) -> Use:
    nothing: dict[str, Any] = {field.name: 0 for field in fields(Use)}
    usual = {
        "dataset": "/data",
        "direction": "read",
        "files": 23,
        "bytes": 23 << 20,
        "request": 65_536,
        "accesses": 368,
    }
    return Use(**(nothing | usual | given))


@pytest.mark.parametrize(
    ("other", "is_alike"),
    [
        ({}, True),
        ({"files": 23 * 13, "bytes": 23 * 13 << 20}, True),  # more of the same files
        ({"bytes": 23 * 13 << 20}, True),  # larger files
        ({"request": 3 * 65_536}, True),
        ({"consecutive": 0.4}, True),
        ({"files": 1, "bytes": 101 << 20}, False),  # one archive for many files
        ({"request": 5 * 65_536}, False),
        ({"consecutive": 0.9}, False),
        ({"dataset": "/index"}, False),
        ({"direction": "write"}, False),
        ({"mapped": 367}, False),
    ],
)
def test_what_makes_processes_alike(other: dict[str, Any], is_alike: bool) -> None:
    found = jobs({1: use(), 2: use(**other), 3: use(), 4: None})
    assert sorted(map(sorted, found)) == ([[1, 2, 3], [4]] if is_alike else [[1, 3], [2], [4]])


def beside_each_other(recording: Recording, slow: int, *, factor: float) -> int:
    """Write rounds of 23 over 13 files, one of them slow; return the end."""
    at = 0
    in_set(recording)
    for each in range(23):
        for number in range(1, 14):
            took = int((LATENCY_NS + each * 1009) * (factor if number == slow else 1))
            recording.run(
                number, at=at, offset=each << 20, seq=13 * each + number, latency_ns=took, latency_max_ns=took,
                wait_ns=took, waited=1, filled=1,
            )  # fmt: skip
            at += took
    return at


def test_a_slow_file_is_named(recording: Recording) -> None:
    at = beside_each_other(recording, 7, factor=20)
    recording.thread(1, end=at)
    found = studied(recording, at)
    (slow,) = found.datasets[0].slow
    assert (slow.path, slow.fetches) == ("/data/set/7", 23)
    assert slow.factor == pytest.approx(20, rel=0.02)
    assert found.datasets[0].verdict.bound == "slow-file"


def in_a_row(
    recording: Recording, slow: Mapping[int, float], *, begin: int = 0, part: float = 1.0, others: int = 0
) -> int:
    """Write readings of 13 files one after the other, some slow in their last part; others of those beside them.

    Return the end.
    """
    at = begin
    for number in range(1, 14):
        factor = slow.get(number, 1.0)
        late = round(23 * part)
        start = fetches(recording, number, begin=at, count=23 - late) if late < 23 else at
        at = fetches(recording, number, begin=start, count=late, factor=factor, first=23 - late)
        for other in range(others if factor > 1 else 0):
            fetches(recording, 100 + other, 2 + other, begin=start, count=23, factor=factor)
    return at


def in_set(recording: Recording) -> None:
    for number in range(1, 14):
        recording.open(number, b"/data/set/%d" % number, size=23 << 20)


@pytest.mark.parametrize("slow", [{7: 20.0}, {3: 5.0, 11: 40.0}, {7: 20.0, 8: 20.0}], ids=["one", "two", "neighbours"])
def test_a_slow_file_that_is_read_alone_is_named(recording: Recording, slow: Mapping[int, float]) -> None:
    in_set(recording)
    at = in_a_row(recording, slow)
    recording.thread(1, end=at)
    found = studied(recording, at)
    assert {one.path: one.factor for one in found.datasets[0].slow} == {
        f"/data/set/{number}": pytest.approx(factor, rel=0.02) for number, factor in slow.items()
    }
    assert {one.fetches for one in found.datasets[0].slow} == {23}
    assert found.datasets[0].verdict.bound == "slow-file"


def test_few_fetches_in_each_epoch_name_a_slow_file_that_is_read_alone(recording: Recording) -> None:
    in_set(recording)
    at = 0
    for _ in range(3):
        for number in range(1, 14):
            at = fetches(recording, number, begin=at, count=7, factor=20 if number == 7 else 1)
    recording.thread(1, end=at)
    (slow,) = studied(recording, at).datasets[0].slow
    assert (slow.path, slow.fetches) == ("/data/set/7", 21)


@pytest.mark.parametrize(
    "given",
    [
        {"others": 3},
        {"part": 0.8},
        {"slow": {1: 20.0}},
        {"slow": {13: 20.0}},
    ],
    ids=["others are slow as well", "it is not from the beginning", "it comes first", "it comes last"],
)
def test_a_file_read_in_a_slow_moment_is_not_slow(recording: Recording, given: dict[str, Any]) -> None:
    in_set(recording)
    for other in range(given.get("others", 0)):
        recording.open(100 + other, b"/data/set/other%d" % other, size=23 << 20, thread=2 + other)
    at = in_a_row(recording, **({"slow": {7: 20.0}} | given))
    for thread in range(1, 2 + given.get("others", 0)):
        recording.thread(thread, end=at)
    assert studied(recording, at).datasets[0].slow == ()


def test_a_slow_spell_of_the_storage_makes_no_file_slow(recording: Recording) -> None:
    in_set(recording)
    at = 0
    for number in range(1, 14):
        # It begins in the middle of the 5th file and ends in the middle of the 8th.
        at = fetches(recording, number, begin=at, count=11, factor=20 if 6 <= number <= 8 else 1)
        at = fetches(recording, number, begin=at, count=12, factor=20 if 5 <= number <= 7 else 1, first=11)
    recording.thread(1, end=at)
    assert studied(recording, at).datasets[0].slow == ()


@pytest.mark.parametrize("slow", [23, 19], ids=["all of them", "not the first"])
def test_a_run_tells_whether_all_its_fetches_were_slow(recording: Recording, slow: int) -> None:
    in_set(recording)
    at = 0
    for number in range(1, 14):
        took = np.full(23, 3 * MS)
        if number == 7:
            took[23 - slow :] *= 20
        histogram = np.bincount(np.log2(took).astype(int) - HISTOGRAM_SHIFT, minlength=24)[np.newaxis]
        recording.run(
            number, at=at, count=23, size=131_072, requested=131_072, stride=131_072, latency_ns=took.sum(), waited=23,
            latency_max_ns=took.max(), wait_ns=took.sum(), filled=23 * 32, span_ns=took[:-1].sum(), histogram=histogram,
        )  # fmt: skip
        at += int(took.sum())
    recording.thread(1, end=at)
    assert len(studied(recording, at).datasets[0].slow) == (slow == 23)


def test_asynchronous_accesses_have_their_streams_latencies(recording: Recording) -> None:
    recording.open(1, b"/data/set/a", size=COUNT << 16)
    recording.run(1, at=np.arange(COUNT) * 1000, seq=np.arange(COUNT), size=65_536, tail=65_536, requested=65_536,
                  flags=RunFlag.ASYNC, latency_ns=0, latency_max_ns=0, histogram=0)  # fmt: skip
    histogram = np.zeros((1, 24), np.uint32)
    histogram[0, 12] = COUNT
    recording.add(RUN, thread=1, open=1, count=0, flags=RunFlag.ASYNC, start_ns=T0, span_ns=COUNT * MS, seq=999,
                  latency_ns=COUNT * 3 * MS, latency_max_ns=3 * MS, histogram=histogram)  # fmt: skip
    end = COUNT * MS + 3 * MS
    recording.add(THREAD, thread=1, pid=1001, tid=1001, ppid=1, start_ns=T0, process_start_ns=3, comm=b"fio")
    recording.add(THREAD_END, thread=1, end_ns=T0 + end, async_wait_ns=COUNT * MS, exited=1)
    found = studied(recording, end)
    (storage,) = found.storages
    assert (storage.fetches, storage.bytes, storage.ns) == (COUNT, COUNT << 16, COUNT * 3 * MS)
    assert storage.depth == pytest.approx(3.0, rel=0.05)
    (one,) = found.teams
    assert (one.account.read_ns, one.uses[0].asleep_ns, one.uses[0].asynchronous) == (COUNT * MS, COUNT * MS, COUNT)


def test_files_without_a_description_have_no_device(recording: Recording) -> None:
    end = fetches(recording, 23)
    recording.thread(1, end=end)
    (storage,) = studied(recording, end).storages
    assert (storage.dataset, storage.device, storage.fetches) == ("", "", COUNT)


def test_without_latencies_nothing_is_said(recording: Recording) -> None:
    recording.open(1, b"/data/set/a")
    recording.run(1, at=np.arange(COUNT) * 1000, seq=np.arange(COUNT), latency_ns=0, latency_max_ns=0)
    recording.thread(1, end=MS)
    found = studied(recording, MS)
    assert not found.timed
    assert (found.teams[0].verdict.bound, found.teams[0].verdict.confidence) == ("unknown", 0.0)


def test_programs_and_libraries_are_no_data(recording: Recording) -> None:
    recording.open(1, b"/usr/lib/x.so", size=COUNT << 20)
    end = fetches(recording, 1)
    recording.thread(1, end=end)
    found = studied(recording, end)
    assert (found.teams, found.datasets, found.storages) == ((), (), ())
    assert process(found, 1001).account.read_ns > 0


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reads=st.integers(2, 97), seed=st.integers(0, 2**32))
def test_an_unrelated_process_changes_nothing(tmp_path_factory: pytest.TempPathFactory, reads: int, seed: int) -> None:
    def study(others: int) -> Waits:
        recording = Recording(tmp_path_factory.mktemp("waits") / "one.spool")
        recording.open(1, b"/data/set/a", size=reads << 20)
        end = fetches(recording, 1, count=reads)
        recording.thread(1, end=end)
        if others:
            recording.open(2, b"/other/set/b", size=others << 20, thread=2)
            recording.thread(2, b"dd", end=fetches(recording, 2, 2, count=others, factor=seed % 7 + 0.5))
        return studied(recording, 100 * 1000 * MS)

    alone, beside = study(0), study(53)
    assert team(alone, 1001) == team(beside, 1001)
    assert process(alone, 1001) == process(beside, 1001)
    assert [one for one in beside.storages if one.dataset == "/data/set"] == list(alone.storages)


@pytest.mark.parametrize("scale", [3, 17])
def test_time_scales_everything(tmp_path: Path, scale: int) -> None:
    def study(factor: int) -> Team:
        recording = Recording(tmp_path / f"{factor}.spool")
        recording.open(1, b"/data/set/a", size=COUNT << 20)
        end = fetches(recording, 1, work_ns=MS, scale=factor)
        recording.thread(1, end=end, cpu=COUNT * MS * factor)
        return studied(recording, end).teams[0]

    one, other = study(1), study(scale)
    assert other.account.read_ns == pytest.approx(one.account.read_ns * scale)
    assert other.critical_high == pytest.approx(one.critical_high, rel=1e-6)
    assert other.verdict.bound == one.verdict.bound
    other_numbers: dict[str, Any] = other.verdict.evidence
    for name, value in one.verdict.evidence.items():
        expected = value * (scale if name.endswith("_ns") else 1)
        assert other_numbers[name] == pytest.approx(expected, rel=0.03), name
