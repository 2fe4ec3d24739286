"""How far ahead, and whether at all: from what readers and requests took, as pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

MARGIN = 2
"""A window is this many times what is consumed while a request is under way: half of the requests may take longer."""

EARLY = 8
"""What lay ready for more than so many request times came too early: the window can shrink without becoming late."""

WAIT_PERMILLE = 20
"""A reader that waits less than 2 % of its time is not helped: it could not win more than the engine may cost."""

MEMORY_NS = 50_000
"""An access that takes less came from memory: no disk answers sooner, and a system call over cached pages takes a
fiftieth of it."""

MEMORY_BYTES_NS = 4
"""Bytes a nanosecond that copying from memory reaches at least, on top of that."""

HALF_LIFE_NS = 1_000_000_000
"""Of a mean: what a reader did is half forgotten after a second."""


@dataclass
class Waits:
    """What share of its time a reader waits for its accesses, of the last second or two."""

    latency_ns: float = 0
    span_ns: float = 0
    accesses: float = 0
    bytes: float = 0
    measured: bool = False

    def add(self, accesses: int, size: int, span_ns: int, latency_ns: int | None) -> None:
        """Take in accesses that ended after the last ones; `latency_ns` is None when it was not measured."""
        self.accesses += accesses
        self.bytes += accesses * size
        self.span_ns += max(span_ns, 0)
        if latency_ns is not None:
            self.measured = True
            self.latency_ns += latency_ns
        while self.span_ns > 2 * HALF_LIFE_NS:
            self.latency_ns /= 2
            self.span_ns /= 2
            self.accesses /= 2
            self.bytes /= 2

    @property
    def bytes_s(self) -> float:
        """What the reader consumes."""
        return self.bytes * 1e9 / self.span_ns if self.span_ns else 0.0

    def why_not(self) -> str:
        """Return why reading ahead cannot help this reader; empty when it may."""
        if not self.measured or not self.accesses or not self.span_ns:
            return ""
        mean = self.latency_ns / self.accesses
        if mean < MEMORY_NS + self.bytes / self.accesses / MEMORY_BYTES_NS:
            return f"already in memory: its accesses take {mean / 1000:.0f} us"
        if self.latency_ns * 1000 < WAIT_PERMILLE * self.span_ns:
            return f"never waits: accesses are {100 * self.latency_ns / self.span_ns:.1f} % of its time"
        return ""


@dataclass
class Window:
    """How many bytes ahead of a reader are asked for.

    As Linux's readahead (mm/readahead.c, `get_next_ra_size`) it doubles; but only when the reader came too soon.

    Attributes:
        target: bytes.
        changed_ns: when it last grew or shrank.
    """

    target: int
    changed_ns: int = 0

    def late(self, now_ns: int, request_ns: int, most: int) -> None:
        """The reader came before its bytes: double, at most once in the time of a request."""
        if now_ns - self.changed_ns >= request_ns:
            self.target = min(2 * self.target, max(most, self.target))
            self.changed_ns = now_ns

    def used(self, now_ns: int, waited_ns: int, request_ns: int, least: int) -> None:
        """Bytes lay ready for so long: shrink by a quarter when that is far longer than a request takes."""
        if waited_ns > EARLY * request_ns and now_ns - self.changed_ns >= EARLY * request_ns:
            self.target = max(self.target * 3 // 4, least)
            self.changed_ns = now_ns


def least(bytes_s: float, request_ns: int, lag_ns: int, block: int) -> int:
    """Return the smallest sensible window: Little's law over a request and the delay of observations."""
    return int(MARGIN * bytes_s * (request_ns + lag_ns) / 1e9) + block


def most(in_flight: int, block: int, bytes_s: float, lag_ns: int) -> int:
    """Return the largest sensible window: all requests busy twice over, and what is consumed before it is told."""
    return MARGIN * (in_flight * block + int(bytes_s * lag_ns / 1e9))
