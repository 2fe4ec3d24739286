"""The command `replay`."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stepwell.cli import format as human
from stepwell.cli.output import print_table, schema_option, table_or_json
from stepwell.cli.place import say, trace_number
from stepwell.cli.progress import ProgressLine

if TYPE_CHECKING:
    from stepwell.cli.place import Place
    from stepwell.replay import Files, Replay

_INTERRUPTED = 128 + 2
_FAILED = 1


class Speed(click.ParamType[float]):
    """A pace: `max`, or a factor such as 1x, 2x, 0.5x."""

    name = "speed"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the factor, 0 for `max`."""
        if isinstance(value, float):
            return value
        if value == "max":
            return 0.0
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?x?", value) or not float(value.rstrip("x")):
            self.fail(f"{value!r} is not max or a factor such as 1x, 2x or 0.5x", param, ctx)
        return float(value.rstrip("x"))


def _schema() -> Any:
    from stepwell.analysis.form import described
    from stepwell.replay import Replay

    return described(Replay, "stepwell replay -o json")


@click.command(
    epilog="""\b
Examples:
  stepwell replay last --on /mnt/other/data                the same files, copied there before
  stepwell replay 7 --on /mnt/new --make-files             files of the same sizes, made there
  stepwell replay 7 --under /data/train --on /mnt/train    one recorded directory of several
  stepwell replay 7 --on /mnt/new --speed max -o json      as fast as the storage can
  stepwell record -- stepwell replay 7 --on /mnt/new       and see for yourself

\b
The deepest directory common to the replayed files, or --under, is replaced by DIR; each file is
looked for under the same path below it. Neither .. nor a symbolic link leads out of DIR.
A file of the same path on another device is looked for as NAME~2.
Reads are issued with recorded offset and size, by as many threads as were recorded, each
in its order; processes become threads of one process. Page faults are repeated on the
recorded ranges (as reads), sendfile, splice and copies read their source into nothing.
A thread that made asynchronous accesses gets as many workers as it had accesses under
way on average, 64 at most. Opens and everything but accesses take their own time.

\b
At 1x an access starts at its recorded time; a thread that is late goes on at once, and
how late is told. At max a thread waits for nothing but the threads that had ended before
it began. Writes are left out; --writes issues them to files that --make-files made (they
are listed in DIR/.stepwell-replay), and to nothing else.

\b
Exit codes:
  0    every access was issued and none failed
  1    an access failed (the result says which error), or any other error
  2    wrong usage
  4    the store cannot be used
  5    no such trace
  130  stopped by Ctrl-C; the result says how far it came"""
)
@click.argument("trace")
@click.option(
    "--on",
    "directory",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Directory that takes the place of the recorded files'.",
)
@click.option(
    "--under",
    metavar="RECORDED",
    help="Replay the files below this recorded directory alone, which DIR takes the place of.",
)
@click.option("--speed", type=Speed(), default="1x", show_default=True, metavar="1x|2x|0.5x|max", help="Pace.")
@click.option("--make-files", is_flag=True, help="Make the files that are missing, in their recorded sizes.")
@click.option("--sparse", is_flag=True, help="With --make-files: files without content, which storage need not read.")
@click.option("--writes", is_flag=True, help="Write, too, to files that --make-files made.")
@click.option("--software", is_flag=True, help="Replay programs and libraries, too.")
@schema_option(_schema)
@table_or_json
@click.pass_obj
def replay(
    place: Place,
    trace: str,
    directory: Path,
    under: str | None,
    speed: float,
    make_files: bool,
    sparse: bool,
    writes: bool,
    software: bool,
    output: str,
) -> int:
    """Issue the accesses of TRACE again on files below DIR: the same order, times and concurrency."""
    from stepwell.replay import Files, replay, schedule, select

    if sparse and not make_files:
        raise click.UsageError("--sparse says how to make files; give --make-files as well")
    with place.reading() as store:
        selection = select(store, trace_number(store, trace), under=under, writes=writes, software=software)
        plan = schedule(store, selection)
    with Files(directory, selection, make=make_files) as files:
        _prepare(files, make=make_files, sparse=sparse, total=len(selection.sizes))
        files.check_written()
        if files.smaller:
            say(
                f"{human.plural(files.smaller, 'file')} below {directory} are smaller than recorded and are left as"
                " they are; reads beyond their ends get less"
            )
        line, total = ProgressLine(), human.plural(plan.accesses, "access", "accesses")
        result = replay(
            selection, plan, files, pace=speed, progress=lambda done: line.show(f"{human.count(done)} of {total}")
        )
        line.clear()
    if output == "json":
        click.echo(json.dumps(asdict(result)))
    else:
        _print(result)
    if result.status == "interrupted":
        return _INTERRUPTED
    return _FAILED if result.errors else 0


