"""Verdicts on what programs read: from reads through the samples to the decision."""

from __future__ import annotations

import numpy as np
from tests.truth.reads import PAGE, Reads, runs_of

from stepwell.analysis.native.reuse import FILE, NO_SAMPLE, Samples
from stepwell.analysis.reuse.decide import Verdicts, decide
from stepwell.analysis.thresholds.reuse import ReuseLimits


def judge(reads: Reads, *, seen: float = 1.0) -> tuple[Verdicts, int]:
    """Return the verdicts on each file, by its number, and then on all together; and the number of that.

    `seen` is the share of the reads that was not lost.
    """
    number = len(reads.ends())
    files = np.zeros(number, FILE)
    files["id"] = np.arange(number)
    files["samples"] = np.stack([np.arange(number), np.full(number, number), np.full(number, NO_SAMPLE)], axis=1)
    with Samples(files, number, 1, shift=12, window_ns=10**9, limits=ReuseLimits()) as samples:
        samples.feed(runs_of(reads))
        samples.finish()
        count, octets = np.bincount(reads.file), np.bincount(reads.file, reads.size)
        access = np.r_[octets / np.maximum(count, 1), octets.sum() / len(reads)]
        return decide(samples.evidence(), samples.uses, block=PAGE, seen=seen, access=access), number
