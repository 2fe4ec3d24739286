"""`stepwell traces`, `export` and `rm`: the recordings there are."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stepwell.cli import format as human
from stepwell.cli.output import print_table, table_or_json
from stepwell.cli.place import say, trace_number

if TYPE_CHECKING:
    from stepwell.cli.place import Place

_NUMBERS = frozenset({"TRACE", "DURATION", "EXIT", "ACCESSES", "BYTES", "LOST"})


@click.command(
    epilog="""\b
Examples:
  stepwell traces
  stepwell traces -o json      an array of objects with the columns of the view `traces`""",
)
@table_or_json
@click.pass_obj
def traces(place: Place, output: str) -> None:
    """List the traces, oldest first."""
    from stepwell.store import NoTraceError, write_json

    try:
        with place.reading() as store:
            if output == "json":
                write_json(store.query("select * from traces order by trace"), sys.stdout.buffer)
            else:
                print_table(
                    ("TRACE", "STARTED", "DURATION", "STATUS", "EXIT", "ACCESSES", "BYTES", "LOST", "WHAT"),
                    map(_row, store.traces()),
                    _NUMBERS,
                )
    except NoTraceError as error:
        # No store yet: an empty list is the answer.
        if output == "json":
            click.echo("[]")
        say(str(error))


def _row(trace: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(trace["trace"]),
        f"{trace['started'].astimezone():%Y-%m-%d %H:%M:%S}",
        human.duration(trace["duration_ns"]),
        trace["status"],
        "" if trace["exit_code"] is None else str(trace["exit_code"]),
        human.count(trace["accesses"]),
        human.size(trace["bytes"]),
        human.count(trace["lost"]),
        human.printable(trace["command"] or trace["scope"] or ""),
    )


@click.command(
    epilog="""\b
Examples:
  stepwell export last -o trace
  stepwell export 7 -o /tmp/trace7

\b
TRACE is a number from `stepwell traces`, or last. The directory holds manifest.json,
which describes every column, and VIEW.parquet for each view but `accesses`, whose rows
follow from `runs`.""",
)
@click.argument("trace")
@click.option("-o", "--output", "directory", required=True, type=click.Path(path_type=Path), help="Directory to make.")
@click.pass_obj
def export(place: Place, trace: str, directory: Path) -> None:
    """Write one trace as Parquet files into a new directory."""
    import stepwell.store

    with place.reading() as store:
        stepwell.store.export(store, trace_number(store, trace), directory)
    click.echo(directory)


@click.command(
    epilog="""\b
Examples:
  stepwell rm 7
  stepwell rm 3 4 last

\b
TRACE is a number from `stepwell traces`, or last. All of them are removed, or none.""",
)
@click.argument("trace", nargs=-1, required=True)
@click.pass_obj
def rm(place: Place, trace: tuple[str, ...]) -> None:
    """Remove traces from the store."""
    with place.writing() as store:
        numbers = sorted({trace_number(store, one) for one in trace})
        store.remove(numbers)
    say(f"removed {human.plural(len(numbers), 'trace')}: {', '.join(map(str, numbers))}")
