"""The report for people at a terminal: pictures first, then numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from stepwell.cli.format import count, duration, percent, plural, size, throughput
from stepwell.cli.report.plots import SHADES, bar, braille, fit, level, printable, resample
from stepwell.cli.report.words import SHAPES, facts, rest, stall_share, story, title, warnings
from stepwell.trace.definition import HISTOGRAM_BUCKETS, HISTOGRAM_SHIFT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stepwell.analysis import Summary
    from stepwell.analysis.model import Picture

ROWS = 20
"""Most rows of the heat strip."""

PICTURES = 4
"""Most files with a picture of their own."""

LISTED = 12
"""Most rows of a table."""

_PICTURE_ROWS = 6
_SHADE_STYLES = ("bright_black", "blue", "cyan", "yellow", "bold bright_yellow")


def write(summary: Summary, path: Path | None) -> None:
    """Write the report of one trace to a file, or to standard output."""
    with click.open_file(path or "-", "w", encoding="utf-8") as stream:
        render(summary, Console(file=stream, highlight=False, markup=False, emoji=False))


def render(summary: Summary, console: Console) -> None:
    """Print the report of one trace, as wide as the console is."""
    console.print(Text(printable(title(summary)), style="bold"))
    console.print(Text(printable(facts(summary)), style="bright_black"))
    for warning in warnings(summary):
        console.print(Text(warning, style="bold red" if summary.losses else "yellow"))
    for sentence in story(summary):
        console.print(Text(sentence))
    if summary.totals.accesses:
        _over_time(summary, console)
        _heat(summary, console)
        _pictures(summary, console)
        _processes(summary, console)
        _files(summary, console)
        _requests(summary, console)
        _latency(summary, console)
    if summary.coverage:
        _heading(console, "Not seen by this collector")
        for sentence in summary.coverage:
            console.print(Text(f"- {printable(sentence)}"))


def _heading(console: Console, words: str, note: str = "") -> None:
    console.print()
    text = Text(words, style="bold")
    if note:
        text.append(f"  {note}", style="not bold bright_black")
    console.print(Rule(text, align="left", style="bright_black"))


def _label_width(console: Console) -> int:
    return min(44, max(16, console.width // 3))


def _over_time(summary: Summary, console: Console) -> None:
    timeline, labels = summary.timeline, _label_width(console)
    columns = max(10, console.width - labels - 14)
    seconds = timeline.slice_ns * len(timeline.read_bytes) / columns / 1e9
    _heading(console, "Over time", f"one column is {duration(seconds * 1e9)}")
    rows = (
        ("read", resample(timeline.read_bytes, columns), throughput),
        ("written", resample(timeline.written_bytes, columns), throughput),
        (
            "threads in accesses",
            [ns / 1e9 for ns in resample(timeline.stall_ns, columns)],
            lambda value: f"{value:.1f}",
        ),
    )
    for name, cells, unit in rows:
        highest = max(cells)
        if highest > 0:
            bars = "".join("▁▂▃▄▅▆▇█"[min(7, int(cell / highest * 8))] if cell else " " for cell in cells)
            line = Text(f"{name:<{labels}} ")
            line.append(bars, style="cyan" if name != "written" else "magenta")
            line.append(f" {unit(highest / seconds)}", style="bright_black")
            console.print(line, no_wrap=True, overflow="crop")


def _heat(summary: Summary, console: Console) -> None:
    labels = _label_width(console)
    columns = max(10, console.width - labels - 14)
    rows = [(row, resample(row.cells, columns)) for row in summary.heat]
    highest = max(max(cells) for _, cells in rows)
    _heading(
        console, "Files over time", f"{SHADES[0]} nothing to {SHADES[-1]} {size(highest)} in a column, logarithmic"
    )
    for row, cells in rows:
        line = Text(f"{fit(row.label, labels):<{labels}} ")
        for cell in cells:
            shade = level(cell, highest)
            line.append(SHADES[shade], style=_SHADE_STYLES[shade])
        line.append(f" {size(row.bytes):>10}", style="bright_black")
        console.print(line, no_wrap=True, overflow="crop")


def _pictures(summary: Summary, console: Console) -> None:
    _heading(console, "Offsets over time", "lines are runs; time goes right, offsets go up")
    chosen = summary.pictures[:PICTURES]
    beside = 2 if console.width >= 120 and len(chosen) > 1 else 1
    width = console.width // beside - 2 * (beside - 1)
    grid = Table.grid(padding=(0, 4, 0, 0))
    drawn = [_picture(picture, summary, width - 1) for picture in chosen]
    for first in range(0, len(drawn), beside):
        grid.add_row(*drawn[first : first + beside])
    console.print(grid)


def _picture(picture: Picture, summary: Summary, width: int) -> Text:
    top = max(picture.size, *picture.last, *picture.offset)
    lines = []
    for joined, x0, y0, x1, y1 in zip(
        picture.line, picture.start_ns, picture.offset, picture.end_ns, picture.last, strict=True
    ):
        lines += [(x0, y0, x1, y1)] if joined else [(x0, y0, x0, y0), (x1, y1, x1, y1)]
    sample = f", {count(len(picture.offset))} drawn" if len(picture.offset) < picture.runs else ""
    text = Text(fit(picture.path, width - 34), style="bold")
    text.append(f"  {size(picture.size)}, {plural(picture.runs, 'run')}{sample}\n", style="not bold bright_black")
    for row in braille(lines, (summary.trace.duration_ns, top), width, _PICTURE_ROWS):
        text.append(row + "\n", style="not bold cyan")
    return text


def _table(*columns: str) -> Table:
    """Return a table without lines; a column named with a leading ">" holds numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bright_black")
    for column in columns:
        right = column.startswith(">")
        table.add_column(
            column.removeprefix(">"),
            justify="right" if right else "left",
            no_wrap=True,
            overflow="ellipsis",
            ratio=None if right else 1,
        )
    return table


