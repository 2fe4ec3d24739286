"""Live tuning of block size and concurrency: a search that holds every step against what it began with.

Hill climbing on a logarithmic grid, one setting at a time: factors of 4 first, then of 2 (as golden-section search
narrows, and as TCP's slow start doubles before it probes).  Whoever carries it out measures windows and reports a
score, higher is better, such as the bytes a second that readers got; nothing here has a clock.  Guards:

- a step must gain `MARGIN` in two windows to be kept; one window that is no better ends it, and the next window is on
  the best setting known or a step from it;
- what is held at the end has been measured in turns with the start, and is the start itself unless it was better.

A search takes `MOST_WINDOWS` at most.  While a setting is held, scores are watched: where they fall or rise for good,
the world has changed, and the search begins anew, each time after a longer rest.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from statistics import median

MARGIN = 0.05
"""Relative gain that a step must show.  Default 5 %: windows of a second vary by about as much."""

START_WINDOWS = 3
"""Windows in which the start is measured: their median bears one that is off."""

TURNS = 2
"""Windows of each side in which the best setting is held against the start at the end."""

MOST_WINDOWS = 28
"""Windows of a search.  Default 28: with windows of a second it has converged within 30 s."""

FACTORS = (4, 2)
"""Factors by which a setting is changed, the coarse ones first."""

CHANGED = 1.5
"""Factor between what is measured and what was, over `WATCHED` windows, from which on the world has changed."""

WATCHED = 5
"""Windows whose median is watched while a setting is held."""

REST = 30
"""Windows that a setting is held at least, doubled with each search up to `MOST_REST`: a reader that changes all the
time is better left with one setting."""

MOST_REST = 1_000
"""Windows after which watching goes on in any case."""

IDLE = 0.02
"""Share of time that readers wait, up to which nothing can be gained.  Default 2 %: no verdict would call it one."""


@dataclass(frozen=True)
class Knobs:
    """What is tuned."""

    block_bytes: int
    in_flight: int


@dataclass(frozen=True)
class Range:
    """Within which bounds it is tuned."""

    least_block_bytes: int
    most_block_bytes: int
    most_in_flight: int
    memory_bytes: int
    """What the blocks under way may take together."""

    def holds(self, knobs: Knobs) -> bool:
        """Return whether a setting is inside."""
        return (
            self.least_block_bytes <= knobs.block_bytes <= self.most_block_bytes
            and 1 <= knobs.in_flight <= self.most_in_flight
            and knobs.block_bytes * knobs.in_flight <= self.memory_bytes
        )


_Search = Generator[Knobs, float, None]


class Tuner:
    """A search; equal scores give equal settings.

    Attributes:
        knobs: the setting to use in the next window.
        found: what the last search has found to be better than the start; None while there is nothing.
        state: `searching`, `holding` or `idle`.
        why: what it does and why, in words.
    """

    def __init__(self, start: Knobs, within: Range) -> None:
        self.start = start
        self.within = within
        self.state = "searching"
        self.why = "measuring the start"
        self.found: Knobs | None = None
        self._scores: dict[Knobs, list[float]] = {}
        self._used = 0
        self._search = self._run()
        self.knobs = next(self._search)

    def measured(self, score: float, waited: float) -> Knobs:
        """Take in what a window with `knobs` gave, and return the setting for the next one.

        Args:
            score: higher is better, in any unit that stays the same.
            waited: share of time that readers waited, from 0 to 1.
        """
        if waited <= IDLE:  # whatever is set, it is enough: such a window tells nothing of settings
            self.state = "idle"
            return self.knobs
        self.state = "searching"
        self.knobs = self._search.send(score)
        return self.knobs

    def _value(self, knobs: Knobs) -> float:
        return median(self._scores[knobs])

    def _measure(self, knobs: Knobs, windows: int = 1) -> _Search:
        for _ in range(windows):
            self._used += 1
            self._scores.setdefault(knobs, []).append((yield knobs))

    def _run(self) -> _Search:
        rest = REST
        while True:
            self._scores, self._used = {}, 0
            best = yield from self._climb()
            self.found = best if best != self.start else None
            yield from self._hold(best, rest)
            rest = min(2 * rest, MOST_REST)

    def _climb(self) -> Generator[Knobs, float, Knobs]:
        best = self.start
        self.why = "measuring the start"
        yield from self._measure(best, START_WINDOWS)
        for factor in FACTORS:
            for name in ("in_flight", "block_bytes"):
                best = yield from self._along(best, name, factor)
        self.why = "holding the best against the start, in turns"
        for _ in range(TURNS if best != self.start else 0):
            yield from self._measure(best)
            yield from self._measure(self.start)
        return best if self._value(best) > self._value(self.start) else self.start

    def _along(self, best: Knobs, name: str, factor: int) -> Generator[Knobs, float, Knobs]:
        """Change one setting upwards as long as that helps; downwards if it did not help at all."""
        begin = best
        for up in (True, False):
            while best == begin or up is (getattr(best, name) > getattr(begin, name)):
                now = getattr(best, name)
                tried = replace(best, **{name: now * factor if up else now // factor})
                left = MOST_WINDOWS - self._used - 2 * TURNS
                if tried in self._scores or not self.within.holds(tried) or left < 2:
                    break
                self.why = f"trying {name} {getattr(tried, name):,} instead of {now:,}"
                if not (yield from self._better(tried, best)):
                    break
                best = tried
        return best

    def _better(self, tried: Knobs, best: Knobs) -> Generator[Knobs, float, bool]:
        for _ in range(2):
            yield from self._measure(tried)
            if self._value(tried) < (1 + MARGIN) * self._value(best):
                return False
        return True

    def _hold(self, knobs: Knobs, rest: int) -> _Search:
        """Keep a setting until scores have changed for good, but for `rest` windows at least."""
        expected = self._value(knobs)
        recent: list[float] = []
        held = 0
        while held < rest or not recent or expected / CHANGED <= median(recent) <= expected * CHANGED:
            self.state = "holding"
            self.why = "the best of those tried" if knobs != self.start else "nothing that was tried is better"
            recent = [*recent[1 - WATCHED :], (yield knobs)]
            held += 1
        self.state = "searching"
