"""The command `report`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stepwell.cli.place import say, trace_number

if TYPE_CHECKING:
    from stepwell.cli.place import Place


@click.command(
    epilog="""\b
Examples:
  stepwell report                             the last trace, in the terminal
  stepwell report -o html > report.html       as a page that needs no network
  stepwell report --trace 7 -o json | jq .totals
  stepwell report --schema                    what the JSON's fields mean"""
)
@click.option(
    "--trace", default="last", show_default=True, metavar="ID", help="Trace to report; see `stepwell traces`."
)
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
    help="Write to this file. Default: standard output; html on a terminal goes to stepwell-trace-ID.html.",
)
@click.option(
    "--pictures",
    type=click.IntRange(min=1),
    metavar="N",
    help="Files that get a picture of their own.  [default: 4 in the terminal, else 24]",
)
@click.option("--schema", is_flag=True, help="Show the JSON Schema of -o json instead.")
@click.pass_obj
def report(place: Place, trace: str, form: str, path: Path | None, pictures: int | None, schema: bool) -> None:
    """Show what a trace holds: who read which files, where in them, how fast, and how long it waited."""
    from stepwell.analysis import summarize
    from stepwell.cli.report import document, page, terminal

    if schema:
        _write(document.schema(), path)
        return
    shown = {"rows": terminal.ROWS, "pictures": terminal.PICTURES} if form == "table" else {}
    if pictures:
        shown["pictures"] = pictures
    with place.reading() as store:
        number = trace_number(store, trace)
        summary = summarize(store, number, **shown)
    if form == "json":
        _write(document.document(summary), path)
    elif form == "html":
        if path is None and sys.stdout.isatty():
            path = Path(f"stepwell-trace-{number}.html")
            say(f"the page is {path.absolute()}")
        _write(page.page(summary), path)
    else:
        terminal.write(summary, path)


def _write(text: str, path: Path | None) -> None:
    with click.open_file(path or "-", "w", encoding="utf-8") as stream:
        stream.write(text)
