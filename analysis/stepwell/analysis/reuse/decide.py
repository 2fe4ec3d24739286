"""From what was counted of blocks to the words: once, looping, clustered, popularity-skewed or unknown.

Three figures decide, all of them of single blocks and so independent of how many there are:

- how many uses are uses again;
- how evenly uses are spread over blocks: their variance, relative to that of independent even uses (a Poisson
  distribution without its zeros).  A repeated order uses every block equally often: near 0.  Popularity is far above 1.
- how evenly the uses of one block are spread over time: the mean logarithm of the gaps between them, relative to
  evenly spread ones.  Bursts are far below 0.

Independent even uses, as of random reads with replacement, are none of the four: there is no period, nothing is more
popular, and a cache serves as much as it holds.  They are "unknown", and the evidence says `even`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stepwell.analysis.thresholds import reuse as limits


@dataclass(frozen=True)
class Verdict:
    """A class of reuse: its word, period in bytes when looping, Zipf exponent when skewed, confidence, evidence."""

    reuse: str
    period: int | None
    exponent: float | None
    confidence: float
    evidence: dict[str, Any]


def decide(found: Any, uses: Any, *, block: int, seen: float = 1.0, size: int = 0) -> Verdict:
    """Return the verdict on a sample.

    Args:
        found: its evidence (`stepwell.analysis.native.reuse.EVIDENCE`).
        uses: a function that returns the uses of each block in the sample; only called when needed.
        block: bytes in a block.
        seen: share of accesses that were not lost.
        size: bytes of the file, or of all files of a dataset; 0 when unknown.
    """
    blocks, total = float(found["blocks"]), float(found["uses"])
    if not blocks:
        return Verdict("unknown", None, None, 0.0, {"blocks": 0})
    rate, mean = float(found["rate"]), total / blocks
    again = 1 - blocks / total
    spread = _variance_ratio(mean, float(found["uses_squared"]) / blocks - mean**2)
    gaps = _gaps(found)
    hot = 1 - float(found["once"]) / blocks
    unique = _unique(found, block, rate, size)
    evidence: dict[str, Any] = {
        "blocks": round(blocks), "sampled": rate, "block": block, "uses_per_block": round(mean, 3),
        "used_again": round(again, 4), "evenness": round(spread, 3), "blocks_used_again": round(hot, 4),
    }  # fmt: skip
    if found["gaps"]:
        evidence |= {
            "gaps": round(gaps, 3),
            "median_distance": round(float(found["median"]) * block),
            "distances_alike": round(float(found["peak"]), 3),
        }
    word, share, period, exponent = "unknown", 0.0, None, None
    whole = size > 0 and unique >= size
    enough = blocks >= limits.MINIMUM_BLOCKS and found["gaps"] >= limits.MINIMUM_AGAIN
    if again <= limits.ONCE:
        word = "once"
        sure = 1 - max(0.0, again - limits.ONCE / 2) / limits.ONCE
        return _judged(word, sure, 1e9 if whole else total, seen, None, None, evidence)
    if enough and gaps < limits.BURSTY:
        word, share = "clustered", _margin(limits.BURSTY - gaps, 0.5)
    elif enough and spread >= limits.SKEWED and _few_hot(uses()):
        word, share = "clustered", limits.FEW_HOT_SHARE
    elif spread <= limits.EVEN and mean >= 1.5:
        word, period = "looping", unique
        share = float(found["near"]) / blocks
    elif enough and spread >= limits.SKEWED:
        word, exponent = "popularity-skewed", _exponent(uses())
        share = _margin(spread - limits.SKEWED, 1.0)
    elif enough:
        evidence["even"] = True
        return Verdict("unknown", None, None, 0.0, evidence)
    if exponent is not None:
        evidence["exponent"] = round(exponent, 3)
    doubt = limits.PERIOD_DOUBT ** (mean - 1) if word == "looping" else 0.0
    return _judged(word, share * (1 - doubt), float(found["gaps"]), seen, period, exponent, evidence)


def _few_hot(uses: Any) -> bool:
    """Whether but for a few blocks, such as headers and indices, hardly anything is used again."""
    rest = np.sort(uses)[: len(uses) - max(1, round(len(uses) * limits.FEW_HOT))]
    return bool(1 - len(rest) / rest.sum() <= limits.FEW_HOT_REST)


def _judged(
    word: str,
    share: float,
    number: float,
    seen: float,
    period: int | None,
    exponent: float | None,
    evidence: dict[str, Any],
) -> Verdict:
    confidence = round(wilson(share * number, number) * seen, 3)
    if confidence < limits.CONFIDENT or word == "unknown":
        return Verdict("unknown", None, None, confidence, evidence | {"likely": word})
    return Verdict(word, period, exponent, confidence, evidence)


def wilson(right: float, number: float) -> float:
    """Return the lower end of the interval of a share (Wilson 1927), 0 when nothing was counted."""
    if number <= 0:
        return 0.0
    share, z2 = right / number, limits.Z**2 / number
    low = share + z2 / 2 - limits.Z * float(np.sqrt((share * (1 - share) + z2 / 4) / number))
    return max(0.0, low) / (1 + z2)


def _margin(above: float, scale: float) -> float:
    """Return from 0.5, on the threshold, to 1, far above it."""
    return float(1 - 0.5 * np.exp(-max(above, 0.0) / scale))


def _variance_ratio(mean: float, variance: float) -> float:
    """Return the variance of uses as a multiple of that of a Poisson distribution without 0 of the same mean."""
    if mean <= 1:
        return 0.0
    rate = mean
    for _ in range(60):  # a fixed point of mean = rate / (1 - exp(-rate)); it converges from above
        rate = mean * -np.expm1(-rate)
    poisson = mean * (1 + rate) - mean**2
    return float(max(variance, 0.0) / max(poisson, 1e-9))


def _gaps(found: Any) -> float:
    """Return the mean of ln(gap * uses of the block / all uses)."""
    if not found["gaps"] or not found["clock"]:
        return 0.0
    return float(found["gaps_log"] / found["gaps"] - np.log(max(float(found["clock"]), 1.0)))


def _unique(found: Any, block: int, rate: float, size: int) -> int:
    """Return the bytes read at least once: 64ths of blocks, or the size that they come to within the error."""
    unique = float(found["parts"]) * (block / 64) / rate
    error = block / 64 * 2 + (3 * unique / max(float(found["blocks"]), 1.0) ** 0.5 if rate < 1 else 0.0)
    return size if size and abs(unique - size) <= error else round(unique)


def _exponent(uses: Any) -> float | None:
    """Return the Zipf exponent: the mean logarithm of uses over the least of them.

    That is the maximum-likelihood estimate of the tail of the uses (B. M. Hill, "A simple general approach to inference
    about the tail of a distribution", Annals of Statistics 3, 1975), whose index is the inverse of Zipf's exponent.
    """
    counted = uses[uses >= limits.HILL_USES]
    if len(counted) < limits.MINIMUM_BLOCKS:
        return None
    return float(np.log(counted / counted.min()).mean())
