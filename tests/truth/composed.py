"""Series put together at random from orders of places and sizes of requests; looked at when all was decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from tests.truth.accesses import Offsets, Rng, Series, interleaved
from tests.truth.unseen import Label, Maker

Order = Callable[[Rng, int], Offsets]


def _ahead(rng: Rng, count: int) -> Offsets:
    return np.arange(count) + int(rng.integers(0, 3)) * int(rng.integers(1, 10_000))


def _ahead_with_gaps(rng: Rng, count: int) -> Offsets:
    return np.cumsum(np.where(rng.random(count) < rng.uniform(0.05, 0.5), rng.integers(2, 9, count), 1))


def _ahead_in_disorder(rng: Rng, count: int) -> Offsets:
    return np.argsort(np.arange(count) + rng.uniform(0, rng.uniform(2, 12), count))


def _stretches(rng: Rng, count: int) -> Offsets:
    long = int(rng.integers(32, 200))
    blocks = rng.permutation(count // long + 1)
    return (blocks[:, None] * long + np.arange(long)).ravel()[: max(count, 2 * long)]


def _stride(rng: Rng, count: int) -> Offsets:
    return int(rng.integers(0, 100)) + np.arange(count) * int(rng.integers(2, 1000))


def _nested(rng: Rng, count: int) -> Offsets:
    inner, step = int(rng.integers(2, 30)), int(rng.integers(1, 20))
    outer = np.arange(max(count // inner, 8)) * (inner * step + int(rng.integers(2, 500)))
    return (outer[:, None] + np.arange(inner) * step).ravel()


def _down(rng: Rng, count: int) -> Offsets:
    return np.arange(count)[::-1] * int(rng.choice([1, 1, 3, 17]))


def _down_with_gaps(rng: Rng, count: int) -> Offsets:
    return _ahead_with_gaps(rng, count)[::-1]


def _shuffled(rng: Rng, count: int) -> Offsets:
    return rng.permutation(count)


def _drawn(rng: Rng, count: int) -> Offsets:
    return rng.integers(0, int(count * rng.uniform(2, 1000)), count)


def _skewed(rng: Rng, count: int) -> Offsets:
    return (rng.beta(rng.uniform(0.3, 1), rng.uniform(1, 4), count) * count * 20).astype(np.int64)


def _pairs_at_random(rng: Rng, count: int) -> Offsets:
    each = int(rng.integers(2, 4))
    return (rng.permutation(count // each * 4)[: count // each, None] * each + np.arange(each)).ravel()


def _heads(order: Order) -> Order:
    def heads(rng: Rng, count: int) -> Offsets:
        number = int(rng.integers(2, 10))
        parts = [order(rng, max(count // number, 30)) for _ in range(number)]
        room = max(int(part.max()) for part in parts) + int(rng.integers(1, 5000))
        series = [Series.of(part + k * room, 1) for k, part in enumerate(parts)]
        return interleaved(rng, series, regular=rng.random() < 0.5).offset

    heads.__name__ = f"heads_of{order.__name__}"
    return heads


def _maker(order: Order, word: str) -> Maker:
    def make(rng: Rng) -> Series:
        count, size = int(np.exp(rng.uniform(np.log(40), np.log(8000)))), int(np.exp(rng.uniform(6.3, 16.6)))
        places = order(rng, count)
        if word != "strided" and rng.random() < 0.3:  # records of unequal sizes, laid out one after the other
            spread = rng.lognormal(0, rng.uniform(0.02, 0.8), int(places.max()) + 1)
            sizes = np.maximum(64, size * spread).astype(np.int64)
            series = Series.of(np.concatenate([[0], np.cumsum(sizes)])[places], sizes[places])
        else:
            series = Series.of(places * size + int(rng.integers(0, 2)) * int(rng.integers(size)), size)
        return replace(series, file_size=int(series.file_size * rng.choice([1, 1, 1.5, 4])))

    return make


_FORWARD = frozenset({"sequential", "whole-file"})
COMPOSED: dict[str, tuple[Label, Maker]] = {
    order.__name__.strip("_"): (label, _maker(order, min(label)))
    for label, orders in (
        (_FORWARD, (_ahead, _ahead_with_gaps, _ahead_in_disorder, _stretches, _heads(_ahead))),
        (frozenset({"strided"}), (_stride, _nested, _heads(_stride))),
        (frozenset({"backward"}), (_down, _down_with_gaps)),
        (frozenset({"random"}), (_shuffled, _drawn, _skewed, _pairs_at_random)),
    )
    for order in orders
}
"""By name of the order: the words that would be right, and what makes its series."""
