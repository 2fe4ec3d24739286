"""What readers got, and how long they waited for it, up to this moment."""

from __future__ import annotations

from typing import Any

import numpy as np

Records = np.ndarray[Any, np.dtype[np.void]]

WAITING = 0.01
"""Share of the time asleep in reads from which on readers wait."""

LULL_NS = 250_000_000
"""For so long readers who waited are believed to wait on: a read is told of when it has ended, and of several that come
at once each but the first finds its bytes."""


class Meter:
    """Sums over runs that read: bytes, and nanoseconds asleep meanwhile.

    The sums never go back, even where a run that ends is in neither kind for a moment.

    Attributes:
        octets: bytes up to now.
        waited_ns: how long readers waited up to now.
        began_ns: when the first of the reads began, CLOCK_MONOTONIC; None while there is none.
    """

    def __init__(self) -> None:
        self.octets = self.waited_ns = 0
        self.began_ns: int | None = None
        self._ended = (0, 0)

    def ended(self, reads: Records) -> None:
        """Add runs that have ended."""
        octets, waited_ns = self._sums(reads)
        self._ended = self._ended[0] + octets, self._ended[1] + waited_ns

    def open(self, reads: Records) -> None:
        """Take in all runs that are open after those that ended."""
        octets, waited_ns = self._sums(reads)
        self.octets = max(self.octets, self._ended[0] + octets)
        self.waited_ns = max(self.waited_ns, self._ended[1] + waited_ns)

    def _sums(self, reads: Records) -> tuple[int, int]:
        if self.began_ns is None and len(reads):
            self.began_ns = int(reads["start_ns"].min())
        octets = (reads["count"] - np.uint64(1)) * reads["size"] + reads["tail"]
        return int(octets.sum()), int(reads["wait_ns"].sum())


class Waits:
    """Whether readers wait for their storage; they are believed to until it is seen that they do not.

    Attributes:
        now: whether they do.
    """

    def __init__(self) -> None:
        self.now = True
        self._last = 0, 0
        self._waited_at = 0

    def see(self, now_ns: int, octets: int, waited_ns: int, *, in_calls: bool = False) -> None:
        """Take in where readers are: the time, their bytes, how long they have waited up to now, in ended calls."""
        before_ns, waited_before = self._last
        if not octets or in_calls or waited_ns - waited_before > WAITING * (now_ns - before_ns):
            self._waited_at = now_ns
        self._last = now_ns, waited_ns
        self.now = now_ns - self._waited_at <= LULL_NS
