"""Run records as columns: native code against numpy, on any records."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stepwell.store.native.runs import COLUMNS, run_columns
from stepwell.store.runs import _order, _places
from stepwell.trace.definition import RUN, RUN_SHORT
from stepwell.trace.layout import DTYPES

ORIGIN_NS = 1_000_003
EDGES = st.sampled_from([0, 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1])


FIELDS = [field.name for field in RUN_SHORT.fields if field.name not in {"kind", "op", "stride", "reserved"}]


@st.composite
def records(draw: st.DrawFn, kind: int, bytes_each: int) -> np.ndarray:
    """Records of any bytes, or of small numbers but for one or two that are at an edge."""
    number = draw(st.integers(1, 7))
    made = draw(arrays(np.uint8, number * bytes_each)).view(DTYPES[kind])
    for name in FIELDS if draw(st.booleans()) else []:
        made[name] %= 7
        made["op"] %= 6
    for name in draw(st.lists(st.sampled_from(FIELDS), max_size=2)):
        made[name] = np.array(draw(EDGES)).astype(made[name].dtype)
    made["stride"] = draw(st.sampled_from([0, 1, 4096, -1, -4096, 2**62, -(2**63)]))
    made["kind"] = kind
    return made


def possible(run: np.void) -> bool:
    small = all(
        run[name] < 2**63
        for name in ("open", "seq", "seq_span", "start_ns", "span_ns", "offset", "size", "tail", "latency_ns",
                     "latency_max_ns", "wait_ns")
    )  # fmt: skip
    count, size = int(run["count"]), int(run["size"])
    last = int(run["offset"]) + max(count - 1, 0) * int(run["stride"])
    way = max(count - 1, 0) * int(run["stride"])
    inside = 0 <= last < 2**63 and last + max(size, int(run["tail"])) < 2**63 and -(2**63) <= way < 2**63
    return bool(run["op"] < 6 and small and inside and count * size < 2**63)


def column(run: np.void, name: str) -> int:
    plus, minus = {
        "size_minus_tail": ("size", int(run["tail"])),
        "latency_minus_max_ns": ("latency_ns", int(run["latency_max_ns"])),
        "start_ns": ("start_ns", ORIGIN_NS),
    }.get(name, (name, 0))
    return int(run[plus]) - minus


@given(records(RUN.kind, 224), records(RUN_SHORT.kind, 128), st.randoms())
def test_columns_are_the_records_in_the_order_asked_for(long: np.ndarray, short: np.ndarray, random: Random) -> None:
    places = np.concatenate([_places(long), _places(short)])
    order = list(range(len(places)))
    random.shuffle(order)
    columns, has, first, buckets = run_columns(places[order], ORIGIN_NS)
    runs = [([*long, *short])[at] for at in order]
    kept = [run for run in runs if possible(run)]
    for name in COLUMNS:
        assert columns[name].tolist() == [column(run, name) for run in kept]
    assert has.tolist() == [run["kind"] == RUN.kind for run in kept]
    lists = [buckets[low:high].tolist() for low, high in pairwise(first)]
    whole = [run["histogram"].tolist() if run["kind"] == RUN.kind else [] for run in kept]
    assert [len(one) == 0 or one[-1] != 0 for one in lists] == [True] * len(kept)
    assert [one + [0] * (len(all_) - len(one)) for one, all_ in zip(lists, whole, strict=True)] == whole


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3))))
def test_runs_are_ordered_by_time_and_then_by_number(pairs: list[tuple[int, int]]) -> None:
    times, numbers = (np.array([pair[at] for pair in pairs], np.uint64) for at in (0, 1))
    assert _order(times, numbers).tolist() == np.lexsort((numbers, times)).tolist()
