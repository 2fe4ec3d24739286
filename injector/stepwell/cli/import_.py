"""`stepwell import`: other tools' traces into the store."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stepwell.cli import format as human
from stepwell.cli.output import print_table, table_or_json
from stepwell.cli.place import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stepwell.cli.place import Place
    from stepwell.collectors.importers.source import Progress

SOME_FAILED = 6
"""Exit code when a file could not be imported."""


class _Formats(click.ParamType[str]):
    """The name of a format; the list is made when it is asked for, so that --help of others stays quick."""

    name = "format"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from stepwell.collectors.importers import FORMATS

        if value not in FORMATS:
            self.fail(f"{value!r} is not one of {', '.join(FORMATS)}.", param, ctx)
        return value


@click.command(
    "import",
    epilog="""\b
Examples:
  stepwell import accesses.csv
  strace -f -ttt -T -y -o log.txt ./job; stepwell import log.txt
  stepwell import job.*.log --format fio --keep-going
  stepwell import accesses.parquet -o json     an array of objects, one for each file

\b
Each file becomes one trace. Importing the same content again changes nothing and tells the trace it is.
The format is found by content; IMPORT.md says of each what is read and what it cannot say.

\b
Formats: `stepwell import --formats` lists them.

\b
Exit codes:
  0    every file is in the store, from now or before
  6    a file is damaged, of no known format, or cannot be read: nothing of it was imported
Without --keep-going the first such file ends the import; those before it stay imported.""",
)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--format", "format_name", type=_Formats(), metavar="NAME", help="Format of all files.")
@click.option("--keep-going", is_flag=True, help="After a file that cannot be imported, go on with the next.")
@click.option("--formats", is_flag=True, help="List the formats instead.")
@table_or_json
@click.pass_obj
def import_(
    place: Place, *, files: tuple[Path, ...], format_name: str | None, keep_going: bool, formats: bool, output: str
) -> int:
    """Bring other tools' traces into the store, one trace for each FILE."""
    from stepwell.collectors.importers import FORMATS, InputError

    if formats:
        print_table(("FORMAT", "WHAT"), ((made.name, made.doc) for made in FORMATS.values()))
        return 0
    if not files:
        raise click.UsageError("What is to be imported? Give one or more files, or --formats to list what can be.")
    place.check_writable()
    _sweep(place)
    done: list[dict[str, Any]] = []
    failed = 0
    try:
        for file in files:
            try:
                done.append(_one(place, file, format_name))
            except InputError as error:
                failed = SOME_FAILED
                if not keep_going:
                    raise
                say(f"error: {error}")
    finally:
        _print(done, output)
    return failed


def _one(place: Place, file: Path, format_name: str | None) -> dict[str, Any]:
    """Import one file and return what became of it."""
    from stepwell.collectors.importers import Import
    from stepwell.store import NoTraceError, ingest

    with _progress(file) as progress, Import(file, place.spools, format_name, progress) as bringing:
        with suppress(NoTraceError), place.reading() as store:
            for trace in store.traces():
                if trace["uuid"] == bringing.uuid:
                    return _result(file, bringing.format.name, trace, new=False)
        bringing.write()
        with place.writing() as store:
            taken = ingest(store, bringing.spool)
            (trace,) = (row for row in store.traces() if row["trace"] == taken.trace)
            return _result(file, bringing.format.name, trace, new=taken.new)


def _result(file: Path, format_name: str, trace: dict[str, Any], *, new: bool) -> dict[str, Any]:
    from stepwell.collectors.importers import SKIPPED

    return {
        "file": str(file),
        "trace": trace["trace"],
        "new": new,
        "format": format_name,
        "accesses": trace["accesses"],
        "bytes": int(trace["bytes"]),
        "lost": trace["lost"],
        "skipped": {
            reason.removeprefix(SKIPPED): count
            for reason, count in trace["degraded"].items()
            if reason.startswith(SKIPPED)
        },
        "limits": trace["coverage"],
    }


def _print(done: list[dict[str, Any]], output: str) -> None:
    if output == "json":
        click.echo(json.dumps(done, indent=1))
        return
    if done:
        headings = ("TRACE", "FORMAT", "ACCESSES", "BYTES", "SKIPPED", "FILE")
        print_table(headings, map(_row, done), frozenset(headings[2:5]) | {"TRACE"})
    for one in done:
        name = human.printable(one["file"])
        if not one["new"]:
            say(f"{name} is already in the store, as trace {one['trace']}")
        for reason, count in one["skipped"].items():
            say(f"{name}: skipped {human.count(count)}: {reason}")
    for limit in dict.fromkeys(limit for one in done for limit in one["limits"]):
        say(f"limit: {limit}")


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    skipped = sum(one["skipped"].values())
    numbers = (human.count(one["accesses"]), human.size(one["bytes"]), human.count(skipped))
    return (str(one["trace"]), one["format"], *numbers, human.printable(one["file"]))


def _sweep(place: Place) -> None:
    """Delete what imports that were killed have left: files that nobody holds locked."""
    import fcntl

    from stepwell.collectors.importers import SUFFIX

    for path in place.spools.glob(f"*{SUFFIX}"):
        with suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


@contextmanager
def _progress(file: Path) -> Iterator[Progress | None]:
    """Show on a terminal how much of the file has been read."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.text import Text

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(str(Text(human.printable(file.name))), total=None)
        yield lambda read, size: bar.update(task, completed=read, total=size)
