"""Miss-ratio curves from reuse distances, and where their knee is."""

from __future__ import annotations

from typing import Any

import numpy as np

from stepwell.analysis.native.reuse import edges
from stepwell.analysis.thresholds import reuse as limits

Numbers = np.ndarray[Any, np.dtype[np.float64]]


def excess(sampled: float, references: float, variation: float) -> float:
    """Return how many times too many references a sample stands for because it has too many blocks.

    What it stands for, relative to what there was, has two reasons: too many or too few blocks, which scales counts and
    distances alike; and hot blocks that are in it or not, which "SHARDS-adj" (FAST 2015, section 3.2) makes up for by
    hits at the smallest distance.  Each gets its part of the variance: 1 to the squared variation of uses among blocks.
    """
    return 1 + (sampled / references - 1) / (1 + variation)


def miss_ratios(histogram: Numbers, found: Any, per_octave: int) -> tuple[Numbers, Numbers]:
    """Return cache sizes in blocks, and the miss ratio of an LRU cache of each.

    A reference at distance d hits where more than d blocks fit; `excess` tells how the sample is made good.

    Args:
        histogram: references by distance, without first ones.
        found: the sample's evidence (`stepwell.analysis.native.reuse.EVIDENCE`).
        per_octave: steps between a distance and its double.
    """
    size, references = edges(per_octave)[1:], float(found["references"])
    if references <= 0 or not found["blocks"]:
        return size, np.ones(len(size))
    mean = found["uses"] / found["blocks"]
    variation = max(found["uses_squared"] / found["blocks"] / mean**2 - 1, 0.0)
    cold = found["blocks"] / found["rate"]
    scale = excess(histogram.sum() + cold, references, variation)
    hits = np.cumsum(histogram / scale)
    hits += references - cold / scale - hits[-1]
    return size / scale, np.clip(1 - hits / references, 0.0, 1.0)


def knee(sizes: Numbers, misses: Numbers) -> int | None:
    """Return which size is at the knee of a curve, None when no size helps.

    The point furthest below the line from an empty cache to the whole working set (V. Satopää et al., "Finding a
    'Kneedle' in a Haystack", ICDCSW 2011); the whole working set, where no point is: loops have a cliff there.
    """
    full = misses.min()
    if 1 - full < limits.WORTH:
        return None
    last = int(np.argmax(misses <= full + 1e-3))
    gain = (1 - misses[: last + 1]) / (1 - misses[last]) - sizes[: last + 1] / sizes[last]
    best = int(np.argmax(gain))
    return best if gain[best] > limits.WORTH else last
