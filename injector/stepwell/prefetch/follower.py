"""Sees which files readers open where nobody tells: by inotify, which needs no privilege and works on every mount.

The engine's own opens are told, too, and are taken off.  While a request for a file is on its way, it is not known
whose an open is, so that a reader's is noticed when the request has ended.  What a reader does after opening is not
seen: its file counts as used from then on.  Of two opens at once Linux may tell one, as it
merges equal events; then the order's next steps show that this one is over.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable

from stepwell.prefetch.native.inotify import Inotify
from stepwell.prefetch.protocol import Close, Open
from stepwell.prefetch.roots import parent_of

READER = "inotify"
"""The reader that all opens are told of: inotify does not tell who it was."""


class Follower:
    """Opens of the files in the directories of an order."""

    def __init__(self) -> None:
        self._inotify = Inotify()
        self.descriptor = self._inotify.descriptor
        """Becomes readable when a file was opened."""
        self._opened: Counter[str] = Counter()
        self._own: Counter[str] = Counter()

    def expect(self, paths: Iterable[str]) -> None:
        """Watch the directories of files; where that is not possible, readers there are not seen."""
        for directory in {parent_of(path) for path in paths}:
            with contextlib.suppress(OSError, ValueError):
                self._inotify.watch(directory)

    def look(self) -> None:
        """Take in what was opened."""
        self._opened.update(self._inotify.opened())

    def visits(self, own: Counter[str], in_flight: Counter[str], now_ns: int) -> list[Open | Close]:
        """Return the visits of readers since the last call.

        Args:
            own: how often the engine opened each file; it is emptied.
            in_flight: files of which a request is on its way.
            now_ns: the time.
        """
        self.look()
        self._own.update(own)
        own.clear()
        messages: list[Open | Close] = []
        for path in [path for path in self._opened if path not in in_flight]:
            others = self._opened.pop(path) - self._own.pop(path, 0)
            if others > 0:
                messages += [Open(path, READER, now_ns), Close(path, READER, now_ns)]
        return messages
