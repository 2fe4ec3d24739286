"""Slow files that were read while nothing else was: held against what was read just before and just after."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from stepwell.analysis.thresholds import waits as limits
from stepwell.analysis.waits.moments import Moments, Series


class Reading(NamedTuple):
    """Windows in which only slow files were read, with no other between: from `first` to the one before `end`."""

    first: int
    end: int
    base: float
    """The level of what was read just before or just after, whichever is slower."""


def slower_alone(moments: Moments, file: int, steady: set[int]) -> float | None:
    """Return how many times slower a file is than what was read before and after it; None where it need not be slow.

    A slow spell of the storage would explain a slow file as well, unless the file was slow from its first fetch to its
    last, and others just before and just after were not: then the spell must have begun and ended with the file.

    Args:
        moments: fetches in windows of time.
        file: the file in question.
        steady: the files that were slow all along, of which it is one.  Other files in question were slow at times: a
            file that was read next to one of these need not be slow.
    """
    slow = np.isin(moments.file, list(steady))
    rest = moments.series(~slow)
    at_times = np.isin(rest.moment, moments.moment[~slow & (moments.file != 0)])
    rest = rest._replace(level=np.where(at_times, np.inf, rest.level))
    mine = moments.series(moments.file == file)
    weight, beyond, fits = [], [], 0.0
    for reading in _readings(moments, slow, rest):
        within = slice(*np.searchsorted(mine.moment, [reading.first, reading.end]))
        fetches = mine.fetches[within]
        if not len(fetches):
            continue
        weight.append(fetches.sum())
        beyond.append(fetches @ mine.level[within] / fetches.sum() - reading.base)
        if beyond[-1] >= math.log(limits.SLOW_FILE):
            fits += math.log(reading.end - reading.first)
    if fits < math.log(limits.SLOW_FILE_ALONE) or sum(weight) < limits.SLOW_FILE_FETCHES:
        return None
    share, over = np.array(weight) / sum(weight), np.array(beyond)
    if share[over < math.log(limits.SLOW_FILE)].sum() > limits.SLOW_FILE_FAST:
        return None
    return math.exp(float(share @ over))


def _readings(moments: Moments, slow: np.ndarray, rest: Series) -> list[Reading]:
    """Return when slow files were read, one after the other, between others not long before and after."""
    lonely = np.setdiff1d(moments.moment[slow], rest.moment)
    after = np.searchsorted(rest.moment, lonely)
    found = []
    for following in np.unique(after):
        if not 0 < following < len(rest.moment):
            continue
        windows = lonely[after == following]
        first, last, previous = int(windows[0]), int(windows[-1]), following - 1
        within = slow & (moments.moment >= first) & (moments.moment <= last)
        # Files that are slow at the same time are so because of the time.
        one_by_one = within.sum() < len(windows) + len(np.unique(moments.file[within]))
        near = max(first - rest.moment[previous], rest.moment[following] - last) <= last - first + 1
        if near and one_by_one:
            found.append(Reading(first, last + 1, float(rest.level[[previous, following]].max())))
    return found