def _processes(summary: Summary, console: Console) -> None:
    shown, totals = summary.readers[:LISTED], summary.totals
    _heading(console, "Processes", "stall: share of its threads' time in accesses")
    wide = console.width >= 110
    headings = ("process", "mostly in", ">pid", ">accesses", ">bytes", *([">unique"] if wide else []), ">stall", ">cpu")
    table = _table(*headings)
    for reader in shown:
        stall = stall_share(reader.stall_ns, reader.wall_ns)
        table.add_row(
            _start(reader.command, 40) if wide else _start(reader.comm, 12),
            fit(reader.top_directory, console.width - (104 if wide else 60)),
            str(reader.pid),
            count(reader.accesses),
            size(reader.bytes),
            *([size(reader.unique_bytes)] if wide else []),
            Text(percent(stall), style="bold red" if stall >= 0.5 else "yellow" if stall >= 0.2 else ""),
            percent(stall_share(reader.cpu_ns, reader.wall_ns)),
        )
    console.print(table)
    total = totals.read_bytes + totals.written_bytes
    _rest(console, rest(len(shown), totals.readers, sum(r.bytes for r in shown), total, "process", "processes"))


def _start(text: str, columns: int) -> str:
    """Return `text` cut to `columns` characters; a command is known by its start."""
    text = printable(text)
    return text if len(text) <= columns else text[: columns - 1] + "…"


