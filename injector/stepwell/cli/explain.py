"""`stepwell explain`: the evidence behind what is said of one process, dataset or file."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING, Any

import click

from stepwell.cli import evidence
from stepwell.cli.documents import Form
from stepwell.cli.explained import reading
from stepwell.cli.format import count, duration, percent, plural, printable, size, throughput
from stepwell.cli.output import schema_option, table_or_json
from stepwell.cli.place import trace_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stepwell.analysis.advice import Finding
    from stepwell.analysis.explain import Explanation
    from stepwell.analysis.waits import Account, Interval, Storage
    from stepwell.cli.place import Place

FORM = Form("stepwell explain -o json", version=1, minor=1)

WIDEST = 110
"""Columns that lines are broken at, if the terminal has as many."""

SIZES = 7
"""Most sizes of fetches that are listed, those with most fetches."""

_IN_ACCOUNT = frozenset(
    {"cpu_share", "read_share", "write_share", "metadata_share", "queued_share", "other_share", "accesses"}
)
"""Figures of a verdict that the lines above it show already."""


def _schema() -> Any:
    from stepwell.analysis.explain import Explanation

    return FORM.schema(Explanation)


@click.command(
    epilog="""\b
Examples:
  stepwell explain train.py              a process by its name, its script or its pid
  stepwell explain /data/imagenet        a dataset by its directory
  stepwell explain shard-0001.tar        a file by its path, or the end of it
  stepwell explain 4242 --trace 7 -o json | jq .findings
  stepwell explain --schema              what the JSON's fields mean

\b
"80 % sure" of a pattern or of reuse: at least so large a share of the accesses fits, with 95 %
confidence; of what a process is bound by: how far beyond the thresholds its figures lie; of a
finding: how much of what its model assumes was seen.

\b
The JSON's `version` is raised when a field goes away or changes its type or meaning, its
`minor` when fields or kinds of findings are added: ignore what you do not know.

