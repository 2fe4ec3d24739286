"""Files while they are being looked for, by a thread of its own: listing takes as long as the storage likes."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Iterable

from stepwell.warm.find import File

_AHEAD = 64
"""Batches that are found before they are wanted, at most: enough for reads to go on where each directory has one
file."""


class Listing:
    """What is found.

    Args:
        batches: the thread goes through them, and nobody waits for it; an empty one is a sign of life.
    """

    def __init__(self, batches: Iterable[list[File]]) -> None:
        self.found = 0
        """Files so far."""
        self.over = False
        """All were taken."""
        self.event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        """A descriptor that becomes readable when there is more to take, or a sign of life."""
        self._queue: queue.Queue[list[File] | Exception | None] = queue.Queue(_AHEAD)
        threading.Thread(target=self._list, args=(batches,), name="listing", daemon=True).start()

    def take(self) -> list[File]:
        """Return the next batch; an empty one while there is none.

        Raises:
            Exception: the one that ended the looking.
        """
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.event)
        with contextlib.suppress(queue.Empty):
            batch = [] if self.over else self._queue.get_nowait()
            if isinstance(batch, Exception):
                raise batch
            self.over = batch is None or self.over
            return batch or []
        return []

    def _list(self, batches: Iterable[list[File]]) -> None:
        try:
            for batch in batches:
                self.found += len(batch)
                self._put(batch)
            self._put(None)
        except Exception as error:
            self._put(error)

    def _put(self, what: list[File] | Exception | None) -> None:
        if what != []:
            self._queue.put(what)
        os.eventfd_write(self.event, 1)
