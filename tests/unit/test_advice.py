"""Findings: what is advised, what that is said to gain, and when nothing is."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.recordings import MS, T0, Recording
from tests.unit.test_waits import BYTES_S, COUNT, LATENCY_NS, fetches, workers

from stepwell.analysis.advice import Cache, Facts, Finding, Order, Span, advise, facts, gains, headline
from stepwell.analysis.advice.drawn import Matter
from stepwell.analysis.advice.reads import read_ahead
from stepwell.analysis.orders import orders
from stepwell.analysis.patterns import Pattern
from stepwell.analysis.waits.model import Depth, FetchSize, Interval, Storage, Throttle
from stepwell.store import Store
from stepwell.trace.definition import OPEN


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(tmp_path / "first.spool")


def known(recording: Recording, duration: int) -> Facts:
    recording.end(duration)
    with Store.open(recording.stored(), "r") as store:
        return facts(store, store.latest_trace(), (), orders(store, store.latest_trace()))


def kinds(found: Facts) -> list[str]:
    return [finding.kind for finding in advise(found)]


def one(found: Facts, kind: str) -> Finding:
    (finding,) = (finding for finding in advise(found) if finding.kind == kind)
    return finding


def lone_reader(
    recording: Recording, work_ns: int = 0, files: int = 1, comm: bytes = b"cat", latency_ns: int = LATENCY_NS
) -> Facts:
    at = 0
    for number in range(1, files + 1):
        recording.open(number, b"/data/set/%d" % number, size=131_072)
        at = fetches(recording, number, begin=at, count=COUNT // files, work_ns=work_ns, latency_ns=latency_ns)
    recording.thread(1, comm, end=at, cpu=COUNT // files * files * work_ns)
    return known(recording, at)


def test_a_lone_reader_is_told_how_many_would_keep_the_storage_busy(recording: Recording) -> None:
    found = lone_reader(recording, files=7)
    finding = one(found, "concurrency")
    (storage,) = found.waits.storages
    per_reader = storage.mean_bytes * 1e9 / storage.mean_ns
    (proposed,) = (given.value for given in finding.inputs if given.name == "concurrency proposed")
    assert BYTES_S / per_reader <= proposed < 2 * BYTES_S / per_reader
    assert finding.setting == f"{proposed:.0f} reading processes or threads instead of 1"
    assert "its limit was not seen; `stepwell bench /data/set` measures it" in finding.sentence
    # At least the waiting overlaps, up to the rate of one fetch; at most, all does.
    assert 1 < finding.speedup.low <= BYTES_S / per_reader * 1.01
    assert finding.speedup.high == pytest.approx(proposed, rel=0.01)
    (team,) = found.waits.teams
    assert "waits 100 % of its time for 7 files" in headline(found, advise(found), team)


@pytest.mark.parametrize(
    ("comm", "files", "end"),
    [
        (b"python3", 7, "ThreadPoolExecutor({})"),
        (b"python3", 1, "ThreadPoolExecutor({})"),
        (b"sqlite3", 7, "instead of 1"),
        (b"sqlite3", 1, "as far as no read depends on what the one before brought"),
    ],
)
def test_how_more_readers_are_had_is_told_in_the_words_of_the_program(
    recording: Recording, comm: bytes, files: int, end: str
) -> None:
    finding = one(lone_reader(recording, files=files, comm=comm), "concurrency")
    (proposed,) = (given.value for given in finding.inputs if given.name == "concurrency proposed")
    assert finding.setting.endswith(end.format(f"{proposed:.0f}"))


def test_larger_reads_are_predicted_by_the_model(recording: Recording) -> None:
    count, small = COUNT, np.array([4096, 65_536])
    sizes = small[np.arange(count) % 2]
    took = LATENCY_NS + sizes * 10**9 // BYTES_S
    at = np.concatenate([[0], np.cumsum(took)[:-1]])
    recording.open(1, b"/data/set/a", size=int(sizes.sum()))
    recording.run(1, at=at, size=sizes, requested=sizes, tail=sizes, offset=np.cumsum(sizes) - sizes,
                  seq=np.arange(count), latency_ns=took, latency_max_ns=took, wait_ns=took, waited=1)  # fmt: skip
    end = int(took.sum())
    recording.thread(1, end=end)
    found = known(recording, end)
    pattern = Pattern(
        "dataset", "/data/set", "/data/set", "read", "sequential", None, 4096, "once", None, 0.99, 997, 997 * 4096, {}
    )
    finding = one(replace(found, patterns=(pattern,)), "read-size")
    (then,) = (given.value for given in finding.inputs if given.name == "read size proposed")
    total = int(sizes.sum())
    left = total / then * (LATENCY_NS + then * 1e9 / BYTES_S)
    assert finding.speedup.low <= end / left <= finding.speedup.high
    assert finding.speedup.high < 1.5 * finding.speedup.low
    assert "pattern /data/set" in finding.evidence


def test_probes_of_headers_stay_when_reads_grow(recording: Recording) -> None:
    found = lone_reader(recording, files=7)
    (team,), (seen,) = found.waits.teams, found.waits.storages
    sizes = (FetchSize(4096, 7, 2 * MS, 2 * MS, 2 * MS), FetchSize(65_536, 93, 3 * MS, 3 * MS, 3 * MS))
    storage, use = replace(seen, sizes=sizes), replace(team.uses[0], request=61_235, opens=7)
    kept, others = gains.probes(storage, use)
    assert kept == pytest.approx(14 / 293)
    assert others == pytest.approx(65_536)
    kept, others = gains.probes(storage, replace(use, opens=1))  # the others are no headers
    assert kept == pytest.approx(2 / 293)
    assert others == pytest.approx((6 * 4096 + 93 * 65_536) / 99)


def test_computing_and_memory_and_small_traces_are_left_alone(tmp_path: Path) -> None:
    computing = lone_reader(Recording(tmp_path / "a.spool"), work_ns=200 * MS)
    assert kinds(computing) == ["leave-alone"]
    assert "bound by computing" in advise(computing)[0].sentence
    recording = Recording(tmp_path / "b.spool")
    recording.open(1, b"/data/set/a", size=4096)
    recording.run(1, latency_ns=MS, latency_max_ns=MS, wait_ns=MS, waited=1, filled=1)
    recording.thread(1, end=2 * MS)
    little = known(recording, 2 * MS)
    assert kinds(little) == ["leave-alone"]
    assert "only 2 ms" in advise(little)[0].sentence


def test_hidden_waiting_is_left_alone(recording: Recording) -> None:
    end = workers(recording, dict.fromkeys((2, 3), COUNT), consumer_cpu=10**15)
    found = known(recording, end)
    assert "hidden" in next(finding.sentence for finding in advise(found) if finding.dataset == "/data/set")


def test_imbalance_is_worth_what_evenness_saves(recording: Recording) -> None:
    end = workers(recording, {2: 59, 3: 59, 5: 59, 7: 4 * COUNT})
    finding = one(known(recording, end), "imbalance")
    assert finding.subject == "process 1007"
    assert finding.saved_ns.high == pytest.approx(end * (1 - (4 * COUNT + 177) / (16 * COUNT)), rel=0.03)


def opened(recording: Recording, flags: int, files: int) -> Facts:
    """Write 211 opens of 2 ms, of some files in turn, and a read of 4 KiB after each."""
    for number in range(1, 212):
        text = b"%d\0set\0data\0" % (number % files)
        recording.add(
            OPEN, text, thread=1, open=number, ino=number % files + 1, dev=8 << 20 | 1, start_ns=T0 + number * 3 * MS,
            latency_ns=2 * MS, size=4096, flags=flags,
        )  # fmt: skip
        recording.run(number, at=number * 3 * MS + 2 * MS, seq=number)
    recording.thread(1, end=212 * 3 * MS)
    return known(recording, 212 * 3 * MS)


def test_files_that_are_opened_again_and_again(recording: Recording) -> None:
    finding = one(opened(recording, os.O_RDONLY, 7), "reopening")
    assert "opens 7 files of /data/set again and again, each 30 times" in finding.sentence
    assert finding.speedup.high == pytest.approx(3 * 212 / (3 * 212 - 2 * 211 * (1 - 0.85 * 7 / 211)), rel=0.02)


@pytest.mark.parametrize(("flags", "files"), [(os.O_RDONLY, 211), (os.O_WRONLY | os.O_CREAT, 7)])
def test_files_that_are_opened_once_or_for_writing_are_not_opened_again(
    recording: Recording, flags: int, files: int
) -> None:
    assert "reopening" not in kinds(opened(recording, flags, files))


def test_an_archive_that_is_unpacked_is_not_opened_once_for_each_file_in_it(recording: Recording) -> None:
    recording.open(1, b"/data/set/all.tar", size=COUNT << 20)
    end = fetches(recording, 1)
    for number in range(2, 213):
        text = b"%d\0set\0data\0" % number
        recording.add(
            OPEN, text, thread=1, open=number, ino=number, dev=8 << 20 | 1, start_ns=T0 + number * MS,
            latency_ns=2 * MS, flags=os.O_WRONLY | os.O_CREAT,
        )  # fmt: skip
        recording.run(number, at=number * MS, op=1, seq=COUNT + number)
    recording.thread(1, end=end)
    found = known(recording, end)
    assert "reopening" not in kinds(found)
    (team,) = found.waits.teams
    assert "of its time for one file" in headline(found, advise(found), team)
    reads = {use.direction: (use.opens, use.metadata_ns) for use in found.waits.teams[0].uses}
    assert reads == {"read": (1, 0), "write": (211, 211 * 2 * MS)}


def cached(recording: Recording, passes: float, *, miss_ratio: float = 0.1, request: int | None = None) -> list[str]:
    """Return the findings' sentences where as much was fetched as so many passes over the different bytes."""
    found = lone_reader(recording, files=7)
    (storage,) = found.waits.storages
    cache = Cache("/data/set", 4 << 20, miss_ratio, 0.1, round(storage.bytes / passes))
    (team,) = found.waits.teams
    if request is not None:
        uses = tuple(replace(use, request=request, fetched=storage.bytes) for use in team.uses)
        found = replace(found, waits=replace(found.waits, teams=(replace(team, uses=uses),)))
    return [one.sentence for one in advise(replace(found, caches=(cache,))) if one.kind == "cache"]


