"""The evidence behind what is said of one process, dataset or file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from stepwell.analysis.advice import Finding
from stepwell.analysis.ask import Queryable, rows
from stepwell.analysis.insight import Insight
from stepwell.analysis.patterns import Pattern, counted_files, patterns
from stepwell.analysis.subject import Subject
from stepwell.analysis.waits.model import Dataset, Process, SlowFile, Storage, Team

STREAMS = 20
"""Most streams and patterns that are listed, those with most bytes."""

_STREAMS = """
SELECT r.reader, r.thread, r.file, r.op::VARCHAR AS op, coalesce(f.path, '') AS path,
    coalesce(f.dataset, '') AS dataset,
    sum(r.count)::BIGINT AS accesses, count(*) AS runs,
    sum(CASE WHEN r.count = 0 THEN 0 ELSE r.size * (r.count - 1) + r.tail END)::BIGINT AS bytes,
    sum(r.latency_ns)::BIGINT AS latency_ns, max(r.latency_max_ns)::BIGINT AS latency_max_ns,
    sum(r.waited)::BIGINT AS waited, sum(r.wait_ns)::BIGINT AS wait_ns, sum(r.filled)::BIGINT AS filled
FROM runs r JOIN files f ON r.file = f.file
WHERE r.trace = $1 AND f.trace = $1
GROUP BY r.reader, r.thread, r.file, r.op, f.path, f.dataset ORDER BY bytes DESC, r.thread, r.file LIMIT 100000
"""


_OPENS = """
SELECT DISTINCT open FROM runs
WHERE trace = $1 AND list_contains($2::BIGINT[], thread) AND list_contains($3::BIGINT[], file)
ORDER BY open LIMIT 1000
"""


@dataclass(frozen=True)
class Stream:
    """What one thread did with one file."""

    reader: Annotated[int, "number of its process"]
    thread: Annotated[int, "number of the thread"]
    file: Annotated[int, "number of the file"]
    op: Annotated[str, "kind of access"]
    path: Annotated[str, "path of the file"]
    dataset: Annotated[str, "its dataset"]
    accesses: Annotated[int, "accesses"]
    runs: Annotated[int, "runs"]
    bytes: Annotated[int, "bytes transferred"]
    latency_ns: Annotated[int, "time of all accesses"]
    latency_max_ns: Annotated[int, "longest of them"]
    waited: Annotated[int, "accesses that slept"]
    wait_ns: Annotated[int, "time of those"]
    filled: Annotated[int, "pages put into the page cache"]


@dataclass(frozen=True)
class Group:
    """Streams of one kind in one dataset, together."""

    dataset: Annotated[str, "their dataset; empty when unknown"]
    op: Annotated[str, "kind of access"]
    streams: Annotated[int, "streams"]
    files: Annotated[int, "files"]
    threads: Annotated[int, "threads"]
    largest: Annotated[str, "path of the file that most bytes are of"]
    accesses: Annotated[int, "accesses"]
    runs: Annotated[int, "runs"]
    bytes: Annotated[int, "bytes transferred"]
    waited: Annotated[int, "accesses that slept"]
    wait_ns: Annotated[int, "time of those"]


@dataclass(frozen=True)
class Explanation:
    """All evidence on one subject."""

    trace: Annotated[int, "number of the trace"]
    scope: Annotated[str, "process, dataset or file"]
    subject: Annotated[str, "its name"]
    headlines: Annotated[tuple[str, ...], "the top line of each team concerned"]
    patterns: Annotated[tuple[Pattern, ...], "verdicts on it, with their evidence"]
    streams: Annotated[tuple[Stream, ...], "who did what with which file: data before software, most bytes first"]
    groups: Annotated[tuple[Group, ...], "all streams, those of one dataset and kind of access together"]
    teams: Annotated[tuple[Team, ...], "who reads, and where their time went"]
    processes: Annotated[tuple[Process, ...], "the processes one by one"]
    datasets: Annotated[tuple[Dataset, ...], "the datasets concerned"]
    storages: Annotated[tuple[Storage, ...], "what their storage gave"]
    slow: Annotated[tuple[SlowFile, ...], "slow files concerned"]
    findings: Annotated[tuple[Finding, ...], "what would help, what saves most first"]


def explain(store: Queryable, insight: Insight, subject: Subject) -> Explanation:
    """Return the evidence on one subject."""
    waits = insight.waits
    streams = [Stream(**row) for row in rows(store, _STREAMS, waits.trace)]
    of_data = {one.dataset for one in waits.datasets}
    mine = sorted((one for one in streams if _concerns(subject, one)), key=lambda one: one.dataset not in of_data)
    readers = set(subject.readers) or {one.reader for one in mine}
    datasets = {subject.dataset} if subject.dataset else {one.dataset for one in mine}
    teams = tuple(team for team in waits.teams if readers & set(team.readers))
    told = zip(waits.teams, insight.headlines, strict=True)
    files = {one.path for one in mine}
    return Explanation(
        trace=waits.trace,
        scope=subject.scope,
        subject=subject.name,
        headlines=tuple(line for team, line in told if team in teams),
        patterns=_patterns(store, waits.trace, subject, [one for one in mine if one.dataset in of_data] or mine),
        streams=tuple(mine[:STREAMS]),
        groups=_groups(mine),
        teams=teams,
        processes=tuple(process for process in waits.processes if process.reader in readers),
        datasets=tuple(one for one in waits.datasets if one.dataset in datasets),
        storages=tuple(one for one in waits.storages if one.dataset in datasets),
        slow=tuple(slow for one in waits.datasets for slow in one.slow if slow.path in files),
        findings=tuple(one for one in insight.findings if readers & set(one.readers) and _fits(subject, one, datasets)),
    )


def _groups(streams: list[Stream]) -> tuple[Group, ...]:
    """Return streams put together, in the order in which the first of each kind comes."""
    members: dict[tuple[str, str], list[Stream]] = {}
    for one in streams:
        members.setdefault((one.dataset, one.op), []).append(one)
    return tuple(
        Group(
            dataset=dataset,
            op=op,
            streams=len(alike),
            files=len({one.file for one in alike}),
            threads=len({one.thread for one in alike}),
            largest=max(alike, key=lambda one: one.bytes).path,
            accesses=sum(one.accesses for one in alike),
            runs=sum(one.runs for one in alike),
            bytes=sum(one.bytes for one in alike),
            waited=sum(one.waited for one in alike),
            wait_ns=sum(one.wait_ns for one in alike),
        )
        for (dataset, op), alike in members.items()
    )


def _patterns(store: Queryable, trace: int, subject: Subject, streams: list[Stream]) -> tuple[Pattern, ...]:
    """Return the verdicts on a subject: on its workload, its dataset, its files and the first of its streams."""
    streams = streams[:STREAMS]
    if subject.scope == "dataset":
        counted = [file for file, of in counted_files(store, trace).items() if of == subject.dataset]
        found = patterns(store, trace, [*(one.file for one in streams), *counted[:STREAMS]])
        return tuple(row for row in found if row.scope == "file" or row.subject == subject.dataset)
    threads, files = sorted({one.thread for one in streams}), sorted({one.file for one in streams} | {*subject.files})
    opens = [row["open"] for row in rows(store, _OPENS, trace, threads, files)]
    found = patterns(store, trace, files if subject.scope == "file" else [], opens)
    scopes = {"file", "stream"} if subject.scope == "file" else {"workload", "stream"}
    return tuple(row for row in found if row.scope in scopes)[:STREAMS]


def _concerns(subject: Subject, stream: Stream) -> bool:
    if subject.scope == "process":
        return stream.reader in subject.readers
    if subject.scope == "dataset":
        return stream.dataset == subject.dataset
    return stream.file in subject.files


def _fits(subject: Subject, finding: Finding, datasets: set[str]) -> bool:
    if subject.scope == "process" or finding.kind == "leave-alone":
        return True
    if subject.scope == "file" and finding.scope == "file":
        return finding.subject == subject.name
    return finding.dataset in datasets
