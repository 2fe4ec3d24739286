"""`stepwell query`: ask the store in SQL."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from stepwell.cli.output import print_rows

if TYPE_CHECKING:
    from stepwell.cli.place import Place

_BINARY = ("arrow", "parquet")


@click.command(
    epilog="""\b
Examples:
  stepwell query --schema
  stepwell query "select path, sum(size) from accesses group by path"
  stepwell query "select * from runs where trace = 7" -o parquet > runs.parquet
  stepwell query - -o json < question.sql

\b
Forms: table (the first 1,000 rows), json (an array of objects), csv (with a header),
arrow (IPC stream) and parquet.""",
)
@click.argument("sql", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "csv", *_BINARY]),
    default="table",
    show_default=True,
    help="Form of the result.",
)
@click.option("--schema", is_flag=True, help="Show the views and their columns instead.")
@click.pass_obj
def query(place: Place, sql: str | None, output: str, schema: bool) -> None:
    """Run one read-only SQL query, in DuckDB's dialect; - reads it from standard input."""
    from stepwell.store import WRITERS, schema_text

    if schema:
        click.echo(schema_text(), nl=False)
        return
    if sql is None:
        raise click.UsageError("Give a query, or --schema to see what can be asked about.")
    if output in _BINARY and sys.stdout.isatty():
        raise click.UsageError(f"{output} is not for a terminal; send it to a file with > FILE.")
    if sql == "-":
        sql = sys.stdin.read()
    with place.reading() as store:
        rows = store.query(sql)
        if output == "table":
            print_rows(rows)
        else:
            WRITERS[output](rows, sys.stdout.buffer)
