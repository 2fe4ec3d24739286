"""What was done while the trace was recorded, and what it gained, in the terminal."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
from rich.text import Text

from stepwell.cli import planned
from stepwell.cli.format import duration, plural, printable
from stepwell.cli.report.charts import label_width, row
from stepwell.cli.report.plots import braille, fit, heading, strip
from stepwell.cli.report.tables import LISTED, unlined
from stepwell.cli.report.words import place

if TYPE_CHECKING:
    from rich.console import Console

    from stepwell.analysis import Insight, Summary
    from stepwell.analysis.verdicts import Verdict

_ROWS = 6
"""Height of the picture, in characters."""


def acts(summary: Summary, insight: Insight, console: Console) -> None:
    """Print plans and verdicts, if there are any."""
    if not insight.plans and not insight.verdicts:
        return
    heading(console, "What was done and what it gained")
    for verdict in insight.verdicts:
        where = f"{place(verdict.dataset, summary)}: " if verdict.dataset else ""
        style = {"helped": "bold green", "hurt": "bold red"}.get(verdict.verdict, "bold")
        console.print(Text(printable(f"{where}{verdict.sentence} ({verdict.action})"), style=style))
        console.print(Text(verdict.because, style="bright_black"))
        if verdict.expected_ns is not None:
            _waiting(verdict, summary, console)
            _so_far(verdict, summary, console)
    _plans(summary, insight, console)


def _waiting(verdict: Verdict, summary: Summary, console: Console) -> None:
    """Print the waiting of every moment, as it was and as it would have been."""
    columns = max(10, console.width - label_width(console) - 14)
    waited = _columns(verdict, [one.waited_ns for one in verdict.windows], summary, columns)
    expected = _columns(verdict, [verdict.expected(one) or 0 for one in verdict.windows], summary, columns)
    acting = _columns(verdict, [one.length_ns * one.acting for one in verdict.windows], summary, columns)
    highest = max(*waited, *expected)
    if highest > 0:
        each = summary.trace.duration_ns / columns
        row(console, "waiting", strip(waited, highest), f" {max(waited) / each:.2g}", "cyan")
        row(console, "expected without it", strip(expected, highest), f" {max(expected) / each:.2g}", "magenta")
        row(console, "acting", "".join("─" if part else " " for part in acting), "", "green")


def _columns(verdict: Verdict, values: list[float] | list[int], summary: Summary, columns: int) -> list[float]:
    """Return what falls into each column of time, values being spread evenly over their windows."""
    time, so_far = [0.0], [0.0]
    for window, total in zip(verdict.windows, accumulate(values), strict=True):
        time += [window.start_ns, window.start_ns + window.length_ns]
        so_far += [so_far[-1], total]
    edges = np.linspace(0, summary.trace.duration_ns, columns + 1)
    found: list[float] = np.diff(np.interp(edges, time, so_far)).tolist()
    return found


def _so_far(verdict: Verdict, summary: Summary, console: Console) -> None:
    """Print the waiting up to every moment: the upper line without acting, the lower one as it was."""
    lines = []
    waited = expected = 0.0
    for window in verdict.windows:
        end = window.start_ns + window.length_ns
        then, otherwise = waited + window.waited_ns, expected + (verdict.expected(window) or 0)
        lines += [(window.start_ns, waited, end, then), (window.start_ns, expected, end, otherwise)]
        waited, expected = then, otherwise
    console.print(
        Text(
            f"waited up to then: {duration(waited)} in all, without it {duration(expected)} (upper line)",
            style="bright_black",
        )
    )
    for line in braille(lines, (summary.trace.duration_ns, max(waited, expected)), console.width - 1, _ROWS):
        console.print(Text(line, style="cyan"))


def _plans(summary: Summary, insight: Insight, console: Console) -> None:
    """Print the plans, the last one first: it is the one that was kept."""
    if not insight.plans:
        return
    shown = [(one.start_ns, target) for one in reversed(insight.plans) for target in one.plan.targets]
    cells = unlined("from", *planned.HEADINGS[:2], *(f">{name}" for name in planned.HEADINGS[2:]))
    for start_ns, target in shown[:LISTED]:
        path, *others = planned.row(target)
        cells.add_row(duration(start_ns), fit(place(path, summary), max(12, console.width - 72)), *others)
    console.print(cells)
    if len(shown) > LISTED:
        more = plural(len(shown) - LISTED, "more plan")
        console.print(Text(f"… and {more} in -o html and -o json", style="bright_black"))
