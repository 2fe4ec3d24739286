"""Accesses for the coalescer, arbitrary ones and such that form runs, and what the runs are to give back."""

from __future__ import annotations

from itertools import accumulate, chain, zip_longest
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from stepwell.collectors.native.library import library
from stepwell.trace.definition import HISTOGRAM_BUCKETS, HISTOGRAM_SHIFT, RUN, RunFlag
from stepwell.trace.layout import DTYPES

Records = np.ndarray[Any, np.dtype[np.void]]

U64 = 1 << 64
ACCESS = np.dtype(
    [
        *((name, "<u8") for name in ("seq", "start_ns", "latency_ns", "offset", "requested", "size")),
        ("filled", "<u4"), ("waited", "u1"), ("flags", "u1"), ("padding", "<u2"),
    ]
)  # fmt: skip
"""`struct sw_access`; `test_record_definition.py` holds it against the compiler's."""


class Access(NamedTuple):
    """One access, by the names of `struct sw_access`."""

    offset: int
    requested: int
    size: int
    flags: int = 0
    seq: int = 0
    start_ns: int = 0
    latency_ns: int = 0
    filled: int = 0
    waited: int = 0


def stream(offset: int, stride: int, size: int, count: int, **values: int) -> list[Access]:
    """Accesses at a stride, numbered and timed one by one."""
    return [
        Access((offset + i * stride) % U64, size, size, seq=i, start_ns=1009 * i)._replace(**values)
        for i in range(count)
    ]


def coalesce(accesses: list[Access]) -> Records:
    """The runs of one head, from the code that runs in the kernel."""
    given = np.zeros(len(accesses), ACCESS)
    for name in Access._fields:
        given[name] = np.array([getattr(access, name) for access in accesses], ACCESS[name])
    runs = np.zeros(len(accesses), DTYPES[RUN.kind])
    return runs[: library().sw_coalesce(given.ctypes.data, len(given), runs.ctypes.data)]


def rebuilt(runs: Records) -> list[tuple[int, int, int, int]]:
    """What the runs say of every access, in their order: offset, requested, size, flags."""
    return [
        (
            (int(run["offset"]) + i * int(run["stride"])) % U64,
            int(run["requested"]),
            int(run["tail" if i == run["count"] - 1 else "size"]),
            int(run["flags"]),
        )
        for run in runs
        for i in range(run["count"])
    ]


def bucket(latency_ns: int) -> int:
    """The latency's bucket as the definition tells it: [2^(k+8), 2^(k+9)) ns, open at both ends."""
    return min(max(latency_ns.bit_length() - 1 - HISTOGRAM_SHIFT, 0), HISTOGRAM_BUCKETS - 1)


MAX_RW_COUNT = 2**31 - 4096
"""Most bytes that Linux transfers in one call."""

SIZES = st.sampled_from([0, 1, 3, 512, 4093, 4096]) | st.integers(0, 2**62)
OFFSETS = st.integers(0, 7).map(lambda block: block * 4096) | st.integers(0, U64 - 1)
BELOW_LARGEST_OFFSET = st.integers(0, 7).map(lambda block: block * 4096) | st.integers(0, 2**61)
LATENCIES = st.integers(0, 2**12) | st.integers(0, 2**40)


@st.composite
def stretches(draw: st.DrawFn, offsets: st.SearchStrategy[int], sizes: st.SearchStrategy[int]) -> list[Access]:
    """Accesses at one stride, one of them perhaps cut short, after a probe of the same size elsewhere or none."""
    size = draw(sizes)
    count = draw(st.sampled_from([1, 1, 1, 2, 3, 7, 23]))
    room = 2**61 // count
    stride = draw(st.sampled_from([size, size, 0, -size, 2 * size, 1]) | st.integers(-room, room))
    stride = max(-room, min(stride, room))
    first = draw(offsets) + (-stride * (count - 1) if stride < 0 else 0)
    flags = draw(st.sampled_from([0, 0, 0, *RunFlag]))
    made = stream(first, stride, size, count, flags=flags, requested=draw(st.sampled_from([size, size, size + 1])))
    if draw(st.booleans()):
        index = draw(st.integers(0, count - 1))
        made[index] = made[index]._replace(size=draw(st.integers(0, size)))
    probe = [made[0]._replace(offset=draw(offsets))] if draw(st.booleans()) else []
    return probe + made


def mixed(one: list[Access], other: list[Access]) -> list[Access]:
    """Two stretches that take turns."""
    return [access for access in chain.from_iterable(zip_longest(one, other)) if access is not None]


@st.composite
def sequences(draw: st.DrawFn, offsets: st.SearchStrategy[int] = OFFSETS, *, orderly: bool = False) -> list[Access]:
    """Accesses of one head: stretches after each other or interleaved; if not `orderly`, numbers and clock may jump.

    Orderly ones are such as a kernel may see: numbers grow, times do not fall, sizes and offsets have limits.
    """
    sizes = SIZES.map(lambda size: min(size, MAX_RW_COUNT)) if orderly else SIZES
    stretch = stretches(offsets, sizes)
    parts = draw(st.lists(stretch | st.builds(mixed, stretch, stretch), max_size=6))
    accesses = list(chain.from_iterable(parts))
    steps = st.integers(1, 3) if orderly else st.integers(1, 3) | st.integers(-2, 2**40)
    ticks = st.integers(0, 10**6) if orderly else st.integers(0, 10**6) | st.integers(-5, 2**40)
    step = [draw(steps) if draw(st.booleans()) else 1 for _ in accesses]
    tick = [draw(ticks) if draw(st.booleans()) else 1 for _ in accesses]
    seqs = accumulate(step, initial=2**10)
    starts = accumulate(tick, initial=2**10)
    return [
        access._replace(
            seq=seq,
            start_ns=start,
            latency_ns=draw(LATENCIES),
            filled=draw(st.integers(0, 32)),
            waited=draw(st.integers(0, 1)),
        )
        for access, seq, start in zip(accesses, seqs, starts, strict=False)
    ]
