"""One pass over the runs of a trace, shared by everything that must see each of them.

The runs come in stored order.  A run is stored when it ends, so that this is the order of
accesses within each stream (thread, open file, operation), and about that of time.  DuckDB
keeps it: a table has the order in which its rows were inserted, and a query of one table
with nothing but WHERE gives it (duckdb.org/docs, "Order preservation"; the setting
preserve_insertion_order is on by default).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np

from stepwell.analysis.ask import Queryable
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
    """Show each run of a trace that has accesses to every consumer."""
    takers = list(consumers)
    names = sorted({name for taker in takers for name in taker.columns})
    number = "CASE op " + " ".join(f"WHEN '{op.name.lower()}' THEN {op:d}" for op in Op) + " END::UTINYINT AS op"
    columns = ", ".join(number if name == "op" else f'"{name}"' for name in names)
    for batch in store.query(f"SELECT {columns} FROM runs WHERE trace = {trace:d} AND count > 0"):
        runs = {name: batch.column(index).to_numpy() for index, name in enumerate(names)}
        for taker in takers:
            taker.feed(runs)
