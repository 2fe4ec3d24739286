"""Heads of streams as sources: what lies ahead of one position that moves through a file."""

from __future__ import annotations

from dataclasses import dataclass

from stepwell.prefetch.ahead import backward, forward, strided
from stepwell.prefetch.pace import Pace
from stepwell.prefetch.protocol import Head, Policy
from stepwell.prefetch.sources import ASKED, Piece, SizeOf
from stepwell.prefetch.tracks import Track


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

    def restart(self) -> None:
        """What is ahead of its reader may be gone: it is to be asked for again."""
        self.cursor, self.within = -1, 0

    def status(self) -> Head:
        """Return what to tell of it."""
        why_not = self.why_not() or self.pace.left
        why = why_not or f"{self.track.count} accesses in line, {self.track.size} bytes each"
        policy = Policy.NONE if why_not else self.policy
        stride = self.track.stride if self.policy is Policy.STRIDED else 0
        return Head(
            self.stream, self.path, policy, why, self.track.position, stride, self.window(), self.track.count,
        )  # fmt: skip
