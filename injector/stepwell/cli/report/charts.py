"""The pictures of the report in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from stepwell.cli.format import count, duration, percent, plural, size, throughput
from stepwell.cli.report.plots import SHADES, bar, braille, fit, heading, level, resample, strip
from stepwell.cli.report.words import SHAPES, asynchronous, place, request, share
from stepwell.cli.report.words import latency as in_words
from stepwell.trace.definition import HISTOGRAM_BUCKETS, HISTOGRAM_SHIFT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from stepwell.analysis import Summary
    from stepwell.analysis.model import Picture

_PICTURE_ROWS = 6
_SHADE_STYLES = ("bright_black", "blue", "cyan", "yellow", "red")
_WORTH_BARS = 0.01
"""Accesses of a kind have their latencies drawn when they are at least this share of all."""


def label_width(console: Console) -> int:
    """Return how many columns the names of rows have."""
    return min(44, max(16, console.width // 3))


def row(console: Console, name: str, cells: str, note: str, style: str) -> None:
    """Print a picture of one row, between its name and a note."""
    line = Text(f"{name:<{label_width(console)}} ")
    line.append(cells, style=style)
    line.append(note, style="bright_black")
    console.print(line, no_wrap=True, overflow="crop")


def over_time(summary: Summary, console: Console) -> None:
    """Print bytes and waiting over time."""
    timeline, labels = summary.timeline, label_width(console)
    columns = max(10, console.width - labels - 14)
    seconds = timeline.slice_ns * len(timeline.read_bytes) / columns / 1e9
    heading(console, "Over time", f"one column is {duration(seconds * 1e9)}")
    rows = (
        ("read", resample(timeline.read_bytes, columns), throughput),
        ("written", resample(timeline.written_bytes, columns), throughput),
        (
            "in sync. accesses" if asynchronous(summary) else "threads in accesses",
            [ns / 1e9 for ns in resample(timeline.stall_ns, columns)],
            lambda value: f"{value:.2g}",
        ),
    )
    for name, cells, unit in rows:
        highest = max(cells)
        if highest > 0:
            bars = strip(cells, highest)
            row(console, name, bars, f" {unit(highest / seconds)}", "cyan" if name != "written" else "magenta")


def heat(summary: Summary, console: Console) -> None:
    """Print the heat strip: which files when."""
    labels = label_width(console)
    columns = max(10, console.width - labels - 14)
    rows = [(row, resample(row.cells, columns)) for row in summary.heat]
    highest = max(max(cells) for _, cells in rows)
    heading(console, "Files over time", f"{SHADES[0]} nothing to {SHADES[-1]} {size(highest)} in a column, logarithmic")
    for row, cells in rows:
        line = Text(f"{fit(place(row.label, summary), labels):<{labels}} ")
        for cell in cells:
            shade = level(cell, highest)
            line.append(SHADES[shade], style=_SHADE_STYLES[shade])
        line.append(f" {size(row.bytes):>10}", style="bright_black")
        console.print(line, no_wrap=True, overflow="crop")


def pictures(summary: Summary, console: Console) -> None:
    """Print where in the files of interest accesses went."""
    heading(console, "Offsets over time", "lines are runs; time goes right, offsets go up")
    chosen = summary.pictures
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
    text = Text(fit(place(picture.path, summary), width - 34), style="bold")
    text.append(f"  {size(picture.size)}, {plural(picture.runs, 'run')}{sample}\n", style="not bold bright_black")
    for row in braille(lines, (summary.trace.duration_ns, top), width, _PICTURE_ROWS):
        text.append(row + "\n", style="not bold cyan")
    return text


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


def requests(summary: Summary, console: Console) -> None:
    """Print how much was asked for at once."""
    heading(console, "Request sizes", "accesses by bytes asked for, and bytes transferred")
    _bars(console, [(b.op, request(b.low, b.high), b.accesses, size(b.bytes)) for b in summary.size_buckets])


def shapes(summary: Summary, console: Console) -> None:
    """Print how accesses follow each other."""
    heading(console, "Run shapes", "accesses and bytes by the shape of their run")
    _bars(console, [(shape.op, shape.shape, shape.accesses, size(shape.bytes)) for shape in summary.shapes])
    for shape in dict.fromkeys(shape.shape for shape in summary.shapes):
        console.print(Text(f"{shape}: {SHAPES[shape]}", style="bright_black"))
    for stride in summary.strides[:3]:
        words = f"{stride.op} {size(stride.requested)} every {size(stride.stride)}: {count(stride.accesses)} accesses"
        console.print(Text(words, style="bright_black"))


def latency(summary: Summary, console: Console) -> None:
    """Print how long accesses took."""
    for found in summary.latencies:
        timed = sum(found.counts)
        heading(console, f"Latency of {found.op}", in_words(found))
        if share(timed, summary.totals.accesses) >= _WORTH_BARS:
            _bars(
                console,
                [(found.op, bucket_name(k), n, percent(n / timed)) for k, n in enumerate(found.counts) if n],
            )


def bucket_name(bucket: int) -> str:
    """Return where a latency bucket begins; the first one has no lower edge, the last one no upper."""
    edge = 2 ** (bucket + HISTOGRAM_SHIFT)
    if bucket == 0:
        return f"< {duration(edge * 2)}"
    return f">= {duration(edge)}" if bucket == HISTOGRAM_BUCKETS - 1 else f"{duration(edge)} -"
