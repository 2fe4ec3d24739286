"""One pass over the runs of a trace, shared by everything that must see each of them.

The runs come in stored order.  A run is stored when it ends, so that this is the order of
accesses within each stream (thread, open file, operation), and about that of time.  DuckDB
keeps it: a table has the order in which its rows were inserted, and a query of one table
with nothing but WHERE gives it (duckdb.org/docs, "Order preservation"; the setting
preserve_insertion_order is on by default).  Stores on several machines give it on request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from stepwell.analysis.ask import Distributed, Queryable
from stepwell.trace.definition import Op

Runs = Mapping[str, np.ndarray[Any, Any]]
"""A batch of runs: a numpy array for each column, all of one length, not to be written to.

Names are those of the view `runs`.  `op` is a number (`stepwell.trace.definition.Op`, uint8), `flags` uint8, `count`
uint32, `requested` uint64, all others int64; offsets and sizes in bytes, times in nanoseconds since the trace's start.
"""


class Consumer(Protocol):
    """Something that looks at every run once."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Which columns it needs."""

    def feed(self, runs: Runs) -> object:
        """Take the next runs."""


def scan(store: Queryable, trace: int, consumers: Iterable[Consumer]) -> None:
    """Show each run of a trace that has accesses to every consumer, each in its thread while the next are fetched."""
    takers = list(consumers)
    query = store.in_order if isinstance(store, Distributed) else store.query
    with ThreadPoolExecutor(len(takers), "scan") as threads:
        feeding: list[Future[object]] = []
        for batch in query(runs_sql(trace, {name for taker in takers for name in taker.columns})):
            runs = columns_of(batch)
            for fed in feeding:
                fed.result()
            feeding = [threads.submit(taker.feed, runs) for taker in takers]
        for fed in feeding:
            fed.result()


def runs_sql(trace: int, names: Iterable[str]) -> str:
    """Return the query for these columns of the runs of a trace that have accesses."""
    number = "CASE op " + " ".join(f"WHEN '{op.name.lower()}' THEN {op:d}" for op in Op) + " END::UTINYINT AS op"
    columns = ", ".join(number if name == "op" else f'"{name}"' for name in sorted(names))
    return f"SELECT {columns} FROM runs WHERE trace = {trace:d} AND count > 0"


def columns_of(batch: pa.RecordBatch) -> Runs:
    """Return the columns of a batch by name."""
    return {name: batch.column(index).to_numpy() for index, name in enumerate(batch.schema.names)}
