"""`stepwell explain`: the evidence behind what is said of one process, dataset or file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from stepwell.cli import evidence
from stepwell.cli.format import count, duration, percent, plural, printable, size, throughput
from stepwell.cli.output import table_or_json
from stepwell.cli.place import trace_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stepwell.analysis.advice import Finding
    from stepwell.analysis.explain import Explanation
    from stepwell.analysis.waits import Account, Interval, Storage
    from stepwell.cli.place import Place


@click.command(
    epilog="""\b
Examples:
  stepwell explain train.py              a process by its name, its script or its pid
  stepwell explain /data/imagenet        a dataset by its directory
  stepwell explain shard-0001.tar        a file by its path, or the end of it
  stepwell explain 4242 --trace 7 -o json | jq .findings

\b
Exit codes: 0 explained; 2 the name means nothing in the trace, or several things; 5 no such
trace. -o json prints one object: trace, scope, subject, headlines, patterns, streams, teams,
processes, datasets, storages, slow, findings; times are in ns, sizes in bytes, shares of 1."""
)
@click.argument("subject")
@click.option(
    "--trace", default="last", show_default=True, metavar="ID", help="Trace to explain; see `stepwell traces`."
)
@table_or_json
@click.pass_obj
def explain(place: Place, subject: str, trace: str, output: str) -> None:
    """Show step by step why a process, a dataset or a file waits, and what would help."""
    from dataclasses import asdict

    from stepwell.analysis import understand
    from stepwell.analysis.explain import explain as explained
    from stepwell.analysis.subject import find

    with place.reading() as store:
        number = trace_number(store, trace)
        meant = find(store, number, subject)
        found = explained(store, understand(store, number), meant)
    if output == "json":
        click.echo(json.dumps(asdict(found)))
    else:
        _show(found)


def _show(found: Explanation) -> None:
    click.echo(printable(f"{found.scope} {found.subject}, trace {found.trace}"))
    for line in found.headlines:
        click.echo(printable(line))
    for number, (title, lines) in enumerate(_steps(found), 1):
        click.echo(f"\n{number}. {title}")
        for line in lines:
            click.echo(f"   {printable(line)}")


def _steps(found: Explanation) -> Iterator[tuple[str, Iterable[str]]]:
    yield "How it reads", list(_reading(found))
    storages = [line for one in found.storages for line in _storage(one)]
    findings = [line for one in found.findings for line in _finding(one)]
    unknown = [] if found.streams else ["Unknown: no access of it is in the trace."]
    yield "Where its time goes", list(_time(found)) or unknown
    yield "What its storage gave", storages or unknown or ["Nobody waited."]
    yield "What would help", findings or unknown or ["Nothing was found."]


def _reading(found: Explanation) -> Iterator[str]:
    for row in found.patterns:
        yield (
            f"{row.scope} {row.path or row.subject}: {row.op} {row.pattern}, reuse {row.reuse},"
            f" {percent(row.confidence)} sure, {plural(row.accesses, 'access', 'accesses')}"
        )
        yield from (f"  {sentence}" for sentence in evidence.evidence(row.evidence))
    for one in found.streams[:10]:
        yield (
            f"{one.path}: {plural(one.accesses, 'access', 'accesses')} ({one.op}) in {plural(one.runs, 'run')} by"
            f" thread {one.thread}, {size(one.bytes)}, {count(one.waited)} of them slept {duration(one.wait_ns)}"
        )


def _time(found: Explanation) -> Iterator[str]:
    for team in found.teams:
        yield f"{plural(team.threads, 'thread')} of {team.title}, {duration(team.elapsed_ns)}: {_account(team.account)}"
        yield (
            f"  {team.width:.1f} of them at once; waiting delays the whole by {percent(team.critical_low)} to"
            f" {percent(team.critical_high)} of that"
        )
        yield (f"  bound by: {team.verdict.bound}, confidence {team.verdict.confidence:.2f}: {team.verdict.because}")
        yield "  because: " + evidence.figures(team.verdict.evidence)
    if len(found.processes) > 1:
        for process in found.processes[:10]:
            yield f"{process.comm} {process.pid}, {duration(process.elapsed_ns)}: {_account(process.account)}"
    for one in found.datasets:
        yield (
            f"{one.dataset or 'files of unknown path'}: {duration(one.stall_ns)} waited for, {percent(one.stall_share)}"
            f" of its readers' time; {one.verdict.bound}: {one.verdict.because}"
        )
    for slow in found.slow:
        yield f"{slow.path}: {slow.factor:.3g} times the time of the rest, {duration(slow.excess_ns)} more"


def _account(account: Account) -> str:
    parts = {
        "processor": account.cpu_ns,
        "reads": account.read_ns,
        "writes": account.write_ns,
        "opens and closes": account.metadata_ns,
        "ready without a processor": account.queued_ns,
        "anything else": account.other_ns,
    }
    return ", ".join(f"{name} {percent(round(account.share(ns), 4))}" for name, ns in parts.items())


def _storage(storage: Storage) -> Iterator[str]:
    yield (
        f"{storage.dataset} ({storage.filesystem}, device {storage.device}), {storage.direction}:"
        f" {count(storage.fetches)} fetches of {size(storage.mean_bytes)} in {duration(storage.mean_ns)} on average"
    )
    latency = _interval(storage.latency_ns, duration)
    rate = _interval(storage.bytes_s, evidence.rate)
    yield f"  latency {latency}, rate of one fetch {rate}, model's error {percent(round(storage.error, 4))}"
    scale = {True: "more at once brought more", False: "more at once brought no more", None: "not varied"}
    yield (
        f"  {storage.depth:.1f} under way while there was one ({scale[storage.scales]}); together at most"
        f" {throughput(storage.most_bytes_s)}"
    )
    if storage.throttle:
        limit, before = storage.throttle.rate, storage.throttle.burst
        yield f"  held {limit:,.0f} {storage.throttle.unit}/s after {before:,.0f}: a quota"
    for one in storage.sizes[:12]:
        yield (
            f"  {size(one.size):>9}: {count(one.fetches)} fetches, median {duration(one.median_ns)},"
            f" 99 % {duration(one.p99_ns)}"
        )


def _interval(found: Interval | None, shown: object) -> str:
    if found is None:
        return "unknown (all fetches have about one size)"
    assert callable(shown)
    return f"{shown(found.value)} [{shown(found.low)}, {shown(found.high)}]"


def _finding(finding: Finding) -> Iterator[str]:
    yield finding.sentence
    if finding.setting:
        yield f"  try: {finding.setting}"
    yield f"  model: {finding.model}; confidence {finding.confidence:.2f}"
    yield "  from: " + ", ".join(f"{one.name} {evidence.amount(one)}" for one in finding.inputs)
