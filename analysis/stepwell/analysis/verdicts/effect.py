"""The effect of acting: elapsed time per byte without it over that with it, with an interval.

Costs vary by factors, so their logarithms are compared.  Of pairs nothing is assumed about their distribution: the
estimate is Hodges' and Lehmann's, the interval that of the signed-rank test (Hollander, Wolfe, Chicken: Nonparametric
Statistical Methods, 3rd edition, 2014, sections 3.2 and 3.3).  What drifts slowly cancels within a pair.  What is alike
to its neighbours tells less than independent observations: neighbours are joined until they are not correlated any more
(batch means; Fishman, "Grouping Observations in Digital Simulation", Management Science 24, 1978).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from stepwell.analysis.thresholds import verdicts as limits
from stepwell.analysis.verdicts.model import Window

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """A ratio of costs, without acting over with it, and where it lies with 90 % confidence."""

    ratio: float
    low: float
    high: float
    pairs: int
    """Independent comparisons behind it."""


def alternating(windows: Sequence[Window]) -> Effect | None:
    """Return the effect from windows in which acting went on and off in turns, None if there are too few turns.

    Each turn without is compared with the turn with it that follows, or the other way round, whichever came first.
    """
    ratios = np.array([math.log(cost(off) / cost(on)) for off, on in turns(windows)])
    return paired(ratios) if len(ratios) >= limits.PAIRS else None


def turns(windows: Sequence[Window]) -> list[tuple[Window, Window]]:
    """Return pairs of what was measured without and with acting, one after the other; each side read something."""
    found = []
    sides: dict[bool, Window] = {}
    for acting, group in groupby(windows, lambda window: window.acting):
        merged = total([*([sides[acting]] if acting in sides else []), *group])
        sides[acting] = merged
        if len(sides) == 2 and all(side.bytes and side.length_ns for side in sides.values()):
            found.append((sides[False], sides[True]))
            sides = {}
    return found


def recorded(baseline: Sequence[Window], windows: Sequence[Window]) -> Effect | None:
    """Return the effect of acting against another recording of the same work, None if it was not the same.

    Both are cut into equal shares of the work, so that a phase is held against the same phase.  By how much one run
    differs from the next by itself two recordings do not tell: the interval is wider by what is usual.
    """
    totals = [sum(one.bytes for one in side) for side in (baseline, windows)]
    if min(totals) == 0 or abs(totals[0] - totals[1]) > limits.OTHER_WORK * max(totals):
        return None
    off, on = (_shares(side) for side in (baseline, windows))
    both = (off > 0) & (on > 0)
    ratios = np.log(off[both] / on[both])
    if len(ratios) < limits.PAIRS:
        return None
    found = paired(ratios)
    return replace(found, low=found.low / limits.RUNS_DIFFER, high=found.high * limits.RUNS_DIFFER)


def _shares(windows: Sequence[Window]) -> Floats:
    """Return the time that each of `SHARES` equal parts of the work took; work is even within a window."""
    done = np.concatenate([[0], np.cumsum([one.bytes for one in windows])]).astype(float)
    time = np.concatenate([[0], np.cumsum([one.length_ns for one in windows])]).astype(float)
    # Windows without work make time pass at one point of it; np.interp wants that point once: its latest time.
    last = np.append(np.diff(done) > 0, True)
    return np.diff(np.interp(np.linspace(0, done[-1], limits.SHARES + 1), done[last], time[last]))


def paired(ratios: Floats) -> Effect:
    """Return the effect that logarithms of ratios in order of time show."""
    apart = independent(ratios)
    first, second = np.triu_indices(len(apart))
    return _effect(np.sort((apart[first] + apart[second]) / 2), _signed_rank(len(apart)), len(apart))


def independent(series: Floats) -> Floats:
    """Return a series with neighbours averaged until they are not alike, and there are not more than `MOST`."""
    while len(series) >= 2 * limits.PAIRS and (len(series) > limits.MOST or are_alike(series)):
        series = series[: len(series) // 2 * 2].reshape(-1, 2).mean(axis=1)
    return series


def are_alike(series: Floats) -> bool:
    """Return whether neighbours are correlated; the estimate is too low by about 1/n in short series."""
    left = series - series.mean()
    spread = float((left**2).sum())
    if spread == 0:
        return False
    number = len(series)
    return float((left[1:] * left[:-1]).sum()) / spread + 1 / number > limits.CORRELATED_Z / math.sqrt(number)


def _effect(values: Floats, outside: int, pairs: int) -> Effect:
    """Return the median of ascending logarithms; `outside` of them are beyond either bound."""
    middle = float(np.median(values))
    low, high = float(values[outside]), float(values[len(values) - 1 - outside])
    return Effect(math.exp(middle), math.exp(low), math.exp(high), pairs)


def _signed_rank(number: int) -> int:
    """Return how many Walsh averages of `number` pairs lie outside of either bound."""
    if number > limits.EXACT:
        spread = math.sqrt(number * (number + 1) * (2 * number + 1) / 24)
        return _normal(number * (number + 1) / 4, spread)
    ways = np.ones(1)
    for rank in range(1, number + 1):  # each rank counts, or does not
        longer = np.zeros(len(ways) + rank)
        longer[: len(ways)] += ways
        longer[rank:] += ways
        ways = longer
    return _outside(ways)


def _outside(ways: Floats) -> int:
    """Return the most that lie outside of either bound, given in how many ways each number comes about by chance."""
    tail = np.cumsum(ways) / ways.sum()
    return max(0, int(np.searchsorted(tail, (1 - limits.CONFIDENCE) / 2, "right")) - 1)


def _normal(mean: float, spread: float) -> int:
    return max(0, math.floor(mean + spread * NormalDist().inv_cdf((1 - limits.CONFIDENCE) / 2) - 0.5))


def cost(window: Window) -> float:
    """Return the nanoseconds that a byte took."""
    return window.length_ns / window.bytes


def total(windows: Sequence[Window]) -> Window:
    """Return windows as one."""
    return Window(
        start_ns=windows[0].start_ns,
        length_ns=sum(one.length_ns for one in windows),
        acting=windows[0].acting,
        bytes=sum(one.bytes for one in windows),
        waited_ns=sum(one.waited_ns for one in windows),
    )
