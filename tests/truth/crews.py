"""Crews: threads of one process that share one file; each takes the next piece as soon as it has done its last.

What is true of the file is what all of them read together.  Threads read for different times, and now and then one is
held up between taking a piece and reading it, so that neither a thread's own accesses nor all in order of time are
regular.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from tests.truth.accesses import Offsets, Rng, Series
from tests.truth.unseen import Label


@dataclass(frozen=True)
class Crew:
    """What the threads of a process read of one file.

    Attributes:
        series: all accesses, in the order in which they begin.
        thread: who makes each of them, from 0.
        start_ns: when each begins.
    """

    series: Series
    thread: Offsets
    start_ns: Offsets


def shared(rng: Rng, pieces: Series, each: int = 1) -> Crew:
    """Return these accesses, taken so many at a time in this order by two to eight threads."""
    threads, held = int(rng.integers(2, 9)), float(rng.choice([0.0, 0.03, 0.2]))
    took = rng.exponential(1.0, len(pieces)) + rng.uniform(0.1, 2.0)
    late = np.where(rng.random(len(pieces)) < held, rng.exponential(3.0, len(pieces)), 0.001 * rng.random(len(pieces)))
    free, thread, start = np.zeros(threads), np.zeros(len(pieces), np.int64), np.zeros(len(pieces))
    one = 0
    for piece in range(len(pieces)):
        if piece % each == 0:
            one = int(free.argmin())
        thread[piece], start[piece] = one, free[one] + late[piece]
        free[one] = start[piece] + took[piece]
    order = np.argsort(start, kind="stable")
    return Crew(pieces.take(order), thread[order], (start[order] * 1e6).astype(np.int64))


def _size(rng: Rng) -> int:
    return int(np.exp(rng.uniform(np.log(512), np.log(1 << 18)))) // 512 * 512 or 512


def _count(rng: Rng) -> int:
    return int(rng.choice([61, 127, 257, 509, 1021, 4093]))


def _start(rng: Rng) -> int:
    return int(rng.integers(0, 1 << 20))


def column(rng: Rng) -> Series:
    """A column of a matrix in rows, or of tiles, of which nothing else is read."""
    size = _size(rng)
    return Series.of(_start(rng) + np.arange(_count(rng)) * size * int(rng.choice([4, 7, 16, 61, 256])), size)


def column_of_odd_rows(rng: Rng) -> Series:
    """The same where rows are no multiple of what is read of them."""
    size = _size(rng)
    return Series.of(_start(rng) + np.arange(_count(rng)) * (size * int(rng.integers(4, 60)) + 8 * 97), size)


def column_upwards(rng: Rng) -> Series:
    """A column from its last row to its first."""
    pieces = column(rng)
    return pieces.take(np.arange(len(pieces))[::-1])


def whole(rng: Rng) -> Series:
    """The whole file, block by block."""
    size = _size(rng)
    return Series.of(np.arange(_count(rng)) * size, size)


def most_rows(rng: Rng) -> Series:
    """Rows of a table, each but for its last column: more is read than left out."""
    row = _size(rng)
    return Series.of(np.arange(_count(rng)) * row, int(row * rng.uniform(0.6, 0.95)))


def pages_of_a_bitmap(rng: Rng) -> Series:
    """Those pages of a table that an index has found, in order: few, or many, but at no distance."""
    count = _count(rng)
    pages = np.sort(rng.choice(int(count / rng.uniform(0.02, 0.6)), count, replace=False))
    return Series.of(pages * 8192, 8192)


def records_at_random(rng: Rng) -> Series:
    """Heads of records of one length, in random order."""
    pieces = column(rng)
    return pieces.take(rng.permutation(len(pieces)))


def members_of_an_archive(rng: Rng) -> Series:
    """Members of an archive, one after the other, of all sizes: each is read whole."""
    sizes = np.exp(rng.uniform(np.log(2048), np.log(1 << 19), _count(rng))).astype(np.int64)
    return Series.of(np.cumsum(sizes) - sizes, sizes)


def two_columns(rng: Rng) -> Series:
    """Two columns of a matrix in rows: of each row first one, then the other."""
    size, wide, count = _size(rng), int(rng.integers(8, 60)), _count(rng)
    apart = int(rng.integers(3, wide - 2))
    return Series.of((np.arange(count)[:, None] * wide + np.array([0, apart])).ravel() * size, size)


def tiles_in_parts(rng: Rng) -> Series:
    """A column of tiles, each by four requests."""
    size, wide = _size(rng), int(rng.integers(3, 20))
    return Series.of((np.arange(_count(rng))[:, None] * wide * 4 + np.arange(4)).ravel() * size, size)


def column_after_a_header(rng: Rng) -> Series:
    """A file's header in some small reads, then a column."""
    return Series.of(np.arange(5) * 512, 512).then(column(rng))


def plane_of_a_volume(rng: Rng) -> Series:
    """A box of a volume: strides within strides."""
    size, wide, high = _size(rng), int(rng.integers(4, 20)), int(rng.integers(40, 90))
    rows, planes = int(rng.integers(11, high // 2)), int(rng.integers(5, 20))
    return Series.of((np.arange(planes)[:, None] * high + np.arange(rows)).ravel() * size * wide, size)


def column_twice(rng: Rng) -> Series:
    """A column, and once more."""
    pieces = column(rng)
    return pieces.then(pieces)


def blocks_but_some(rng: Rng) -> Series:
    """The whole file, block by block, but for some blocks."""
    pieces = whole(rng)
    return pieces.take(rng.random(len(pieces)) < rng.uniform(0.6, 0.97))


def small_heads_of_large_pages(rng: Rng) -> Series:
    """Heads of those of many pages that an index has found, in order: few of all."""
    count = _count(rng)
    pages = np.sort(rng.choice(int(count / rng.uniform(0.005, 0.03)), count, replace=False))
    return Series.of(pages * 65536, 4096)


def _labelled(*makers: Callable[[Rng], Series], label: str) -> dict[str, tuple[Label, Callable[[Rng], Series]]]:
    return {maker.__name__: (frozenset(label.split()), maker) for maker in makers}


CREWS = (
    _labelled(column, column_of_odd_rows, label="strided")
    | _labelled(column_upwards, label="backward strided")
    | _labelled(whole, pages_of_a_bitmap, members_of_an_archive, label="sequential")
    | _labelled(most_rows, label="sequential strided")
    | _labelled(records_at_random, label="random")
)
"""What is true of each file, and its pieces in the order in which they are taken."""

LATER = (
    _labelled(two_columns, tiles_in_parts, column_after_a_header, plane_of_a_volume, column_twice, label="strided")
    | _labelled(blocks_but_some, label="sequential")
    | _labelled(small_heads_of_large_pages, label="sequential random")
)
"""The same, written after the rule on lattices."""

TOGETHER = {"two_columns": 2, "tiles_in_parts": 4}
"""How many accesses a thread takes at once, where that is more than one."""
