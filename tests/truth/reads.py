"""What a program reads of the files of a dataset, in order, and what its reuse may be called; what disturbs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Rng = np.random.Generator
Numbers = np.ndarray[Any, np.dtype[np.int64]]
Label = frozenset[str]

PAGE = 4096
APART_NS = 1009
"""From one access to the next."""

LATE = 17
"""By how many accesses one comes late on average, where they jitter."""


@dataclass(frozen=True)
class Reads:
    """Reads, one after the other: number of the file from 0 on, offset and size in bytes."""

    file: Numbers
    offset: Numbers
    size: Numbers

    @classmethod
    def of(cls, file: Any, offset: Any, size: Any) -> Reads:
        """Make reads; what is one number holds for all."""
        columns = np.broadcast_arrays(np.asarray(file, np.int64), offset, size)
        return cls(*(np.ravel(column).astype(np.int64) for column in columns))

    def __len__(self) -> int:
        return len(self.file)

    def take(self, order: Any) -> Reads:
        """Return some of the reads in this order."""
        return Reads(self.file[order], self.offset[order], self.size[order])

    def ends(self) -> Numbers:
        """Return how far each file is read, by its number, in bytes."""
        found = np.zeros(int(self.file.max()) + 1, np.int64)
        np.maximum.at(found, self.file, self.offset + self.size)
        return found


@dataclass(frozen=True)
class Program:
    """What is read, and what experts could call its reuse: that of all files together, and of files by number."""

    reads: Reads
    together: Label
    files: Mapping[int, Label] = field(default_factory=dict)


Maker = Callable[[Rng], Program]


def joined(parts: list[Reads]) -> Reads:
    """Return reads, one part after the other."""
    return Reads(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("file", "offset", "size")))


def at_once(rng: Rng, parts: list[Reads]) -> Reads:
    """Return the reads of several that take turns at random, each evenly over the whole time."""
    return joined(parts).take(np.argsort(np.concatenate([np.sort(rng.random(len(part))) for part in parts])))


def whole(files: Any, ends: Any, request: int) -> Reads:
    """Return reads of files from start to end, one file after the other; `ends` by number of the file."""
    numbers, ends = np.asarray(files, np.int64), np.asarray(ends, np.int64)
    count = -(-ends[numbers] // request)
    file = np.repeat(numbers, count)
    offset = (np.arange(len(file)) - np.repeat(np.cumsum(count) - count, count)) * request
    return Reads.of(file, offset, np.minimum(request, ends[file] - offset))


def disturbed(rng: Rng, reads: Reads, share: float) -> Reads:
    """Return the reads with foreign ones among them: `share` of those of each file, anywhere in it and at any time."""
    number = int(rng.binomial(len(reads), share / (1 - share)))
    like, ends = reads.take(rng.integers(0, len(reads), number)), reads.ends()
    foreign = Reads.of(like.file, rng.integers(0, ends[like.file] - like.size + 1), like.size)
    return at_once(rng, [reads, foreign])


def thinned(rng: Rng, reads: Reads, share: float) -> Reads:
    """Return the reads without those that were lost: `share` of all."""
    return reads.take(np.flatnonzero(rng.random(len(reads)) >= share))


def jittered(rng: Rng, reads: Reads) -> Reads:
    """Return the reads as several workers would have done them: each late by chance, so that near ones overtake."""
    return reads.take(np.argsort(np.arange(len(reads)) + rng.exponential(LATE, len(reads))))


def runs_of(reads: Reads) -> dict[str, Any]:
    """Return the reads as `stepwell.analysis.scan` shows runs of one access, one open file for each file."""
    none = np.zeros(len(reads), np.int64)
    return {
        "file": reads.file, "open": reads.file, "op": np.zeros(len(reads), np.uint8),
        "count": np.ones(len(reads), np.uint32), "offset": reads.offset, "stride": none,
        "size": reads.size, "tail": reads.size, "start_ns": np.arange(len(reads)) * APART_NS, "span_ns": none,
    }  # fmt: skip
