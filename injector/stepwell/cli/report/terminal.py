"""The report for people at a terminal: conclusions, then pictures, then numbers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.text import Text

from stepwell.cli.format import printable
from stepwell.cli.report import acts, charts, tables
from stepwell.cli.report.plots import ASCII, heading
from stepwell.cli.report.words import facts, story, title, top_lines, warnings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stepwell.analysis import Insight, Summary


def write(summary: Summary, insight: Insight, path: Path | None, command: str) -> None:
    """Write the report of one trace to a file, or to standard output in the characters that it has."""
    if path:
        with path.open("w", encoding="utf-8") as stream:
            put(lambda console: render(summary, insight, console, command), stream)
    else:
        put(lambda console: render(summary, insight, console, command), sys.stdout)


def put(draw: Callable[[Console], None], stream: TextIO) -> None:
    """Write what is drawn to a stream, in the characters that it has."""
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    with console.capture() as capture:
        draw(console)
    text = capture.get()
    try:
        text.encode(stream.encoding)
    except UnicodeEncodeError:
        text = text.translate(ASCII).encode(stream.encoding, "replace").decode(stream.encoding)
    stream.write(text)


def render(summary: Summary, insight: Insight, console: Console, command: str) -> None:
    """Print the report of one trace, as wide as the console is; `command` is how the next command begins."""
    console.print(Text(tables.start(title(summary), 3 * console.width), style="bold"))
    console.print(Text(printable(facts(summary)), style="bright_black"))
    for warning in warnings(summary):
        console.print(Text(printable(warning), style="bold red" if summary.losses else "yellow"))
    for sentence in top_lines(insight):
        console.print(Text(printable(sentence), style="bold"))
    for sentence in story(summary, insight):
        console.print(Text(printable(sentence)))
    acts.acts(summary, insight, console)
    if summary.totals.accesses:
        _seen(summary, insight, console, command)
    else:
        tables.patterns(summary, insight, console)
    if summary.coverage:
        heading(console, "What this collector does not see, and costs")
        for sentence in summary.coverage:
            console.print(Text(f"- {printable(sentence)}", style="bright_black"))


def _seen(summary: Summary, insight: Insight, console: Console, command: str) -> None:
    tables.findings(insight, console, command)
    if summary.trace.duration_ns:  # else the trace has no times, which its coverage says
        for part in (charts.over_time, charts.heat, charts.pictures):
            part(summary, console)
    tables.patterns(summary, insight, console)
    tables.orders(summary, insight, console)
    tables.caches(summary, insight, console)
    for part in (tables.processes, tables.datasets, tables.files):
        part(summary, console)
    charts.requests(summary, console)
    charts.shapes(summary, console)
    if insight.waits.timed:
        charts.latency(summary, console)
