"""From what was counted of blocks to the words: once, looping, clustered, popularity-skewed or unknown.

Four figures decide, all of them of single blocks and so independent of how many there are:

- how many uses are uses again;
- how evenly uses are spread over blocks: their variance, relative to that of independent even uses (a Poisson
  distribution without its zeros).  A repeated order uses every block equally often: near 0.  Popularity is far above 1.
- how evenly the uses of one block are spread over time: the mean logarithm of the gaps between them, relative to
  evenly spread ones.  Bursts are far below 0.
- how much the gaps between the uses of one block differ, relative to those of independent uses: an order that repeats
  gives every block gaps of one length.  By that, and by evenness among blocks of several uses alone, a loop over a part
  is known beside what is read once.

A mix has the name of what weighs most in bytes read, and the evidence the share that is read once.

Independent even uses, as of random reads with replacement, are none of the four: there is no period, nothing is more
popular, and a cache serves as much as it holds.  They are "unknown", and the evidence says `even`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from stepwell.analysis.alike import texts
from stepwell.analysis.native.reuse import Evidence
from stepwell.analysis.reuse.evenness import Floats, evenness, gap_length, gaps_vary, in_loops, uses_again
from stepwell.analysis.thresholds import reuse as limits

WORDS = ("unknown", "once", "looping", "clustered", "popularity-skewed")
"""The classes of reuse; in arrays they are numbers, the places in here."""

UNKNOWN, ONCE, LOOPING, CLUSTERED, SKEWED = range(len(WORDS))

Bools = np.ndarray[Any, np.dtype[np.bool_]]

VERDICT = np.dtype(
    [("reuse", "i1"), ("likely", "i1"), ("even", "?"), ("as_its_dataset", "?"), ("confidence", "f8"),
     ("exponent", "f8"), *((name, "f8") for name in (
         "blocks", "sampled", "uses_per_block", "used_again", "evenness", "blocks_used_again", "read_once", "gaps_vary"
     )), ("again", "f8"), *((name, "f8") for name in ("gaps", "median_distance", "distances_alike"))]
)  # fmt: skip
"""A verdict and its evidence: `likely` is -1 where there is no guess, `exponent` and `gaps_vary` are NaN where there is
none, `again` is how many uses again the last three rest on."""


@dataclass(frozen=True)
class Verdict:
    """A class of reuse: its word, period in bytes when looping, Zipf exponent when skewed, confidence, evidence."""

    reuse: str
    period: int | None
    exponent: float | None
    confidence: float
    evidence: dict[str, Any]


@dataclass(frozen=True)
class Verdicts:
    """Verdicts on samples, a value for each.

    Attributes:
        records: `VERDICT`.
        period: bytes between two uses of the same byte; 0 where it is not looping.
        block: bytes in a block.
    """

    records: np.ndarray[Any, np.dtype[np.void]]
    period: np.ndarray[Any, np.dtype[np.int64]]
    block: int

    def of(self, number: int) -> Verdict:
        """Return the verdict on one sample."""
        one = self.records[number]
        exponent = float(one["exponent"]) if one["reuse"] == SKEWED and not np.isnan(one["exponent"]) else None
        period = int(self.period[number]) or None
        return Verdict(WORDS[one["reuse"]], period, exponent, float(one["confidence"]), self._evidence(one))

    def texts(self) -> pa.Array:
        """Return the evidence of all and the `confidence`, as JSON."""
        return texts(self.records, lambda one: self._evidence(one) | {"confidence": float(one["confidence"])})

    def _evidence(self, one: Any) -> dict[str, Any]:
        if not one["blocks"]:
            return {"blocks": 0}
        said: dict[str, Any] = {
            "blocks": round(float(one["blocks"])), "sampled": float(one["sampled"]), "block": self.block,
            "uses_per_block": round(float(one["uses_per_block"]), 3),
            "used_again": round(float(one["used_again"]), 4), "evenness": round(float(one["evenness"]), 3),
            "blocks_used_again": round(float(one["blocks_used_again"]), 4),
            "read_once": round(float(one["read_once"]), 4),
        }  # fmt: skip
        if one["again"]:
            said |= {
                "gaps": round(float(one["gaps"]), 3),
                "median_distance": round(float(one["median_distance"])),
                "distances_alike": round(float(one["distances_alike"]), 3),
            }
        if not np.isnan(one["gaps_vary"]):
            said["gaps_vary"] = round(float(one["gaps_vary"]), 3)
        if one["even"]:
            said["even"] = True
        if not np.isnan(one["exponent"]):
            said["exponent"] = round(float(one["exponent"]), 3)
        if one["likely"] >= 0:
            said["likely"] = WORDS[one["likely"]]
        if one["as_its_dataset"]:
            said["as_its_dataset"] = True
        return said


def decide(
    found: Evidence, uses: Callable[[int], Any], *, block: int, seen: float = 1.0, size: Any = 0, access: Any = 0
) -> Verdicts:
    """Return the verdicts on samples.

    Args:
        found: their evidence (`stepwell.analysis.native.reuse.EVIDENCE`).
        uses: a function that returns the uses of each block in a sample, by its number; only called when needed.
        block: bytes in a block.
        seen: share of accesses that were not lost.
        size: bytes of the file, or of all files of a dataset, for each sample; 0 when unknown.
        access: mean bytes of an access, for each sample; 0 when unknown.
    """
    together = np.broadcast_to(np.maximum(np.asarray(access) / block, 1.0), found.shape)
    some = found["blocks"] > 0
    blocks = np.where(some, found["blocks"], 1)
    total = np.where(some, found["uses"], 1)
    mean, again = total / blocks, 1 - blocks / total
    spread = evenness(found["blocks"], found["uses"], found["uses_squared"], 1)
    gaps, vary, read_once = gap_length(found), gaps_vary(found), found["once"] / total
    unique = _unique(found, block, np.asarray(size))
    said = np.zeros(len(found), VERDICT)
    for name, value in (
        ("blocks", found["blocks"]), ("sampled", found["rate"]), ("uses_per_block", mean), ("used_again", again),
        ("evenness", spread), ("blocks_used_again", 1 - found["once"] / blocks), ("read_once", read_once),
        ("gaps_vary", vary), ("again", found["gaps"]), ("gaps", gaps), ("median_distance", found["median"] * block),
        ("distances_alike", found["peak"]),
    ):  # fmt: skip
        said[name] = value
    enough = (found["blocks"] >= limits.MINIMUM_BLOCKS) & (found["gaps"] >= limits.MINIMUM_AGAIN)
    once = some & (again <= limits.ONCE)
    bursty = enough & (gaps < limits.BURSTY)
    # Less skewed popularity shows by its certainty, where the uses of a block are independent of each other.
    chance = np.sqrt((2 + 1 / mean) * together / blocks)
    slightly = (spread >= limits.SLIGHTLY) & (spread - 1 >= limits.CERTAIN * chance) & (vary >= limits.INDEPENDENT)
    varied = some & ~once & ~bursty & enough & ((spread >= limits.SKEWED) | slightly)
    few_hot = _each(varied, lambda number: _few_hot(uses(number)))
    looping = ~bursty & (spread <= limits.EVEN) & (mean >= 1.5)
    loops = np.where(enough & ~bursty, in_loops(found, vary, together) / total, 0)
    repeating = loops >= 1 - limits.MOSTLY
    # What is popular has a tail of what was asked for once: there that is no other thing.
    mostly = some & (read_once > limits.MOSTLY) & (bursty | few_hot | (loops > 0) | (spread < limits.SKEWED))
    repeated = 1 - limits.PERIOD_DOUBT ** (np.where(repeating & ~looping, uses_again(found), mean) - 1)
    chosen = [once | mostly, bursty, looping, repeating, few_hot, varied]
    word = np.select(chosen, [ONCE, CLUSTERED, LOOPING, LOOPING, CLUSTERED, SKEWED], UNKNOWN)
    share = np.select(
        chosen,
        [
            # Of a mix, the other part does not speak for the word, but hardly against it either: it counts half.
            (1 + read_once) / 2,
            _margin(limits.BURSTY - gaps, 0.5),
            found["near"] / blocks * repeated,
            (1 - read_once / 2) * repeated,
            np.full(len(found), limits.FEW_HOT_SHARE),
            _margin(spread - np.where(slightly, limits.SLIGHTLY, limits.SKEWED), 1.0),
        ],
        0.0,
    )
    period = np.where(looping & (found["once"] == 0), unique, _period(found, block))
    said["even"] = some & (word == UNKNOWN) & enough
    said["exponent"] = np.nan
    for number in np.flatnonzero(word == SKEWED).tolist():
        said["exponent"][number] = _exponent(uses(number))
    whole = (np.asarray(size) > 0) & (unique >= size)
    cases = np.where(word == ONCE, np.where(whole, 1e9, total), found["gaps"])
    sure = np.array([round(one, 3) for one in (wilson(share, cases) * seen).tolist()])
    judged = some & ~said["even"]
    known = judged & (sure >= limits.CONFIDENT) & (word != UNKNOWN)
    said["confidence"] = np.where(judged, sure, 0)
    said["reuse"] = np.where(known, word, UNKNOWN)
    said["likely"] = np.where(judged & ~known, word, -1)
    return Verdicts(said, np.where(known & (word == LOOPING), period, 0), block)


def _each(which: Bools, ask: Callable[[int], bool]) -> Bools:
    """Return the answers on those, False on the others."""
    answers = np.zeros(len(which), bool)
    for number in np.flatnonzero(which).tolist():
        answers[number] = ask(number)
    return answers


def _few_hot(uses: Any) -> bool:
    """Whether but for a few blocks, such as headers and indices, hardly anything is used again, and that by chance."""
    rest = np.sort(uses)[: len(uses) - max(1, round(len(uses) * limits.FEW_HOT))].astype(np.float64)
    blocks, total, squared = (np.array([value], np.float64) for value in (len(rest), rest.sum(), (rest**2).sum()))
    again, spread = 1 - blocks / total, evenness(blocks, total, squared, 1)
    return bool(again[0] <= limits.FEW_HOT_REST and spread[0] <= limits.FEW_HOT_SPREAD)


def wilson(share: Floats, number: Floats) -> Floats:
    """Return the lower end of the interval of a share (Wilson 1927), 0 when nothing was counted."""
    n = np.where(number > 0, number, 1)
    z2 = limits.Z**2 / n
    low = share + z2 / 2 - limits.Z * np.sqrt((share * (1 - share) + z2 / 4) / n)
    return np.where(number > 0, np.maximum(low, 0) / (1 + z2), 0)


def _margin(above: Floats, scale: float) -> Floats:
    """Return from 0.5, on the threshold, to 1, far above it."""
    return 1 - 0.5 * np.exp(-np.maximum(above, 0.0) / scale)


def _unique(found: Evidence, block: int, size: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the bytes read at least once: 64ths of blocks, or the size that they come to within the error."""
    unique = found["parts"] * (block / 64) / found["rate"]
    spread = np.where(found["rate"] < 1, 3 * unique / np.sqrt(np.maximum(found["blocks"], 1)), 0)
    near = (size > 0) & (np.abs(unique - size) <= block / 64 * 2 + spread)
    found_bytes: np.ndarray[Any, np.dtype[np.int64]] = np.minimum(np.rint(unique), 2**62).astype(np.int64)
    return np.where(near, size.astype(np.int64), found_bytes)


def _period(found: Evidence, block: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the bytes read from one use of a byte to its next: the geometric mean, where a long pause counts little.

    A use is of as much as is read of a block.
    """
    each = found["parts"] / 64 / np.maximum(found["blocks"], 1) * block
    uses = np.exp(np.minimum(found["gaps_log"] / np.maximum(found["gaps"], 1), 40))
    found_bytes: np.ndarray[Any, np.dtype[np.int64]] = np.rint(each * uses).astype(np.int64)
    return found_bytes


def _exponent(uses: Any) -> float:
    """Return the Zipf exponent, NaN where there is too little: the mean logarithm of uses over the least of them.

    That is the maximum-likelihood estimate of the tail of the uses (B. M. Hill, "A simple general approach to inference
    about the tail of a distribution", Annals of Statistics 3, 1975), whose index is the inverse of Zipf's exponent.
    """
    counted = uses[uses >= limits.HILL_USES]
    if len(counted) < limits.MINIMUM_BLOCKS:
        return np.nan
    return float(np.log(counted / counted.min()).mean())