def _files(summary: Summary, console: Console) -> None:
    totals = summary.totals
    names = max(16, console.width - 52)
    if len(summary.datasets) > 1:
        _heading(console, "Datasets")
        table = _table("directory", ">files", ">processes", ">accesses", ">bytes", ">unique")
        for dataset in summary.datasets[:LISTED]:
            table.add_row(
                fit(dataset.dataset or "(unknown)", names),
                count(dataset.files),
                count(dataset.readers),
                count(dataset.accesses),
                size(dataset.bytes),
                size(dataset.unique_bytes),
            )
        console.print(table)
    shown = summary.files[:LISTED]
    _heading(console, "Files", "unique: share of the file that was touched; time: in its accesses")
    table = _table("file", ">size", ">accesses", ">bytes", ">unique", ">time")
    for file in shown:
        table.add_row(
            fit(file.path, names),
            size(file.size),
            count(file.accesses),
            size(file.bytes),
            percent(min(1.0, file.unique_bytes / file.size)) if file.size else "",
            duration(file.latency_ns),
        )
    console.print(table)
    total = totals.read_bytes + totals.written_bytes
    _rest(console, rest(len(shown), totals.files, sum(file.bytes for file in shown), total, "file", "files"))


def _rest(console: Console, words: str) -> None:
    if words:
        console.print(Text(words, style="bright_black"))


def _bars(console: Console, rows: Sequence[tuple[str, str, int, str]]) -> None:
    """Print rows of op, name, accesses and a note, with bars by accesses."""
    highest = max(accesses for _, _, accesses, _ in rows)
    ops = max(len(op) for op, *_ in rows)
    names = max(len(name) for _, name, *_ in rows)
    notes = max(len(note) for *_, note in rows)
    columns = max(8, min(60, console.width - ops - names - notes - 17))
    for op, name, accesses, note in rows:
        line = Text(f"{op:<{ops}}  {name:>{names}} ")
        line.append(f"{bar(accesses, highest, columns):<{columns}}", style="cyan")
        line.append(f" {count(accesses):>11}")
        line.append(f"  {note:>{notes}}", style="bright_black")
        console.print(line, no_wrap=True, overflow="ellipsis")


def _requests(summary: Summary, console: Console) -> None:
    _heading(console, "Request sizes", "accesses by bytes asked for, and bytes transferred")
    _bars(console, [(b.op, _sizes(b.low), b.accesses, size(b.bytes)) for b in summary.size_buckets])
    exact = ", ".join(f"{s.op} {count(s.requested)} B ({count(s.accesses)})" for s in summary.sizes[:5])
    console.print(Text(f"most frequent: {exact}", style="bright_black"))
    _heading(console, "Run shapes", "accesses and bytes by the shape of their run")
    _bars(console, [(shape.op, shape.shape, shape.accesses, size(shape.bytes)) for shape in summary.shapes])
    for shape in dict.fromkeys(shape.shape for shape in summary.shapes):
        console.print(Text(f"{shape}: {SHAPES[shape]}", style="bright_black"))
    for stride in summary.strides[:3]:
        words = f"{stride.op} {size(stride.requested)} every {size(stride.stride)}: {count(stride.accesses)} accesses"
        console.print(Text(words, style="bright_black"))


def _sizes(low: int) -> str:
    return size(low) if low < 2 else f"{size(low)} - {size(low * 2)}"


def _latency(summary: Summary, console: Console) -> None:
    for latency in summary.latencies:
        quantiles = (
            ("median", latency.p50_ns),
            ("90 %", latency.p90_ns),
            ("99 %", latency.p99_ns),
            ("max", latency.max_ns),
        )
        _heading(
            console, f"Latency of {latency.op}", ", ".join(f"{name} {duration(value)}" for name, value in quantiles)
        )
        used = [k for k, number in enumerate(latency.counts) if number]
        rows = [
            (latency.op, bucket_name(k), latency.counts[k], percent(latency.counts[k] / sum(latency.counts)))
            for k in used
        ]
        _bars(console, rows)


def bucket_name(bucket: int) -> str:
    """Return where a latency bucket begins; the first one has no lower edge, the last one no upper."""
    edge = 2 ** (bucket + HISTOGRAM_SHIFT)
    if bucket == 0:
        return f"< {duration(edge * 2)}"
    return f">= {duration(edge)}" if bucket == HISTOGRAM_BUCKETS - 1 else f"{duration(edge)} -"
