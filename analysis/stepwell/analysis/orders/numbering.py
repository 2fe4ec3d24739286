"""Which values occur in a column, and where: without sorting where numbers are small, as ids of a trace are."""

from __future__ import annotations

import numpy as np

from stepwell.analysis.orders.visits import Flags, Ints

_SPARSE = 8
"""Times the column's length from which on a table of all numbers in its range costs more than sorting."""


def _table(values: Ints) -> Flags | None:
    """Return which numbers from the lowest to the highest occur; None where that is a waste."""
    low, high = int(values.min()), int(values.max())
    if high - low > _SPARSE * len(values) + 1_000:
        return None
    seen = np.zeros(high - low + 1, bool)
    seen[values - low] = True
    return seen


def distinct(values: Ints) -> Ints:
    """Return the values that occur, ascending."""
    if not len(values):
        return values
    seen = _table(values)
    if seen is not None:
        return np.flatnonzero(seen).astype(np.int64) + int(values.min())
    ordered = np.sort(values)
    found: Ints = ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])]
    return found


def dense(values: Ints) -> Ints:
    """Return the values numbered from 0 in their order."""
    if not len(values):
        return values
    seen = _table(values)
    if seen is None:
        return np.searchsorted(distinct(values), values).astype(np.int64)
    found: Ints = (np.cumsum(seen) - 1)[values - values.min()]
    return found


def firsts(values: Ints) -> Flags:
    """Return which elements are the first of their value."""
    numbers = dense(values)
    first = np.empty(int(numbers.max(initial=-1)) + 1, np.int64)
    first[numbers[::-1]] = np.arange(len(numbers))[::-1]  # of several to one place, numpy keeps the last
    found = np.zeros(len(values), bool)
    found[first] = True
    return found


def previous(values: Ints) -> Ints:
    """Return the place of the element before of the same value; -1 where there is none."""
    order = np.argsort(values, kind="stable")
    found = np.full(len(values), -1, np.int64)
    same = values[order[1:]] == values[order[:-1]]
    found[order[1:][same]] = order[:-1][same]
    return found
