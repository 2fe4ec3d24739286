"""Plans out of traces: what fits how data is read, sizes by the model, and predictions that hold in simulation."""

from __future__ import annotations

import heapq
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.recordings import MS, Recording
from tests.unit.test_advice import known, lone_reader
from tests.unit.test_waits import BYTES_S, COUNT, LATENCY_NS

from stepwell.analysis.advice import Cache, Facts, Order, gains
from stepwell.analysis.patterns import Pattern
from stepwell.analysis.plans import Budget, Plan, Setting, Target, dump, load, measured
from stepwell.analysis.plans.make import make
from stepwell.analysis.storage import Bench, Cell, Range
from stepwell.analysis.waits.model import Interval, Throttle

GIB = 1 << 30


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """Return a reader that computes 1 ms after each of 210 reads of 7 files, which take 2 ms and their bytes."""
    return lone_reader(Recording(tmp_path_factory.mktemp("facts") / "first.spool"), work_ns=MS, files=7)


def reading(found: Facts, pattern: str, **how: Any) -> Facts:
    """Return the facts of the same reader, reading in another way."""
    row = Pattern(
        "dataset", "/data/set", "/data/set", "read", pattern, how.pop("stride", None), how.pop("request_size", None),
        "once", None, 0.99, 210, 210 * 4096, {},
    )  # fmt: skip
    return changed(replace(found, patterns=(row,)), **how)


def changed(
    found: Facts, *, storage: dict[str, Any] | None = None, team: dict[str, Any] | None = None, **use: Any
) -> Facts:
    """Return the facts with other figures of the storage, the team and what it does with the dataset."""
    (one,) = found.waits.teams
    teams = (replace(one, uses=tuple(replace(each, **use) for each in one.uses), **(team or {})),)
    storages = tuple(replace(each, **(storage or {})) for each in found.waits.storages)
    return replace(found, waits=replace(found.waits, teams=teams, storages=storages))


def target(found: Facts, **budget: Any) -> Target:
    (one,) = made(found, **budget).targets
    return one


def made(found: Facts, **budget: Any) -> Plan:
    return make(found, Budget(**{"memory_bytes": GIB, "in_flight": 64} | budget))


