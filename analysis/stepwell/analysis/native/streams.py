"""The evidence of all streams of a trace, from its runs in one pass: `streams.c` and `heads.c`."""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import astuple
from typing import Any, Self

import numpy as np

from stepwell.analysis.native.library import library
from stepwell.analysis.thresholds.streams import HeadLimits

STEPS = ("consecutive", "gap", "strided", "backward", "repeat", "jump")
"""How an access follows from the one before it on its head: `enum sw_step`, which explains them."""

CHAINS, TOP, EARLY, WINDOWS = 8, 4, 8, 8
SCALES, LINES, SAMPLED = 4, 3, 128

_TOGETHER = 4096
"""Streams of one table that are given out together at the end: 6 MB of evidence."""

_RUNS = 1 << 15
"""Runs that a table takes at once: 3 MB. Where each makes a table give a stream up, they become 50 MB of evidence."""

_WAITING = 16
"""Of these wait for one table at most. Tables do most of their work now and then, at different times."""

_U8 = "<u8"
_S8 = "<i8"

EVIDENCE = np.dtype(
    [
        *((name, _S8) for name in ("reader", "thread", "open", "file", "lane")),
        *((name, _U8) for name in ("op", "is_lane", "accesses", "bytes", "empty", "around")),
        *((name, _U8) for name in ("low", "high", "end_of_file")),
        ("first_ns", _S8), ("last_ns", _S8),
        ("steps", _U8, len(STEPS)), ("step_bytes", _U8, len(STEPS)),
        *((name, _U8) for name in ("mirrored", "mirrored_gaps", "upwards", "downwards", "turns")),
        *((name, _U8) for name in ("long_chains", "rows", "hopped")),
        *((name, _U8, CHAINS) for name in ("chains", "chain_accesses", "chain_bytes")),
        ("stride", _S8, TOP), ("stride_count", _U8, TOP), ("hole", _S8, TOP), ("hole_count", _U8, TOP),
        ("jump", _S8, TOP), ("jump_count", _U8, TOP), ("hop", _S8, TOP), ("hop_count", _U8, TOP),
        ("request", _S8, TOP), ("request_count", _U8, TOP),
        ("early", _U8), ("early_offset", _U8, EARLY), ("early_size", _U8, EARLY),
        *((f"best_{name}", _U8) for name in ("bytes", "accesses", "offset", "end", "before", "before_bytes")),
        ("window", _U8), ("windows", _U8), ("window_steps", _U8, (WINDOWS, len(STEPS))), ("window_ns", _S8, WINDOWS),
        ("sampled", _U8), ("rising", _U8, (SCALES, LINES)), ("falling", _U8, (SCALES, LINES)),
        *((name, _U8) for name in ("lattice", "places", "on_lattice")),
    ]
)  # fmt: skip
"""`struct sw_evidence`, which explains its members: all integers, offsets and sizes in bytes, times in nanoseconds."""

Evidence = np.ndarray[Any, np.dtype[np.void]]

COLUMNS = {
    "thread": "i8", "reader": "i8", "open": "i8", "file": "i8", "op": "u1", "flags": "u1", "count": "u4",
    "offset": "i8", "stride": "i8", "requested": "u8", "size": "i8", "tail": "i8", "start_ns": "i8", "span_ns": "i8",
}  # fmt: skip
"""What is needed of the runs, in the order of `struct sw_columns`: column and numpy type."""


class _Columns(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_void_p) for name in COLUMNS)


class _Limits(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("heads", "proven", "settled", "expanded", "skips")),
        *((name, ctypes.c_uint64) for name in ("page", "around", "lattice")),
    )


class Streams:
    """Takes runs, gives the evidence of streams; use as a context manager.

    It holds at most `limits.streams` streams at a time, of 2.5 KiB each, or 8.5 KiB from 17 accesses or 5 heads on, and
    80 bytes for each pair of process and file.
    Lanes are dealt out among `limits.shards` tables, each of which a thread fills while the next runs are fetched.

    Raises:
        MemoryError: there is not enough memory for that.
    """

    columns = tuple(COLUMNS)
    """The columns of the view `runs` that `feed` needs; see `stepwell.analysis.scan`."""

    def __init__(self, limits: HeadLimits) -> None:
        self._library = library()
        self._library.sw_streams_new.restype = ctypes.c_void_p
        self._library.sw_streams_feed.restype = ctypes.c_int64
        self._library.sw_streams_finish.restype = ctypes.c_int64
        *heads, streams, short, shards = astuple(limits)
        self._tables: list[ctypes.c_void_p] = []
        self._filling: list[deque[Future[Evidence]]] = [deque() for _ in range(shards)]
        self._threads = [ThreadPoolExecutor(1, "streams") for _ in range(shards)]
        each = max(streams // shards, 1)
        for shard in range(shards):
            made = self._library.sw_streams_new(ctypes.byref(_Limits(*heads)), each, short, shard, shards)
            if not made:
                self.__exit__()
                raise MemoryError
            self._tables.append(ctypes.c_void_p(made))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for thread in self._threads:
            thread.shutdown()
        for table in self._tables:
            self._library.sw_streams_free(table)
        self._tables = []

    def feed(self, runs: Mapping[str, np.ndarray[Any, Any]]) -> Iterator[Evidence]:
        """Take runs, in the order of their accesses within each stream; yield what was given up before."""
        held = [np.ascontiguousarray(runs[name], dtype) for name, dtype in COLUMNS.items()]
        for first in range(0, len(held[0]), _RUNS):
            yield from self._given(_WAITING - 1)
            self._submit(self._fill, [array[first : first + _RUNS] for array in held])

    def finish(self) -> Iterator[Evidence]:
        """Yield the evidence of all streams that `feed` has not returned, some at a time; nothing more can be fed."""
        yield from self._given()
        while True:
            self._submit(self._end)
            found = False
            for evidence in self._given():
                found = True
                yield evidence
            if not found:
                return

    def _submit(self, work: Callable[..., Evidence], *given: object) -> None:
        for thread, table, filling in zip(self._threads, self._tables, self._filling, strict=True):
            filling.append(thread.submit(work, table, *given))

    def _given(self, left: int = 0) -> Iterator[Evidence]:
        """Wait until no table has more than so many batches `left`; yield what all tables gave up in finished ones.

        All that are finished, for evidence takes memory; of all tables, so that the order is the same every time.
        """
        while len(self._filling[0]) > left or (self._filling[0] and all(one[0].done() for one in self._filling)):
            for filling in self._filling:
                evidence = filling.popleft().result()
                if len(evidence):
                    yield evidence

    def _fill(self, table: ctypes.c_void_p, held: list[np.ndarray[Any, Any]]) -> Evidence:
        columns = _Columns(*(array.ctypes.data for array in held))
        rows = ctypes.c_size_t(len(held[0]))
        return self._take(table, self._library.sw_streams_feed(table, ctypes.byref(columns), rows))

    def _end(self, table: ctypes.c_void_p) -> Evidence:
        return self._take(table, self._library.sw_streams_finish(table, ctypes.c_size_t(_TOGETHER)))

    def _take(self, table: ctypes.c_void_p, count: int) -> Evidence:
        if count < 0:
            raise MemoryError
        evidence = np.empty(count, EVIDENCE)
        if count:
            self._library.sw_streams_take(table, ctypes.c_void_p(evidence.ctypes.data))
        return evidence
