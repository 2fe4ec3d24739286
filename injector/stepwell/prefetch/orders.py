"""Steps that readers are expected to take, one after the other, and how far they are."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from itertools import chain

from stepwell.prefetch.protocol import Entry, Policy

NEAR = 64
"""Steps around its last one in which a reader may be: several workers with batches each take them out of turn. In
an order that is only guessed it is at most a sixteenth of all steps, so that a random one does not seem to follow."""

PATIENCE_NS = 2_000_000_000
"""For so long steps of a given order that others went past are waited for: one of several workers may be as far behind,
as when it began later, or waits while others find what was brought in."""

LATELY_NS = 1_000_000_000
"""A reader that took its last step so much earlier than others does something else."""

MOST_READERS = 256
"""Readers whose places are kept: of programs that open each file in a process of its own the latest tell enough."""

JUMP = 3
"""Visits one after the other somewhere else in the order before its readers are believed to have gone there."""

JUDGED = 32
"""Visits by which an order is judged."""

HITS = 3
"""Visits in a row near the expected step before an order that was only guessed is acted on: three files that are by
chance near the right place, out of a thousand, are found once in five thousand times."""


class Sequence:
    """An order, and the position of its readers in it.

    Args:
        policy: how it was found.
        why: the evidence, in words.
        trusted: act on it from the start; otherwise from `HITS` visits near the expected steps on.
    """

    def __init__(self, policy: Policy, why: str, *, trusted: bool) -> None:
        self.policy = policy
        self.why = why
        self.entries: list[Entry] = []
        self.places: dict[str, list[int]] = {}
        self.position = 0
        """All steps before it are over."""
        self.asked = 0
        """Steps before it were asked for, or are being asked for."""
        self.over: set[int] = set()
        """Steps from `position` on that are over, out of turn."""
        self.left_out: list[Entry] = []
        """Steps that visits went past without taking them, until somebody takes this list."""
        self.recent: deque[bool] = deque([True] * (JUDGED if trusted else 0), maxlen=JUDGED)
        self.latest: dict[str, tuple[int, int]] = {}
        """When each reader took its last step, and which; of those who took one lately, the last of them last."""
        self._within: dict[str, Entry] = {}
        """The step on a part of each file that was taken last."""
        self._trusted = trusted
        self._furthest = self._before = -1
        self._progress: deque[tuple[int, int]] = deque()
        """When and how far readers got lately; `_before` is where they were before that."""
        self._elsewhere: list[int] = []
        self._visited: deque[tuple[str, int | None]] = deque(maxlen=NEAR)

    def extend(self, entries: Iterable[Entry]) -> None:
        """Append steps."""
        for entry in entries:
            self.places.setdefault(entry.path, []).append(len(self.entries))
            self.entries.append(entry)

    def visit(self, path: str, reader: str, now_ns: int, start: int | None = None, end: int = 0) -> int | None:
        """A reader opened a file, or, with a range, asked for a part of it.

        Args:
            path: the file.
            reader: who.
            now_ns: the caller's clock.
            start: where the range begins, in bytes.
            end: where it ends.

        Returns:
            The step that it took; None when it is none of those that are expected.
        """
        step, within = self._step(path, reader, start, end), self._within.get(path)
        begins = step is not None and self.entries[step].offset == start
        if start is not None and within and within.offset < start < _end(within) and not begins:
            return None  # it goes on with a step that it has taken
        if self.policy is Policy.RANDOM:
            return self._take(step)
        # Files that are no part of it, or are opened once more, say nothing about the order; nor, if it was given, does
        # another reader of all of it.
        again = (self._trusted and start is None) or (path, start) in self._visited
        if path not in self.places or (step is None and again):
            return None
        self._visited.append((path, start))
        near = step is not None and self._is_near(step, reader)
        self.recent.append(near)
        if step is None:
            return None
        if not near:
            self._elsewhere = self._elsewhere[-JUMP + 1 :] if self._elsewhere[-1:] == [step - 1] else []
            self._elsewhere.append(step)
            if len(self._elsewhere) < JUMP and self._furthest >= 0:
                return None
            self._furthest = step
        self._furthest = max(self._furthest, step)
        self.over.add(step)
        if start is not None:
            self._within[path] = self.entries[step]
        self._took(step, reader, now_ns)
        self._leave_out(self._passed(now_ns))
        return step

    def _took(self, step: int, reader: str, now_ns: int) -> None:
        """Keep where a reader is, and forget those who took no step lately."""
        self.latest.pop(reader, None)
        self.latest[reader] = now_ns, step
        while now_ns - self.latest[first := next(iter(self.latest))][0] >= LATELY_NS or len(self.latest) > MOST_READERS:
            del self.latest[first]

    def waited_for(self) -> float:
        """Return what share of the steps that were asked for, and are not over, readers went past."""
        over = self.position + len(self.over)
        return max(self._furthest + 1 - over, 0) / max(self.asked - over, 1)

    def hurry(self) -> None:
        """Wait no more for steps that readers went far past: what was brought in for them keeps out what is next."""
        self._leave_out(self._furthest)

    def _leave_out(self, passed: int) -> None:
        """Wait no more for steps that all went past, one of them, or some while ago, as far as `passed`.

        A reader that others are ahead of goes on with the steps after its last one: without them it would wait for
        each, and fall behind all the more.
        """
        slowest = min((step for _, step in self.latest.values()), default=passed)
        self.left_out += self.advance(max(self.position, min(passed - NEAR, slowest)))

    def _at(self, reader: str) -> int:
        """Return where a reader is expected: at its own last step, or else at the furthest."""
        return self.latest[reader][1] if reader in self.latest else max(self._furthest, self.position)

    def _is_near(self, step: int, reader: str) -> bool:
        """Whether a step may be the next one of a reader; of a given order any that is still waited for."""
        if self._trusted:
            return step <= max(self._furthest, self.position) + NEAR
        return abs(step - self._at(reader)) <= min(NEAR, max(len(self.entries) // 16, 2))

    def _passed(self, now_ns: int) -> int:
        """Return how far readers were as long ago as they are waited for."""
        if not self._trusted:
            return self._furthest
        self._progress.append((now_ns, self._furthest))
        while self._progress[-1][0] - self._progress[0][0] > PATIENCE_NS:
            self._before = self._progress.popleft()[1]
        return self._before

    def advance(self, position: int) -> list[Entry]:
        """All steps before `position` are over; return those that were not before."""
        gone = []
        while self.position < min(position, len(self.entries)) or self.position in self.over:
            if self.position in self.over:
                self.over.remove(self.position)
            else:
                gone.append(self.entries[self.position])
            self.position += 1
        self.asked = max(self.asked, self.position)
        return gone

    def _take(self, step: int | None) -> int | None:
        """Any step of a set may be the next one."""
        if step is not None:
            self.over.add(step)
            self.advance(self.position)
        return step

    def is_over(self, step: int) -> bool:
        """Whether its readers took a step."""
        return step < self.position or step in self.over

    @property
    def follows(self) -> bool:
        """Whether readers follow it, so that it may be acted on."""
        if len(self.recent) < HITS:
            return False
        return all(list(self.recent)[-HITS:]) or 2 * sum(self.recent) > JUDGED

    @property
    def diverged(self) -> str:
        """Why it is not followed; empty when it is, or when that is not known yet."""
        missed = self.recent.count(False)
        if len(self.recent) < HITS or self.follows:
            return ""
        return f"{missed} of the last {len(self.recent)} steps of readers were not the next ones of this order"

    def next_step(self) -> Entry | None:
        """Return the next step that was not asked for, without taking it; None when there is none."""
        while self.asked < len(self.entries) and self.asked in self.over:
            self.asked += 1
        return self.entries[self.asked] if self.asked < len(self.entries) else None

    def _step(self, path: str, reader: str, start: int | None, end: int) -> int | None:
        """The step on this file and range that is not over: a near one, one that others went past, or a later one."""
        places, at = self.places.get(path, []), self._at(reader)
        steps = self.position, max(at - NEAR, self.position), at + NEAR + 1
        first, near, far = (bisect_left(places, step) for step in steps)
        for place in chain(range(near, far), range(first, near), range(far, len(places))):
            step = places[place]
            entry = self.entries[step]
            inside = start is None or (entry.offset < end and start < _end(entry))
            if step not in self.over and inside:
                return step
        return None


def _end(entry: Entry) -> float:
    """Return where a step ends; a whole file has no end that is known."""
    return math.inf if entry.size is None else entry.offset + entry.size
