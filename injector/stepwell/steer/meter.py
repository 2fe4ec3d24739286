"""What readers got, and how long they waited for it, up to this moment."""

from __future__ import annotations

from typing import Any

import numpy as np

from stepwell.trace.definition import RUN, RUN_SHORT, Op
from stepwell.trace.spool import Block

Records = np.ndarray[Any, np.dtype[np.void]]


class Meter:
    """Sums over the runs that ended and those that are open: bytes read, and nanoseconds asleep in reads.

    A run that ends is for up to a tenth of a second in neither; the sums never go back meanwhile.
    """

    def __init__(self) -> None:
        self._ended = (0, 0)
        self._shown = (0, 0)

    def take(self, block: Block) -> None:
        """Add the runs of a block, which have ended."""
        if block.kind in {RUN.kind, RUN_SHORT.kind}:
            octets, waited_ns = _sums(block.records)
            self._ended = self._ended[0] + octets, self._ended[1] + waited_ns

    def read(self, open_runs: Records) -> tuple[int, int]:
        """Return bytes and nanoseconds up to now; the open runs were taken after all blocks before them."""
        octets, waited_ns = _sums(open_runs)
        self._shown = (
            max(self._shown[0], self._ended[0] + octets),
            max(self._shown[1], self._ended[1] + waited_ns),
        )
        return self._shown


def _sums(runs: Records) -> tuple[int, int]:
    reads = runs[(runs["op"] != Op.WRITE) & (runs["count"] > 0)]
    octets = (reads["count"] - np.uint64(1)) * reads["size"] + reads["tail"]
    return int(octets.sum()), int(reads["wait_ns"].sum())
