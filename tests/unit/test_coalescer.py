"""The coalescer is lossless and efficient; tried through the native build of the code that runs in the kernel."""

from __future__ import annotations

from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.coalescing import Access, bucket, coalesce, rebuilt, sequences, stream

from stepwell.trace.definition import HISTOGRAM_BUCKETS, RUN, RUN_SHORT, RunFlag

STRIDES = st.sampled_from([4093, 0, -4093, 8192, 1]) | st.integers(-(2**63), 2**63 - 1)


@given(accesses=sequences())
def test_every_access_is_rebuilt_in_its_order(accesses: list[Access]) -> None:
    assert rebuilt(coalesce(accesses)) == [access[:4] for access in accesses]


@given(accesses=sequences())
def test_numbers_and_times_of_a_runs_ends_are_exact(accesses: list[Access]) -> None:
    rest = iter(accesses)
    for run in coalesce(accesses):
        own = list(islice(rest, int(run["count"])))
        assert run["tail"] <= run["size"]
        assert (run["seq"], run["seq"] + run["seq_span"]) == (own[0].seq, own[-1].seq)
        assert (run["start_ns"], run["start_ns"] + run["span_ns"]) == (own[0].start_ns, own[-1].start_ns)
        assert all(one.seq < other.seq for one, other in pairwise(own))
        assert all(one.start_ns <= other.start_ns for one, other in pairwise(own))


@given(accesses=sequences())
def test_latencies_of_a_run_are_those_of_its_accesses(accesses: list[Access]) -> None:
    rest = iter(accesses)
    for run in coalesce(accesses):
        own = list(islice(rest, int(run["count"])))
        assert run["filled"] == sum(access.filled for access in own)
        timed = [] if run["flags"] & RunFlag.ASYNC else own
        assert run["latency_ns"] == sum(access.latency_ns for access in timed)
        assert run["latency_max_ns"] == max((access.latency_ns for access in timed), default=0)
        assert run["waited"] == sum(access.waited for access in timed)
        assert run["wait_ns"] == sum(access.latency_ns for access in timed if access.waited)
        short = run["count"] <= 2 or not timed
        assert run["kind"] == (RUN_SHORT.kind if short else RUN.kind)
        buckets = [] if short else [bucket(access.latency_ns) for access in timed]
        assert list(run["histogram"]) == [buckets.count(k) for k in range(HISTOGRAM_BUCKETS)]


@pytest.mark.parametrize("power", range(64))
def test_buckets_end_at_powers_of_two(power: int) -> None:
    around = [2**power - 1, 2**power, 2**power + 1]
    (run,) = coalesce([access._replace(latency_ns=ns) for access, ns in zip(stream(0, 1, 1, 3), around, strict=True)])
    assert [k for k, count in enumerate(run["histogram"]) for _ in range(count)] == [bucket(ns) for ns in around]


@given(
    offset=st.integers(0, 2**64 - 1), stride=STRIDES, size=st.integers(0, 2**62), count=st.integers(1, 97),
    cut=st.integers(0, 2**62),
)  # fmt: skip
def test_a_regular_stream_is_one_run_even_when_its_end_is_cut_short(
    offset: int, stride: int, size: int, count: int, cut: int
) -> None:
    accesses = stream(offset, stride, size, count)
    accesses[-1] = accesses[-1]._replace(size=min(cut, size))
    (run,) = coalesce(accesses)
    assert (run["count"], run["offset"], run["stride"]) == (count, offset, stride if count > 1 else 0)


@given(lengths=st.lists(st.integers(1, 23), max_size=7), data=st.data())
def test_a_stretch_is_in_at_most_two_runs(lengths: list[int], data: st.DataObject) -> None:
    accesses = []
    for length in lengths:
        offset, stride = data.draw(st.integers(0, 2**64 - 1)), data.draw(STRIDES)
        accesses += stream(offset, stride, 4093, length)
    numbered = [access._replace(seq=i, start_ns=i) for i, access in enumerate(accesses)]
    assert len(coalesce(numbered)) <= 2 * len(lengths)


@pytest.mark.parametrize("probe", [0, 10**12])
def test_a_probe_before_a_sequential_read_is_a_run_of_its_own(probe: int) -> None:
    accesses = [Access(probe, 4093, 4093), *stream(10**6, 4093, 4093, 23)]
    runs = coalesce([access._replace(seq=i, start_ns=i) for i, access in enumerate(accesses)])
    assert [(run["offset"], run["count"]) for run in runs] == [(probe, 1), (10**6, 23)]


@given(order=st.lists(st.integers(0, 4), max_size=97), stride=STRIDES)
def test_streams_of_several_heads_are_a_run_each_however_they_interleave(order: list[int], stride: int) -> None:
    turns: dict[int, list[int]] = {}
    for seq, head in enumerate(order):
        turns.setdefault(head, []).append(seq)
    for head, seqs in turns.items():
        accesses = stream(head << 40, stride, 4093, len(seqs))
        (run,) = coalesce([a._replace(seq=seq, start_ns=seq) for a, seq in zip(accesses, seqs, strict=True)])
        assert (run["count"], run["seq"], run["seq"] + run["seq_span"]) == (len(seqs), seqs[0], seqs[-1])


def test_a_run_ends_when_its_numbers_or_clock_do_not_go_forward() -> None:
    again = stream(0, 4093, 4093, 3)
    assert [run["count"] for run in coalesce([*again, again[-1]._replace(offset=3 * 4093)])] == [3, 1]
    earlier = again[-1]._replace(offset=3 * 4093, seq=3, start_ns=again[-1].start_ns - 1)
    assert [run["count"] for run in coalesce([*again, earlier])] == [3, 1]


def test_nothing_gives_no_run() -> None:
    assert len(coalesce([])) == 0
