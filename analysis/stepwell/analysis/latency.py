"""Quantiles out of a run's latency histogram."""

from __future__ import annotations

from collections.abc import Sequence

from stepwell.trace.definition import HISTOGRAM_SHIFT


def quantile(counts: Sequence[int], share: float, longest_ns: int) -> int:
    """Return the latency, in ns, that `share` of the accesses did not exceed.

    Within a bucket latencies are taken to be spread evenly over its logarithm, which bounds the error by the bucket's
    width, a factor of two; within the first one, which begins at 0, evenly.  Nothing is longer than `longest_ns`, which
    is known exactly.
    """
    rank = share * sum(counts)
    for bucket, count in enumerate(counts):
        if count and rank <= count:
            within = rank / count
            edge = 2.0 ** (bucket + HISTOGRAM_SHIFT + within) if bucket else 2.0 ** (HISTOGRAM_SHIFT + 1) * within
            return min(round(edge), longest_ns)
        rank -= count
    return longest_ns
