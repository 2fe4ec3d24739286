"""From facts to findings, what would save most first."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from stepwell.analysis.advice import gains, habits, layout, reads
from stepwell.analysis.advice.drawn import Matter, does, waits
from stepwell.analysis.advice.gains import inputs
from stepwell.analysis.advice.model import Facts, Finding, Span
from stepwell.analysis.thresholds import advice as bounds
from stepwell.analysis.waits.model import Storage, Team
from stepwell.trace.format import duration, percent, size

Rule = Callable[[Matter], Finding | None]

READS: tuple[Rule, ...] = (
    reads.read_size, reads.read_ahead, reads.concurrency, reads.queue_depth, reads.prefetch, reads.cache,
    habits.packing, layout.chunks, habits.reopening, habits.direct, habits.reread, habits.buffer, habits.alignment,
    habits.imbalance, habits.slow_file, habits.throttled,
)  # fmt: skip
"""The rules for what is read."""

WRITES: tuple[Rule, ...] = (habits.synchronous, habits.imbalance)
"""The rules for what is written."""

CHANGES = {
    "read-size": "larger reads",
    "read-ahead": "more read-ahead",
    "read-ahead-off": "no read-ahead",
    "concurrency": "more readers at once",
    "queue-depth": "more requests in flight",
    "submission": "reads that do not wait for one another",
    "prefetch": "prefetching",
    "cache": "a cache",
    "packing": "packing the files",
    "chunks": "chunks of what is read together",
    "alignment": "aligned reads",
    "direct": "reads through the page cache",
    "reread": "reading everything once",
    "buffer": "a buffer",
    "synchronous": "writes that need not wait",
    "reopening": "files kept open",
    "imbalance": "work shared out evenly",
    "slow-file": "the slow file elsewhere",
    "throttle": "a higher quota",
}
"""Kinds of findings, but for leaving all alone, as the change that they advise."""

REASONS = {
    "compute": "it is bound by computing, which faster reads cannot shorten",
    "cached": "its data comes from memory already",
    "elsewhere": "it waits for something that is not storage",
}
"""Why a verdict is a reason to leave all as it is."""


def advise(facts: Facts) -> tuple[Finding, ...]:
    """Return the findings of a trace, those first that would save most time.

    Findings on the same waiting are alternatives: what they save does not add up.  A team for which there is nothing
    to win gets one finding that says so, with the reason.
    """
    storages = {(storage.dataset, storage.direction): storage for storage in facts.waits.storages}
    found = [finding for team in facts.waits.teams for finding in _of_team(facts, team, storages)]
    return tuple(sorted(found, key=_order))


def _order(finding: Finding) -> tuple[float, str, str]:
    return -(finding.saved_ns.low + finding.saved_ns.high) / 2, finding.kind, finding.subject


def _of_team(facts: Facts, team: Team, storages: dict[tuple[str, str], Storage]) -> Iterator[Finding]:
    any_found = False
    for use in team.uses:
        matter = Matter(facts, team, use, storages.get((use.dataset, use.direction)))
        for rule in READS if use.direction == "read" else WRITES:
            finding = rule(matter)
            if finding is not None:
                any_found = True
                yield finding
    if not any_found:
        yield _alone(facts, team)


def nothing_to_win(facts: Facts, team: Team) -> str | None:
    """Return why faster reads would save a team little time, None if they might."""
    if not facts.waits.timed:
        return "the trace has no latencies, so what could be won is unknown"
    if team.elapsed_ns < bounds.NO_TIME_NS:
        return f"it took only {duration(team.elapsed_ns)}"
    if team.verdict.bound == "elsewhere" and not facts.waits.seen:
        return team.verdict.because
    if team.verdict.bound in REASONS:
        return REASONS[team.verdict.bound]
    if team.critical_high < bounds.WORTH:
        return "its waiting is hidden behind other work"
    return None


def _reason(facts: Facts, team: Team) -> tuple[str, float]:
    """Return why a team is best left alone, and how sure that is."""
    verdict = team.verdict
    octets = sum(use.bytes for use in team.uses)
    reason = nothing_to_win(facts, team)
    if reason is not None:
        fact = not facts.waits.timed or team.elapsed_ns < bounds.NO_TIME_NS
        return reason, 1.0 if fact else verdict.confidence
    if octets <= bounds.LITTLE_BYTES and team.critical_high * team.elapsed_ns < bounds.NO_TIME_NS:
        return f"it reads only {size(octets)}", 1.0
    if verdict.bound == "unknown":
        return verdict.because, verdict.confidence
    return f"no change that the trace gives evidence for would save {percent(bounds.WORTH)} of the time", (
        verdict.confidence
    )


def _alone(facts: Facts, team: Team) -> Finding:
    """Return that a team is best left alone, and why."""
    reason, sure = _reason(facts, team)
    stall = percent(team.account.share(team.account.storage_ns))
    stalled = f" ({stall} of its time waiting for storage)" if facts.waits.timed else ""
    return Finding(
        kind="leave-alone",
        scope="process",
        subject=team.title,
        readers=team.readers,
        dataset=team.uses[0].dataset if team.uses else "",
        sentence=f"Leave {team.title} alone: {reason}{stalled}.",
        lost_ns=round(team.critical_high * team.elapsed_ns),
        saved_ns=Span(0.0, 0.0),
        speedup=Span(1.0, 1.0),
        model="only time that waiting delays can be won (Amdahl's law)",
        inputs=inputs(team, None),
        setting="",
        confidence=sure,
        evidence=(f"team {team.title}",),
    )


def headline(facts: Facts, findings: tuple[Finding, ...], team: Team) -> str:
    """Return the top line on a team: how long it waits, for what, and what the best finding would make of it."""
    mine = [one for one in findings if one.readers == team.readers]
    if not team.uses:
        return f"{team.title} reads no data."
    use = max(team.uses, key=lambda use: use.asleep_ns + use.metadata_ns)
    share = team.account.share(team.account.storage_ns)
    order = facts.order(use.dataset, team.readers)
    shuffled = "shuffled " if order and order.by == "shuffled" else ""
    storage = next((one for one in facts.waits.storages if one.dataset == use.dataset), None)
    asynchronous = storage is not None and 2 * use.asynchronous > use.accesses
    lanes = round(gains.at_once(team, use, storage) if storage and asynchronous else team.width)
    unit = "access " if asynchronous or use.files == 1 else ""
    at_once = f"one {unit}at a time" if lanes <= 1 else f"{lanes} {unit and 'accesses '}at a time"
    each = size(use.file_bytes / max(use.files, 1))
    what = f"{use.files:,} {shuffled}files of {each}" if use.files > 1 else f"one file of {each}"
    verb = "to write" if use.direction == "write" else "for"
    verb = "to open and close" if use.metadata_ns > use.asleep_ns else verb
    line = f"{waits(team, round(share, 2) or share)} {verb} {what}, {at_once}"
    if not facts.waits.timed:
        line = f"{does(team, 'writes' if use.direction == 'write' else 'reads')} {what}, {at_once}"
    best = next((one for one in mine if one.kind != "leave-alone"), None)
    if best is None:
        return f"{line}; leave it alone: {_reason(facts, team)[0]}."
    middle = (best.speedup.low * best.speedup.high) ** 0.5
    gain = f"{middle:.2g}x [{best.speedup.low:.2g}, {best.speedup.high:.2g}]"
    return f"{line}; best change: {CHANGES[best.kind]}, expected {gain}."
