"""What every rule works on, and how a finding is made of its result."""

from __future__ import annotations

from dataclasses import dataclass

from stepwell.analysis.advice import gains
from stepwell.analysis.advice.model import Facts, Finding, Input, Span
from stepwell.analysis.patterns import Pattern
from stepwell.analysis.thresholds import advice as bounds
from stepwell.analysis.thresholds import waits as limits
from stepwell.analysis.waits.model import Storage, Team, Use
from stepwell.trace.format import duration, percent

ALONG = frozenset({"sequential", "whole-file", "header-then-body", "append", "directory-ordered"})
"""Patterns in which the next bytes follow the last ones."""


@dataclass(frozen=True)
class Matter:
    """What one team does with one dataset in one direction, and all that is known beside it."""

    facts: Facts
    team: Team
    use: Use
    storage: Storage | None

    @property
    def who(self) -> str:
        """Return the team's name."""
        return self.team.title

    @property
    def where(self) -> str:
        """Return the dataset's name."""
        return self.use.dataset or "files of unknown path"

    @property
    def pattern(self) -> Pattern | None:
        """Return the verdict on how the dataset is read, if it is sure enough."""
        found = self.facts.dataset_patterns.get((self.use.dataset, 2 * self.use.mapped > self.use.accesses))
        return found if found and found.confidence >= bounds.CERTAIN else None

    @property
    def along(self) -> bool:
        """Whether reading goes along the files: by its verdict, otherwise by its runs."""
        if self.pattern and self.pattern.pattern not in {"unknown", "mixed"}:
            return self.pattern.pattern in ALONG
        # What follows on has to be as long as what is read ahead, or that brings what nobody asks for.
        chain = self.use.request / max(1.0 - self.use.consecutive, 1e-9)
        return self.use.consecutive >= bounds.CONSECUTIVE and chain >= limits.READ_AHEAD

    @property
    def backward(self) -> bool:
        """Whether files are read from their end to their beginning."""
        return self.pattern is not None and self.pattern.pattern == "backward"

    @property
    def unbuffered(self) -> bool:
        """Whether what is fetched is what is asked for: nothing goes through the page cache."""
        bare = self.use.direct or self.facts.waits.seen
        # What asynchronous accesses put into the page cache is not known.
        queued = 2 * self.use.asynchronous > self.use.accesses
        return bare and self.use.fetched == 0 and (self.use.direct if queued else self.use.waited > 0)


def does(team: Team, verb: str) -> str:
    """Return the team and what it does; the verb is given in the third person singular."""
    return f"{team.title} {verb if len(team.readers) == 1 else verb.removesuffix('s')}"


def waits(team: Team, share: float) -> str:
    """Return how much of its time a team waits, as the beginning of a sentence."""
    return f"{does(team, 'waits')} {percent(share)} of {'its' if len(team.readers) == 1 else 'their'} time"


def finding(
    matter: Matter,
    kind: str,
    sentence: str,
    lost_ns: float,
    won: Span,
    model: str,
    setting: str,
    *,
    sure: float = 1.0,
    scope: str = "dataset",
    subject: str | None = None,
    more: tuple[Input, ...] = (),
) -> Finding | None:
    """Return a finding, if what it may save is worth it.

    Args:
        matter: what it is drawn from.
        kind: as in `Finding`.
        sentence: the finding in words, without what it would gain.
        lost_ns: waiting, or work, of the team's threads that it is about, in ns.
        won: elapsed time that it would save, in ns.
        model: the model in words.
        setting: what to try.
        sure: confidence in what the model assumes; the verdict's own is multiplied with it.
        scope: as in `Finding`.
        subject: as in `Finding`; the dataset unless given.
        more: inputs of the model besides the usual ones.
    """
    team, storage = matter.team, matter.storage
    if won.high < bounds.WORTH * team.elapsed_ns or team.elapsed_ns < bounds.NO_TIME_NS:
        return None
    faster = gains.speedup(team, won)
    gain = f"{faster.low:.2g}x to {faster.high:.2g}x" if faster.high >= 1.095 else f"up to {faster.high:.2f}x"
    fitted = storage is None or storage.bytes_s is not None
    seen = 1.0 if fitted else 0.6
    told = fitted or "stepwell bench" in sentence
    unmeasured = "" if told else f"; fetches of one size do not tell latency from rate: stepwell bench {matter.where}"
    evidence = [f"team {matter.who}"]
    evidence += [f"storage {storage.dataset} {storage.direction}"] if storage else []
    evidence += [f"pattern {matter.pattern.path}"] if matter.pattern else []
    return Finding(
        kind=kind,
        scope=scope,
        subject=subject if subject is not None else matter.use.dataset,
        readers=team.readers,
        dataset=matter.use.dataset,
        sentence=f"{sentence}; expected {gain} ({duration(won.low)} to {duration(won.high)} of"
        f" {duration(team.elapsed_ns)}).",
        lost_ns=round(min(lost_ns / max(team.width, 1.0), team.critical_high * team.elapsed_ns or team.elapsed_ns)),
        saved_ns=won,
        speedup=faster,
        model=model + unmeasured,
        inputs=gains.inputs(team, storage) + more,
        setting=setting,
        confidence=sure * seen * (team.verdict.confidence or 0.5) ** 0.5,
        evidence=tuple(evidence),
    )


def waiting(matter: Matter) -> str:
    """Return how much a team waits for a dataset, as the beginning of a sentence."""
    share = matter.team.account.share(matter.use.asleep_ns)
    return f"{waits(matter.team, share)} for reads of {matter.where}"
