"""What a summary says in sentences; the same in the terminal and on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepwell.cli.format import count, duration, percent, plural, size, throughput

if TYPE_CHECKING:
    from stepwell.analysis import Summary

SHAPES = {
    "consecutive": "each access starts where the one before ended",
    "strided": "three or more accesses, a constant step apart",
    "backward": "three or more accesses, a constant step back",
    "single": "one or two accesses on their own",
}
"""What the shapes of runs mean."""


def title(summary: Summary) -> str:
    """Return what was recorded."""
    return summary.trace.command or summary.trace.scope or "everything"


def facts(summary: Summary) -> str:
    """Return which recording this is: when, where, how long."""
    trace = summary.trace
    ended = {None: "", 0: ""}.get(trace.exit_code, f", exit code {trace.exit_code}")
    cut = ", interrupted" if trace.status == "interrupted" else ""
    when = trace.started.replace("T", " ").replace("+00:00", " UTC")
    return f"trace {trace.trace}, {when}, {duration(trace.duration_ns)} on {trace.host}{ended}{cut}"


def story(summary: Summary) -> list[str]:
    """Return the most important sentences, the most important one first."""
    totals, trace = summary.totals, summary.trace
    if not totals.accesses:
        return [
            "No access to a regular file was seen.",
            "Check that the command reads files at all: pipes, sockets and devices do not count.",
            "Check that it was still running, and that a filter such as --under names what it reads.",
            "`stepwell doctor` tells what this machine cannot see.",
        ]
    seconds = max(trace.duration_ns, 1) / 1e9
    sentences = []
    if totals.read_bytes or not totals.written_bytes:
        sentences.append(f"{size(totals.read_bytes)} read at {throughput(totals.read_bytes / seconds)}")
    if totals.written_bytes:
        sentences.append(f"{size(totals.written_bytes)} written")
    about = "" if summary.unique_sampling == 1 else "about "
    parts = [
        " and ".join(sentences)
        + f", in {plural(totals.accesses, 'access', 'accesses')} to {plural(totals.files, 'file')}"
        + f" by {plural(totals.readers, 'process', 'processes')}; {about}{size(totals.unique_bytes)} of it unique."
    ]
    slept = sum(reader.wait_ns for reader in summary.readers)
    parts.append(
        f"{percent(stall_share(totals.stall_ns, totals.wall_ns))} of the readers' time went into accesses"
        f" ({duration(totals.stall_ns)} of {duration(totals.wall_ns)}), {duration(slept)} of it asleep;"
        f" {percent(stall_share(totals.cpu_ns, totals.wall_ns))} was processor time."
    )
    waited = sum(operation.waited for operation in summary.operations)
    parts.append(
        f"{count(waited)} accesses ({percent(waited / totals.accesses)}) waited for storage or a lock;"
        " the others were served from the page cache."
    )
    return parts


def warnings(summary: Summary) -> list[str]:
    """Return what is missing from the trace or less exact than it should be; empty when all is well."""
    found = [
        f"LOST: {plural(loss.count, 'record')} at hop {loss.hop}; all numbers below are too low."
        for loss in summary.losses
    ]
    found += [f"degraded: {what}, {plural(number, 'time')}" for what, number in summary.degraded.items() if number]
    return found


def stall_share(part: int, whole: int) -> float:
    """Return a share of time, 0 when there was no time."""
    return part / whole if whole else 0.0


def rest(shown: int, total: int, shown_bytes: int, total_bytes: int, noun: str, nouns: str) -> str:
    """Return what a list that was cut leaves out; empty when it is whole."""
    if shown >= total:
        return ""
    return f"… and {plural(total - shown, f'more {noun}', f'more {nouns}')}, {size(max(0, total_bytes - shown_bytes))}"
