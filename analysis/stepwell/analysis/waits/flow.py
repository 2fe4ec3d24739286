"""How much a storage had to do at once, and how much it gave: concurrency, rate over time, limits."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stepwell.analysis.thresholds import waits as limits
from stepwell.analysis.waits.model import Depth, Throttle

Floats = NDArray[np.float64]


def concurrency(low: NDArray[np.int64], high: NDArray[np.int64], busy_ns: NDArray[np.int64]) -> float:
    """Return how many fetches were under way on average while there was one; 0 without fetches.

    Args:
        low: start of each series of fetches, in ns.
        high: its end.
        busy_ns: time within which a fetch of the series was under way: all of it, or a part.
    """
    if len(low) == 0:
        return 0.0
    length = np.maximum(high - low, 1)
    density = busy_ns / length
    moments = np.concatenate([low, low + length])
    order = np.argsort(moments, kind="stable")
    depth = np.cumsum(np.concatenate([density, -density])[order])[:-1]
    lasting = np.diff(moments[order])
    busy = float((np.minimum(depth, 1.0) * lasting).sum())
    return float((depth * lasting).sum()) / busy if busy > 0 else 0.0


def most(fetches: Floats, octets: Floats, slice_ns: int) -> float:
    """Return the highest rate that was held for `FEW` fetches, or for all of fewer, in bytes a second.

    The best single slice holds some by chance: one fetch more or less is much of it.

    Args:
        fetches: fetches in each slice.
        octets: bytes that they brought.
        slice_ns: length of a slice.
    """
    number, total = (np.concatenate([[0.0], np.cumsum(one)]) for one in (fetches, octets))
    wanted = min(float(limits.FEW), number[-1])
    first = np.flatnonzero(fetches > 0)
    # Sums of shares are not exact.
    last = np.searchsorted(number, number[first] + wanted * (1 - 1e-9))
    first, last = first[last < len(number)], last[last < len(number)]
    if not len(first):
        return 0.0
    return float(((total[last] - total[first]) / (last - first)).max()) * 1e9 / slice_ns


def by_depth(fetches: Floats, octets: Floats, ns: Floats, slice_ns: int) -> tuple[Depth, ...]:
    """Return the slices of a trace put together by how much was under way in them, to a factor of two.

    Args:
        fetches: fetches in each slice.
        octets: bytes that they brought.
        ns: time that they took, summed.
        slice_ns: length of a slice.
    """
    depth = ns / slice_ns
    class_of = np.round(np.log2(np.maximum(depth, 1e-9)))
    found = []
    for one in np.unique(class_of[depth >= limits.DEMANDED]):
        mask = (class_of == one) & (depth >= limits.DEMANDED)
        found.append(
            Depth(
                depth=float(depth[mask].mean()),
                fetches=round(fetches[mask].sum()),
                latency_ns=round(ns[mask].sum() / max(fetches[mask].sum(), 1e-9)),
                bytes_s=float(octets[mask].mean()) * 1e9 / slice_ns,
            )
        )
    return tuple(found)


def scales(depths: tuple[Depth, ...]) -> bool | None:
    """Return whether more fetches at once brought more bytes; None when their number did not double.

    None, too, where they were of other sizes: that changes the rate by itself.
    """
    known = [depth for depth in depths if depth.fetches >= limits.FEW]
    if len(known) < 2 or known[-1].depth < 2 * known[0].depth:
        return None
    # Little's law gives the fetches a second, and so their sizes.
    sizes = [depth.bytes_s * depth.latency_ns / depth.depth for depth in (known[0], known[-1])]
    if max(sizes) > limits.SPREAD * min(sizes):
        return None
    return known[-1].bytes_s >= limits.SCALES * known[0].bytes_s


def throttle(fetches: Floats, octets: Floats, ns: Floats, slice_ns: int) -> Throttle | None:
    """Return the limit that the rate over time shows: a burst, then a plateau that nothing exceeds (a token bucket).

    A plateau alone is what any device does at its limit; without a burst before it, none is reported.  The number of
    fetches is looked at where bytes are not limited.
    """
    demanded = ns / slice_ns >= limits.DEMANDED
    if not demanded.any():
        return None
    # Slices that hold few fetches are put together until chance spreads their rate by less than a plateau's spread.
    merge = max(1, math.ceil(3 / limits.STEADY / max(float(np.median(fetches[demanded])), 0.1)))
    usable = len(ns) // merge * merge
    wanted = np.asarray(demanded[:usable].reshape(-1, merge).all(axis=1))
    for unit, amount in (("bytes", octets), ("fetches", fetches)):
        depth = ns[:usable].reshape(-1, merge).sum(axis=1)
        rate = amount[:usable].reshape(-1, merge).sum(axis=1) * 1e9 / (slice_ns * merge)
        if wanted.sum() < max(limits.PLATEAU_SLICES, limits.PLATEAU_NS / (slice_ns * merge)):
            continue
        begin = int(np.flatnonzero(wanted)[0])
        plateau = rate[begin:][wanted[begin:]][1:]
        level = float(np.median(plateau))
        spread = float(np.quantile(plateau, 0.9) - np.quantile(plateau, 0.1)) / level
        # What more readers at once get is no burst.
        alike = depth[: begin + 1] <= limits.SCALES * np.median(depth[begin:][wanted[begin:]])
        before = float(rate[: begin + 1][alike].max(initial=0.0))
        if spread <= limits.STEADY and before >= limits.BURST * level:
            return Throttle(unit, level, before, spread)
    return None
