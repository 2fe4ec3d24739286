"""Latencies of accesses by kind, as recorded in runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from stepwell.analysis.latency import quantile
from stepwell.replay.model import Side
from stepwell.trace.definition import HISTOGRAM_BUCKETS, HISTOGRAM_SHIFT, Op


class Times:
    """Sums over runs, by kind of access.

    Attributes:
        begin_ns: start of the first access.
        end_ns: end of the last one, if its latency was the mean of its run's.
    """

    def __init__(self) -> None:
        self.accesses, self.bytes, self.latency_ns, self.longest_ns = np.zeros((4, len(Op)), np.int64)
        self.counts = np.zeros((len(Op), HISTOGRAM_BUCKETS), np.int64)
        self.begin_ns, self.end_ns = np.iinfo(np.int64).max, 0

    def add(self, columns: dict[str, np.ndarray], histograms: pa.ListArray) -> None:
        """Take runs, as columns of the view `runs` with `op` as number."""
        op, count = columns["op"].astype(np.int64), columns["count"].astype(np.int64)
        size = np.where(count > 0, columns["size"] * (count - 1) + columns["tail"], 0)
        latency, longest = columns["latency_ns"].astype(np.int64), columns["latency_max_ns"].astype(np.int64)
        np.add.at(self.accesses, op, count)
        np.add.at(self.bytes, op, size)
        np.add.at(self.latency_ns, op, latency)
        np.maximum.at(self.longest_ns, op, longest)
        kept = np.asarray(histograms.is_valid())
        if kept.any():
            values = histograms.drop_null().flatten().to_numpy().reshape(-1, HISTOGRAM_BUCKETS)
            np.add.at(self.counts, op[kept], values)
        # A run of at most two accesses has none: the longest and the rest of the sum are its latencies.
        short = ~kept & (latency > 0)
        np.add.at(self.counts, (op[short], _bucket(longest[short])), 1)
        two = short & (count == 2)
        np.add.at(self.counts, (op[two], _bucket((latency - longest)[two])), 1)
        if (count > 0).any():
            ends = columns["start_ns"] + columns["span_ns"] + latency // np.maximum(count, 1)
            self.begin_ns = min(self.begin_ns, int(columns["start_ns"][count > 0].min()))
            self.end_ns = max(self.end_ns, int(ends[count > 0].max()))

    def side(self, op: Op) -> Side:
        """Return one kind of access."""
        counts = self.counts[op].copy()
        if op == Op.MMAP:
            counts[0] = 0  # page faults that did not sleep are not timed
        return side(
            int(self.accesses[op]), int(self.bytes[op]), int(self.latency_ns[op]), int(self.longest_ns[op]), counts
        )


def side(accesses: int, transferred: int, latency_ns: int, longest_ns: int, counts: Sequence[int] | Any) -> Side:
    """Return figures of one kind of access; `counts` is its histogram."""
    counts = [int(count) for count in counts]
    at = {percent: quantile(counts, percent / 100, longest_ns) if sum(counts) else 0 for percent in (50, 90, 99)}
    return Side(
        accesses=accesses,
        bytes=transferred,
        latency_ns=latency_ns,
        p50_ns=at[50],
        p90_ns=at[90],
        p99_ns=at[99],
        max_ns=longest_ns,
    )


def _bucket(latency: np.ndarray) -> np.ndarray:
    exponent = np.floor(np.log2(np.maximum(latency, 1))).astype(np.int64) - HISTOGRAM_SHIFT
    bucket: np.ndarray = np.clip(exponent, 0, HISTOGRAM_BUCKETS - 1)
    return bucket
