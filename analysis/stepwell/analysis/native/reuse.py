"""Samples of reuse of files, datasets and the whole trace, from its runs in one pass: `reuse.c` and `shards.c`."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from stepwell.analysis.native.library import library
from stepwell.analysis.thresholds.reuse import ReuseLimits

OCTAVES = 40
"""As in `shards.h`."""

NO_SAMPLE = 2**32 - 1

FILE = np.dtype([("id", "<i8"), ("samples", "<u4", 3), ("unused", "<u4")])
"""A file, and the numbers of the samples that its references go to: its own, its dataset's, the trace's."""

EVIDENCE = np.dtype(
    [
        (name, "<f8")
        for name in (
            "rate", "references", "clock", "blocks", "uses", "uses_squared", "once", "gaps", "gaps_log",
            "gaps_of_uses_log", "parts", "near", "timed", "timed_uses", "timed_squared", "unsteady", "by_chance",
            "again", "median", "peak", "peak_distance",
        )
    ]
)  # fmt: skip
"""`struct sw_reuse_evidence`.

Of the blocks in the sample: how many, their `uses`, those used `once`, the `gaps` between uses and the sum of their
logarithms, by themselves and each times the block's uses, `parts` (64ths of blocks that were read), those `near` the
mean number of uses;
those `timed`, of two gaps and more, and sums over them: their uses, those squared, how `unsteady` their gaps are
(`steadiness` in `reuse.c`) and would be `by_chance`.
Of all: `references` (blocks touched by reads), `clock` (uses), uses `again`, their `median` distance in blocks, and the
share (`peak`) that is within an octave around the most frequent distance.
"""

Evidence = np.ndarray[Any, np.dtype[np.void]]
Numbers = np.ndarray[Any, Any]

COLUMNS = {
    "file": "i8", "open": "i8", "op": "u1", "count": "u4", "offset": "i8", "stride": "i8", "size": "i8", "tail": "i8",
    "start_ns": "i8", "span_ns": "i8",
}  # fmt: skip
"""What is needed of the runs, in the order of `struct sw_run_columns`: column and numpy type."""


class RunColumns(ctypes.Structure):
    """`struct sw_run_columns`."""

    _fields_ = tuple((name, ctypes.c_void_p) for name in COLUMNS)


class _Limits(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("shift", "waiting", "file_blocks", "group_blocks", "effort")),
        ("per_octave", ctypes.c_uint32),
        ("windows", ctypes.c_uint32),
        ("window_ns", ctypes.c_int64),
    )


def columns_of(runs: Mapping[str, Numbers]) -> tuple[RunColumns, list[Numbers]]:
    """Return a batch of runs as C takes it, and the arrays that must live as long."""
    held = [np.ascontiguousarray(runs[name], dtype) for name, dtype in COLUMNS.items()]
    return RunColumns(*(array.ctypes.data for array in held)), held


class Samples:
    """Takes runs in the order in which they ended, gives evidence; use as a context manager.

    Args:
        files: whose references are wanted (`FILE`).
        alone: how many samples are those of single files; they have the numbers 0, 1 ...
        groups: how many samples follow, which get a curve.
        shift: log2 of the bytes in a block.
        window_ns: length of a window of time, in nanoseconds.
        limits: how much is kept.

    Raises:
        MemoryError: there is not enough memory.
    """

    columns = tuple(COLUMNS)

    def __init__(
        self, files: Numbers, alone: int, groups: int, *, shift: int, window_ns: int, limits: ReuseLimits
    ) -> None:
        self._library = library()
        self._library.sw_reuse_new.restype = ctypes.c_void_p
        self._library.sw_reuse_uses.restype = ctypes.c_uint32
        self.limits, self.shift = limits, shift
        self.counts = (alone, groups)
        each = min(limits.file_blocks, max(limits.file_blocks_least, limits.all_file_blocks // max(alone, 1)))
        given = _Limits(
            shift, limits.waiting, each, limits.group_blocks, limits.effort,
            limits.per_octave, limits.windows, max(window_ns, 1),
        )  # fmt: skip
        held = np.ascontiguousarray(files, FILE)
        made = self._library.sw_reuse_new(
            ctypes.byref(given), ctypes.c_void_p(held.ctypes.data), len(held), alone, groups
        )
        if not made:
            raise MemoryError
        self._samples: ctypes.c_void_p | None = ctypes.c_void_p(made)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._samples:
            self._library.sw_reuse_free(self._samples)
        self._samples = None

    def feed(self, runs: Mapping[str, Numbers]) -> None:
        """Take the next runs."""
        columns, held = columns_of(runs)
        if self._library.sw_reuse_feed(self._samples, ctypes.byref(columns), ctypes.c_uint64(len(held[0]))):
            raise MemoryError

    def finish(self) -> int:
        """Take what still waits; return how many accesses came too late to be put in the order of time."""
        late = ctypes.c_uint64()
        if self._library.sw_reuse_finish(self._samples, ctypes.byref(late)):
            raise MemoryError
        return late.value

    def evidence(self, first: int = 0) -> Evidence:
        """Return the evidence of all samples from this one on."""
        found = np.zeros(sum(self.counts) - first, EVIDENCE)
        self._library.sw_reuse_evidence(self._samples, first, len(found), ctypes.c_void_p(found.ctypes.data))
        return found

    def uses(self, number: int) -> Numbers:
        """Return how often each block of a sample was used."""
        count = self._library.sw_reuse_uses(self._samples, number, None)
        found = np.zeros(count, np.uint32)
        self._library.sw_reuse_uses(self._samples, number, ctypes.c_void_p(found.ctypes.data))
        return found[found > 0]

    def curve(self, number: int) -> tuple[Numbers, Numbers]:
        """Return the references of a group's sample by distance bucket, and unique blocks by window."""
        curve = np.zeros(OCTAVES * self.limits.per_octave)
        windows = np.zeros(self.limits.windows)
        self._library.sw_reuse_curve(
            self._samples, number, ctypes.c_void_p(curve.ctypes.data), ctypes.c_void_p(windows.ctypes.data)
        )
        return curve, windows


def edges(per_octave: int) -> Numbers:
    """Return the lowest distance of each bucket of a curve, and the end of the last, in blocks."""
    bucket = np.arange(OCTAVES * per_octave + 1)
    octave = np.where(bucket < 2 * per_octave, 0, bucket // per_octave - 1)
    found: Numbers = (bucket - octave * per_octave) * 2.0**octave
    return found
