"""Accesses on their way into runs: checked, counted for their threads and joined, many at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from stepwell.collectors.importers.bounds import LARGEST, LARGEST_SIZE, LARGEST_TIME, Span, longer_than_memory, outside
from stepwell.collectors.importers.threads import Threads
from stepwell.collectors.native.joiner import OWNED, Joiner
from stepwell.trace.definition import RunFlag

Integers = int | npt.NDArray[Any]
"""One number for all accesses of a batch, or an integer array with one each."""

OUT_OF_RANGE = "offset, size or time below 0, or beyond what Linux has"
"""Reason for which an access is skipped."""

_COLUMNS = ("thread", "open", "op", "offset", "size", "requested", "start_ns", "latency_ns", "flags")

_TOGETHER = len(_COLUMNS) << 14
"""Members of accesses that are gathered before they are joined."""


class Accesses:
    """Takes accesses, one by one or in columns, and hands them to a joiner in their order.

    Args:
        joiner: makes runs of them.
        threads: counts them.
        span: learns their times.
        skip: is told how many no Linux can have made, and why they are left out.

    Attributes:
        hold: whether accesses hold their threads up: then those that took longer than memory would have waited.
        waited: how many were taken to.
    """

    def __init__(self, joiner: Joiner, threads: Threads, span: Span, skip: Callable[[str, int], None]) -> None:
        self._joiner = joiner
        self._threads = threads
        self._span = span
        self._skip = skip
        self._members: list[int] = []
        """Of those added, flat: Python's garbage collector would look at tuples again and again."""
        self._timed = False
        self.hold = True
        self.waited = 0

    def add(
        self,
        thread: int,
        open: int,  # noqa: A002 - the word of the trace
        op: int,
        offset: int,
        size: int,
        requested: int | None = None,
        start_ns: int | None = None,
        latency_ns: int = 0,
        flags: int = 0,
    ) -> None:
        """Add one access; the arguments are those of `TraceWriter.accesses`."""
        if (start_ns is None) is self._timed:
            self.flush()
            self._timed = not self._timed
        if start_ns is None:
            start_ns = self._span.last_ns
        if requested is None:
            requested = size
        self._members += (thread, open, op, offset, size, requested, start_ns, latency_ns, flags)
        if len(self._members) == _TOGETHER:
            self.flush()

    def settle(self) -> None:
        """Let the span know the times of all that was added."""
        if self._timed:
            self.flush()

    def flush(self) -> None:
        """Join all that was added."""
        members, self._members = self._members, []
        if not members:
            return
        try:
            table = np.array(members, np.int64)
        except OverflowError:
            table = np.array(members, np.object_)
        self.join(dict(zip(_COLUMNS, table.reshape(-1, len(_COLUMNS)).T, strict=True)), timed=self._timed)

    def join(self, columns: Mapping[str, Integers], *, timed: bool, seq: Integers | None = None) -> None:
        """Join accesses at once; what was added before must have been flushed.

        Args:
            columns: members of `OWNED`; at least one is an array, the others fit it or are one number for all.
            timed: whether their times are known.
            seq: number of the access among all of its thread; counted when left out.
        """
        given = dict(zip(columns, map(np.atleast_1d, np.broadcast_arrays(*columns.values())), strict=True))
        offset, size = given["offset"], given["size"]
        bad = outside(offset, LARGEST) | outside(size, LARGEST_SIZE) | outside(given["requested"], 2**64 - 1)
        bad |= outside(given["start_ns"], LARGEST_TIME) | outside(given["latency_ns"], LARGEST_TIME)
        offset, size = (np.where(bad, 0, column).astype(np.uint64) for column in (offset, size))
        bad |= offset + size > np.uint64(LARGEST)
        good = ~bad
        self._skip(OUT_OF_RANGE, int(bad.sum()))
        if not good.any():
            return
        made = np.zeros(int(good.sum()), OWNED)
        for name, column in given.items():
            made[name] = column[good]
        if self.hold:
            asleep = longer_than_memory(made["latency_ns"], made["size"]) & (made["flags"] & RunFlag.ASYNC == 0)
            made["waited"] = asleep
            self.waited += int(asleep.sum())
        if timed:
            starts = made["start_ns"]
            self._span.seen(int(starts.min()), int((starts + made["latency_ns"]).max()))
        made["seq"] = self._threads.numbers(made["thread"])
        if seq is not None:
            made["seq"] = np.broadcast_to(seq, good.shape)[good]
        self._joiner.add(made)
