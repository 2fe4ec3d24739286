"""Run records from the spool as Arrow batches, column by column and a block at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from stepwell.store.results import Records, Results
from stepwell.trace.definition import HISTOGRAM_BUCKETS, RUN, RUN_SHORT, Op
from stepwell.trace.spool import Spool

_LIST = pa.list_(pa.uint32())
_SIGNED = (
    "open", "seq", "seq_span", "offset", "stride", "size", "size_minus_tail", "start_ns", "span_ns", "latency_ns",
    "latency_minus_max_ns", "wait_ns",
)  # fmt: skip
_AS_THEY_ARE = ("thread", "op", "flags", "count", "requested", "waited", "filled")

SCHEMA = pa.schema(
    [(name, pa.int64()) for name in _SIGNED]
    + [
        ("thread", pa.uint32()),
        ("op", pa.uint8()),
        ("flags", pa.uint8()),
        ("count", pa.uint32()),
        ("requested", pa.uint64()),
        ("waited", pa.uint32()),
        ("filled", pa.uint32()),
        ("histogram", _LIST),
    ]
)
"""What `RunBatches` yields: the columns of table `stored.run` that need nothing but the record."""


class RunBatches:
    """The runs of a spool file; `impossible` counts those left out because no kernel can have meant them."""

    def __init__(self, spool: Spool, results: Results, origin_ns: int) -> None:
        self._spool = spool
        self._results = results
        self._origin_ns = origin_ns
        self.impossible = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for block in self._spool.blocks({RUN.kind, RUN_SHORT.kind}):
            runs = self._results.split(block.records)
            bad = impossible(runs)
            if bad.any():
                self.impossible += int(bad.sum())
                runs = runs[~bad]
            yield _batch(runs, self._origin_ns)

    def reader(self) -> pa.RecordBatchReader:
        """Return the batches as an Arrow stream."""
        return pa.RecordBatchReader.from_batches(SCHEMA, iter(self))


def impossible(runs: Records) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Tell which runs have an operation that does not exist, or a number of 2^63 or more where Linux has signed ones.

    File offsets are signed 64-bit numbers (loff_t) and no access ends above the largest.
    """
    bad = runs["op"] >= len(Op)
    for name in runs.dtype.names or ():
        if runs.dtype[name] == np.uint64 and name != "requested":
            bad |= runs[name].view(np.int64) < 0
    before_last = runs["count"].astype(np.int64) - (runs["count"] > 0)
    with np.errstate(over="ignore"):
        last = runs["offset"].view(np.int64) + before_last * runs["stride"]
        end = last + np.maximum(runs["size"], runs["tail"]).view(np.int64)
    exact = runs["offset"].astype(np.float64) + before_last * runs["stride"].astype(np.float64)
    bad |= (last < 0) | (end < 0) | (np.abs(exact - last) > 2.0**62)
    return bad


def _batch(runs: Records, origin_ns: int) -> pa.RecordBatch:
    columns: dict[str, Any] = {name: np.ascontiguousarray(runs[name]) for name in _AS_THEY_ARE}
    signed = {name: np.ascontiguousarray(runs[name]).view(np.int64) for name in _SIGNED if "_minus_" not in name}
    signed["size_minus_tail"] = signed["size"] - runs["tail"].view(np.int64)
    signed["latency_minus_max_ns"] = signed["latency_ns"] - runs["latency_max_ns"].view(np.int64)
    signed["start_ns"] = signed["start_ns"] - origin_ns
    columns |= signed
    if "histogram" in (runs.dtype.names or ()):
        offsets = np.arange(len(runs) + 1, dtype=np.int32) * HISTOGRAM_BUCKETS
        columns["histogram"] = pa.ListArray.from_arrays(offsets, np.ascontiguousarray(runs["histogram"]).reshape(-1))
    else:
        columns["histogram"] = pa.nulls(len(runs), _LIST)
    return pa.RecordBatch.from_pydict(columns, schema=SCHEMA)
