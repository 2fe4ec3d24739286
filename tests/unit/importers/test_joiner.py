"""The joiner: whatever accesses of whatever heads, the store gives every one back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.coalescing import BELOW_LARGEST_OFFSET, Access, coalesce, sequences, stream
from tests.unit.importers.bringing import told

from stepwell.collectors.importers import TraceWriter
from stepwell.collectors.native.joiner import OWNED, Joiner, Place, Records
from stepwell.store import Store
from stepwell.trace.definition import Op

Given = list[tuple[int, int, Op, Access]]
"""Thread, open file, operation and access, in the order in which they are told."""


@st.composite
def mixes(draw: st.DrawFn) -> Given:
    """Some heads, each with accesses as a kernel may see them, dealt out in any order."""
    heads = draw(
        st.dictionaries(
            st.tuples(st.integers(1, 2), st.integers(1, 3), st.sampled_from(Op)),
            sequences(BELOW_LARGEST_OFFSET, orderly=True),
            max_size=4,
        )
    )
    dealt = draw(st.permutations([head for head, accesses in heads.items() for _ in accesses]))
    left = {head: iter(accesses) for head, accesses in heads.items()}
    return [(*head, next(left[head])) for head in dealt]


def joined(given_: Given, heads: int, places: list[Place] | None = None) -> Records:
    """The runs that the joiner makes of accesses, all as long ones."""
    records = np.zeros(len(given_), OWNED)
    for index, (thread, open_file, op, access) in enumerate(given_):
        records["thread"][index], records["open"][index], records["op"][index] = thread, open_file, op
        for name, value in access._asdict().items():
            records[name][index] = value
    if places is not None:
        records["place"] = places
    found: list[Records] = []
    with Joiner(lambda _, runs: found.append(runs.copy()), heads) as joiner:
        joiner.add(records)
        joiner.end()
    return np.concatenate([runs[[n for n in found[0].dtype.names or () if n != "histogram"]] for runs in found])


@settings(max_examples=47)
@given(mix=mixes(), one_by_one=st.booleans())
def test_the_store_gives_back_every_access(
    store: Store, tmp_path_factory: pytest.TempPathFactory, mix: Given, one_by_one: bool
) -> None:
    def tell(trace: TraceWriter) -> None:
        threads = {number: trace.thread(number) for number in (1, 2)}
        opens = {number: trace.open(threads[1], f"/{number}", start_ns=0) for number in (1, 2, 3)}
        trace.origin(0)
        if one_by_one or not mix:
            for thread, file, op, access in mix:
                trace.access(
                    threads[thread], opens[file], op, access.offset, access.size, requested=access.requested,
                    start_ns=access.start_ns, latency_ns=access.latency_ns, flags=access.flags,
                )  # fmt: skip
            return
        column = {name: np.array([getattr(row[3], name) for row in mix], np.uint64) for name in Access._fields}
        trace.accesses(
            np.array([threads[row[0]] for row in mix]),
            np.array([opens[row[1]] for row in mix]),
            np.array([row[2] for row in mix]),
            column["offset"], column["size"], requested=column["requested"], start_ns=column["start_ns"],
            latency_ns=column["latency_ns"], flags=column["flags"],
        )  # fmt: skip

    brought = told(store, tmp_path_factory.mktemp("trace") / "trace.import", tell)
    rows = brought.rows(
        """SELECT tid, path[2:]::INTEGER, op::VARCHAR, "offset", requested, size, start_ns, interpolated
        FROM accesses a JOIN threads USING (trace, reader, thread) WHERE a.trace = $trace
        ORDER BY tid, path, op::VARCHAR, seq, a.start_ns""".replace("start_ns,", "a.start_ns,", 1)
    )
    expected: dict[tuple[int, int, str], list[Access]] = {}
    for thread, file, op, access in mix:
        expected.setdefault((thread, file, op.name.lower()), []).append(access)
    for head, accesses in expected.items():
        own = [row[3:] for row in rows if row[:3] == head]
        assert [row[:3] for row in own] == [(one.offset, one.requested, one.size) for one in accesses]
        assert all(row[3] == one.start_ns for row, one in zip(own, accesses, strict=True) if not row[4])
    assert len(rows) == len(mix)
    latencies = [access.latency_ns for _, _, _, access in mix if not access.flags & 1]
    assert brought.rows("SELECT coalesce(sum(latency_ns), 0)::BIGINT FROM runs WHERE trace = $trace") == [
        (sum(latencies),)
    ]


@given(mix=mixes())
def test_runs_are_those_of_the_kernels_coalescer(mix: Given) -> None:
    if not mix:
        return
    runs = joined(mix, heads=8)  # all look for their place among the same
    for head in {row[:3] for row in mix}:
        own = runs[(runs["thread"] == head[0]) & (runs["open"] == head[1]) & (runs["op"] == head[2])]
        alone = coalesce([row[3] for row in mix if row[:3] == head])
        for name in ("offset", "stride", "count", "seq", "seq_span", "start_ns", "span_ns", "tail", "latency_ns"):
            assert sorted(own[name].tolist()) == sorted(alone[name].tolist()), name


def test_more_heads_than_are_kept_lose_nothing() -> None:
    mix = [(1, file, Op.READ, access) for access in stream(0, 4096, 4096, 7) for file in range(1, 1010)]
    runs = joined(mix, heads=64)
    assert int(runs["count"].sum()) == len(mix) == 7 * 1009
    rebuilt = sorted(
        (int(run["open"]), int(run["offset"]) + i * int(run["stride"])) for run in runs for i in range(run["count"])
    )
    assert rebuilt == sorted((file, access.offset) for _, file, _, access in mix)


def test_runs_taken_apart_are_put_together_and_no_others() -> None:
    edge, inside = Place.EDGE, Place.INSIDE
    accesses = stream(0, 10, 10, 11)
    mix = [(1, 1, Op.READ, access) for access in accesses]
    runs = joined(mix, 64, [edge, inside, inside, edge, edge, edge, inside, edge, edge, inside, edge])
    assert sorted(zip(runs["seq"].tolist(), runs["count"].tolist(), strict=True)) == [(0, 4), (4, 1), (5, 3), (8, 3)]


@pytest.mark.parametrize(("size", "latency_ns"), [(2**62, 0), (1, 2**61)])
def test_sums_stay_below_what_the_store_can_hold(store: Store, tmp_path: Path, size: int, latency_ns: int) -> None:
    """Sizes and latencies that no store could add up in one run are in several."""

    def tell(trace: TraceWriter) -> None:
        thread = trace.thread()
        file = trace.open(thread, "/a", start_ns=0)
        for _ in range(11):
            trace.access(thread, file, Op.READ, 0, size, start_ns=0, latency_ns=latency_ns)

    brought = told(store, tmp_path / "trace.import", tell)
    assert brought.rows("SELECT accesses, bytes::HUGEINT, lost FROM traces WHERE trace = $trace") == [
        (11, 11 * size, 0)
    ]
    assert brought.rows("SELECT sum(latency_ns)::HUGEINT FROM runs WHERE trace = $trace") == [(11 * latency_ns,)]
