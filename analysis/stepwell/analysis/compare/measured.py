"""One trace as a comparison needs it: its totals, and how they came together over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from stepwell.analysis import queries as summary
from stepwell.analysis.ask import Queryable, Row, ask, rows
from stepwell.analysis.compare import queries
from stepwell.analysis.thresholds.compare import SLICES
from stepwell.store.errors import NoTraceError
from stepwell.trace.definition import HISTOGRAM_BUCKETS

Array = np.ndarray[Any, np.dtype[Any]]

FIGURES = ("accesses", "bytes", "stall_ns", "wait_ns", *(f"h{bucket}" for bucket in range(HISTOGRAM_BUCKETS)))
"""Columns of what is measured in each slice; the last ones are the latency histogram."""

HISTOGRAM = slice(4, None)


@dataclass(frozen=True)
class Measured:
    """One trace.

    `spread` holds an array (slice, figure) by scope (op, process, dataset) and subject.
    """

    facts: Row
    lost: int
    totals: dict[str, int]
    operations: dict[str, Row]
    files: list[Row]
    sizes: dict[tuple[str, int], int]
    patterns: list[Row]
    spread: dict[tuple[str, str], Array]

    @property
    def whole(self) -> Array:
        """Return the figures of each slice, of all accesses."""
        whole: Array = sum(
            (array for (scope, _), array in self.spread.items() if scope == "op"), np.zeros((SLICES, len(FIGURES)))
        )
        return whole


def measure(store: Queryable, trace: int) -> Measured:
    """Read one trace.

    Raises:
        NoTraceError: it is not in the store.
    """
    found = rows(store, summary.TRACE, trace)
    if not found:
        raise NoTraceError(f"there is no trace {trace}; `stepwell traces` lists those there are")
    files = rows(store, queries.USED, trace)
    data = [file for file in files if not file["software"]] or files
    # How programs are loaded varies from run to run; where there is data, only that is compared.
    chosen = [file["file"] for file in data] if len(data) < len(files) else []

    def asked(sql: str) -> list[Row]:
        return rows(store, queries.of_files(sql, chosen), trace)

    (totals,) = asked(queries.TOTALS)
    (held,) = asked(queries.HELD_UP)
    asleep = totals.pop("asleep_ns")
    slice_ns = max(1, -(-found[0]["duration_ns"] // SLICES))
    return Measured(
        facts=found[0],
        lost=sum(row["count"] for row in rows(store, summary.LOSSES, trace)),
        totals=totals | {name: held[name] + asleep for name in ("stall_ns", "wait_ns")},
        operations={row["op"]: row for row in asked(summary.OPERATIONS)},
        files=data,
        sizes={(row["op"], row["requested"]): row["accesses"] for row in asked(summary.SIZES)},
        patterns=rows(store, queries.PATTERNS, trace),
        spread=_spread(ask(store, queries.of_files(queries.SPREAD, chosen), trace, slice_ns, SLICES)),
    )


def _spread(table: pa.Table) -> dict[tuple[str, str], Array]:
    figures = np.column_stack([table[name].to_numpy() for name in FIGURES]) if len(table) else np.zeros((0, 1))
    found: dict[tuple[str, str], Array] = {}
    keys = zip(*(table[name].to_pylist() for name in ("op", "comm", "dataset", "slice")), strict=True)
    for (op, comm, dataset, at), row in zip(keys, figures, strict=True):
        key = next(
            (scope, name) for scope, name in (("op", op), ("process", comm), ("dataset", dataset)) if name is not None
        )
        found.setdefault(key, np.zeros((SLICES, len(FIGURES))))[at] += row
    return found