def test_a_cache_saves_what_is_fetched_again(recording: Recording) -> None:
    (sentence,) = cached(recording, 10.0)
    assert "a cache of 4 MiB would fetch" in sentence
    assert "expected 8.7x to 12x" in sentence  # a tenth of the waiting is left, 15 % more or less


def test_no_cache_saves_what_is_fetched_for_the_first_time(recording: Recording) -> None:
    assert cached(recording, 1.0) == []


def test_what_read_ahead_brings_along_is_not_fetched_again(recording: Recording) -> None:
    """Ten times the different bytes asked for were fetched, but that is no more than the files hold."""
    assert cached(recording, 10.0, request=4096) == []


def test_the_order_of_files_decides_what_is_prefetched(recording: Recording) -> None:
    found = lone_reader(recording, files=7)
    same = one(
        replace(found, orders=(Order("/data/set", found.waits.teams[0].readers, "shuffled", "same", 3),)), "prefetch"
    )
    assert "same order" in same.sentence
    shuffled = one(
        replace(found, orders=(Order("/data/set", found.waits.teams[0].readers, "shuffled", "reshuffled", 3),)),
        "prefetch",
    )
    assert "sampler" in shuffled.setting
    assert shuffled.speedup.low <= shuffled.speedup.high


@pytest.mark.parametrize(("files", "is_its_own"), [(7, True), (13, True), (15, False), (997, False)])
def test_an_order_is_that_of_who_reads_at_least_half_of_the_files(
    recording: Recording, files: int, is_its_own: bool
) -> None:
    found = lone_reader(recording, files=7)
    readers = found.waits.teams[0].readers
    order = Order("/data/set", readers, "shuffled", "same", 3, files)
    assert replace(found, orders=(order,)).order("/data/set", readers) == (order if is_its_own else None)


