"""The facts of a trace, from its store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from stepwell.analysis.advice.model import Cache, Facts, Order, Series
from stepwell.analysis.ask import Queryable, rows
from stepwell.analysis.orders import model as files
from stepwell.analysis.patterns import Pattern
from stepwell.analysis.reuse import CacheCurve
from stepwell.analysis.thresholds import advice as bounds
from stepwell.analysis.thresholds import waits as limits
from stepwell.analysis.waits import Waits, waits

_SERIES = f"""
WITH series AS (
    SELECT f.dataset, thread, open, seq, "offset", count, r.size * (count - 1) + tail AS bytes,
        count > 1 AND abs(stride) >= 2 * r.size AS holed
    FROM runs r JOIN files f ON r.file = f.file
    WHERE r.trace = $1 AND f.trace = $1 AND op = 'read' AND count > 0 AND f.file IN (SELECT unnest($2::BIGINT[]))
), next AS (
    SELECT *, "offset" - lag("offset") OVER (PARTITION BY thread, open ORDER BY seq) AS step FROM series
), told AS (
    SELECT *, step IS NOT DISTINCT FROM lag(step) OVER (PARTITION BY thread, open ORDER BY seq) AND step IS NOT NULL
        AND holed AS goes_on
    FROM next
)
SELECT dataset, count(*) AS number, sum(CASE WHEN goes_on THEN 0 ELSE 1 END)::BIGINT AS neighbours,
    sum(count)::BIGINT AS pieces, sum(bytes)::BIGINT AS bytes,
    sum(CASE WHEN holed THEN bytes ELSE 0 END)::DOUBLE / greatest(sum(bytes), 1) AS part,
    sum(ceil(bytes / {limits.READ_AHEAD}.0))::DOUBLE AS windows
FROM told GROUP BY dataset ORDER BY dataset
"""
"""Series of reads in the files `$2`, by dataset."""

_RUNS = """
SELECT count(*) AS runs FROM runs WHERE trace = $1 AND op = 'read' AND file IN (SELECT unnest($2::BIGINT[]))
"""

_FILES = "SELECT file, dataset FROM files WHERE trace = $1 AND dataset IS NOT NULL"


def facts(
    store: Queryable,
    trace: int,
    patterns: tuple[Pattern, ...],
    orders: Iterable[files.Order],
    caches: Iterable[CacheCurve] = (),
) -> Facts:
    """Return the facts of a trace: where its time went, and the patterns, orders and caches that are given.

    Raises:
        NoTraceError: the trace is not in the store.
    """
    strided = {row.subject for row in patterns if row.scope == "dataset" and row.pattern == "strided"}
    found = known(waits(store, trace), patterns, orders, caches)
    return replace(found, series=_series(store, trace, strided)) if strided else found


def _series(store: Queryable, trace: int, datasets: set[str]) -> tuple[Series, ...]:
    files = [row["file"] for row in rows(store, _FILES, trace) if row["dataset"] in datasets]
    (number,) = rows(store, _RUNS, trace, files)
    if number["runs"] > bounds.SERIES_RUNS:
        return ()
    return tuple(Series(**row) for row in rows(store, _SERIES, trace, files))


def known(
    waiting: Waits,
    patterns: tuple[Pattern, ...],
    orders: Iterable[files.Order],
    caches: Iterable[CacheCurve],
) -> Facts:
    """Return as facts what other analyses concluded."""
    return Facts(
        waits=waiting,
        patterns=patterns,
        caches=tuple(cache for cache in map(_cache, caches) if cache is not None),
        orders=tuple(map(_order, orders)),
    )


def _order(found: files.Order) -> Order:
    """Return an order as far as advice relies on it."""
    within, across = found.within, found.across
    return Order(
        dataset=found.dataset,
        readers=found.readers,
        by=within.by if within.confidence >= bounds.CERTAIN else "unknown",
        relation=across.relation if across.confidence >= bounds.CERTAIN else "unknown",
        epochs=found.epochs_found,
        files=found.files,
    )


def _cache(found: CacheCurve) -> Cache | None:
    """Return the recommended cache as far as advice relies on it, None where the smallest one does as well."""
    if found.recommended is None or found.recommended <= found.curve[0].size:
        return None
    return Cache(
        dataset=found.dataset,
        size=found.recommended,
        miss_ratio=min(point.miss_ratio for point in found.curve if point.size <= found.recommended),
        least_miss_ratio=min(point.miss_ratio for point in found.curve),
        unique_bytes=found.unique_bytes,
    )
