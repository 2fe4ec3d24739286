"""The report for people at a terminal: pictures first, then numbers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.text import Text

from stepwell.cli.format import printable
from stepwell.cli.report import charts, tables
from stepwell.cli.report.plots import ASCII, heading
from stepwell.cli.report.words import facts, story, title, warnings

if TYPE_CHECKING:
    from pathlib import Path

    from stepwell.analysis import Summary


def write(summary: Summary, path: Path | None) -> None:
    """Write the report of one trace to a file, or to standard output in the characters that it has."""
    if path:
        with path.open("w", encoding="utf-8") as stream:
            _write(summary, stream)
    else:
        _write(summary, sys.stdout)


def _write(summary: Summary, stream: TextIO) -> None:
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    with console.capture() as capture:
        render(summary, console)
    text = capture.get()
    try:
        text.encode(stream.encoding)
    except UnicodeEncodeError:
        text = text.translate(ASCII).encode(stream.encoding, "replace").decode(stream.encoding)
    stream.write(text)


def render(summary: Summary, console: Console) -> None:
    """Print the report of one trace, as wide as the console is."""
    console.print(Text(tables.start(title(summary), 3 * console.width), style="bold"))
    console.print(Text(printable(facts(summary)), style="bright_black"))
    for warning in warnings(summary):
        console.print(Text(printable(warning), style="bold red" if summary.losses else "yellow"))
    for sentence in story(summary):
        console.print(Text(printable(sentence)))
    if summary.totals.accesses:
        for part in (charts.over_time, charts.heat, charts.pictures, tables.processes, tables.datasets, tables.files):
            part(summary, console)
        for part in (charts.requests, charts.shapes, charts.latency):
            part(summary, console)
    if summary.coverage:
        heading(console, "What this collector does not see, and costs")
        for sentence in summary.coverage:
            console.print(Text(f"- {printable(sentence)}", style="bright_black"))