def read_as(pattern: str, op: str = "read") -> Pattern:
    return Pattern(
        scope="dataset", subject="/data/set", path="/data/set", op=op, pattern=pattern, stride=None,
        request_size=4096, reuse="unknown", reuse_period=None, confidence=1.0, accesses=COUNT, bytes=1, evidence={},
    )  # fmt: skip


def test_who_reads_a_file_backwards_is_to_have_it_fetched_ahead_not_to_be_two(recording: Recording) -> None:
    found = lone_reader(recording)
    assert "concurrency" in kinds(found)
    found = replace(found, patterns=(read_as("backward"),))
    assert "concurrency" not in kinds(found)
    finding = one(found, "prefetch")
    assert "the file is read backwards" in finding.sentence
    assert finding.setting.startswith("posix_fadvise(fd, offset - ")


@pytest.mark.parametrize(("latency_ns", "advised"), [(LATENCY_NS, True), (0, False)])
def test_no_read_ahead_hides_a_latency_that_is_not_there(
    recording: Recording, latency_ns: int, *, advised: bool
) -> None:
    found = replace(lone_reader(recording, latency_ns=latency_ns), patterns=(read_as("sequential"),))
    (team,), (storage,) = found.waits.teams, found.waits.storages
    some = replace(team.uses[0], waited=COUNT - 1)
    assert (read_ahead(Matter(found, team, some, storage)) is not None) == advised


