"""How much a ratio of two measurements may owe to chance: pure functions over arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stepwell.analysis.thresholds.compare import (
    CONFIDENCE,
    EDGE,
    LEAST_CHANGE,
    LEAST_RUNS,
    LEAST_SLICES,
    LEAST_TIME_NS,
    RESAMPLES,
)
from stepwell.trace.definition import HISTOGRAM_SHIFT

Array = np.ndarray[Any, np.dtype[Any]]

_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
"""Student's t, 97.5 %, for 1 to 30 degrees of freedom."""


@dataclass(frozen=True)
class Interval:
    """Where 95 % of the ratios lie; `basis` as in `Change`."""

    low: float
    high: float
    basis: str


def resampled(slices: Array, seed: int) -> Array:
    """Return sums over slices that were drawn anew in blocks, `RESAMPLES` rows.

    Moving blocks keep the likeness of neighbours (Kuensch 1989, "The jackknife and the bootstrap for general
    stationary observations"); a block is the square root of the number of slices long, longer than the cube root that
    is best for independent ones, so that intervals are rather too wide.

    Args:
        slices: a row per slice, a column per figure.
        seed: of the random numbers, so that a comparison comes out the same twice.
    """
    number = len(slices)
    block = max(1, math.isqrt(number))
    blocks = -(-number // block)
    starts = np.random.default_rng(seed).integers(0, number - block + 1, (RESAMPLES, blocks))
    before = np.concatenate([np.zeros((1, slices.shape[1])), np.cumsum(slices, axis=0)])
    sums: Array = (before[starts + block] - before[starts]).sum(axis=1) * (number / (blocks * block))
    return sums


def quantiles(counts: Array, share: float) -> Array:
    """Return a quantile of each row of latency histograms, in ns; nan of an empty one.

    Spread within a bucket as `stepwell.analysis.latency.quantile` says.
    """
    total = np.cumsum(counts, axis=1)
    rank = share * total[:, -1]
    bucket = np.minimum((total < rank[:, None]).sum(axis=1), counts.shape[1] - 1)
    row = np.arange(len(counts))
    here = counts[row, bucket]
    with np.errstate(divide="ignore", invalid="ignore"):
        within = (rank - (total[row, bucket] - here)) / here
    first = 2.0 ** (HISTOGRAM_SHIFT + 1) * within
    found: Array = np.where(bucket == 0, first, 2.0 ** (bucket + HISTOGRAM_SHIFT + within))
    return np.where(total[:, -1] > 0, found, np.nan)


def phase(work: Array) -> slice:
    """Return the slices in which work was done, but for `EDGE` of it before and after them."""
    done = np.cumsum(work)
    if not len(done) or done[-1] <= 0:
        return slice(0, 0)
    first, last = np.searchsorted(done, [EDGE * done[-1], (1 - EDGE) * done[-1]])
    return slice(int(first), int(last) + 1)


def durations(work: Array) -> Array:
    """Return how long each of as many equal parts of the work took as its phase has slices, 1 being the whole trace."""
    part = phase(work)
    done = np.concatenate([[0.0], np.cumsum(work)]) / max(float(work.sum()), 1.0)
    steps = np.linspace(EDGE, 1 - EDGE, max(part.stop - part.start, 1) + 1)
    times: Array = np.interp(steps, done, np.linspace(0, 1, len(done)))
    return np.diff(times)


def enough(slices: Array) -> bool:
    """Tell whether so many slices hold something that their spread means anything."""
    return int((slices > 0).sum()) >= LEAST_SLICES


def within(a: Array, b: Array) -> Interval | None:
    """Return the interval of b over a, out of resampled figures of both; None when some of them are nothing."""
    if not (np.isfinite(a).all() and np.isfinite(b).all() and (a > 0).all() and (b > 0).all()):
        return None
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.log(b) - np.log(a), [tail, 1 - tail])
    return Interval(math.exp(low), math.exp(high), "slices")


def between(a: float, b: float, runs: Sequence[float]) -> Interval | None:
    """Return the interval of b over a as the spread between runs of the same command gives it.

    The logarithm of a ratio of two runs has sqrt(2) times their standard deviation.

    Args:
        a: the figure in the first trace.
        b: in the second.
        runs: in all traces of the command.
    """
    if len(runs) < LEAST_RUNS or min(*runs, a, b) <= 0:
        return None
    deviation = float(np.std(np.log(np.asarray(runs, dtype=float)), ddof=1)) * math.sqrt(2)
    reach = _T[min(len(runs) - 1, len(_T)) - 1] * deviation
    return Interval(b / a * math.exp(-reach), b / a * math.exp(reach), "runs")


def verdict(a: float, b: float, interval: Interval | None, cost_ns: float) -> str:
    """Return what a difference of two times is: real, small, noise, equal or unknown.

    Without other runs it must exceed `LEAST_CHANGE` all over its interval, since what two runs as a whole differ by
    cannot be seen in them; and be worth `LEAST_TIME_NS`.  `cost_ns` says what it is worth.
    """
    if a == b:
        return "equal"
    if cost_ns < LEAST_TIME_NS:
        return "small"
    if interval is None:
        return "unknown"
    least = 0.0 if interval.basis == "runs" else math.log1p(LEAST_CHANGE)
    return "real" if math.log(interval.low) > least or math.log(interval.high) < -least else "noise"
