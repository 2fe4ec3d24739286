"""Results on standard output as tables for people; the forms for programs are the store's."""

from __future__ import annotations

import json
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stepwell.cli.format import printable
from stepwell.cli.place import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pyarrow as pa

TABLE_ROWS = 1000
"""Rows that a table shows at most; the forms for programs have them all."""

WIDE = 100_000
"""Width of a table that is not on a terminal: whatever reads it does its own wrapping."""

table_or_json = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="Form of the result.",
)


def write(text: str, path: Path | None) -> None:
    """Write a result to a file, or to standard output."""
    with click.open_file(path or "-", "w", encoding="utf-8") as stream:
        stream.write(text)


def write_page(text: str, path: Path | None, name: str) -> None:
    """Write a page to a file, or to standard output; where that is a terminal, to the file `name` here, and say so."""
    if path is None and sys.stdout.isatty():
        path = Path(name)
        say(f"the page is {path.absolute()}")
    write(text, path)


def schema_option(schema: Callable[[], Any]) -> Callable[[Any], Any]:
    """Return the option that shows a JSON Schema instead of doing anything; it is made when it is asked for."""

    def show(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
        if asked and not ctx.resilient_parsing:
            click.echo(json.dumps(schema(), indent=2))
            ctx.exit()

    return click.option(
        "--schema", is_flag=True, is_eager=True, expose_value=False, callback=show,
        help="Show the JSON Schema of -o json instead.",
    )  # fmt: skip


def print_table(headings: Iterable[str], rows: Iterable[Iterable[str]], right: frozenset[str] = frozenset()) -> None:
    """Print a table; the columns named in `right` hold numbers."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(Text(heading), justify="right" if heading in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDE
    console.print(table, soft_wrap=not console.is_terminal)


def print_rows(reader: pa.RecordBatchReader) -> None:
    """Print a query's result as a table, the first `TABLE_ROWS` rows of it."""
    import pyarrow.types as kinds

    numeric = (kinds.is_integer, kinds.is_floating, kinds.is_decimal)
    right = frozenset(field.name for field in reader.schema if any(is_kind(field.type) for is_kind in numeric))
    rows = _rows(reader)
    print_table(reader.schema.names, list(islice(rows, TABLE_ROWS)), right)
    if next(rows, None) is not None:
        say(f"these are the first {TABLE_ROWS:,} rows; -o csv, json, arrow or parquet gives all")


def _rows(reader: pa.RecordBatchReader) -> Iterator[list[str]]:
    for batch in reader:
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield [_cell(value) for value in row]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | dict):
        return json.dumps(value, default=str)
    return str(value).lower() if isinstance(value, bool) else printable(str(value))
