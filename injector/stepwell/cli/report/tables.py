"""The tables of the report in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from stepwell.analysis.software import LABEL
from stepwell.cli.format import count, duration, percent, plural, printable, size
from stepwell.cli.report import words
from stepwell.cli.report.plots import fit, heading
from stepwell.cli.report.words import accesses, listed_patterns, order, place, rest, share, step

if TYPE_CHECKING:
    from rich.console import Console

    from stepwell.analysis import Insight, Summary

LISTED = 12
"""Most rows of a table."""

ADVISED = 5
"""Most findings that are printed; the others are in `-o json` and on the page."""


def start(text: str, columns: int) -> str:
    """Return `text` cut to `columns` characters; a command is known by its start."""
    text = printable(text)
    return text if len(text) <= columns else text[: columns - 1] + "…"


def unlined(*columns: str) -> Table:
    """Return a table without lines; a column named with a leading ">" holds numbers."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bright_black")
    for column in columns:
        right = column.startswith(">")
        made.add_column(
            column.removeprefix(">"),
            justify="right" if right else "left",
            no_wrap=True,
            overflow="ellipsis",
            ratio=None if right else 1,
        )
    return made


def _print(console: Console, table: Table, more: str) -> None:
    console.print(table)
    if more:
        console.print(Text(more, style="bright_black"))


def findings(insight: Insight, console: Console, command: str) -> None:
    """Print what would help."""
    shown = insight.findings[:ADVISED]
    heading(console, "What would help", "most time first; alternatives: what they save does not add up")
    for number, found in enumerate(shown, 1):
        lines = Text(f"{number}. {printable(found.sentence)}")
        if found.setting:
            lines.append(f"\n   try: {printable(found.setting)}", style="green")
        lines.append(f"\n   {found.model}; confidence {found.confidence:.2f}", style="bright_black")
        console.print(lines)
    more = len(insight.findings) - len(shown)
    also = f"… and {plural(more, 'more finding')} in -o html and -o json. " if more > 0 else ""
    console.print(Text(f"{also}The evidence: {command} explain PROCESS|DATASET|FILE", style="bright_black"))


def patterns(summary: Summary, insight: Insight, console: Console) -> None:
    """Print how workloads, datasets and files are read."""
    rows = listed_patterns(summary, insight)[: 2 * LISTED]
    if not rows:
        return
    heading(console, "Patterns", "how each is read, by the cost of its accesses")
    wide = console.width >= 120
    columns = (">request", "reuse", ">sure", *([">accesses", ">bytes"] if wide else []))
    table = unlined("of", "op", "pattern", *columns)
    for row in rows:
        of = fit(place(row.path, summary) or row.subject, max(16, console.width - (100 if wide else 70)))
        table.add_row(
            f"{row.scope} {of}",
            row.op,
            f"{row.pattern} {step(row.stride)}" if row.stride else row.pattern,
            size(row.request_size) if row.request_size is not None else "",
            row.reuse,
            percent(row.confidence),
            *([count(row.accesses), size(row.bytes)] if wide else []),
        )
    console.print(table)


def orders(summary: Summary, insight: Insight, console: Console) -> None:
    """Print in which order files are read."""
    if insight.orders:
        heading(console, "Order of files")
    for found in insight.orders[:ADVISED]:
        line = Text(fit(place(found.dataset, summary) or "(unknown)", console.width - 40), style="bold")
        line.append(f"  {count(found.files)} files, {plural(found.visits, 'reading')}", style="not bold bright_black")
        console.print(line)
        console.print(Text(f"  {'; '.join(order(found))}"))


def caches(summary: Summary, insight: Insight, console: Console) -> None:
    """Print which caches would help."""
    shown = words.caches(insight)
    if shown:
        heading(console, "Caches", "what a cache, empty at first, would serve; simulate tells more")
    for found in shown:
        name = fit(place(found.dataset, summary), console.width - 8) or "all data together"
        console.print(Text(name, style="bold"))
        console.print(Text(f"  {words.cache(found)}"))


def processes(summary: Summary, console: Console) -> None:
    """Print who read."""
    shown, totals = summary.readers[:LISTED], summary.totals
    heading(console, "Processes", "stall: share of its threads' time in accesses")
    wide = console.width >= 120
    columns = (">pid", ">accesses", ">bytes", *([">unique"] if wide else []), ">stall", ">cpu")
    table = unlined("process", "mostly in", *columns)
    names = [start(reader.name, min(24, max(12, console.width - 60))) for reader in shown]
    room = max(0, console.width - (64 if wide else 48) - max([12, *map(len, names)]))
    for reader, name in zip(shown, names, strict=True):
        stall = share(reader.stall_ns, reader.wall_ns)
        table.add_row(
            name,
            fit(place(reader.top_directory, summary) or "./", room),
            str(reader.pid),
            count(reader.accesses),
            size(reader.bytes),
            *([size(reader.unique_bytes)] if wide else []),
            Text(percent(stall), style="bold red" if stall >= 0.5 else "yellow" if stall >= 0.2 else ""),
            "" if words.imported(summary) else percent(share(reader.cpu_ns, reader.wall_ns)),
        )
    total = totals.read_bytes + totals.written_bytes
    _print(console, table, rest(len(shown), totals.readers, sum(r.bytes for r in shown), total, "process", "processes"))


def datasets(summary: Summary, console: Console) -> None:
    """Print which trees of files were read, if several were."""
    own = [dataset for dataset in summary.datasets if not (summary.software.files and dataset.software)]
    if len(own) < 2:
        return
    heading(console, "Datasets")
    table = unlined("directory", ">files", ">processes", ">accesses", ">bytes", ">unique")
    for dataset in own[:LISTED]:
        table.add_row(
            fit(place(dataset.dataset, summary) or "(unknown)", max(16, console.width - 52)),
            count(dataset.files),
            count(dataset.readers),
            count(dataset.accesses),
            size(dataset.bytes),
            size(dataset.unique_bytes),
        )
    console.print(table)


def files(summary: Summary, console: Console) -> None:
    """Print which files were read."""
    totals, software = summary.totals, summary.software
    shown = [file for file in summary.files if not (software.files and file.software)][:LISTED]
    heading(console, "Files", "unique: share of the file that was touched; time: in its accesses")
    table = unlined("file", ">size", ">accesses", ">bytes", ">unique", ">time")
    for file in shown:
        table.add_row(
            fit(place(file.path, summary), max(16, console.width - 52)),
            size(file.size),
            count(file.accesses),
            size(file.bytes),
            percent(min(1.0, share(file.unique_bytes, file.size))) if file.size else "",
            duration(file.latency_ns),
        )
    data = totals.read_bytes + totals.written_bytes - software.bytes
    more = rest(len(shown), totals.files - software.files, sum(file.bytes for file in shown), data, "file", "files")
    _print(console, table, more)
    if software.files:
        line = f"{LABEL}: {plural(software.files, 'file')}, {accesses(software.accesses)}, {size(software.bytes)}"
        console.print(Text(f"{line} (see --software)", style="bright_black"))
