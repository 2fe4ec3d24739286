"""The model of a storage, time = latency + bytes / rate, out of fetches in logarithmic classes.

The slope is the weighted median of the slopes between all pairs of sizes, the latency the weighted median of what is
left (Sen, "Estimates of the regression coefficient based on Kendall's tau", JASA 1968): a third of the fetches may be
anything without moving it far.  Intervals come from the Bayesian bootstrap over sizes (Rubin, The Annals of
Statistics 1981) and a multinomial one within each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stepwell.analysis.thresholds import waits as limits
from stepwell.analysis.waits.model import FetchSize, Interval

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cells:
    """Fetches by class of size and of time, sorted so; each array has one element a cell."""

    size_class: NDArray[np.int64]
    time_class: NDArray[np.int64]
    fetches: NDArray[np.int64]
    bytes: NDArray[np.int64]
    ns: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.fetches)

    def where(self, mask: NDArray[np.bool_]) -> Cells:
        """Return some of the cells."""
        return Cells(self.size_class[mask], self.time_class[mask], self.fetches[mask], self.bytes[mask], self.ns[mask])

    def by_size(self) -> list[Cells]:
        """Return the cells of each size."""
        edges = np.flatnonzero(np.diff(self.size_class)) + 1
        parts = (np.split(column, edges) for column in vars(self).values())
        return [Cells(*columns) for columns in zip(*parts, strict=True)] if len(self) else []


@dataclass(frozen=True)
class Fit:
    """A fitted model; latency in ns, rate in bytes a second, each None where sizes are too alike to tell."""

    latency_ns: Interval | None
    bytes_s: Interval | None
    error: float
    sizes: tuple[FetchSize, ...]
    tail: float


def quantile(values: Floats, weights: Floats | NDArray[np.int64], share: float) -> float:
    """Return the least of ascending `values` that `share` of the weight does not exceed."""
    reached = np.cumsum(weights)
    return float(values[min(np.searchsorted(reached, share * reached[-1]), len(values) - 1)])


def fit(cells: Cells, seed: int = 1) -> Fit:
    """Return the model of some fetches."""
    groups = cells.by_size()
    times = [group.ns / group.fetches for group in groups]
    sizes = np.array([group.bytes.sum() / group.fetches.sum() for group in groups])
    counts = np.array([float(group.fetches.sum()) for group in groups])
    medians = np.array([quantile(time, group.fetches, 0.5) for time, group in zip(times, groups, strict=True)])
    late = sum(
        float(group.ns[time > limits.TAIL * median].sum())
        for time, group, median in zip(times, groups, medians, strict=True)
    )
    shown = tuple(
        FetchSize(
            size=round(size),
            fetches=int(number),
            median_ns=round(median),
            p99_ns=round(quantile(time, group.fetches, 0.99)),
            mean_ns=round(group.ns.sum() / number),
        )
        for size, number, median, time, group in zip(sizes, counts, medians, times, groups, strict=True)
    )
    tail = late / max(float(cells.ns.sum()), 1.0)
    enough = counts >= min(limits.SLOW_FILE_FETCHES, counts.max(initial=0))
    if len(cells) == 0 or counts.sum() < limits.FEW or sizes[enough].max() < limits.SPREAD * sizes[enough].min():
        return Fit(None, None, 0.0, shown, tail)
    slope, latency = _line(sizes, medians, counts)
    error = float(np.average(np.abs(latency + slope * sizes - medians) / np.maximum(medians, 1), weights=counts))
    rng = np.random.default_rng(seed)
    again = []
    for _ in range(limits.REPEATS):
        drawn = np.array(
            [
                quantile(time, rng.multinomial(int(group.fetches.sum()), group.fetches / group.fetches.sum()), 0.5)
                for time, group in zip(times, groups, strict=True)
            ]
        )
        again.append(_line(sizes, drawn, counts * rng.exponential(size=len(counts))))
    slopes, latencies = np.array(again).T
    low, high = limits.INTERVAL
    rates = 1e9 / np.maximum(np.quantile(slopes, [high, low]), 1e-9)
    if rates[1] / rates[0] > limits.PLAUSIBLE_BYTES_S[-1] / limits.PLAUSIBLE_BYTES_S[0]:
        return Fit(None, None, 0.0, shown, tail)  # that says less than what is plausible of any storage
    return Fit(
        _around(latency, *np.quantile(latencies, [low, high])), _around(1e9 / max(slope, 1e-9), *rates), error, shown,
        tail,
    )  # fmt: skip


def _around(value: float, low: float, high: float) -> Interval:
    return Interval(value, min(float(low), value), max(float(high), value))


def _line(sizes: Floats, times: Floats, weights: Floats) -> tuple[float, float]:
    """Return slope (ns a byte) and intercept (ns), neither below 0."""
    first, second = np.triu_indices(len(sizes), 1)
    run = sizes[second] - sizes[first]
    slopes = (times[second] - times[first]) / run
    # A pair tells the more about the slope, the further apart and the better known both are.
    trust = run * np.minimum(weights[first], weights[second])
    order = np.argsort(slopes)
    slope = max(quantile(slopes[order], trust[order], 0.5), 0.0)
    left = times - slope * sizes
    order = np.argsort(left)
    return slope, max(quantile(left[order], weights[order], 0.5), 0.0)