@pytest.mark.parametrize(
    ("pattern", "how", "policy", "why"),
    [
        ("sequential", {"files": 1}, "sequential", "along the file"),
        ("whole-file", {"files": 1}, "sequential", "along the file"),
        ("backward", {"files": 1}, "backward", "from its end to its start"),
        ("strided", {"files": 1, "stride": 8 << 20}, "strided", "regular steps"),
        ("random", {"files": 1, "file_bytes": GIB, "bytes": GIB}, "random", "all of it (1 GiB) fits the memory"),
        ("random", {"files": 1, "file_bytes": GIB + 1, "bytes": GIB}, "none", "more than the memory budget of 1 GiB"),
        ("random", {"files": 1, "file_bytes": GIB, "bytes": GIB // 6}, "none", "171 MiB of 1 GiB: which bytes come"),
        ("mixed", {"files": 1, "file_bytes": 3 * GIB, "bytes": GIB}, "none", "no order that could be followed"),
        ("whole-file", {}, "whole-file", "not known before they are opened"),
        ("whole-file", {"direct": True}, "none", "O_DIRECT"),
        ("whole-file", {"waited": 0, "asleep_ns": 0}, "none", ""),
    ],
)
def test_the_policy_follows_the_pattern(facts: Facts, pattern: str, how: dict[str, Any], policy: str, why: str) -> None:
    found = target(reading(facts, pattern, **how))
    assert found.policy == policy
    assert why in found.reason
    assert found.stride_bytes == how.get("stride")
    assert (found.block_bytes is None) == (policy == "none")
    assert found.path == "/data/set"
    assert found.workload == "cat x"


@pytest.mark.parametrize(
    ("order", "file_bytes", "policy", "why"),
    [
        (("name", "unknown", 1), GIB, "directory", "in the order of their name"),
        (("shuffled", "same", 3), 3 * GIB, "epoch", "each of 3 epochs reads the files in the same order"),
        (("shuffled", "reshuffled", 3), GIB, "random", "all files (1 GiB) fit the memory; a sampler"),
        (("shuffled", "reshuffled", 3), 3 * GIB, "whole-file", "a sampler that tells its order (--order-from)"),
        (("shuffled", "unknown", 1), GIB, "whole-file", "a sampler that tells its order"),
        (("unknown", "unknown", 1), GIB, "whole-file", "not known before they are opened"),
    ],
)
def test_the_order_of_files_decides_what_comes_next(
    facts: Facts, order: tuple[str, str, int], file_bytes: int, policy: str, why: str
) -> None:
    readers = facts.waits.teams[0].readers
    found = replace(reading(facts, "whole-file", file_bytes=file_bytes), orders=(Order("/data/set", readers, *order),))
    assert target(found).policy == policy
    assert why in target(found).reason


def test_what_cannot_gain_is_left_alone_with_the_reason(facts: Facts, tmp_path: Path) -> None:
    recording = Recording(tmp_path / "computing.spool")
    computing = target(lone_reader(recording, work_ns=200 * MS))
    assert (computing.policy, computing.gain) == ("none", None)
    assert "bound by computing" in computing.reason
    brief = target(reading(facts, "sequential", files=1, asleep_ns=99 * MS))
    assert (brief.policy, brief.reason) == ("none", "a single pass that waits for only 99 ms")
    again = target(reading(facts, "sequential", files=1, asleep_ns=99 * MS, file_bytes=1 << 20))
    assert again.policy == "sequential"
    hidden = target(reading(facts, "sequential", files=1, team={"critical_low": 0.0, "critical_high": 0.04}))
    assert (hidden.policy, hidden.gain) == ("none", hidden.gain)
    assert "it could gain 4.2 % at most" in hidden.reason
    assert hidden.gain is not None
    assert hidden.gain.high_permille < 1050
    assert hidden.inputs


def test_a_trace_without_anything_read_gives_a_plan_without_targets(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "nothing.spool")
    recording.thread(1)
    found = make(known(recording, MS), mode="recommend")
    assert (found.targets, found.settings, found.mode, found.trace) == ((), (), "recommend", 1)


def test_littles_law_gives_the_requests_under_way(facts: Facts) -> None:
    found = target(reading(facts, "sequential", files=1, file_bytes=GIB))
    assert found.block_bytes == 1 << 17  # latency x rate, the knee, is 200 kB, but that would be two trips
    (storage,) = facts.waits.storages
    request = 2 * (LATENCY_NS / 1e9 + (1 << 17) / BYTES_S)  # read-ahead had begun before the reader waited
    demand = storage.bytes / (COUNT // 7 * 7 * MS / 1e9)
    assert found.in_flight == -int(-demand * request / (1 << 17) * 2 // 1)
    assert found.window_bytes == 2 * found.in_flight * (1 << 17)
    (told,) = (one for one in found.inputs if one.name == "time of a request of the plan")
    assert told.unit == "ns"
    assert told.value == pytest.approx(request * 1e9, rel=0.01)


def test_a_storage_that_gives_no_more_is_asked_for_no_more(facts: Facts) -> None:
    slow = {"latency_ns": Interval(20 * MS, 19 * MS, 21 * MS)}
    free = reading(facts, "sequential", files=1, file_bytes=GIB, storage=slow)
    throttled = Throttle("bytes", 4e7, 9e7, 0.01)
    wanted = target(free).in_flight
    for limit in ({"scales": False}, {"throttle": throttled}):
        held = target(reading(facts, "sequential", files=1, file_bytes=GIB, storage=slow | limit)).in_flight
        assert held is not None
        assert wanted is not None
        assert held < wanted


def test_a_cache_is_planned_at_the_knee(facts: Facts) -> None:
    cache = Cache("/data/set", 1 << 22, 0.1, 0.09, 1 << 24)
    assert target(replace(reading(facts, "whole-file"), caches=(cache,))).cache_bytes == 1 << 22
    assert target(reading(facts, "whole-file")).cache_bytes is None


def settings(found: Facts, filesystem: str, **how: Any) -> dict[str, Setting]:
    storage = {"filesystem": filesystem, **how.pop("storage", {})}
    return {
        one.name: one for one in made(reading(found, how.pop("pattern", "sequential"), storage=storage, **how)).settings
    }


def test_linux_is_told_to_read_further_ahead(facts: Facts) -> None:
    found = settings(facts, "ext4", files=1, file_bytes=GIB, fetched=1, waited=97)
    assert list(found) == ["read_ahead_kb"]
    setting = found["read_ahead_kb"]
    assert setting.value == "2048"  # latency x rate x 9, nine tenths of the time flowing
    assert setting.how.startswith("echo 2048 > /sys/class/bdi/8:1/read_ahead_kb")
    assert setting.gain is not None
    assert setting.gain.high_permille > 1050
    assert "mm/readahead.c" in setting.source


def test_fuse_lets_more_run_in_the_background(facts: Facts) -> None:
    far = {"latency_ns": Interval(200 * MS, 199 * MS, 201 * MS), "device": "0:57"}
    how: dict[str, Any] = {"pattern": "random", "files": 1, "file_bytes": GIB, "bytes": GIB, "storage": far}
    found = settings(facts, "fuse.sshfs", **how)["max_background"]
    assert int(found.value) > 12
    assert found.how == f"echo {found.value} > /sys/fs/fuse/connections/57/max_background"
    assert "max_background" not in settings(facts, "nfs4", **how)
    assert "max_background" not in settings(facts, "fuse.sshfs", files=1, file_bytes=GIB)


def test_juicefs_is_kept_from_fetching_whole_blocks_for_small_reads(facts: Facts) -> None:
    small: dict[str, Any] = {"files": 1, "file_bytes": GIB, "request": 4096, "consecutive": 0.0}
    found = settings(facts, "fuse.juicefs", pattern="random", **small)["prefetch"]
    assert found.value == "0"
    assert "1024 times what is asked for" in found.reason
    assert "juicefs mount --prefetch 0" in found.how
    assert "prefetch" not in settings(facts, "fuse.juicefs", **small)
    assert "prefetch" not in settings(facts, "fuse.juicefs", pattern="random", **small | {"request": 2 << 20})
    assert "prefetch" not in settings(facts, "fuse.sshfs", pattern="random", **small)


def test_where_small_reads_come_to_each_block_again_and_again_it_stays_whole_unless_it_cannot(facts: Facts) -> None:
    small: dict[str, Any] = {"files": 1, "file_bytes": GIB, "request": 4096, "consecutive": 0.0, "pattern": "random"}
    assert "prefetch" in settings(facts, "fuse.juicefs", **small, accesses=4 * 256 - 1)
    assert "prefetch" not in settings(facts, "fuse.juicefs", **small, accesses=4 * 256)
    beyond = small | {"file_bytes": 101 * GIB}
    assert "prefetch" in settings(facts, "fuse.juicefs", **beyond, accesses=101 * 4 * 256)


def test_juicefs_reads_further_ahead_where_latency_wants_it(facts: Facts) -> None:
    far = {"latency_ns": Interval(900 * MS, 899 * MS, 901 * MS), "ns": 210 * 900 * MS, "bytes": 210 << 20}
    found = settings(facts, "fuse.juicefs", files=1, file_bytes=GIB, storage=far, asleep_ns=210 * 900 * MS)
    assert int(found["max-readahead"].value) == 128
    assert int(found["buffer-size"].value) == 128 * 3 * 10 // 8 + 1
    for opened, heads in ((8, 8), (1, 2)):  # by themselves, or in one open file
        many = settings(
            facts, "fuse.juicefs", files=1, file_bytes=GIB, storage=far, asleep_ns=210 * 900 * MS, team={"width": 8.0},
            opened=opened,
        )  # fmt: skip
        assert int(many["buffer-size"].value) > 300
        assert f"of {heads} heads" in many["buffer-size"].reason
    assert "max-readahead" not in settings(facts, "fuse.juicefs", files=1, file_bytes=GIB)


LATENCIES = st.integers(1_000, 500 * MS)
RATES = st.integers(1_000_000, 10**10)


@given(
    pattern=st.sampled_from(["sequential", "whole-file", "backward", "strided", "random", "mixed", "unknown"]),
    files=st.integers(1, 10_000),
    size=st.integers(1, 1 << 40),
    request=st.integers(1, 1 << 30),
    latency=LATENCIES,
    rate=RATES,
    width=st.floats(1, 500),
    scales=st.none() | st.booleans(),
    memory=st.integers(1 << 20, 1 << 40),
    in_flight=st.integers(1, 256),
    wide=st.floats(1, 10),
)
def test_every_plan_is_inside_its_budget_and_can_be_written(
    facts: Facts, pattern: str, files: int, size: int, request: int, latency: int, rate: int, width: float,
    scales: bool | None, memory: int, in_flight: int, wide: float,
) -> None:  # fmt: skip
    storage = {
        "latency_ns": Interval(latency, latency / wide, latency * wide), "bytes_s": Interval(rate, rate / wide, rate),
        "scales": scales,
    }  # fmt: skip
    found = reading(
        facts, pattern, files=files, file_bytes=size, request=request, storage=storage, team={"width": width}
    )
    plan = made(found, memory_bytes=memory, in_flight=in_flight)
    assert load(dump(plan)) == plan
    (one,) = plan.targets
    if one.policy == "none":
        assert one.block_bytes is None
        return
    assert one.block_bytes is not None
    assert one.in_flight is not None
    assert one.window_bytes is not None
    assert one.block_bytes <= one.window_bytes <= memory
    assert one.in_flight <= in_flight
    assert one.in_flight == 1 or 2 * one.block_bytes * one.in_flight <= memory
    assert one.gain is not None
    assert 1000 <= one.gain.low_permille <= one.gain.high_permille
    assert one.gain.high_permille >= 1050


def elapsed(reads: int, latency: float, octets: int, rate: float, work: float, in_flight: int) -> float:
    """Return the seconds a reader takes that computes after each read, with so many requests under way ahead of it.

    Every request has the storage to itself; 0 under way is a reader that fetches by itself.
    """
    if not in_flight:
        return reads * (latency + octets / rate + work)
    lanes = [0.0] * in_flight
    now, came = 0.0, []
    for _ in range(reads):
        heapq.heappush(lanes, heapq.heappop(lanes) + latency + octets / rate)
        came.append(max(lanes))
    for one in came:
        now = max(now, one) + work
    return now


@pytest.mark.parametrize("work_ns", [0, MS // 10, MS, 2 * MS, 10 * MS])
def test_the_predicted_gain_holds_in_simulation(tmp_path: Path, work_ns: int) -> None:
    found = target(reading(lone_reader(Recording(tmp_path / "a.spool"), work_ns=work_ns), "strided"))
    reads, octets = COUNT, 55_000
    rates: dict[str, Any] = {"latency": LATENCY_NS / 1e9, "octets": octets, "rate": BYTES_S, "work": work_ns / 1e9}
    assert found.in_flight is not None
    assert found.gain is not None
    gained = elapsed(reads, in_flight=0, **rates) / elapsed(reads, in_flight=found.in_flight, **rates)
    assert found.gain.low_permille / 1000 <= gained * 1.02
    assert gained <= found.gain.high_permille / 1000 * 1.05


def bench(path: str, **fields: Any) -> Bench:
    """Return what was measured of a mount: 50 ms, 40 MB/s for one of 1 MiB, 8 of which get 100 MB/s together."""
    cells = tuple(
        Cell(1 << 20, many, 23, 0, 0, rate, 76 * MS, 80 * MS) for many, rate in ((1, 14_000_000), (8, 100_000_000))
    )
    told: dict[str, Any] = {
        "version": 1, "path": path, "filesystem": "nfs4", "certain": True, "doubts": (),
        "status": "complete", "files": 1, "data_bytes": GIB, "read_bytes": GIB, "elapsed_ns": 1, "cells": cells,
        "most_bytes_s": 100_000_000, "latency_ns": Range(50 * MS, 49 * MS, 51 * MS),
        "bytes_s": Range(40_000_000, 39_000_000, 41_000_000), "method": "buffered",
    }  # fmt: skip
    return Bench(**told | fields)


def test_a_measured_storage_stands_in_for_what_the_trace_shows(facts: Facts) -> None:
    found = reading(facts, "sequential", files=1, file_bytes=GIB)
    told = make(found, benches=[bench("/data")]).targets[0]
    figures = {one.name: one.value for one in told.inputs}
    assert figures["latency, likely"] == 50 * MS
    assert figures["rate of one fetch, least"] == 39_000_000
    assert figures["most that all fetches together got"] == 100_000_000
    assert told.block_bytes == 1 << 20  # latency x rate is 2 MB, the largest that was measured 1 MiB
    assert told.gain is not None
    assert told.gain.low_permille >= target(found).gain.low_permille  # type: ignore[union-attr]
    unlimited = reading(facts, "sequential", files=1, file_bytes=GIB, team={"elapsed_ns": 530 * MS})
    request = 0.05 + (1 << 20) / 40e6
    held = make(unlimited, benches=[bench("/data/set")]).targets[0].in_flight
    assert held == -int(-100e6 * request / (1 << 20) * 2 // 1)
    assert made(unlimited).targets[0].in_flight != held
    apart, direct = bench("/data", request_bytes=1 << 18), bench("/data", method="direct")
    assert make(found, benches=[apart]).targets[0].block_bytes == 1 << 18
    assert make(found, benches=[direct]).targets[0].block_bytes == 1 << 17


def test_what_a_measurement_doubts_of_itself_is_said_with_what_is_planned_from_it(facts: Facts) -> None:
    found = reading(facts, "sequential", files=1, file_bytes=GIB)
    sure, unsure, hung = (
        make(found, benches=[bench("/data", **fields)])
        for fields in (
            {"doubts": ("7 reads failed and are left out",)},
            {"certain": False, "doubts": ("not sure: tmpfs is memory, not storage", "7 reads failed and are left out")},
            {"status": "hung", "certain": False, "doubts": ("not sure: " + "x" * 5_000,)},
        )
    )
    reason = sure.targets[0].reason
    assert "said of its numbers" not in reason
    assert unsure.targets[0].reason == (
        f"{reason}; `stepwell bench` said of its numbers: not sure: tmpfs is memory, not storage"
    )
    assert "reads did not come back; not sure: xxx" in hung.targets[0].reason
    assert load(dump(hung, "json")) == hung
    short = make(found, benches=[bench("/data", status="interrupted")]).targets[0]
    assert short.reason.endswith("said of its numbers: interrupted before all was measured")
    assert make(found, benches=[bench("/other", status="hung")]).targets[0].reason == target(found).reason


def test_two_blocks_fit_the_memory_however_large_the_storage_wants_them(facts: Facts) -> None:
    large = bench("/data", cells=(Cell(1 << 24, 1, 23, 0, 0, 14_000_000, 76 * MS, 80 * MS),))
    found = reading(facts, "sequential", files=1, file_bytes=GIB)
    (one,) = make(found, Budget(1 << 20, 64), benches=[large]).targets
    assert (one.block_bytes, one.in_flight, one.window_bytes) == (1 << 19, 1, 1 << 20)


def test_four_fifths_of_what_can_be_hidden_after_the_first_second_are_promised(facts: Facts) -> None:
    found = reading(facts, "sequential", files=1, file_bytes=GIB, team={"elapsed_ns": 5000 * MS})
    (team,), (storage,) = found.waits.teams, found.waits.storages
    planned = target(found)
    assert planned.in_flight is not None
    assert planned.block_bytes is not None
    at_once = planned.in_flight * max(1.0, planned.block_bytes / storage.mean_bytes)
    won = gains.ahead(team, team.uses[0], storage, at_once)
    predicted = planned.gain
    assert predicted is not None
    assert predicted.low_permille == int(1000 * team.elapsed_ns / (team.elapsed_ns - 0.8 * 0.8 * won.low))
    assert predicted.high_permille == -int(-1000 * team.elapsed_ns / (team.elapsed_ns - won.high) // 1)
    brief = target(reading(facts, "sequential", files=1, file_bytes=GIB)).gain
    assert brief is not None
    assert brief.low_permille == 1000  # the whole recording is over before the first second is


def test_the_nearest_measurement_counts_and_none_of_another_place(facts: Facts) -> None:
    near, far, inside, other = (bench(path) for path in ("/data", "/", "/data/set/deep", "/database"))
    assert measured.of("/data/set", [far, near, other, inside]) is near
    assert measured.of("/data/set", [inside, other]) is inside
    assert measured.of("/data/set", [other]) is None
    found = reading(facts, "sequential", files=1)
    assert make(found, benches=[other]) == make(found)


@pytest.mark.parametrize(("rates", "scales"), [((10, 11), False), ((10, 13), True), ((10,), None)])
def test_whether_it_scales_is_seen_from_more_at_once(facts: Facts, rates: tuple[int, ...], scales: bool | None) -> None:
    cells = tuple(Cell(4096, 4**many, 23, 0, 0, rate, 1, 1) for many, rate in enumerate(rates))
    (storage,) = measured.with_measured(facts, [bench("/data", cells=cells)]).waits.storages
    assert storage.scales is scales
