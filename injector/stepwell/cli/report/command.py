"""The command `report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from stepwell.cli.place import Place


@click.command()
@click.option("--trace", default="last", show_default=True, metavar="ID", help="Trace to report; see `stepwell traces`.")
@click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice(["table", "json", "html"]),
    default="table",
    show_default=True,
    help="Form: pictures and tables for the terminal, JSON for programs, or one self-contained page.",
)
@click.option(
    "--file",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file. Default: standard output; for html stepwell-trace-ID.html here.",
)
@click.option(
    "--pictures",
    type=click.IntRange(min=1),
    metavar="N",
    help="Files that get a picture of their own.  [default: 4 in the terminal, else 24]",
)
@click.pass_obj
def report(place: Place, trace: str, form: str, path: Path | None, pictures: int | None) -> None:
    """Show what a trace holds: who read which files, where in them, how fast, and how long it waited."""
    from stepwell.analysis import summarize
    from stepwell.cli.place import trace_number

    with place.reading() as store:
        number = trace_number(store, trace)
        if form == "table":
            from stepwell.cli.report import terminal

            summary = summarize(store, number, rows=terminal.ROWS, pictures=pictures or terminal.PICTURES)
        else:
            summary = summarize(store, number, pictures=pictures or 24)
    if form == "html":
        from stepwell.cli.report.page import page

        path = path or Path(f"stepwell-trace-{number}.html")
        path.write_text(page(summary), encoding="utf-8")
        click.echo(path)
    elif form == "json":
        from stepwell.cli.report.document import document

        _write(document(summary), path)
    else:
        from rich.console import Console

        with click.open_file(path or "-", "w", encoding="utf-8") as stream:
            terminal.render(summary, Console(file=stream, highlight=False, markup=False, emoji=False))


def _write(text: str, path: Path | None) -> None:
    with click.open_file(path or "-", "w", encoding="utf-8") as stream:
        stream.write(text)
