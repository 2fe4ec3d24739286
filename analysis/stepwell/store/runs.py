"""Run records from the spool as Arrow batches, column by column and some blocks at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from stepwell.store.results import Results
from stepwell.trace.definition import HISTOGRAM_BUCKETS, RUN, RUN_SHORT, Op
from stepwell.trace.layout import schema
from stepwell.trace.spool import Spool

_LIST = pa.list_(pa.uint32())

_FIELDS = tuple(field.name for field in RUN_SHORT.fields if field.name not in {"kind", "reserved"})

_NUMBERS = tuple(field.name for field in RUN_SHORT.fields if field.ctype == "u64" and field.name != "requested")
"""The fields that are signed in Linux; `requested` alone is as large as the program wanted."""

_AS_DIFFERENCE = {"tail": "size_minus_tail", "latency_max_ns": "latency_minus_max_ns"}

_TYPES = {field.name: field.type for field in schema(RUN_SHORT)} | dict.fromkeys(_NUMBERS, pa.int64())

SCHEMA = pa.schema([*((_AS_DIFFERENCE.get(name, name), _TYPES[name]) for name in _FIELDS), ("histogram", _LIST)])
"""What `RunBatches` yields: the columns of table `stored.run` that need nothing but the record."""


TOGETHER = 1 << 18
"""Runs that are put in order together. Long and short ones come in blocks of their own, each when it is full, and at
least once in a while; as many as a collector writes meanwhile are enough, in 50 MB."""


class _Part(NamedTuple):
    """Runs of one block; `histogram` has a row for each, or is None. `disordered`: not even these are in order."""

    columns: dict[str, Any]
    histogram: np.ndarray[Any, Any] | None
    disordered: bool


class RunBatches:
    """The runs of a spool file, those of each stream in the order of their accesses.

    Attributes:
        impossible: those left out because no kernel can have meant them.
    """

    def __init__(self, spool: Spool, results: Results, origin_ns: int) -> None:
        self._spool = spool
        self._results = results
        self._origin_ns = origin_ns
        self.impossible = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        waiting: list[_Part] = []
        for part in self._parts():
            waiting.append(part)
            if sum(len(one.columns["op"]) for one in waiting) >= TOGETHER:
                yield from self._batches(waiting)
                waiting = []
        yield from self._batches(waiting)

    def _parts(self) -> Iterator[_Part]:
        for block in self._spool.blocks({RUN.kind, RUN_SHORT.kind}):
            runs = self._results.split(block.records)
            columns = {name: np.ascontiguousarray(runs[name]) for name in _FIELDS}
            if (bad := impossible(columns)) is not None:
                self.impossible += int(bad.sum())
                runs = runs[~bad]
                columns = {name: column[~bad] for name, column in columns.items()}
            histogram = np.ascontiguousarray(runs["histogram"]) if block.kind == RUN.kind else None
            yield _Part(columns, histogram, runs is not block.records)

    def _batches(self, parts: list[_Part]) -> Iterator[pa.RecordBatch]:
        """Yield parts as they are, or in the order in which the runs ended if they are not in order yet."""
        kinds = {part.histogram is None for part in parts}
        if len(kinds) < 2 and not any(part.disordered for part in parts):
            for columns, histogram, _ in parts:
                yield _batch(columns, histogram, None, self._origin_ns)
            return
        columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in _FIELDS}
        order = np.lexsort((columns["seq"] + columns["seq_span"], columns["start_ns"] + columns["span_ns"]))
        has = np.concatenate([np.full(len(part.columns["op"]), part.histogram is not None) for part in parts])
        rows = (np.cumsum(has) - 1)[order][has[order]]
        histograms = [part.histogram for part in parts if part.histogram is not None]
        histogram = np.concatenate(histograms)[rows] if histograms else None
        ordered = {name: column[order] for name, column in columns.items()}
        yield _batch(ordered, histogram, has[order], self._origin_ns)

    def reader(self) -> pa.RecordBatchReader:
        """Return the batches as an Arrow stream."""
        return pa.RecordBatchReader.from_batches(SCHEMA, iter(self))


def impossible(columns: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
    """Tell which runs no kernel can have meant, None if there are none.

    Those have an operation that does not exist, or a number of 2^63 or more where Linux has signed ones: file offsets
    are signed 64-bit numbers (loff_t), no access ends above the largest, and no run transfers more bytes.
    """
    if not len(columns["op"]):
        return None
    largest = {name: int(column.max()) for name, column in columns.items()}
    reach = largest["offset"] + largest["count"] * max(largest["stride"], 0) + largest["size"] + largest["tail"]
    small = all(largest[name] < 2**63 for name in _NUMBERS) and max(reach, largest["count"] * largest["size"]) < 2**63
    if small and largest["op"] < len(Op) and columns["stride"].min() >= 0:
        return None
    bad = columns["op"] >= len(Op)
    for name in _NUMBERS:
        bad |= columns[name] >= 2**63
    steps = columns["count"].astype(np.int64) - (columns["count"] > 0)
    exact = columns["offset"].astype(np.float64) + steps * columns["stride"].astype(np.float64)
    last = columns["offset"].view(np.int64) + steps * columns["stride"]  # wraps, which `exact` shows
    end = last + np.maximum(columns["size"], columns["tail"]).view(np.int64)
    bad |= (last < 0) | (end < 0) | (np.abs(exact - last) > 2.0**62)
    bad |= columns["count"].astype(np.float64) * columns["size"].astype(np.float64) >= 2.0**63
    return bad if bad.any() else None


def _batch(columns: dict[str, Any], histogram: Any, has_histogram: Any, origin_ns: int) -> pa.RecordBatch:
    """Return runs as Arrow has them; `histogram` has a row for each run, or for those that `has_histogram` tells."""
    made = columns | {name: columns[name].view(np.int64) for name in _NUMBERS}
    made["size_minus_tail"] = made["size"] - made["tail"]
    made["latency_minus_max_ns"] = made["latency_ns"] - made["latency_max_ns"]
    made["start_ns"] = made["start_ns"] - origin_ns
    number = len(made["op"])
    if histogram is None:
        made["histogram"] = pa.nulls(number, _LIST)
    else:
        has = np.ones(number, bool) if has_histogram is None else has_histogram
        offsets = np.concatenate([[0], np.cumsum(has)]).astype(np.int32) * HISTOGRAM_BUCKETS
        made["histogram"] = pa.ListArray.from_arrays(offsets, histogram.reshape(-1), mask=pa.array(~has))
    return pa.RecordBatch.from_arrays([pa.array(made[name]) for name in SCHEMA.names], schema=SCHEMA)
