"""What a trace says: numbers computed from the store's public views.

Here belongs everything that answers a question about recorded accesses and that
can be told without a terminal or a browser.  Nothing here knows how the store
keeps its tables: every question is SQL over the public views, asked through an
object with one method, `Queryable.query`.  Accesses are never rebuilt from runs;
a report of 50 million accesses costs a few scans of the runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepwell.trace.ondemand import on_demand

if TYPE_CHECKING:
    from stepwell.analysis.ask import Queryable
    from stepwell.analysis.insight import Insight, understand
    from stepwell.analysis.model import Summary
    from stepwell.analysis.patterns import ANALYSIS_VERSION, classify
    from stepwell.analysis.summary import summarize
else:  # whoever only wants verdicts on patterns need not wait for all else
    __getattr__ = on_demand(
        __name__,
        {
            "ask": ("Queryable",),
            "insight": ("Insight", "understand"),
            "model": ("Summary",),
            "patterns": ("ANALYSIS_VERSION", "classify"),
            "summary": ("summarize",),
        },
    )

__all__ = ["ANALYSIS_VERSION", "Insight", "Queryable", "Summary", "classify", "summarize", "understand"]
