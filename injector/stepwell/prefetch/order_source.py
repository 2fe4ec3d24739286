"""Orders of files as sources: the steps that come next, each in pieces."""

from __future__ import annotations

from dataclasses import dataclass, field

from stepwell.prefetch.ahead import pieces
from stepwell.prefetch.orders import Sequence
from stepwell.prefetch.pace import Pace
from stepwell.prefetch.protocol import Entry, Head, Policy
from stepwell.prefetch.sources import ASKED, Piece, SizeOf

MOST_BEGUN = 256
"""Steps that wait for the size of their file: as many as there can be requests."""

SAVED = 4
"""Visits whose share of a set is saved up at most.  Default 4: other orders begin with as many requests at once
(`guides.FIRST_WINDOW`), and a reader alone has about `SHARE` of the set under way."""


@dataclass
class OrderSource:
    """Reads ahead along an order of files."""

    name: str
    sequence: Sequence
    pace: Pace
    unbounded: bool
    """The order is known: only the memory budget limits how far ahead it is read."""
    begun: dict[int, tuple[Entry, int]] = field(default_factory=dict)
    """Steps of which something was asked for and something is left, with where that begins."""
    visits: int = 0
    """Steps that readers have taken."""
    share: int | None = None
    """Steps that may be asked for, for each of these; None for no such limit."""
    most: int | None = None
    """Bytes that may be ahead for it; None: as many as for all sources."""
    credit: int = 0
    """How many may be asked for now."""
    skip: int = 0
    gap: range = range(0)
    """Steps that are left to readers."""

    @property
    def policy(self) -> Policy:
        """How it reads ahead."""
        return self.sequence.policy

    @property
    def place(self) -> str:
        """The file that is next; empty when there is none."""
        begun = next((entry for entry, _ in self.begun.values()), None)
        following = begun or self.sequence.next_step()
        return following.path if following else ""

    def why_not(self) -> str:
        """Return why nothing is read ahead of it now; empty when it is."""
        if self.pace.still:
            return "its readers stand still, and others need the memory"
        if not self.sequence.follows:
            return self.sequence.diverged or "not enough files seen"
        return "" if self.pace.acted or self.unbounded else self.pace.waits.why_not()

    def next_piece(self, size_of: SizeOf, ahead: int) -> Piece | None:
        """Return the next piece; see `Source`."""
        limit = self.most if self.unbounded else self.pace.window.target
        if limit is not None and ahead >= limit:
            return None
        more = self.share is None or self.credit > 0
        return self._go_on(size_of) or (self._begin(size_of) if more else None)

    def _go_on(self, size_of: SizeOf) -> Piece | None:
        """The next piece of a step that was begun."""
        for step, (entry, start) in list(self.begun.items()):
            size = size_of(entry.path)
            if self.sequence.is_over(step) and start == entry.offset:
                del self.begun[step]
            elif size != ASKED:
                piece = self._cut(step, entry, start, size)
                if piece:
                    return piece
        return None

    def _begin(self, size_of: SizeOf) -> Piece | None:
        """The first piece of the next step that has one; steps on files whose size is being asked for wait."""
        while len(self.begun) < MOST_BEGUN and (entry := self.sequence.next_step()) is not None:
            step, size = self.sequence.asked, size_of(entry.path)
            self.sequence.asked += 1
            self.credit -= 1
            if self.pace.rest and self.skip < self.pace.rest:
                self.skip += 1
                continue
            self.skip = 0
            if size == ASKED:
                self.begun[step] = (entry, entry.offset)
                continue
            piece = self._cut(step, entry, entry.offset, size)
            if piece:
                return piece
        return None

    def restart(self) -> None:
        """What is ahead of its reader may be gone: it is to be asked for again."""
        self.sequence.asked = self.sequence.position
        self.begun.clear()
        self.gap = range(0)

    @property
    def alone(self) -> bool:
        """Whether all readers are at steps that are left to them."""
        latest = self.sequence.latest
        return bool(latest) and all(step in self.gap for _, step in latest.values())

    def left(self) -> int:
        """Return how many steps are left to readers and are not over."""
        return sum(not self.sequence.is_over(step) for step in self.gap)

    def leave_gap(self, steps: int) -> None:
        """Leave so many of the next steps to readers, in place of those that were before."""
        self.close_gap()
        self.sequence.next_step()
        first = self.sequence.asked
        self.sequence.asked = min(first + steps, len(self.sequence.entries))
        self.gap = range(first, self.sequence.asked)

    def close_gap(self) -> None:
        """Go on with those of these steps that readers are not past."""
        entries = self.sequence.entries
        left = {step: (entries[step], entries[step].offset) for step in self.gap if not self.sequence.is_over(step)}
        self.begun = left | self.begun
        self.gap = range(0)

    def took(self) -> None:
        """A reader took a step."""
        self.visits += 1
        if self.share is not None:
            # What was not asked for in time is not made up for: that would come in a burst, before readers' own.
            self.credit = min(max(self.credit, 0) + self.share, SAVED * self.share)

    def leave(self, path: str) -> None:
        """What is left of the steps on this file that are over is no longer asked for."""
        for step, (entry, _) in list(self.begun.items()):
            if entry.path == path and self.sequence.is_over(step):
                del self.begun[step]

    def _cut(self, step: int, entry: Entry, start: int, size: int | None) -> Piece | None:
        """The next piece of a step; with an unknown size only the first."""
        end = size if entry.size is None else entry.offset + entry.size
        if size is not None:
            end = min(size, end or 0)
        elif end is None:
            end = start + self.pace.block
        if self.pace.streamed and size is not None and end - entry.offset > self.pace.block:
            self.begun.pop(step, None)
            return None
        # A file of one block comes by itself as soon as it is begun, and is then read whole.
        whole = self.pace.client_block if size is not None and end - entry.offset > self.pace.client_block else 0
        for low, high in pieces(start, end, whole or self.pace.block):
            # In its place among the others: the nearest step comes first.
            if size is None or high < end:
                self.begun[step] = (entry, high)
            else:
                self.begun.pop(step, None)
            return Piece(entry.path, low, high, whole=bool(whole))
        self.begun.pop(step, None)
        return None

    def status(self) -> Head:
        """Return what to tell of it."""
        why_not = self.why_not() or self.pace.left
        # One that was asked for as a whole still has readers: its last file says where.
        steps = self.sequence.entries
        step = self.sequence.next_step() or (steps[-1] if steps else None)
        return Head(
            self.name, step.path if step else "", Policy.NONE if why_not else self.policy, why_not or self.sequence.why,
            self.sequence.position, 0, self.pace.window.target, self.visits,
        )  # fmt: skip
