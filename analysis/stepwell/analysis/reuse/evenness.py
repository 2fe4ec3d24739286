"""How evenly uses are spread over blocks, and the uses of a block over time, beside what chance gives."""

from __future__ import annotations

from typing import Any

import numpy as np

from stepwell.analysis.native.reuse import Evidence
from stepwell.analysis.thresholds import reuse as limits

LEAST_RATE = 1e-3
"""Rates below are taken for this: there the probability of three uses is lost in rounding."""

Floats = np.ndarray[Any, np.dtype[np.float64]]


def evenness(blocks: Floats, uses: Floats, squared: Floats, least: int) -> Floats:
    """Return the variance of the uses of blocks as a multiple of what chance gives; 0 where there are none.

    Args:
        blocks: how many.
        uses: sum of their uses.
        squared: ... of the squares of these.
        least: how often each of them is used at least.
    """
    ratio = np.zeros(len(blocks))
    varied = uses > least * blocks  # the others are all used as often as that
    number, mean = blocks[varied], uses[varied] / blocks[varied]
    ratio[varied] = np.maximum(squared[varied] / number - mean**2, 0) / _by_chance(mean, least)
    return ratio


def bound_of_even(blocks: Floats, together: Floats) -> Floats:
    """Return up to which evenness an order must have made it: where blocks are few, chance gives a low one, too.

    The variance of n counts by chance, over what is expected of it, has a standard deviation of about sqrt(2 / n).

    Args:
        blocks: how many.
        together: blocks that an access reads at once: they are used alike, and say no more than one.
    """
    bound: Floats = np.clip(1 - limits.Z * np.sqrt(2 * together / np.maximum(blocks, 1)), 0, limits.EVEN)
    return bound


def gap_length(found: Evidence) -> Floats:
    """Return the mean of ln(gap * uses of the block / all uses)."""
    some = (found["gaps"] > 0) & (found["clock"] > 0)
    mean = np.divide(found["gaps_of_uses_log"], found["gaps"], out=np.zeros(len(found)), where=some)
    return np.where(some, mean - np.log(np.maximum(found["clock"], 1)), 0)


def gaps_vary(found: Evidence) -> Floats:
    """Return how much gaps differ: 0 not at all, 1 as those of independent uses; NaN where too few blocks have two."""
    ratio = np.full(len(found), np.nan)
    some = found["timed"] >= limits.MINIMUM_BLOCKS
    ratio[some] = found["unsteady"][some] / found["by_chance"][some]
    return ratio


def uses_again(found: Evidence) -> Floats:
    """Return how often blocks are used that are used again; 1 where there are none."""
    uses, some = np.ones(len(found)), found["blocks"] > found["once"]
    uses[some] = (found["uses"] - found["once"])[some] / (found["blocks"] - found["once"])[some]
    return uses


def in_loops(found: Evidence, vary: Floats, together: Floats) -> Floats:
    """Return the uses by loops over a part of the blocks: those used again, or at least those of several uses."""
    once, several = found["once"], found["timed"]
    again, uses = found["blocks"] - once, found["uses"] - once
    even = evenness(again, uses, found["uses_squared"] - once, 2) <= bound_of_even(again, together)
    spread = evenness(several, found["timed_uses"], found["timed_squared"], 3)
    even_several = spread <= bound_of_even(several, together)
    return np.select(
        [(again >= limits.MINIMUM_BLOCKS) & even,
         (several >= limits.MINIMUM_BLOCKS) & (even_several | (vary < limits.STEADY))],
        [uses, found["timed_uses"]], 0.0,
    )  # fmt: skip


def _by_chance(mean: Floats, least: int) -> Floats:
    """Return the variance of a Poisson distribution without what is below `least`, of the same mean as that.

    Given that, E[n] = r Q(least - 1) / Q(least) and E[n (n - 1)] = r^2 Q(least - 2) / Q(least), where Q(n) is the
    probability of n or more at the rate r.
    """
    low, high = np.full(len(mean), LEAST_RATE), np.maximum(mean, LEAST_RATE)
    for _ in range(40):
        rate = (low + high) / 2
        above = rate * _or_more(rate, least - 1) / _or_more(rate, least) > mean
        low, high = np.where(above, low, rate), np.where(above, rate, high)
    return np.maximum(low**2 * _or_more(low, least - 2) / _or_more(low, least) + mean - mean**2, 1e-9)


def _or_more(rate: Floats, number: int) -> Floats:
    """Return the probability of this number or more at a rate (Poisson)."""
    below, term = np.zeros(len(rate)), np.exp(-rate)
    for n in range(number):
        below, term = below + term, term * rate / (n + 1)
    return 1 - below
