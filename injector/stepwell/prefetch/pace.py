"""How far ahead one source reads at the moment: its window, and what decides it."""

from __future__ import annotations

from dataclasses import dataclass

from stepwell.prefetch.windows import Waits, Window, least, most

RESIDENT = 16
"""Requests in a row that find all bytes in memory before a source believes that the rest is there, too."""

MOST_REST = 64
"""Requests that such a source leaves out at most before it looks again; it begins with 2 and doubles."""


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
