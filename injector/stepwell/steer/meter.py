"""What readers got, and how long they waited for it, up to this moment."""

from __future__ import annotations

from typing import Any

import numpy as np

Records = np.ndarray[Any, np.dtype[np.void]]


class Meter:
    """Sums over runs that read: bytes, and nanoseconds asleep meanwhile.

    The sums never go back, even where a run that ends is in neither kind for a moment.

    Attributes:
        octets: bytes up to now.
        waited_ns: how long readers waited up to now.
    """

    def __init__(self) -> None:
        self.octets = self.waited_ns = 0
        self._ended = (0, 0)

    def ended(self, reads: Records) -> None:
        """Add runs that have ended."""
        octets, waited_ns = _sums(reads)
        self._ended = self._ended[0] + octets, self._ended[1] + waited_ns

    def open(self, reads: Records) -> None:
        """Take in all runs that are open after those that ended."""
        octets, waited_ns = _sums(reads)
        self.octets = max(self.octets, self._ended[0] + octets)
        self.waited_ns = max(self.waited_ns, self._ended[1] + waited_ns)


def _sums(reads: Records) -> tuple[int, int]:
    octets = (reads["count"] - np.uint64(1)) * reads["size"] + reads["tail"]
    return int(octets.sum()), int(reads["wait_ns"].sum())
