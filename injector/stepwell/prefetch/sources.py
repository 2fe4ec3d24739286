"""What wants bytes: heads of streams, and orders of files.  Each tells its next piece; the planner has the budgets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from stepwell.prefetch.ahead import backward, forward, pieces, strided
from stepwell.prefetch.orders import Sequence
from stepwell.prefetch.protocol import Entry, Head, Policy
from stepwell.prefetch.tracks import Track
from stepwell.prefetch.windows import Waits, Window, least, most

RESIDENT = 16
"""Requests in a row that find all bytes in memory before a source believes that the rest is there, too."""

MOST_REST = 64
"""Requests that such a source leaves out at most before it looks again; it begins with 2 and doubles."""

MOST_BEGUN = 256
"""Steps that wait for the size of their file: as many as there can be requests."""

SizeOf = Callable[[str], int | None]
"""Bytes of a file: None while they are not known, 0 when it cannot be read, `ASKED` until the first request tells."""

ASKED = -1


@dataclass(frozen=True)
class Piece:
    """Bytes that are wanted, whole pages; `end` may lie behind the end of the file when its size is not known."""

    path: str
    start: int
    end: int
    whole: bool = False
    """It is a block of the mount's client."""


@dataclass
class Pace:
    """What every source knows of itself and of its storage."""

    window: Window
    waits: Waits
    block: int = 0
    client_block: int = 0
    """Bytes of the blocks that the mount's client fetches whole; 0: such blocks are no use to this source."""
    streamed: bool = False
    """The client streams each open file: requests for parts of one would take the stream from each other."""
    in_flight: int = 0
    request_ns: int = 0
    lag_ns: int = 0
    cap_bytes: int | None = None
    """Largest window that the plan allows."""
    moved_ns: int = 0
    acted: bool = False
    """Something was brought in: from then on its waits say nothing any more of what they would be."""
    still: bool = False
    """Its reader stood still while others needed the memory: nothing more is brought in until it moves."""
    left: str = ""
    """Why its mount's client is to read ahead by itself."""
    resident: int = 0
    """Requests in a row that found all in memory."""
    rest: int = 0
    """Requests to leave out before the next one, because all is in memory."""

    def found(self, *, resident: bool) -> None:
        """Note whether a request found everything in memory."""
        self.resident = self.resident + 1 if resident else 0
        self.acted |= not resident
        self.rest = min(2 * self.rest or 2, MOST_REST) if self.resident >= RESIDENT else 0

    def limits(self) -> tuple[int, int]:
        """Return the smallest and the largest sensible window, in bytes."""
        rate, block = self.waits.bytes_s, self.client_block or self.block
        smallest = least(rate, self.request_ns, self.lag_ns, block)
        largest = most(self.in_flight, block, rate, self.lag_ns)
        if self.cap_bytes is not None:
            largest = min(largest, self.cap_bytes)
        return min(smallest, largest), largest


class Source(Protocol):
    """Something that reads ahead."""

    name: str
    pace: Pace

    @property
    def policy(self) -> Policy:
        """How it reads ahead."""

    @property
    def place(self) -> str:
        """The file that is next; empty when there is none."""

    def why_not(self) -> str:
        """Return why nothing is read ahead of it now; empty when it is."""

    def next_piece(self, size_of: SizeOf, ahead: int) -> Piece | None:
        """Return the next piece and count it as asked for; None when there is none now.

        Args:
            size_of: tells the size of a file.
            ahead: bytes of this source that are on their way or ready.
        """

    def status(self) -> Head:
        """Return what to tell of it."""


@dataclass
class HeadSource:
    """Reads ahead of one head of a stream."""

    name: str
    stream: str
    path: str
    track: Track
    pace: Pace
    cursor: int = -1
    """Where the next piece begins; for backward heads where the last one began; for strided ones the access."""
    within: int = 0
    """For strided ones: how far the access at the cursor was asked for, in bytes."""
    skip: int = 0

    @property
    def policy(self) -> Policy:
        """How it reads ahead."""
        return self.track.policy

    @property
    def place(self) -> str:
        """The file that is next."""
        return self.path

    def why_not(self) -> str:
        """Return why nothing is read ahead of it now; empty when it is."""
        if self.policy is Policy.NONE:
            return f"only {self.track.count} accesses in line"
        if self.pace.still:
            return "its reader stands still, and others need the memory"
        return "" if self.pace.acted else self.pace.waits.why_not()

    def is_behind(self) -> bool:
        """Whether its reader is past all that was asked for."""
        return self.policy is Policy.SEQUENTIAL and self.cursor < self.track.position

    def window(self) -> int:
        """Return how many bytes ahead are asked for: at first no more than what was seen of it."""
        target = min(self.pace.window.target, self.track.bytes)
        return max(target if self.pace.cap_bytes is None else min(target, self.pace.cap_bytes), self.track.size)

    def next_piece(self, size_of: SizeOf, ahead: int) -> Piece | None:
        """Return the next piece; see `Source`."""
        size = size_of(self.path)
        if size == ASKED:
            return None
        if size is not None and self.track.policy is not Policy.BACKWARD and self.track.offset >= size:
            return None
        piece = self._piece(size)
        if piece is None or (size is not None and piece.start >= size):
            return None
        if self.pace.rest and self.skip < self.pace.rest:
            self.skip += 1
            return self.next_piece(size_of, ahead)
        self.skip = 0
        return piece

    def _piece(self, size: int | None) -> Piece | None:
        """Take the next piece in order."""
        policy, track, window, whole = self.policy, self.track, self.window(), self.pace.client_block
        block = whole or self.pace.block
        if policy is Policy.SEQUENTIAL:
            # The block in which the reader is comes by itself.
            cursor = max(self.cursor, -(-track.position // whole) * whole) if whole else self.cursor
            for start, end in forward(track, cursor, window, block):
                self.cursor = end
                return Piece(self.path, start, end, whole=bool(whole))
        elif policy is Policy.BACKWARD:
            for start, end in backward(track, self.cursor if self.cursor >= 0 else track.position, window, block):
                self.cursor = start
                return Piece(self.path, start, end, whole=bool(whole))
        elif policy is Policy.STRIDED:
            for number, start, end in strided(track, self.cursor, window, self.pace.block, size):
                if number == self.cursor and end <= self.within:
                    continue
                self.cursor, self.within = number, end
                return Piece(self.path, start, end)
        return None

    def status(self) -> Head:
        """Return what to tell of it."""
        why_not = self.why_not() or self.pace.left
        why = why_not or f"{self.track.count} accesses in line, {self.track.size} bytes each"
        policy = Policy.NONE if why_not else self.policy
        stride = self.track.stride if self.policy is Policy.STRIDED else 0
        return Head(
            self.stream, self.path, policy, why, self.track.position, stride, self.window(), self.track.count,
        )  # fmt: skip


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
    skip: int = 0

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
        if not self.unbounded and ahead >= self.pace.window.target:
            return None
        return self._go_on(size_of) or self._begin(size_of)

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
        step = self.sequence.next_step()
        return Head(
            self.name, step.path if step else "", Policy.NONE if why_not else self.policy, why_not or self.sequence.why,
            self.sequence.position, 0, self.pace.window.target, self.visits,
        )  # fmt: skip
