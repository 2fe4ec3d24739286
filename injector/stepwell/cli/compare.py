"""The command `compare`: two traces, in words first, then as tables."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from stepwell.cli.format import count, duration, plural, printable, size
from stepwell.cli.output import print_table, schema_option, table_or_json
from stepwell.cli.place import trace_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stepwell.analysis.compare import Comparison
    from stepwell.analysis.compare.model import Change
    from stepwell.cli.place import Place

_LISTED = 12
"""Most rows of a table."""

_VERDICTS = {"real": "real", "noise": "within noise", "small": "small", "equal": "", "unknown": "unknown"}


def _schema() -> Any:
    from stepwell.analysis.compare import Comparison
    from stepwell.analysis.form import described

    return described(Comparison, "stepwell compare -o json")


@click.command(
    epilog="""\b
Examples:
  stepwell compare 3 4                  what changed from trace 3 to trace 4
  stepwell compare 3 last -o json | jq '.changes[] | select(.verdict == "real")'
  stepwell compare --schema             what the JSON's fields mean

\b
Counts and bytes are exact: any difference is real. Times vary, so that they come with a
95 % interval of their ratio: each trace is cut into 512 slices of time, of which blocks
are drawn anew 2,000 times. Start-up and end, outside the middle 98 % of its bytes, happen
once: a duration that differs by them alone is within noise. That shows how unsteady each
run was, not how whole runs differ, which one run of each cannot show: a time must
therefore differ by 15 % beyond the interval's ends, and by 10 ms in all (less is called
small), to be real. When the store has three or more complete traces of the same command
in the same directory, the spread between them is the noise for duration and processor
time instead. A time that nothing tells the spread of is unknown. A long run of accesses
counts evenly over its time.

\b
Files are matched by path; when the traces share no path, below the directory common to
each one's data. Programs and libraries are left out, but for duration, processor time,
processes and threads, unless there is nothing else. How a program is loaded varies.

\b
Exit codes:
  0  compared, whatever was found
  2  wrong usage
  4  the store cannot be used
  5  no such trace"""
)
@click.argument("a")
@click.argument("b")
@schema_option(_schema)
@table_or_json
@click.pass_obj
def compare(place: Place, a: str, b: str, output: str) -> None:
    """Show what changed from trace A to trace B, and what of it is more than noise."""
    from stepwell.analysis.compare import compare

    with place.reading() as store:
        found = compare(store, trace_number(store, a), trace_number(store, b))
    if output == "json":
        click.echo(json.dumps(asdict(found)))
    else:
        _print(found)


def _print(found: Comparison) -> None:
    click.echo(f"A: trace {found.a.trace}, {printable(found.a.command)}, {found.a.started}")
    click.echo(f"B: trace {found.b.trace}, {printable(found.b.command)}, {found.b.started}\n")
    for sentence in _words(found):
        click.echo(printable(sentence))
    shown = [one for one in found.changes if one.scope == "trace" or (one.scope == "op" and one.verdict != "equal")]
    _figures(shown)
    for scope in ("process", "dataset"):
        differing = [one for one in found.changes if one.scope == scope and one.verdict == "real"]
        if differing:
            click.echo()
            _figures(differing[:_LISTED])
    if found.sizes:
        click.echo()
        rows = [(one.op, size(one.requested), count(one.accesses_a), count(one.accesses_b)) for one in found.sizes]
        print_table(("op", "request", "A", "B"), rows[:_LISTED], frozenset({"request", "A", "B"}))
    if found.files.changed:
        click.echo()
        files = [
            (printable(one.path), *map(count, (one.accesses_a, one.accesses_b)), *map(size, (one.bytes_a, one.bytes_b)))
            for one in found.files.changed[:_LISTED]
        ]
        headings = ("file", "accesses A", "accesses B", "bytes A", "bytes B")
        print_table(headings, files, frozenset(headings[1:]))


def _figures(changes: list[Change]) -> None:
    click.echo()
    rows = []
    for one in changes:
        interval = f"[{one.low:.3g}, {one.high:.3g}]" if one.low is not None and one.high is not None else ""
        rows.append(
            (
                printable(f"{one.subject} {one.name}".strip()),
                _figure(one.unit, one.a),
                _figure(one.unit, one.b),
                "" if one.ratio is None else f"{one.ratio:.3g}x",
                interval,
                _VERDICTS[one.verdict],
            )
        )
    headings = ("", "A", "B", "B / A", "95 %", "difference")
    print_table(headings, rows, frozenset({"A", "B", "B / A"}))


def _figure(unit: str, value: int) -> str:
    return {"ns": duration, "bytes": size}.get(unit, count)(value)


def _words(found: Comparison) -> Iterator[str]:
    """Say what changed, what matters most first."""
    whole = {one.name: one for one in found.changes if one.scope == "trace"}
    yield _took(whole["duration"], found.runs) + "".join(_because(found, whole)) + "."
    for side, name in ((found.a, "A"), (found.b, "B")):
        if side.lost:
            yield f"LOST: {plural(side.lost, 'record')} of {name}; its counts are too low."
    counts = [whole[name] for name in ("read", "written", "accesses", "files")]
    differing = [one for one in counts if one.verdict == "real"]
    if differing:
        parts = (f"{one.name} {_figure(one.unit, one.b)} instead of {_figure(one.unit, one.a)}" for one in differing)
        yield f"Exact differences: {', '.join(parts)}."
    else:
        yield "Both read and wrote as many bytes, in as many accesses to as many files."
    if found.files.only_a or found.files.only_b:
        only = (plural(found.files.only_a, "file"), plural(found.files.only_b, "file"))
        yield f"{only[0]} only in A, {only[1]} only in B, {count(found.files.both)} in both."
    for one in found.patterns:
        if "unknown" not in (one.pattern_a, one.pattern_b) and one.pattern_a != one.pattern_b:
            sure = f"(confidence {one.confidence:.2f})"
            yield f"{one.op} of {one.path} became {one.pattern_b}, was {one.pattern_a} {sure}."
        if "unknown" not in (one.reuse_a, one.reuse_b) and one.reuse_a != one.reuse_b:
            yield f"Reuse of {one.path} became {one.reuse_b}, was {one.reuse_a} (confidence {one.confidence:.2f})."


def _took(time: Change, runs: int) -> str:
    ratio = f"{time.ratio:.3g}x" if time.ratio else "0x"
    interval = f" [{time.low:.3g}, {time.high:.3g}]" if time.low is not None and time.high is not None else ""
    by = f"; {runs} traces of this command show how much it varies" if time.basis == "runs" else ""
    said = {
        "real": f"B took {ratio} as long{interval}",
        "noise": f"B took {ratio} as long{interval}, within noise",
        "small": f"B took {ratio} as long, less than 10 ms apart",
        "equal": "B took as long as A",
        "unknown": f"B took {ratio} as long, and nothing tells how much that varies",
    }
    return said[time.verdict] + by


def _because(found: Comparison, whole: dict[str, Change]) -> Iterator[str]:
    parts = [
        f"{what} {duration(whole[name].b)} instead of {duration(whole[name].a)}"
        for name, what in (("stall", "accesses took"), ("wait", "of that asleep"))
        if whole[name].verdict == "real"
    ]
    again = found.files.again_b - found.files.again_a
    if again:
        parts.append(f"{plural(abs(again), 'file')} {'more' if again > 0 else 'fewer'} read again")
    if parts:
        yield ": " + "; ".join(parts)
