"""Where to read next: places that nothing was read near, as long as there are any; a pure function of a seed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

GRANULE = 4 << 20
"""Bytes around a read that count as read.  Default 4 MiB: a block of JuiceFS, the largest unit that a client is known
to fetch for a small read."""

PAGE = 4096
"""Reads begin at multiples of it: what O_DIRECT may ask for."""

MOST_GRANULES = 1 << 18
"""Granules that places are drawn from, at most, or a unit of each file.  Default 262,144, of 1 TiB: several times what
all combinations read, and drawing takes some 10 ms."""

_UNIT = (64 << 20) // GRANULE
"""Granules of the largest block: of a larger file some such units are taken, evenly spread."""


class Drawn(NamedTuple):
    """Places to read, one element each."""

    file: NDArray[np.int64]
    offset: NDArray[np.int64]
    repeated: NDArray[np.bool_]
    """Whether something there was read before."""
    granule: NDArray[np.int64]
    """For `Places.mark`."""

    def only(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> Drawn:
        """Return some of the places."""
        return Drawn(self.file[chosen], self.offset[chosen], self.repeated[chosen], self.granule[chosen])


class Places:
    """The places of some files.

    Args:
        sizes: bytes of each file.
        seed: of the order.
    """

    def __init__(self, sizes: list[int], seed: int) -> None:
        most = max(1, MOST_GRANULES // _UNIT // max(len(sizes), 1))
        starts = [_starts(size, most) for size in sizes]
        self._file = np.repeat(np.arange(len(sizes)), [len(one) for one in starts])
        self._start = np.concatenate(starts or [_NONE])
        self._length = np.minimum(np.asarray(sizes, np.int64)[self._file] - self._start, GRANULE)
        self._used = np.zeros(len(self._file), bool)
        self._random = np.random.default_rng(seed)

    def draw(self, block: int, count: int) -> Drawn:
        """Return `count` places of `block` bytes, fresh ones first; none if no file is that large."""
        first = self._heads(block)
        span = max(1, block // GRANULE)
        used = np.concatenate([[0], np.cumsum(self._used)])
        fresh = used[first] == used[first + span]
        order = self._random.permutation(len(first))
        order = np.resize(np.concatenate([order[fresh[order]], order[~fresh[order]]]), count if len(order) else 0)
        again = ~fresh[order] | (np.arange(len(order)) >= len(first))
        chosen = first[order]
        # Anywhere inside, as far as it fits: what is always at the beginning may be a special case of the storage.
        room = (self._length[chosen] - block) // PAGE if span == 1 else np.zeros(len(chosen), np.int64)
        inside = self._random.integers(0, room + 1) * PAGE
        return Drawn(self._file[chosen], self._start[chosen] + inside, again, chosen)

    def mark(self, block: int, granules: NDArray[np.int64]) -> None:
        """Count places of `block` bytes as read: those of `Drawn.granule` that were."""
        for one in granules:
            self._used[one : one + max(1, block // GRANULE)] = True

    def _heads(self, block: int) -> NDArray[np.int64]:
        """Return the granules at which a place of `block` bytes can begin, so that no two overlap."""
        if block <= GRANULE:
            return np.flatnonzero(self._length >= block)
        span = block // GRANULE
        heads = np.flatnonzero(self._start % block == 0)
        heads = heads[heads + span <= len(self._file)]
        last = heads + span - 1
        found: NDArray[np.int64] = heads[(self._file[heads] == self._file[last]) & (self._length[last] == GRANULE)]
        return found


def _starts(size: int, most: int) -> NDArray[np.int64]:
    """Return where the granules of a file begin that are drawn from, those of `most` units at most."""
    units = -(-size // (_UNIT * GRANULE))
    chosen = np.arange(units) if units <= most else np.linspace(0, units - 1, most).astype(np.int64)
    starts: NDArray[np.int64] = (chosen[:, None] * _UNIT + np.arange(_UNIT)).ravel() * GRANULE
    return starts[starts < size]


_NONE = np.empty(0, np.int64)
