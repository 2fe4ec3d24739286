"""Run records from the spool as Arrow batches, some blocks at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from stepwell.store.native.runs import COLUMNS, run_columns
from stepwell.store.results import Results
from stepwell.trace.definition import RUN, RUN_SHORT
from stepwell.trace.spool import Spool

_LIST = pa.list_(pa.uint32())

SCHEMA = pa.schema([*((name, pa.from_numpy_dtype(dtype)) for name, dtype in COLUMNS.items()), ("histogram", _LIST)])
"""What `RunBatches` yields: the columns of table `stored.run` that need nothing but the record.

A histogram ends with its last bucket that is not 0, and is NULL where the record has none.
"""

TOGETHER = 1 << 18
"""Runs that are put in order together. Long and short ones come in blocks of their own, each when it is full, and at
least once in a while; as many as a collector writes meanwhile are enough, in 50 MB."""

BATCH = 1 << 15
"""Runs in a batch, of 7 MB at the most."""

Records = np.ndarray[Any, np.dtype[np.void]]
Numbers = np.ndarray[Any, np.dtype[Any]]


class _Part(NamedTuple):
    """Runs of one block, with time and number of their last accesses. `disordered`: not even these are in order."""

    runs: Records
    end_ns: Numbers
    end_seq: Numbers
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
        for block in self._spool.blocks({RUN.kind, RUN_SHORT.kind}):
            runs = self._results.split(block.records)
            # read while they are in the processor's cache
            ends = runs["start_ns"] + runs["span_ns"], runs["seq"] + runs["seq_span"]
            waiting.append(_Part(runs, *ends, disordered=runs is not block.records))
            if sum(len(part.runs) for part in waiting) >= TOGETHER:
                yield from self._batches(waiting)
                waiting = []
        yield from self._batches(waiting)

    def _batches(self, parts: list[_Part]) -> Iterator[pa.RecordBatch]:
        """Yield runs as they come, or in the order in which they ended if they do not come in order."""
        if not parts:
            return
        places = np.concatenate([_places(part.runs) for part in parts])
        if len({part.runs.dtype for part in parts}) > 1 or any(part.disordered for part in parts):
            times = np.concatenate([part.end_ns for part in parts])
            places = places[_order(times, np.concatenate([part.end_seq for part in parts]))]
        for first in range(0, len(places), BATCH):
            yield self._batch(places[first : first + BATCH])

    def _batch(self, places: np.ndarray[Any, Any]) -> pa.RecordBatch:
        columns, has, first, buckets = run_columns(places, self._origin_ns)
        self.impossible += len(places) - len(has)
        lists = pa.ListArray.from_arrays(first, buckets, mask=pa.array(~has))
        return pa.RecordBatch.from_arrays([*map(pa.array, columns.values()), lists], schema=SCHEMA)

    def reader(self) -> pa.RecordBatchReader:
        """Return the batches as an Arrow stream."""
        return pa.RecordBatchReader.from_batches(SCHEMA, iter(self))


def _places(runs: Records) -> Numbers:
    """Return the addresses of records."""
    return runs.ctypes.data + np.arange(len(runs), dtype=np.uint64) * runs.strides[0]


def _order(times: Numbers, numbers: Numbers) -> Numbers:
    """Return the order of the times, and of the numbers where times are the same.

    As `np.lexsort` does, but twice as fast: the second key matters to few.
    """
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    same = ordered[1:] == ordered[:-1]
    if same.any():
        tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
        rows = order[tied]
        order[tied] = rows[np.lexsort((numbers[rows], times[rows]))]
    return order
