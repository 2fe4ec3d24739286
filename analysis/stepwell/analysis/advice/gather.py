"""The facts of a trace, from its store."""

from __future__ import annotations

from collections.abc import Iterable

from stepwell.analysis.advice.model import Cache, Facts, Order
from stepwell.analysis.ask import Queryable
from stepwell.analysis.orders import model as files
from stepwell.analysis.patterns import Pattern
from stepwell.analysis.reuse import CacheCurve
from stepwell.analysis.thresholds import advice as bounds
from stepwell.analysis.waits import Waits, waits


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
    return known(waits(store, trace), patterns, orders, caches)


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
