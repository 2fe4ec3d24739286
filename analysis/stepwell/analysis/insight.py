"""What is concluded from a trace: verdicts, where the time goes, and what would help; the second half of a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from stepwell.analysis.advice import Finding, advise, facts, headline
from stepwell.analysis.ask import Queryable
from stepwell.analysis.orders import Order, orders
from stepwell.analysis.patterns import Pattern, counted_files, patterns
from stepwell.analysis.plans import Carried, plans
from stepwell.analysis.reuse import CacheCurve
from stepwell.analysis.reuse.simulate import curves
from stepwell.analysis.verdicts import Verdict, verdicts
from stepwell.analysis.waits import Waits

COUNTED = 200
"""Most files without accesses, of which only counters are known, whose verdicts are listed."""


@dataclass(frozen=True)
class Insight:
    """All conclusions on one trace; lists are sorted, the most important first."""

    headlines: Annotated[tuple[str, ...], "one sentence on each of `waits.teams`"]
    findings: Annotated[tuple[Finding, ...], "what would help, what would save most time first"]
    patterns: Annotated[
        tuple[Pattern, ...], "verdicts on workloads, datasets, the files listed and those that have counters only"
    ]
    waits: Annotated[Waits, "where the time of each process and dataset went, and what storage gave"]
    orders: Annotated[tuple[Order, ...], "in which order workloads go over the files of datasets"]
    caches: Annotated[tuple[CacheCurve, ...], "what caches would serve, by dataset; last of all data together"]
    plans: Annotated[tuple[Carried, ...], "what was to be done while it was recorded, in order of time"]
    verdicts: Annotated[tuple[Verdict, ...], "what that gained, as measured; all data together first"]


def understand(store: Queryable, trace: int, files: Sequence[int] = ()) -> Insight:
    """Return what is concluded from a trace.

    Args:
        store: where the public views are.
        trace: number of the trace.
        files: those whose verdicts are wanted.

    Raises:
        NoTraceError: the trace is not in the store.
    """
    over_files = orders(store, trace)
    found = patterns(store, trace, [*files, *list(counted_files(store, trace))[:COUNTED]])
    caches = curves(store, trace)
    known = facts(store, trace, found, over_files, caches)
    findings = advise(known)
    return Insight(
        headlines=tuple(headline(known, findings, team) for team in known.waits.teams),
        findings=findings,
        patterns=found,
        waits=known.waits,
        orders=over_files,
        caches=caches,
        plans=plans(store, trace),
        verdicts=verdicts(store, trace),
    )
