"""`stepwell warm`: files read once before they are needed."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stepwell.cli import format as human
from stepwell.cli.interrupts import deadly_interrupts, stopped_in_order
from stepwell.cli.output import table_or_json
from stepwell.cli.place import say, trace_number
from stepwell.cli.progress import ProgressLine
from stepwell.cli.values import Bandwidth, Octets, StoragePath

if TYPE_CHECKING:
    from stepwell.cli.place import Place
    from stepwell.warm import File, Warmed

_FAILED = 1
_MOST = 128
"""Reads at once: half of the engine's workers, because one that has answered is not free at once."""

_NAMED = 10
_SMALLEST, _LARGEST = 4096, 64 << 20


@click.command(
    epilog="""\b
Examples:
  stepwell warm /mnt/data/train                            all files, by name
  stepwell warm /mnt/data --bandwidth 200MiB/s --concurrency 64
  stepwell warm /mnt/data --order popularity               what was read most comes first
  stepwell warm /mnt/data --order trace --trace 7          in the order in which trace 7 read it

\b
Files are read through the mount, so that they are in whatever cache is on the way: the
page cache, or that of the mount's client. Large files are read in pieces, several at
once. What is in the page cache already is not read. Files that an order does not know
come last, by name. Symbolic links below PATH and other mounts below it are left out.

\b
What was read is noted in $XDG_STATE_HOME/stepwell/warm, for this machine until it is
booted again. Stopped, killed or given up as the storage hung, and run again with the same
PATHs, it goes on: what was read is not read again, whatever became of the caches since
(--restart forgets it), unless the file has another size or inode. A run that comes to its
end removes the note, though files may have failed: the next one is new.

\b
Exit codes: 0 all was read; 1 files failed or directories could not be listed (they are
named), or the storage hangs; 2 wrong usage; 4, 5 no such store or trace; 130 stopped by
Ctrl-C, 143 and 129 by SIGTERM and SIGHUP. Files that are removed meanwhile are no failures."""
)
@click.argument("paths", nargs=-1, required=True, type=StoragePath(exists=True, path_type=Path), metavar="PATH...")
@click.option("--bandwidth", type=Bandwidth(), default="0", help="Bytes a second at most.  [default: no limit]")
@click.option(
    "--concurrency", type=click.IntRange(1, _MOST), default=32, show_default=True, help="Reads on their way at once."
)
@click.option("--block-size", "block", type=Octets(), help="Bytes of a read.  [default: as the mount reads ahead]")
@click.option(
    "--order",
    type=click.Choice(["name", "popularity", "trace"]),
    default="name",
    show_default=True,
    help="What comes first: by name, by accesses in all traces, or by first access in one.",
)
@click.option("--trace", default=None, metavar="TRACE", help="For --order trace: its number, or last.  [default: last]")
@click.option("--restart", is_flag=True, help="Begin anew, whatever was read before an interruption.")
@table_or_json
@click.pass_obj
def warm(
    place: Place,
    paths: tuple[Path, ...],
    bandwidth: int,
    concurrency: int,
    block: int | None,
    order: str,
    trace: str | None,
    restart: bool,
    output: str,
) -> int:
    """Bring files into the caches on the way to them, by reading them once."""
    from platformdirs import PlatformDirs

    from stepwell.warm import Failure, Journal, Limits, find, targets
    from stepwell.warm import warm as run

    if block is not None and (block % _SMALLEST or not _SMALLEST <= block <= _LARGEST):
        raise click.BadParameter("sizes are multiples of 4KiB up to 64MiB", param_hint="--block-size")
    if trace is not None and order != "trace":
        raise click.UsageError("--trace says which trace --order trace goes by; give --order trace as well")
    unlisted: list[Failure] = []
    with deadly_interrupts():
        wanted = targets(paths)
        batches: Iterator[list[File]] = (batch for target in wanted for batch in find(target, unlisted.append))
        found = [file for batch in batches for file in batch] if order != "name" else []
    if order != "name":
        batches = iter([_ordered(place, found, paths, order, trace or "last")])
    line = ProgressLine()
    state = PlatformDirs("stepwell").user_state_path / "warm"
    with Journal.of(state, [target.name for target in wanted], restart) as journal, stopped_in_order() as came:
        result = run(
            batches,
            dict.fromkeys(target.root for target in wanted),
            Limits(concurrency, bandwidth, block or 0),
            journal,
            lambda now: line.show(
                f"{human.count(now.done)} of {human.plural(now.files, 'file')}{'' if now.listed else ' so far'}, "
                f"{human.size(now.brought_bytes)}, "
                f"{human.throughput(now.brought_bytes * 1e9 / max(now.elapsed_ns, 1))}"
                + (f", {now.failed:,} failed" if now.failed else "")
            ),
            unlisted,
        )
    line.clear()
    if output == "json":
        click.echo(json.dumps(asdict(result)))
    else:
        _print(result)
    if result.forgotten and result.status != "complete":
        say(f"{result.forgotten}: what was read is not noted, and would be read anew; make room, or set XDG_STATE_HOME")
    if result.status == "hung":
        say(
            "error: the storage does not answer; look at what serves the mount, then run the same again, "
            "with --restart if it was mounted anew"
        )
        sys.stdout.flush()
        os._exit(_FAILED)  # threads that hang in the kernel let no ordinary end of a process come
    if result.status == "interrupted":
        say("stopped" if result.forgotten else "stopped; the same command goes on from here")
        return 128 + (came or [signal.SIGINT])[0]
    return _FAILED if result.failed or result.unlisted else 0


def _ordered(place: Place, files: list[File], paths: tuple[Path, ...], order: str, trace: str) -> list[File]:
    """Return the files in the order asked for; those that it does not know come last, by name."""
    from stepwell.analysis.wanted import by_first_access, by_popularity

    with place.reading() as store:
        wanted = by_popularity(store) if order == "popularity" else by_first_access(store, trace_number(store, trace))
    # A trace that another tool made may have the targets by the names of symbolic links.
    links = [(str(path.absolute()), str(path.resolve())) for path in paths]
    ranks: dict[str, int] = {}
    for rank, name in enumerate(wanted):
        link = next((one for one in links if f"{name}/".startswith(f"{one[0]}/")), ("", ""))
        ranks.setdefault(link[1] + name.removeprefix(link[0]), rank)
    if not any(file.name in ranks for file in files):
        say("no trace knows these files, so they come by name")
    return sorted(files, key=lambda file: (ranks.get(file.name, len(ranks)), file.name))


def _print(result: Warmed) -> None:
    told = (
        f"{human.count(result.done)} of {human.plural(result.files, 'file')}: {human.size(result.brought_bytes)} read "
        f"in {human.duration(result.elapsed_ns)}, {human.throughput(result.bytes_s)}"
    )
    if result.resident_bytes:
        told += f"; {human.size(result.resident_bytes)} were in memory"
    if result.gone:
        told += f"; {human.plural(result.gone, 'file')} were gone"
    if result.known_bytes:
        told += f"; {human.size(result.known_bytes)} were read before"
    click.echo(told)
    for failure in result.failures[:_NAMED]:
        click.echo(f"FAILED: {human.printable(failure.path)}: {failure.error}")
    if result.failed > _NAMED:
        click.echo(f"FAILED: {human.plural(result.failed - _NAMED, 'further file')}; -o json names them")
    for directory in result.unlisted[:_NAMED]:
        click.echo(f"NOT LISTED: {human.printable(directory.path)}: {directory.error}")
    if len(result.unlisted) > _NAMED:
        click.echo("NOT LISTED: further directories; -o json names them")