@pytest.mark.parametrize(("request_size", "along"), [(4096, False), (65_536, True)])
def test_short_stretches_between_jumps_are_no_reading_along(
    recording: Recording, request_size: int, *, along: bool
) -> None:
    found = lone_reader(recording)
    (team,) = found.waits.teams
    use = replace(team.uses[0], request=request_size, consecutive=0.9)
    found = replace(found, patterns=(read_as("mixed"),))
    assert Matter(found, team, use, None).along == along


def test_the_verdict_on_mapped_reading_is_none_on_reads(recording: Recording) -> None:
    found = lone_reader(recording)
    verdicts = tuple(read_as(pattern, op) for op, pattern in (("read", "random"), ("mmap", "sequential")))
    for rows in (verdicts, verdicts[::-1]):
        about = replace(found, patterns=rows)
        (team,) = about.waits.teams
        (use,) = team.uses
        assert [
            Matter(about, team, replace(use, mapped=mapped), None).along for mapped in (0, use.accesses)
        ] == [False, True]  # fmt: skip


@given(latency=st.floats(1e3, 1e8), rate=st.floats(1e6, 1e10), now=st.integers(512, 1 << 20), factor=st.integers(1, 64))
def test_larger_fetches_never_cost_more(latency: float, rate: float, now: int, factor: int) -> None:
    storage = Storage(
        "/data", "ext4", "8:1", "read", 100, 100 * now, round(100 * (latency + now * 1e9 / rate)),
        Interval(latency, latency * 0.9, latency * 1.1), Interval(rate, rate * 0.9, rate * 1.1), 0.0, 1.0, rate, None,
        None, 0.0, (), (),
    )  # fmt: skip
    left = gains.larger(storage, now, now * factor)
    assert 1 / factor - 1e-9 <= left.low <= left.high <= 1


def test_what_is_saved_never_exceeds_what_delays(recording: Recording) -> None:
    found = lone_reader(recording, work_ns=MS, files=7)
    (team,) = found.waits.teams
    most = gains.saved(team, team.account.storage_ns, Span(0.0, 0.0))
    assert most.high == pytest.approx(team.critical_high * team.elapsed_ns)
    assert gains.speedup(team, most).high == pytest.approx(1 / (1 - team.critical_high), rel=1e-6)
    assert gains.saved(team, team.account.storage_ns, Span(1.0, 1.0)).low == 0.0


def test_what_was_not_told_of_the_storage_is_told_to_be_measured(recording: Recording) -> None:
    found = lone_reader(recording, files=7)
    assert not any("fetches of one size" in finding.model for finding in advise(found))
    waits = replace(found.waits, storages=tuple(replace(one, bytes_s=None) for one in found.waits.storages))
    unmeasured = advise(replace(found, waits=waits))
    assert [finding.kind for finding in unmeasured] == kinds(found)
    assert all("stepwell bench /data/set" in finding.sentence + finding.model for finding in unmeasured)


def test_more_readers_are_no_help_to_the_one_that_has_too_much_to_do(recording: Recording) -> None:
    end = workers(recording, {2: 59, 3: 59, 5: 59, 7: 4 * COUNT})
    found = kinds(known(recording, end))
    assert "imbalance" in found
    assert "concurrency" not in found


def test_findings_are_ordered_by_what_they_save(recording: Recording) -> None:
    found = advise(lone_reader(recording, work_ns=MS, files=7))
    middles = [finding.saved_ns.low + finding.saved_ns.high for finding in found]
    assert middles == sorted(middles, reverse=True)
    assert all(finding.evidence and finding.inputs and finding.setting for finding in found)


def queueing(found: Facts, depth: float, *, held_up: bool = False, **storage: Any) -> list[Finding]:
    """Return the findings on a thread, as found, if it kept so many requests in flight on a storage as given."""
    (team,), (seen,) = found.waits.teams, found.waits.storages
    use = replace(
        team.uses[0], asynchronous=COUNT, accesses=COUNT, waited=COUNT if held_up else 0, request=65_536, direct=True,
    )  # fmt: skip
    changed: dict[str, Any] = {"depth": depth, "fetches": COUNT, "ns": round(seen.ns * depth)} | storage
    waits = replace(
        found.waits, teams=(replace(team, uses=(use,)),), storages=(replace(seen, **changed),),
    )  # fmt: skip
    return [one for one in advise(replace(found, waits=waits)) if one.kind in {"queue-depth", "submission"}]