def _prepare(files: Files, *, make: bool, sparse: bool, total: int) -> None:
    from stepwell.replay import ReplayError

    if files.missing and not make:
        raise ReplayError(
            f"{len(files.missing):,} of {human.plural(total, 'file')} are missing below {files.path}, such as "
            f"{human.printable(files.missing[0])}; copy them there, or make them with --make-files"
        )
    if files.missing:
        line = ProgressLine()
        made = files.make_missing(
            sparse=sparse,
            progress=lambda done, all_: line.show(f"making files: {human.size(done)} of {human.size(all_)}"),
        )
        line.clear()
        say(f"made {human.plural(made, 'file')} below {files.path}")


def _print(result: Replay) -> None:
    """Print the result for people: in words, then per kind of access."""
    for sentence in _words(result):
        click.echo(sentence)
    click.echo()
    rows = []
    for one in result.operations:
        for name, side in (("recorded", one.recorded), ("replayed", one.replayed)):
            times = (side.p50_ns, side.p90_ns, side.p99_ns, side.max_ns)
            rows.append(
                (
                    one.op,
                    name,
                    human.count(side.accesses),
                    human.size(side.bytes),
                    human.duration(side.latency_ns),
                    *(human.duration(time) if time else "-" for time in times),
                )
            )
    headings = ("op", "", "accesses", "bytes", "time", "median", "90 %", "99 %", "max")
    print_table(headings, rows, frozenset(headings[2:]))


def _words(result: Replay) -> list[str]:
    pace = "as fast as possible" if not result.speed else f"at {result.speed:g}x"
    left = result.left_out
    told = [
        (
            f"Trace {result.trace} replayed {pace} on {human.printable(result.directory)}, in place of"
            f" {human.printable(result.root)}: {human.count(result.issued)} of"
            f" {human.plural(result.planned, 'access', 'accesses')} on {human.plural(result.files, 'file')} by"
            f" {human.plural(result.threads, 'thread')}{', interrupted' if result.status == 'interrupted' else ''}."
        ),
        (
            f"It took {human.duration(result.replayed_ns)}, recorded were {human.duration(result.recorded_ns)};"
            f" {human.duration(result.replayed_stall_ns)} of its threads' time went into accesses,"
            f" recorded were {human.duration(result.recorded_stall_ns)}."
        ),
    ]
    if result.workers > result.threads:
        told.append(f"Asynchronous accesses were issued by {result.workers - result.threads:,} further threads.")
    if result.late.accesses:
        told.append(
            f"{human.plural(result.late.accesses, 'access', 'accesses')} began more than 1 ms late, the latest"
            f" {human.duration(result.late.max_ns)}; the mean of all is {human.duration(result.late.mean_ns)}."
        )
    for name, count in result.errors.items():
        told.append(f"FAILED: {human.plural(count, 'access', 'accesses')} with {name}.")
    other = sum(one.other_size for one in result.operations)
    if other:
        told.append(f"{human.plural(other, 'access', 'accesses')} transferred another number of bytes than recorded.")
    if result.undirect:
        told.append(f"{human.plural(result.undirect, 'open file')} could not be opened with O_DIRECT, as recorded.")
    without = [
        (left.software_accesses, f"to {human.plural(left.software_files, 'file')} of programs (see --software)"),
        (left.elsewhere_accesses, f"to {human.plural(left.elsewhere_files, 'file')} elsewhere"),
        (left.writes, "that wrote (see --writes)"),
        (left.nameless_accesses, f"to {human.plural(left.nameless_files, 'file')} without a known path"),
    ]
    told += [f"Left out: {human.plural(count, 'access', 'accesses')} {what}." for count, what in without if count]
    return told
