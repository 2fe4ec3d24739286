"""The facts of a trace, from its store."""

from __future__ import annotations

from collections.abc import Iterable

from stepwell.analysis.advice.model import Curve, Facts, Order
from stepwell.analysis.ask import Queryable
from stepwell.analysis.orders import model as files
from stepwell.analysis.patterns import Pattern
from stepwell.analysis.thresholds import advice as bounds
from stepwell.analysis.waits import waits


def facts(
    store: Queryable,
    trace: int,
    patterns: tuple[Pattern, ...],
    orders: Iterable[files.Order],
    curves: tuple[Curve, ...] = (),
) -> Facts:
    """Return the facts of a trace: where its time went, and the patterns, orders and curves that are given.

    Raises:
        NoTraceError: the trace is not in the store.
    """
    return Facts(
        waits=waits(store, trace),
        patterns=patterns,
        curves=curves,
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
    )