@pytest.mark.parametrize("depth", [1.0, 2.0, 3.0, 7.0])
def test_a_queue_that_is_not_deep_is_told_how_deep_it_could_be(recording: Recording, depth: float) -> None:
    (finding,) = queueing(lone_reader(recording, files=7), depth)
    given = {one.name: one.value for one in finding.inputs}
    proposed = given["concurrency proposed"]
    assert (finding.kind, given["requests in flight now"]) == ("queue-depth", depth)
    assert 2 * depth <= proposed <= 16 * depth
    assert f"iodepth={proposed:.0f} in fio" in finding.setting
    assert 1 <= finding.speedup.low <= finding.speedup.high
    assert finding.speedup.high == pytest.approx(proposed / depth / 0.85, rel=0.01)  # it all waits, and scales


def test_a_deep_queue_is_left_alone(recording: Recording) -> None:
    assert queueing(lone_reader(recording, files=7), 61.0) == []


@pytest.mark.parametrize("limit", [{"scales": False}, {"throttle": Throttle("bytes", 1e6, 2e6, 0.0)}])
def test_no_deeper_queue_where_the_storage_has_shown_its_limit(recording: Recording, limit: dict[str, Any]) -> None:
    assert queueing(lone_reader(recording, files=7), 2.0, **limit) == []


@pytest.mark.parametrize(("direct", "unbuffered"), [(True, True), (False, False)])
def test_what_queues_bring_into_the_page_cache_is_not_known(
    recording: Recording, direct: bool, unbuffered: bool
) -> None:
    found = lone_reader(recording)
    (team,), (storage,) = found.waits.teams, found.waits.storages
    use = replace(team.uses[0], asynchronous=COUNT, accesses=COUNT, waited=97, fetched=0, direct=direct)
    assert Matter(found, team, use, storage).unbuffered is unbuffered


def test_a_queue_that_never_fills_is_no_deeper_one(recording: Recording) -> None:
    (finding,) = queueing(lone_reader(recording, files=7), 7.0, held_up=True)
    assert finding.kind == "submission"
    assert "one at a time" in finding.sentence
    assert "a deeper queue alone changes nothing" in finding.setting


def test_what_more_at_once_brought_bounds_what_still_more_will(recording: Recording) -> None:
    depths = (Depth(1.0, 97, 3 * MS, 13e6), Depth(2.0, 97, 4 * MS, 20e6), Depth(4.0, 97, 7 * MS, 24e6))
    found = lone_reader(recording, files=7)
    (finding,) = queueing(found, 4.0, scales=True, depths=depths, most_bytes_s=24e6, bytes_s=None)
    given = {one.name: one.value for one in finding.inputs}
    limit = given["rate that it then has at most"]
    assert limit == pytest.approx(24e6 + 2e6 * (given["concurrency proposed"] - 4))
    (unknown,) = queueing(found, 4.0, depths=depths, most_bytes_s=24e6, bytes_s=None)
    assert "rate that it then has at most" not in {one.name for one in unknown.inputs}
    assert finding.speedup.high < unknown.speedup.high
    assert "its limit was not seen" in unknown.sentence
    assert "its limit was not seen" not in finding.sentence


@given(
    cap=st.floats(1e6, 1e9), alone=st.floats(1e5, 1e8), depths=st.lists(st.integers(1, 64), min_size=2, unique=True),
    more=st.integers(1, 1024),
)  # fmt: skip
def test_the_rate_of_a_storage_with_a_limit_is_never_above_its_bound(
    cap: float, alone: float, depths: list[int], more: int
) -> None:
    """So many at once get so many times what one gets, up to the limit."""
    seen = tuple(Depth(float(n), 97, MS, min(cap, n * alone)) for n in sorted(depths))
    storage = Storage(
        "/data", "ext4", "8:1", "read", 97, 97 * 4096, 97 * MS, None, None, 0.0, 1.0, seen[-1].bytes_s, True, None,
        0.0, (), seen,
    )  # fmt: skip
    bound = gains.most_bytes_s(storage, more)
    assert bound is None or bound >= min(cap, more * alone) * (1 - 1e-9)


def test_a_storage_that_does_not_scale_gets_no_more_readers(recording: Recording) -> None:
    found = lone_reader(recording, files=7)
    waits = replace(found.waits, storages=tuple(replace(one, scales=False) for one in found.waits.storages))
    assert "concurrency" not in kinds(replace(found, waits=waits))
