"""Results of asynchronous accesses, put into the runs that were recorded before the results were known."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from stepwell.trace.definition import RunFlag

Records = np.ndarray[Any, np.dtype[np.void]]


@dataclass(frozen=True)
class AsyncError:
    """An asynchronous access that failed; `start_ns` is CLOCK_MONOTONIC, `errno` positive."""

    thread: int
    open: int
    op: int
    start_ns: int
    errno: int


class Results:
    """The RESULT records of a trace, each to be used once.

    An access is found by its number.  Within a run the numbers are known at both ends and interpolated between, as in
    the view `accesses`; they are exact when the thread did nothing else meanwhile.
    """

    def __init__(self, records: Records) -> None:
        self.errors: list[AsyncError] = []
        self._of_thread: dict[int, Records] = {}
        self._used = 0
        self._count = len(records)
        ordered = records[np.lexsort((records["seq"], records["thread"]))]
        threads, starts = np.unique(ordered["thread"], return_index=True)
        for thread, own in zip(threads.tolist(), np.split(ordered, starts[1:]), strict=False):
            self._of_thread[thread] = own.copy()

    @property
    def unused(self) -> int:
        """Results whose access has not been seen."""
        return self._count - self._used

    def split(self, runs: Records) -> Records:
        """Return the runs with every access that has a result made a run of its own, in no particular order.

        An access that failed was none: it is left out, as failed system calls are.
        """
        if not self._of_thread:
            return runs
        keep = np.ones(len(runs), bool)
        pieces: list[Records] = []
        asynchronous = np.flatnonzero((runs["flags"] & RunFlag.ASYNC != 0) & (runs["count"] > 0))
        for thread in np.unique(runs["thread"][asynchronous]).tolist():
            results = self._of_thread.get(thread)
            if results is None:
                continue
            mine = asynchronous[runs["thread"][asynchronous] == thread]
            first = np.searchsorted(results["seq"], runs["seq"][mine])
            after = np.searchsorted(results["seq"], runs["seq"][mine] + runs["seq_span"][mine], "right")
            for index, low, high in zip(mine.tolist(), first.tolist(), after.tolist(), strict=True):
                run = runs[index : index + 1]
                between = results[low:high]
                hits = (between["open"] == run["open"]) & (between["op"] == run["op"]) & (between["kind"] != 0)
                chosen = np.flatnonzero(hits)[: int(run["count"][0])]
                if not len(chosen):
                    continue
                between["kind"][chosen] = 0  # used
                self._used += len(chosen)
                keep[index] = False
                pieces.append(self._apart(run, between[chosen]))
        return np.concatenate([runs[keep], *pieces]) if pieces else runs

    def _apart(self, run: Records, results: Records) -> Records:
        """Return one run as pieces: each access that has a result alone unless it failed, the others between them."""
        count, seq, start = int(run["count"][0]), int(run["seq"][0]), int(run["start_ns"][0])
        seqs = [int(number) - seq for number in results["seq"]]
        positions = _positions(seqs, count, int(run["seq_span"][0]))
        ends = [0, count - 1]
        times = [0, int(run["span_ns"][0])]
        knots = dict(zip(ends, [0, int(run["seq_span"][0])], strict=True)) | dict(zip(positions, seqs, strict=True))
        known = sorted(knots)
        cuts = sorted({0, count, *positions, *(position + 1 for position in positions)})
        sizes = dict(zip(positions, (int(result) for result in results["result"]), strict=True))
        pieces = np.repeat(run, len(cuts) - 1)
        for piece, (first, after) in zip(pieces, pairwise(cuts), strict=True):
            bounds = [first, after - 1]
            seq_first, seq_last = np.rint(np.interp(bounds, known, [knots[at] for at in known])).astype(int).tolist()
            time_first, time_last = np.rint(np.interp(bounds, ends, times)).astype(int).tolist()
            piece["count"] = after - first
            piece["offset"] = (int(run["offset"][0]) + first * int(run["stride"][0])) % 2**64
            piece["stride"] = run["stride"][0] if after - first > 1 else 0
            piece["seq"], piece["seq_span"] = seq + seq_first, seq_last - seq_first
            piece["start_ns"], piece["span_ns"] = start + time_first, time_last - time_first
            piece["tail"] = run["tail"][0] if after == count else run["size"][0]
            if first in sizes:
                piece["tail"] = max(sizes[first], 0)
                if sizes[first] < 0 and -sizes[first] not in {errno.EAGAIN, errno.EINTR}:
                    self.errors.append(
                        AsyncError(
                            int(run["thread"][0]),
                            int(run["open"][0]),
                            int(run["op"][0]),
                            start + time_first,
                            -sizes[first],
                        )
                    )
            if after - first == 1:
                piece["size"] = piece["tail"]
        for name in ("latency_ns", "latency_max_ns", "wait_ns", "waited", "filled"):
            pieces[name][1:] = 0
        if "histogram" in (run.dtype.names or ()):
            pieces["histogram"][1:] = 0
        return pieces[[sizes.get(first, 0) >= 0 for first in cuts[:-1]]]


def _positions(seqs: list[int], count: int, span: int) -> list[int]:
    """Return which of a run's accesses have these numbers (relative, ascending): distinct and ascending."""
    nearest = [round(seq * (count - 1) / span) if span else 0 for seq in seqs]
    for index in range(1, len(nearest)):
        nearest[index] = max(nearest[index], nearest[index - 1] + 1)
    for back, index in enumerate(reversed(range(len(nearest)))):
        nearest[index] = min(nearest[index], count - 1 - back)
    return nearest
