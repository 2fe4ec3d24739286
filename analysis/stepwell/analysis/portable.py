"""The set-based analyses: questions that every SQL engine answers alike.

`tests/engines` puts each of them to DuckDB and to Apache Spark over the same files.  A module that asks something new
of the store adds it here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepwell.analysis import patterns, queries, unique
from stepwell.analysis.orders import queries as orders
from stepwell.analysis.reuse import questions as reuse
from stepwell.analysis.streams import facts
from stepwell.analysis.thresholds import orders as order_limits
from stepwell.analysis.thresholds import waits as wait_limits
from stepwell.analysis.waits import questions as waits

if TYPE_CHECKING:
    from collections.abc import Iterator

Values = tuple[int | list[int], ...]


def questions(trace: int, end_ns: int, files: list[int]) -> Iterator[tuple[str, str, Values]]:
    """Return the name of each question, its SQL, and values for $1, $2 ... (see `stepwell.analysis.ask`).

    Args:
        trace: number of the trace.
        end_ns: its end, in nanoseconds since its start.
        files: some of its files, for the questions about single files.
    """
    width = max(1, end_ns // 160)
    of_all = "TRACE LOSSES OPENS OPERATIONS VOLUMES FILES SIZES SHAPES STRIDES LATENCIES"
    for name in of_all.split():
        yield f"queries.{name}", getattr(queries, name), (trace,)
    for name in ("THREADS", "READERS"):
        yield f"queries.{name}", getattr(queries, name), (trace, end_ns)
    yield "queries.SLICES", queries.SLICES, (trace, width, 160)
    yield "queries.PICTURES", queries.PICTURES, (trace, files, 7)
    yield "unique.PIECES", unique.PIECES, (trace,)
    yield "unique, exact", unique.pieces_sql(1), (trace,)
    yield "unique, sampled", unique.pieces_sql(4, 11), (trace,)
    for name in ("PAIRS", "OPENS", "EVENTS", "PLACES", "FILES"):
        yield f"waits.{name}", getattr(waits, name), (trace,)
    yield "waits.THREADS", waits.THREADS, (trace, end_ns)
    for name in ("FETCHES", "LONG_FETCHES"):
        yield f"waits.{name}", getattr(waits, name), (trace, max(1, end_ns // wait_limits.SLICES))
    yield "waits.SPANS", waits.SPANS, (trace, width, max(1, width // 2))
    yield "waits.MOMENTS", waits.MOMENTS, (trace, files[0], files[1:], width, 1_000_000, 10_000_000)
    yield "reuse.FILES", reuse.FILES, (trace,)
    yield "orders.FILES", orders.FILES, (trace, order_limits.FILES)
    yield "orders.READERS", orders.READERS, (trace,)
    yield "orders.OPENED", orders.OPENED, (trace, order_limits.FILES)
    yield "orders.VISITS", orders.VISITS, (trace, order_limits.FILES, order_limits.RUNS)
    yield "patterns.ROWS", patterns.ROWS, (trace, files, files)
    for name in ("FILES", "APPENDING", "READERS", "TRACE"):
        yield f"streams.{name}", getattr(facts, name), (trace,)