\b
Exit codes: 0 explained; 2 the name means nothing in the trace, or several things; 5 no such
trace."""
)
@click.argument("subject")
@click.option(
    "--trace", default="last", show_default=True, metavar="ID", help="Trace to explain; see `stepwell traces`."
)
@schema_option(_schema)
@table_or_json
@click.pass_obj
def explain(place: Place, subject: str, trace: str, output: str) -> None:
    """Show step by step why a process, a dataset or a file waits, and what would help."""
    from stepwell.analysis import understand
    from stepwell.analysis.explain import explain as explained
    from stepwell.analysis.subject import find

    with place.reading() as store:
        number = trace_number(store, trace)
        meant = find(store, number, subject)
        found = explained(store, understand(store, number), meant)
    if output == "json":
        click.echo(FORM.document(found), nl=False)
    else:
        _show(found)


def _show(found: Explanation) -> None:
    _line(f"{found.scope} {found.subject}, trace {found.trace}", "")
    for line in found.headlines:
        _line(line, "")
    for number, (title, lines) in enumerate(_steps(found), 1):
        click.echo(f"\n{number}. {title}")
        for line in lines:
            _line(line, "   ")


def _line(text: str, margin: str) -> None:
    """Print a line, broken where the terminal ends; what goes on is set in."""
    text = printable(text)
    indent = margin + " " * (len(text) - len(text.lstrip()))
    width = min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST)
    shown = textwrap.wrap(
        text.lstrip(), max(width, 2 * len(indent) + 40), initial_indent=indent, subsequent_indent=indent + "  ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    click.echo("\n".join(shown))


def _steps(found: Explanation) -> Iterator[tuple[str, Iterable[str]]]:
    yield "How it reads", list(reading(found))
    storages = [line for one in found.storages for line in _storage(one)]
    unknown = [] if found.streams else ["Unknown: no access of it is in the trace."]
    yield "Where its time goes", list(_time(found)) or unknown
    yield "What its storage gave", storages or unknown or ["Nobody waited."]
    yield "What would help", list(_findings(found.findings)) or unknown or ["Nothing was found."]


def _time(found: Explanation) -> Iterator[str]:
    for team in found.teams:
        yield f"{plural(team.threads, 'thread')} of {team.title}, {duration(team.elapsed_ns)}: {_account(team.account)}"
        at_once = f"{team.width:.1f} of them at once; " if team.threads > 1 else ""
        yield (
            f"  {at_once}waiting for storage delays the whole by {percent(team.critical_low)} to"
            f" {percent(team.critical_high)} of that time"
        )
        yield f"  bound by {team.verdict.bound}, {percent(team.verdict.confidence)} sure: {team.verdict.because}"
        figures = {name: value for name, value in team.verdict.evidence.items() if name not in _IN_ACCOUNT}
        if figures:
            yield "  " + evidence.figures(figures)
    if len(found.processes) > 1:
        yield from _processes(found)
    told = {team.verdict.because for team in found.teams}
    for one in found.datasets:
        because = "" if one.verdict.because in told else f"; bound by {one.verdict.bound}: {one.verdict.because}"
        yield (
            f"{one.dataset or 'files of unknown path'}: {duration(one.stall_ns)} waited for, {percent(one.stall_share)}"
            f" of its readers' time{because}"
        )
    for slow in found.slow:
        yield f"{slow.path}: {slow.factor:.3g} times the time of the rest, {duration(slow.excess_ns)} more"


def _processes(found: Explanation) -> Iterator[str]:
    yield f"{plural(len(found.processes), 'process', 'processes')}, those first that wait longest:"
    for process in found.processes[:10]:
        yield f"  {process.title}, {duration(process.elapsed_ns)}: {_account(process.account)}"
    if len(found.processes) > 10:
        yield f"  and {count(len(found.processes) - 10)} more"


def _account(account: Account) -> str:
    parts = {
        "on a processor": account.cpu_ns,
        "asleep in reads": account.read_ns,
        "asleep in writes": account.write_ns,
        "in opens and closes": account.metadata_ns,
        "ready without a processor": account.queued_ns,
        "waiting for anything else": account.other_ns,
    }
    ordered = sorted((part for part in parts.items() if part[1] > 0), key=lambda part: -part[1])
    return ", ".join(f"{percent(round(account.share(ns), 4))} {name}" for name, ns in ordered) or "no time was seen"


def _storage(storage: Storage) -> Iterator[str]:
    yield (
        f"{storage.dataset} ({storage.filesystem}, device {storage.device}), {storage.direction}:"
        f" {count(storage.fetches)} fetches of {size(storage.mean_bytes)} in {duration(storage.mean_ns)} on average"
    )
    if storage.latency_ns is None and storage.bytes_s is None:
        yield "  all fetches have about one size, which does not tell latency from rate"
    else:
        latency, rate = _interval(storage.latency_ns, duration), _interval(storage.bytes_s, evidence.rate)
        error = percent(round(storage.error, 4))
        yield f"  latency {latency}, rate of one fetch {rate}; that line is off by {error} on average"
    scale = {
        True: "more at once brought more",
        False: "more at once brought no more",
        None: "whether more at once brings more was not seen",
    }
    yield (
        f"  {storage.depth:.1f} under way while there was one; {scale[storage.scales]}; together at most"
        f" {throughput(storage.most_bytes_s)}"
    )
    if storage.throttle:
        limit, before = storage.throttle.rate, storage.throttle.burst
        yield f"  held {limit:,.0f} {storage.throttle.unit}/s after {before:,.0f}: a quota"
    most = sorted(sorted(storage.sizes, key=lambda one: -one.fetches)[:SIZES], key=lambda one: one.size)
    for one in most:
        yield (
            f"  {size(one.size):>9}: {plural(one.fetches, 'fetch', 'fetches')}, median {duration(one.median_ns)},"
            f" 99 % {duration(one.p99_ns)}"
        )
    if len(storage.sizes) > len(most):
        rest = sum(one.fetches for one in storage.sizes) - sum(one.fetches for one in most)
        yield f"  {plural(rest, 'fetch', 'fetches')} of {count(len(storage.sizes) - len(most))} other sizes"


def _interval(found: Interval | None, shown: object) -> str:
    if found is None:
        return "unknown"
    assert callable(shown)
    return f"{shown(found.value)} [{shown(found.low)}, {shown(found.high)}]"


def _findings(findings: tuple[Finding, ...]) -> Iterator[str]:
    """Tell the findings; what the models of several were fed with alike is told once, at the end."""
    told = [{(one.name, one.value, one.unit): one for one in finding.inputs} for finding in findings]
    alike = set.intersection(*map(set, told)) if len(told) > 1 else set()
    for finding, given in zip(findings, told, strict=True):
        yield finding.sentence
        if finding.setting:
            yield f"  try: {finding.setting}"
        yield f"  model, {percent(finding.confidence)} sure: {finding.model}"
        own = [one for key, one in given.items() if key not in alike]
        if own:
            yield "  from: " + evidence.inputs(own)
    if alike:
        yield "All of these from: " + evidence.inputs([one for key, one in told[0].items() if key in alike])
