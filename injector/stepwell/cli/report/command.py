"""The command `report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stepwell.cli.output import write, write_page
from stepwell.cli.place import trace_number

if TYPE_CHECKING:
    from stepwell.cli.place import Place

_ROOM = {"table": (20, 4), "json": (48, 24), "html": (48, 24)}
"""Most rows of the heat strip, and most files with a picture of their own, in each form."""


@click.command(
    epilog="""\b
Examples:
  stepwell report                             the last trace, in the terminal
  stepwell report -o html > report.html       as a page that needs no network
  stepwell report --trace 7 -o json | jq .totals
  stepwell report --schema                    what the JSON's fields mean

\b
Files of programs rather than data are put together, as "programs and libraries", unless
nothing else was read: what nobody wrote to in /bin, /sbin, /lib*, /etc, /boot, the same
under /usr and /usr/local, in lib/python3*, site-packages and node_modules; shared
libraries (.so) and .pyc; programs, which were only mapped; shared memory; /proc and /sys.
Totals, JSON and the store count them all.

\b
The JSON's `version` is raised when a field goes away or changes its type or meaning, its
`minor` when fields or kinds of findings are added: ignore what you do not know."""
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
@click.option("--software", is_flag=True, help="Show programs and libraries like data; see below.")
@click.option("--schema", is_flag=True, help="Show the JSON Schema of -o json instead.")
@click.pass_obj
def report(
    place: Place, trace: str, form: str, path: Path | None, pictures: int | None, software: bool, schema: bool
) -> None:
    """Show what a trace says: who read which files and how, where it waited, and what would help."""
    from stepwell.analysis import summarize, understand
    from stepwell.cli.report import document, terminal

    if schema:
        write(document.schema(), path)
        return
    heat_rows, most_pictures = _ROOM[form]
    with place.reading() as store:
        number = trace_number(store, trace)
        summary = summarize(
            store, number, heat_rows=heat_rows, most_pictures=pictures or most_pictures, fold=not software
        )
        insight = understand(store, number, [file.file for file in summary.files])
    if form == "json":
        write(document.document(summary, insight), path)
    elif form == "html":
        from stepwell.cli.report.page import page

        write_page(page(summary, insight), path, f"stepwell-trace-{number}.html")
    else:
        terminal.write(summary, insight, path, place.command)
