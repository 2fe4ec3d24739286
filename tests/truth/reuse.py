"""Families of block references for each class of reuse, with parameters drawn from wide ranges, and exact LRU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Rng = np.random.Generator
Blocks = np.ndarray[Any, np.dtype[np.int64]]

SIZES = (211, 503, 1009, 2003, 5003, 10007)
"""Blocks that are read."""


def _size(rng: Rng) -> int:
    return int(rng.choice(SIZES))


def one_pass(rng: Rng) -> Blocks:
    return np.arange(_size(rng))


def shuffled_once(rng: Rng) -> Blocks:
    return rng.permutation(_size(rng))


def sparse(rng: Rng) -> Blocks:
    """Random reads of a space much larger than what is read of it."""
    size = _size(rng)
    return rng.integers(0, size * int(rng.integers(50, 1000)), size)


def same_order(rng: Rng) -> Blocks:
    return np.tile(np.arange(_size(rng)), int(rng.integers(2, 12)))


def reshuffled(rng: Rng) -> Blocks:
    size = _size(rng)
    return np.concatenate([rng.permutation(size) for _ in range(int(rng.integers(2, 12)))])


def files_reshuffled(rng: Rng) -> Blocks:
    """Whole files of some blocks, in another order each epoch."""
    each, size = int(rng.choice((3, 7, 29, 101))), _size(rng)
    files = np.arange(size // each)
    order = np.concatenate([rng.permutation(files) for _ in range(int(rng.integers(2, 12)))])
    return (order[:, None] * each + np.arange(each)).ravel()


def unfinished(rng: Rng) -> Blocks:
    """Epochs, of which the last one was stopped."""
    size = _size(rng)
    return np.tile(rng.permutation(size), 9)[: int(size * rng.uniform(2, 9))]


def groups(rng: Rng) -> Blocks:
    """Groups of blocks that are read some times, one group after the other."""
    size, each, times = _size(rng), int(rng.integers(2, 12)), int(rng.integers(2, 9))
    start = np.arange(size // each)[:, None] * each
    return (start + np.tile(np.arange(each), times)).ravel()


def drifting(rng: Rng) -> Blocks:
    """Random reads within a window that moves on."""
    size, times = _size(rng), int(rng.integers(3, 9))
    width = max(size // 50, 2)
    return (np.arange(size * times) // times + rng.integers(0, width, size * times)).astype(np.int64)


def headers(rng: Rng) -> Blocks:
    """A few blocks read again and again between others that are read once."""
    size, few = _size(rng), int(rng.integers(1, 5))
    return np.stack([rng.integers(0, few, size), few + np.arange(size)], axis=1).ravel()


def zipf(rng: Rng) -> Blocks:
    size, exponent = _size(rng), rng.uniform(0.7, 1.3)
    share = 1 / np.arange(1, size + 1) ** exponent
    return rng.permutation(size)[rng.choice(size, size * int(rng.integers(5, 12)), p=share / share.sum())]


def hot_and_cold(rng: Rng) -> Blocks:
    """A fifth of the blocks has four fifths of the reads."""
    size = _size(rng)
    number = size * int(rng.integers(5, 12))
    hot = rng.random(number) < 0.8
    place = rng.permutation(size)
    return place[np.where(hot, rng.integers(0, size // 5, number), rng.integers(size // 5, size, number))]


def even(rng: Rng) -> Blocks:
    size = _size(rng)
    return rng.integers(0, size, size * int(rng.integers(3, 12)))


def few(rng: Rng) -> Blocks:
    return rng.integers(0, 3, 3)


Maker = Callable[[Rng], Blocks]

FAMILIES: dict[str, tuple[Maker, ...]] = {
    "once": (one_pass, shuffled_once, sparse),
    "looping": (same_order, reshuffled, files_reshuffled, unfinished),
    "clustered": (groups, drifting, headers),
    "popularity-skewed": (zipf, hot_and_cold),
    "unknown": (even,),
}
"""By class: what makes references of it."""


def disturbed(rng: Rng, blocks: Blocks, share: float) -> Blocks:
    """Return the references with foreign ones among them, at random times and blocks: `share` of all."""
    number = int(rng.binomial(len(blocks), share / (1 - share))) if share else 0
    return np.insert(blocks, rng.integers(0, len(blocks) + 1, number), rng.integers(0, blocks.max() + 1, number))


def runs_of(blocks: Blocks, *, block: int = 4096, file: int = 0) -> dict[str, Any]:
    """Return single accesses, as `stepwell.analysis.scan` shows them."""
    none = np.zeros(len(blocks), np.int64)
    return {
        "file": none + file, "open": none, "op": np.zeros(len(blocks), np.uint8),
        "count": np.ones(len(blocks), np.uint32), "offset": blocks * block, "stride": none,
        "size": none + block, "tail": none + block, "start_ns": np.arange(len(blocks)) * 1009, "span_ns": none,
    }  # fmt: skip


def lru_distances(blocks: Blocks) -> Blocks:
    """Return how many references there are at each reuse distance, counted one by one with a tree of recency."""
    tree = [0] * (len(blocks) + 1)
    last: dict[int, int] = {}
    found = np.zeros(len(blocks) + 1, np.int64)

    def add(at: int, change: int) -> None:
        while at <= len(blocks):
            tree[at] += change
            at += at & -at

    for at, block in enumerate(blocks.tolist(), 1):
        if before := last.get(block):
            below, place = 0, before
            while place:
                below += tree[place]
                place -= place & -place
            found[len(last) - below] += 1
            add(before, -1)
        last[block] = at
        add(at, 1)
    return found
