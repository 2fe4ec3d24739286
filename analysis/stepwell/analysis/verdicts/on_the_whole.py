"""The effect of acting on the whole, where it did not go on and off often enough for pairs.

The cost of one side is a ratio of sums (Cochran: Sampling Techniques, 3rd edition, 1977, section 6.4).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from statistics import NormalDist

import numpy as np

from stepwell.analysis.thresholds import verdicts as limits
from stepwell.analysis.verdicts.effect import Effect, Floats, are_alike, cost, total
from stepwell.analysis.verdicts.model import Ahead, Window

BOUNDLESS = 30.0
"""Logarithm of a factor beyond which an interval says nothing more: of ten trillion."""


def before_after(windows: Sequence[Window], ahead: Ahead | None = None) -> Effect | None:
    """Return the effect from windows without acting and others with it, in any order, None if they do not tell.

    It is that on the whole: the time that what was read while acting would have taken at the cost without, over the
    time that it took.  The interval says how well those without tell that cost, by themselves and one rest against the
    next; what acting did is no estimate.  No more time can have been saved than what was brought in ahead would have
    taken: where readers got faster by more, something else changed, and whether acting helped is not known.  Nor is it
    where they got faster and waited more for each byte, or slower and waited less: then they computed less, or more.

    Args:
        windows: those measured, in order of time.
        ahead: what was used of what was brought in; None where that is not known.
    """
    windows = _read(windows)
    off, on = ([one for one in windows if one.acting is acting] for acting in (False, True))
    if min(len(off), len(on)) < limits.SIDE or len(windows) < limits.BOTH_SIDES:
        return None
    work, alone = total(on), total(off)
    if work.waited_ns and not alone.waited_ns:  # what was in memory says nothing of what was not
        return None
    middle, reach, number = _cost_without(off, windows, work)

    def most(log_cost: float) -> float:
        """The ratio at a cost without, if all that was used had taken no time."""
        return math.inf if ahead is None else 1 + ahead.most_saved_ns(math.exp(log_cost)) / work.length_ns

    low, ratio, high = (min(math.exp(middle + step) / cost(work), most(middle + step)) for step in (-reach, 0, reach))
    if math.exp(middle + reach) / cost(work) >= 1:
        high = max(high, 1.0)  # that nothing can have been gained does not mean that it hurt
    # By more than acting can have gained; or the first reads of files are no measure of those that follow.
    faster = math.exp(middle - reach) / cost(work) > high
    faster |= ahead is not None and ahead.limits(math.exp(middle)) and math.exp(middle) / cost(work) > ratio
    more = work.waited_ns * alone.bytes - alone.waited_ns * work.bytes  # than without, for each byte; 0: as much
    if faster or (more > 0 and ratio > 1) or (more < 0 and ratio < 1):
        low, high = min(low, 1 / high), max(high, 1 / low)
    return Effect(ratio, low, high, number)


def _read(windows: Sequence[Window]) -> list[Window]:
    """Return the windows in which something was read, each from where its first read may have begun.

    A read is told of when it has ended: windows just before, in which nothing was, are part of it as far as its reader
    waited for longer than its own window.  What is before that is a pause.
    """
    found: list[Window] = []
    before: list[Window] = []
    for one in windows:
        if before and before[-1].acting is not one.acting:
            before = []
        if not one.bytes:
            before.append(one)
            continue
        length_ns = one.length_ns
        while before and one.waited_ns > length_ns:
            length_ns += before.pop().length_ns
        if length_ns:
            found.append(replace(one, start_ns=one.start_ns + one.length_ns - length_ns, length_ns=length_ns))
        before = []
    return found


def _cost_without(off: Sequence[Window], windows: Sequence[Window], work: Window) -> tuple[float, float, int]:
    """Return the logarithm of the cost without acting, how far it may be off for some work, and of how many windows."""
    rests = [[*group] for acting, group in groupby(windows, lambda one: one.acting) if not acting]
    told = [math.log(cost(total(rest))) for rest in rests]
    times, octets = _batches(off)
    number, left = len(times), times - times.sum() / octets.sum() * octets
    spread = math.sqrt(float((left**2).sum()) / (number - 1)) / float(times.mean())
    # So many of them would have been as long as what was done while acting, or as much work.
    alike = min(work.bytes / float(octets.mean()), work.length_ns / float(times.mean()))
    by_itself = _student(number - 1) * spread * math.sqrt(1 / number + 1 / alike)
    return sum(told) / len(told), min(by_itself + (max(told) - min(told)) / 2, BOUNDLESS), number


def _batches(windows: Sequence[Window]) -> tuple[Floats, Floats]:
    """Return times and bytes of windows, neighbours joined until their costs are not alike."""
    times, octets = (np.array([getattr(one, name) for one in windows], float) for name in ("length_ns", "bytes"))
    while len(times) >= 2 * limits.PAIRS and (
        len(times) > limits.MOST or are_alike(times - times.sum() / octets.sum() * octets)
    ):
        times, octets = (each[: len(each) // 2 * 2].reshape(-1, 2).sum(axis=1) for each in (times, octets))
    return times, octets


def _student(freedom: int) -> float:
    """Return the quantile of Student's distribution for either bound.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 1964, 26.7.5; 0.3 % too small for two degrees of
    freedom, less for more.
    """
    z = NormalDist().inv_cdf((1 + limits.CONFIDENCE) / 2)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return float(z + sum(term / freedom**power for power, term in enumerate(terms, 1)))
