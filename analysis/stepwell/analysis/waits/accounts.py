"""Where the time of threads went."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stepwell.analysis.waits.model import Account

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Threads:
    """All threads of a trace, by number; each array has one element a thread, times are in ns."""

    thread: Ints
    reader: Ints
    tid: Ints
    start: Ints
    end: Ints
    cpu: Ints
    queued: Ints
    read: Ints
    write: Ints
    metadata: Ints

    @property
    def wall(self) -> Ints:
        """Return how long each lived."""
        return np.asarray(np.maximum(self.end - self.start, 0))

    @property
    def storage(self) -> Ints:
        """Return how long each waited for storage."""
        return np.asarray(self.read + self.write + self.metadata)

    def account(self, mask: NDArray[np.bool_]) -> Account:
        """Return where the time of some threads went."""
        wall = self.wall[mask]
        # What sleeps also works a little, in the same access: waiting has precedence, and the parts fit the whole.
        waits = np.stack([self.read[mask], self.write[mask], self.metadata[mask]])
        total = np.maximum(waits.sum(axis=0), 1)
        waits = waits * np.minimum(1.0, wall / total)
        cpu = np.minimum(self.cpu[mask], wall - waits.sum(axis=0))
        other = wall - waits.sum(axis=0) - cpu
        # Who has slept in an access waits for a processor there, too, and how long is not known: at most all the while.
        queued = np.clip(self.queued[mask] - waits.sum(axis=0), 0, other)
        read, write, metadata = (round(part) for part in waits.sum(axis=1))
        whole, computing = int(wall.sum()), round(cpu.sum())
        return Account(
            wall_ns=whole,
            cpu_ns=computing,
            read_ns=read,
            write_ns=write,
            metadata_ns=metadata,
            queued_ns=round(queued.sum()),
            other_ns=max(0, whole - computing - read - write - metadata - round(queued.sum())),
        )
