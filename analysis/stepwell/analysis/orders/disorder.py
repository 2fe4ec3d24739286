"""How far a sequence is from sorted: inversions, their chance, and the distance over which they occur.

The share of inverted pairs is (1 - tau) / 2 with Kendall's tau.  Its chance under shuffling is exact for short
sequences, from the generating function of inversions (MacMahon 1916; Knuth, The Art of Computer Programming 3, 5.1.1),
and by the normal law with variance n (n - 1) (2n + 5) / 18 for longer ones (Kendall, "A new measure of rank
correlation", Biometrika 1938).  Only pairs within one lane count: each of several workers reads in order, while what
all of them read together is jumbled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from stepwell.analysis.orders.visits import Floats, Ints
from stepwell.analysis.thresholds import orders as limits

EXACT = 24
"""Longest sequence whose chance is exact: beyond, the normal law is right to a few per cent (Kendall 1938)."""

_LAGS = np.unique(np.rint(2 ** np.arange(0, 9.5, 0.5)).astype(np.int64))


@dataclass(frozen=True)
class Disorder:
    """What the pairs of a sequence say; `+` pools independent sequences.

    Attributes:
        inverted: pairs in the wrong order.
        told: pairs that the key tells apart.
        pairs: all pairs.
        variance: of inverted minus told / 2, under shuffling.
        lanes: lengths of the lanes, for the exact chance.
        near: by lag (`_LAGS`), inverted pairs at most that far apart and further than the lag before.
        near_told: pairs told apart at that lag.
    """

    inverted: int
    told: int
    pairs: int
    variance: float
    lanes: tuple[int, ...]
    near: Floats
    near_told: Floats

    def __add__(self, other: Disorder) -> Disorder:
        return Disorder(
            self.inverted + other.inverted,
            self.told + other.told,
            self.pairs + other.pairs,
            self.variance + other.variance,
            self.lanes + other.lanes,
            self.near + other.near,
            self.near_told + other.near_told,
        )

    @property
    def share(self) -> float:
        """Inverted share of the pairs told apart; 0.5, as of a shuffle, when there are none."""
        return self.inverted / self.told if self.told else 0.5

    @property
    def deviation(self) -> float:
        """Standard deviation of `share` under shuffling."""
        return math.sqrt(self.variance) / self.told if self.told else 0.0

    @property
    def telling(self) -> bool:
        """Whether the key tells enough pairs apart to be judged by."""
        return self.told > limits.TIED * self.pairs

    @property
    def chance(self) -> float:
        """Probability that a shuffle is at least as far from half inverted, either way."""
        if not self.told:
            return 1.0
        if sum(self.lanes) <= EXACT and self.told == self.pairs:
            return _exact(self.lanes, min(self.inverted, self.told - self.inverted))
        away = abs(self.inverted - self.told / 2)
        return math.erfc(max(away - 0.5, 0) / math.sqrt(2 * self.variance))

    def window(self, *, backward: bool) -> int:
        """Return within how many elements the sequence is shuffled; 0 when neighbours are in order.

        A buffer of B from which a random element is drawn inverts elements at a distance d with probability
        exp(-d / B) / 2, which is a quarter at B ln 2.
        """
        share = np.where(self.near_told > 0, self.near / np.maximum(self.near_told, 1), 0.0)
        if backward:
            share = np.where(self.near_told > 0, 1 - share, 0.0)
        jumbled = share >= limits.LOCAL
        if not jumbled[0]:
            return 0
        far = int(np.argmin(jumbled)) if not jumbled.all() else len(jumbled) - 1
        return round(float(np.sqrt(_LAGS[far - 1] * _LAGS[far])) / math.log(2)) if far else 0


def _exact(lanes: tuple[int, ...], inversions: int) -> float:
    """Return the probability of at most so few inversions, or so many, in random orders of the lanes."""
    law = np.ones(1)
    for length in lanes:
        for size in range(2, length + 1):
            law = np.convolve(law, np.full(size, 1 / size))
    return min(1.0, 2 * float(law[: inversions + 1].sum()))


@lru_cache(4)
def _pairs(length: int) -> tuple[Ints, Ints]:
    rows, columns = np.triu_indices(length, 1)
    return rows, columns


def disorder(keys: Floats | Ints, lanes: Ints, kin: Ints | None = None) -> Disorder:
    """Return the disorder of a sequence of at most `SAMPLE` elements.

    Args:
        keys: what the sequence may be sorted by.
        lanes: which lane each element is in; only elements of one are compared.
        kin: when given, only elements with the same number here are compared, such as files of one directory.
    """
    classes = lanes if kin is None else lanes * (int(kin.max(initial=0)) + 1) + kin
    order = np.argsort(classes, kind="stable")
    keys, classes = keys[order], classes[order]
    _, counts = np.unique(classes, return_counts=True)
    place = np.arange(len(keys))
    rows, columns = _pairs(len(keys))
    same = classes[rows] == classes[columns]
    rows, columns = rows[same], columns[same]
    difference = keys[columns] - keys[rows]
    down, told = difference < 0, difference != 0
    lag = np.searchsorted(_LAGS, place[columns] - place[rows])
    lag = np.minimum(lag, len(_LAGS) - 1)
    each = counts.astype(float)
    variance = float((each * (each - 1) * (2 * each + 5)).sum()) / 18
    pairs = len(rows)
    return Disorder(
        inverted=int(down.sum()),
        told=int(told.sum()),
        pairs=pairs,
        variance=variance / 4,
        lanes=tuple(int(count) for count in counts),
        near=np.bincount(lag[down], minlength=len(_LAGS)).astype(float),
        near_told=np.bincount(lag[told], minlength=len(_LAGS)).astype(float),
    )


def sample(length: int, rng: np.random.Generator) -> Ints:
    """Return which elements of a sequence of this length are looked at: all, or random ones, in order."""
    if length <= limits.SAMPLE:
        return np.arange(length)
    return np.sort(rng.choice(length, limits.SAMPLE, replace=False)).astype(np.int64)


def segment(length: int) -> Ints:
    """Return the middle elements of a sequence of this length, to be looked at for local disorder."""
    first = max(0, (length - limits.SAMPLE) // 2)
    return np.arange(first, min(length, first + limits.SAMPLE))
