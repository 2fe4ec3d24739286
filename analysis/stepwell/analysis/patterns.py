"""The verdicts on a trace: all of them, out of one pass over its runs."""

from __future__ import annotations

import pyarrow as pa

from stepwell.analysis.ask import Queryable
from stepwell.analysis.scan import scan
from stepwell.analysis.streams import ANALYSIS_VERSION, Patterns
from stepwell.analysis.streams.facts import Facts

__all__ = ["ANALYSIS_VERSION", "classify"]


def classify(store: Queryable, trace: int) -> pa.Table:
    """Return the rows of the view `patterns` for a trace, but for the column `trace`; `evidence` as JSON text."""
    with Patterns(Facts.of(store, trace)) as patterns:
        scan(store, trace, [patterns])
        return patterns.finish()
