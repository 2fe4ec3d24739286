"""What a summary says in sentences; the same in the terminal and on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepwell.analysis.queries import IMPORTED
from stepwell.analysis.software import LABEL
from stepwell.cli.format import count, duration, percent, plural, size, throughput

if TYPE_CHECKING:
    from stepwell.analysis import Insight, Summary
    from stepwell.analysis.model import Latency
    from stepwell.analysis.orders import Order
    from stepwell.analysis.patterns import Pattern
    from stepwell.analysis.reuse import CacheCurve

SHAPES = {
    "consecutive": "each access starts where the one before ended",
    "strided": "three or more accesses, a constant step apart",
    "backward": "three or more accesses, a constant step back",
    "single": "one or two accesses on their own",
}
"""What the shapes of runs mean."""

TOLD_TEAMS = 3
"""Most groups of processes that get a sentence on top."""

SHOWN_REFERENCES = 100
"""Blocks that must have been read of a dataset for its caches to be shown."""

LITTLE = 0.01
"""Share of time below which waiting for a processor is not told: everybody does a little."""

WORTH_TELLING = 0.2
"""Share from which on something deserves a sentence."""


def title(summary: Summary) -> str:
    """Return what was recorded."""
    trace = summary.trace
    return trace.command or {"all": "all processes"}.get(trace.scope, trace.scope)


def facts(summary: Summary) -> str:
    """Return which recording this is: when, where, how long."""
    trace = summary.trace
    ended = f", exit code {trace.exit_code}" if trace.exit_code else ""
    cut = ", interrupted" if trace.status == "interrupted" else ""
    when = trace.started.replace("T", " ").replace("+00:00", " UTC")
    lasted = f", {duration(trace.duration_ns)}" if trace.duration_ns else ""
    where = f" on {trace.host} in {trace.cwd or '/'}" if trace.host else ""
    return f"trace {trace.trace}, {when}{lasted}{where}{ended}{cut}"


def top_lines(insight: Insight) -> list[str]:
    """Return the sentences on the groups of processes that matter: the first one, and those that can be helped."""
    helped = {found.readers for found in insight.findings if found.kind != "leave-alone"}
    told = zip(insight.waits.teams, insight.headlines, strict=True)
    return [line for number, (team, line) in enumerate(told) if number == 0 or team.readers in helped][:TOLD_TEAMS]


def story(summary: Summary, insight: Insight) -> list[str]:
    """Return the most important sentences, the most important one first."""
    if not summary.totals.accesses and imported(summary):
        return _counted(insight) or ["No access to a file is in the imported log; what it cannot tell is listed below."]
    if not summary.totals.accesses:
        return [
            "No access to a regular file was seen.",
            "Check that the command reads files at all: pipes, sockets and devices do not count.",
            "Check that it was still running, and that a filter such as --under names what it reads.",
            "`stepwell doctor` tells what this machine cannot see.",
        ]
    if not summary.totals.wall_ns:  # imported without times
        return _volume(summary)
    return [*_volume(summary), *_time(summary), *_waited(summary)]


def imported(summary: Summary) -> bool:
    """Return whether another tool saw the accesses, which tells neither who slept nor who had a processor."""
    return summary.trace.collector.startswith(IMPORTED)


def _counted(insight: Insight) -> list[str]:
    """Return what is known of a trace that has no accesses but counters of them; empty when it has none."""
    counted = [row for row in insight.patterns if row.scope == "workload"]
    if not counted:
        return []
    return [
        *(
            f"{size(row.bytes)} in {accesses(row.accesses)} ({row.op}), as Darshan counted: {row.pattern}"
            + (f", {percent(row.confidence)} sure." if row.confidence else ".")
            for row in counted
        ),
        "The log has counters only, no accesses: times, order and what would help are unknown, and verdicts less sure.",
        "For accesses let Darshan trace them (DXT_ENABLE_IO_TRACE=1), or use `stepwell record`.",
    ]


def _volume(summary: Summary) -> list[str]:
    totals, software = summary.totals, summary.software
    done = []
    if totals.read_bytes or not totals.written_bytes:
        seconds = summary.trace.duration_ns / 1e9
        done.append(
            f"{size(totals.read_bytes)} read" + (f" at {throughput(totals.read_bytes / seconds)}" if seconds else "")
        )
    if totals.written_bytes:
        done.append(f"{size(totals.written_bytes)} written")
    about = "" if summary.unique_sampling == 1 else "about "
    parts = [
        (
            f"{' and '.join(done)}, in {accesses(totals.accesses)} to {plural(totals.files, 'file')}"
            f" by {plural(totals.readers, 'process', 'processes')}; {about}{size(totals.unique_bytes)} unique."
        )
    ]
    if software.files:
        parts.append(f"{size(software.bytes)} of it, in {plural(software.files, 'file')}, are {LABEL}: one row below.")
    around = totals.around_bytes - software.around_bytes
    data = totals.read_bytes - software.bytes
    if around >= WORTH_TELLING * data > 0:
        parts.append(
            f"{size(around)} ({percent(share(around, data))} of the data) are ranges that the kernel"
            " mapped around page faults of mapped files; how much of them was used cannot be seen."
        )
    return parts


def _time(summary: Summary) -> list[str]:
    totals = summary.totals
    elsewhere = max(0, totals.wall_ns - max(totals.stall_ns, totals.wait_ns + totals.cpu_ns) - totals.queued_ns)
    threads = f"Time of {plural(totals.threads, 'thread')}, {duration(totals.wall_ns)}"
    if imported(summary):
        return [f"{threads}: {percent(share(totals.stall_ns, totals.wall_ns))} in accesses."] if totals.stall_ns else []
    without = share(totals.queued_ns, totals.wall_ns)
    queued = f" {percent(without)} ready without one," if without >= LITTLE else ""
    parts = [
        (
            f"{threads}: {percent(share(totals.stall_ns, totals.wall_ns))} in accesses"
            f" ({percent(share(totals.wait_ns, totals.wall_ns))} asleep there),"
            f" {percent(share(totals.cpu_ns, totals.wall_ns))} on a processor,"
            f"{queued}"
            f" {percent(share(elsewhere, totals.wall_ns))} waiting for anything else."
        )
    ]
    longest = max(summary.readers, key=lambda reader: share(reader.stall_ns, reader.wall_ns))
    stall = share(longest.stall_ns, longest.wall_ns)
    if totals.readers > 1 and stall >= WORTH_TELLING:
        parts.append(f"Held up most: {longest.title}, {percent(stall)} of its time in accesses.")
    return parts


def _waited(summary: Summary) -> list[str]:
    waited = sum(operation.waited for operation in summary.operations)
    parts = []
    if asynchronous(summary):
        parts.append(f"Threads slept for {duration(asynchronous(summary))} until asynchronous accesses were done.")
    if waited and imported(summary):
        part = percent(share(waited, summary.totals.accesses))
        parts.append(f"{accesses(waited)} ({part}) took longer than memory would and are taken to have waited.")
    elif waited:
        part = percent(share(waited, summary.totals.accesses))
        parts.append(f"{accesses(waited)} ({part}) waited for storage or a lock; the others were served from memory.")
    if imported(summary):
        return parts
    return parts or ["No access waited for storage or a lock."]


def asynchronous(summary: Summary) -> int:
    """Return how long threads slept until asynchronous accesses were done, in ns."""
    return max(0, summary.totals.wait_ns - sum(operation.wait_ns for operation in summary.operations))


def listed_patterns(summary: Summary, insight: Insight) -> list[Pattern]:
    """Return the verdicts worth a row: those on data, and on software only where there is nothing else."""
    if not summary.software.files:
        return list(insight.patterns)
    folded = {dataset.dataset for dataset in summary.datasets if dataset.software}
    files = {str(file.file) for file in summary.files if file.software}
    return [
        row
        for row in insight.patterns
        if not (row.scope == "dataset" and row.subject in folded) and not (row.scope == "file" and row.subject in files)
    ]


def order(found: Order) -> list[str]:
    """Return in sentences how files are gone over: epochs, order within and across them, steps, sharing."""
    return [*_epochs(found), _within(found), *_steps(found), *_sharing(found)]


def _epochs(found: Order) -> list[str]:
    if found.looping != "epochs":
        return [
            {
                "once": "every file is read once",
                "sampling": "files are drawn again and again, without epochs",
            }.get(found.looping, found.looping)
        ]
    lengths = sorted(epoch.end_ns - epoch.start_ns for epoch in found.epochs)
    middle, across = duration(lengths[len(lengths) // 2]), found.across
    told = [f"{plural(found.epochs_found, 'epoch')} ({percent(found.epoch_confidence)} sure), {middle} each"]
    if across.relation != "unknown":
        how = {
            "same": "the same order in every epoch",
            "window": "the same order in every epoch but for a shuffle buffer",
            "reversed": "every epoch in the reverse order of the one before",
            "partly": "an order partly that of the epoch before",
            "reshuffled": "shuffled anew for every epoch",
        }[across.relation]
        window = f" of {plural(across.window, 'file')}" if across.relation == "window" else ""
        told.append(f"{how}{window} ({percent(across.confidence)} sure)")
    return told


def _within(found: Order) -> str:
    within = found.within
    if within.by == "unknown":
        return "the order of files is unknown"
    if within.by == "shuffled":
        return (
            f"shuffled: {percent(within.inverted)} of pairs of files out of order ({percent(within.confidence)} sure)"
        )
    back = ", backwards" if within.backward else ""
    window = f", shuffled within {plural(within.window, 'file')}" if within.window else ""
    return f"in the order of their {within.by}{back}{window} ({percent(within.confidence)} sure)"


def _steps(found: Order) -> list[str]:
    steps = found.steps
    told = [f"{plural(steps.files_per_step, 'file')} at a time, {duration(steps.between_ns)} from one to the next"]
    if steps.whole < WORTH_TELLING:
        told.append(f"{percent(steps.part)} of a file is read at a time")
    return told


def _sharing(found: Order) -> list[str]:
    sharing = found.sharing
    if sharing.readers < 2:
        return []
    dealt = f", by {sharing.dealt}" if sharing.dealt else ""
    again = f", {sharing.over_epochs} from epoch to epoch" if sharing.over_epochs else ""
    twice = f"; {percent(sharing.duplicated)} of bytes read by several" if sharing.duplicated >= 0.005 else ""
    return [f"{plural(sharing.readers, 'process', 'processes')}: {sharing.kind}{dealt}{again}{twice}"]


def caches(insight: Insight) -> list[CacheCurve]:
    """Return the curves worth a picture: those of datasets of some size, and of all data where that is another."""
    whole = insight.caches[-1:]
    parts = [one for one in insight.caches[:-1] if one.references >= SHOWN_REFERENCES]
    return parts if len(parts) == 1 else [*parts, *whole]


def cache(found: CacheCurve) -> str:
    """Return which size is recommended, and why."""
    reason = f"{found.reason[0].upper()}{found.reason[1:]}."
    if found.recommended is None:
        return reason
    left = min((point for point in found.curve if point.size >= found.recommended), key=lambda point: point.size)
    return f"Recommended: {size(found.recommended)}, which would miss {percent(left.miss_ratio)}. {reason}"


def step(stride: int) -> str:
    """Return a distance between starts, backward ones with a sign."""
    return size(stride) if stride >= 0 else f"-{size(-stride)}"


def accesses(number: int) -> str:
    """Return a number of accesses in words."""
    return plural(number, "access", "accesses")


def latency(found: Latency) -> str:
    """Return the distribution of latencies in a few numbers."""
    timed = sum(found.counts)
    named = {"median": found.p50_ns, "90 %": found.p90_ns, "99 %": found.p99_ns, "max": found.max_ns}
    text = ", ".join(f"{name} {duration(value)}" for name, value in named.items())
    if not found.untimed:
        return text
    some = f"{count(timed)} of {count(timed + found.untimed)} timed"
    return f"{some}, max {duration(found.max_ns)}" if timed else some


def request(low: int, high: int) -> str:
    """Return the sizes of a bucket of requests."""
    return size(low) if low == high else f"{size(low)} - {size(high)}"


def place(path: str, summary: Summary) -> str:
    """Return a path as seen from where the recording was started, if it is below."""
    directory = summary.trace.cwd.rstrip("/")
    return path.removeprefix(f"{directory}/") if directory else path


def warnings(summary: Summary) -> list[str]:
    """Return what is missing from the trace or less exact than it should be; empty when all is well."""
    found = [
        f"LOST: {plural(loss.count, 'record')} at hop {loss.hop}; all numbers below are too low."
        for loss in summary.losses
    ]
    found += [f"degraded: {what}, {plural(number, 'time')}" for what, number in summary.degraded.items() if number]
    return found


def share(part: int, whole: int) -> float:
    """Return a share, 0 of nothing."""
    return part / whole if whole else 0.0


def rest(shown: int, total: int, shown_bytes: int, total_bytes: int, noun: str, nouns: str) -> str:
    """Return what a list that was cut leaves out; empty when it is whole."""
    if shown >= total:
        return ""
    return f"… and {plural(total - shown, f'more {noun}', f'more {nouns}')}, {size(max(0, total_bytes - shown_bytes))}"
