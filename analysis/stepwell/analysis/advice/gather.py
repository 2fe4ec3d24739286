"""The facts of a trace, from its store."""

from __future__ import annotations

from stepwell.analysis.advice.model import Curve, Facts, Order, Pattern
from stepwell.analysis.ask import Queryable, rows
from stepwell.analysis.waits import waits

_PATTERNS = """
SELECT scope, subject, coalesce(path, '') AS path, coalesce(op::VARCHAR, '') AS op, pattern,
    coalesce(reuse, 'unknown') AS reuse, coalesce(confidence, 0) AS confidence
FROM patterns WHERE trace = $1 AND scope = 'dataset'
"""


def facts(store: Queryable, trace: int, *, curves: tuple[Curve, ...] = (), orders: tuple[Order, ...] = ()) -> Facts:
    """Return the facts of a trace: where its time went, its verdicts, and what else is known.

    Raises:
        NoTraceError: the trace is not in the store.
    """
    return Facts(
        waits=waits(store, trace),
        patterns=tuple(Pattern(**row) for row in rows(store, _PATTERNS, trace)),
        curves=curves,
        orders=orders,
    )
