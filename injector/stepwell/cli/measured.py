"""A measured storage, drawn for a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from stepwell.cli import evidence
from stepwell.cli import format as human
from stepwell.cli.report.plots import SHADES, bar, heading, level
from stepwell.cli.report.terminal import put

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from stepwell.analysis.storage import Bench, Range

_BAR = 40


def show(bench: Bench) -> None:
    """Print it to standard output."""
    put(lambda console: render(bench, console), sys.stdout)


def render(bench: Bench, console: Console) -> None:
    """Print it, as wide as the console is."""
    console.print(
        Text(
            f"{human.printable(bench.path)} ({human.printable(bench.filesystem)}), "
            f"{human.plural(bench.files, 'file')}, {human.size(bench.data_bytes)}",
            style="bold",
        )
    )
    for sentence in sentences(bench):
        console.print(Text(sentence))
    for doubt in bench.doubts:
        console.print(Text(f"- {doubt}", style="yellow"))
    if bench.cells:
        _grid(bench, console)
        _alone(bench, console)
        _together(bench, console)


def sentences(bench: Bench) -> Iterator[str]:
    """Return what was found, in words."""
    if bench.latency_ns and bench.bytes_s:
        yield (
            f"A request takes {_within(bench.latency_ns, human.duration)} and then flows at "
            f"{_within(bench.bytes_s, evidence.rate)}; that is {human.percent((bench.error_permille or 0) / 1000)} "
            "off on average."
        )
    elif bench.cells:
        yield "Latency and rate cannot be told apart: too few reads, or too few sizes, were alone."
    if bench.knee_bytes:
        yield f"Below {human.size(bench.knee_bytes)} a request is mostly latency, above mostly bytes."
    if bench.request_bytes:
        yield (
            f"Reads beyond {human.size(bench.request_bytes)} take longer than that: they are taken apart into requests "
            "one after the other, or more is fetched than they ask for."
        )
    if bench.choice:
        one = bench.choice
        yield (
            f"Cheapest way to nearly all of it: {one.in_flight} at once of {human.size(one.block_bytes)}, "
            f"{human.throughput(one.bytes_s)} of {human.throughput(bench.most_bytes_s)}; "
            f"by Little's law {one.little_in_flight} at once."
        )
    if bench.open_ns is not None:
        yield f"Opening a file takes {human.duration(bench.open_ns)}."
    reads = "O_DIRECT" if bench.method == "direct" else "the page cache, of what was not in it"
    yield (
        f"{human.size(bench.read_bytes)} read in {human.duration(bench.elapsed_ns)}, through {reads}"
        + {"complete": ".", "interrupted": "; interrupted.", "hung": "; then reads hung."}[bench.status]
    )


def _within(one: Range, words: Callable[[float], str]) -> str:
    return f"{words(one.value)} [{words(one.low)}, {words(one.high)}]"


def _grid(bench: Bench, console: Console) -> None:
    heading(console, "MiB/s", "rows: size of a read; columns: reads at once; * the cheapest way to nearly all")
    rates = {(cell.block_bytes, cell.in_flight): cell.bytes_s for cell in bench.cells}
    columns = sorted({threads for _, threads in rates})
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("")
    for threads in columns:
        table.add_column(str(threads), justify="right")
    for block in sorted({block for block, _ in rates}):
        row = [Text(human.size(block), style="bold")]
        for threads in columns:
            rate = rates.get((block, threads))
            if rate is None:
                row.append(Text(""))
                continue
            best = bench.choice and (block, threads) == (bench.choice.block_bytes, bench.choice.in_flight)
            shade = SHADES[level(rate, bench.most_bytes_s)]
            row.append(Text(f"{shade} {_mebibytes(rate)}{'*' if best else ' '}", style="bold green" if best else ""))
        table.add_row(*row)
    console.print(table)


def _mebibytes(rate: int) -> str:
    return f"{rate / 2**20:,.0f}" if rate >= 100 << 20 else f"{rate / 2**20:.3g}"


def _alone(bench: Bench, console: Console) -> None:
    cells = [cell for cell in bench.cells if cell.in_flight == min(one.in_flight for one in bench.cells)]
    heading(console, "Time of a read", f"{human.plural(cells[0].in_flight, 'read')} at once")
    highest = max(cell.median_ns for cell in cells)
    for cell in cells:
        line = ""
        expected = bench.expected_ns(cell.block_bytes)
        if expected is not None and cell.block_bytes <= (bench.request_bytes or cell.block_bytes):
            line = f", by the line {human.duration(expected)}"
        _bar(
            console,
            human.size(cell.block_bytes),
            bar(cell.median_ns, highest, _BAR),
            human.duration(cell.median_ns) + line,
        )


def _together(bench: Bench, console: Console) -> None:
    if not bench.choice:
        return
    block = bench.choice.block_bytes
    heading(console, "Rate of more at once", f"reads of {human.size(block)}")
    for cell in bench.cells:
        if cell.block_bytes == block:
            value = f"{human.throughput(cell.bytes_s)}, each {human.duration(cell.median_ns)}"
            _bar(console, str(cell.in_flight), bar(cell.bytes_s, bench.most_bytes_s, _BAR), value)


def _bar(console: Console, name: str, drawn: str, value: str) -> None:
    console.print(Text(f"{name:>8} {drawn:<{_BAR}} {value}"))
