"""What readers do on FUSE mounts: taken in by the session's thread, looked at by that which changes the mounts."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from stepwell.analysis.plans.mounts import Reading
from stepwell.mounts import Mount, mount_of, mounts
from stepwell.prefetch.protocol import Close, Message, Open, Run
from stepwell.steer.asked import Asked


class Observed:
    """Readers of all FUSE mounts.  All methods may be called by either thread, and none waits for a mount.

    Attributes:
        settled: whether the engine acts, or will not any more.
    """

    def __init__(self) -> None:
        self.settled = False
        self._lock = threading.Lock()
        self._now = 0, 0
        self._mounts: dict[str, Mount | None] = {}
        self._asked: dict[Mount, Asked] = {}

    def see(self, messages: Iterable[Message], now_ns: int, octets: int, *, settled: bool) -> bool:
        """Take in what happened; return whether it happened on a FUSE mount.

        Args:
            messages: what the engine is told.
            now_ns: nanoseconds since the trace's start.
            octets: bytes that readers got up to now.
            settled: as the attribute.
        """
        told: dict[Mount, list[Message]] = {}
        for message in messages:
            if isinstance(message, Open | Run | Close) and (mount := self.mount_of(message.path)):
                told.setdefault(mount, []).append(message)
        with self._lock:
            self._now, self.settled = (now_ns, octets), settled
            for mount, of_mount in told.items():
                self._asked.setdefault(mount, Asked()).see(of_mount)
        return bool(told)

    def expect(self, mounts: Iterable[Mount]) -> None:
        """Count mounts as read before anything is read on them."""
        with self._lock:
            for mount in mounts:
                self._asked.setdefault(mount, Asked())

    def mounts(self) -> list[Mount]:
        """Return the mounts that files are opened on."""
        with self._lock:
            return [*self._asked]

    def now(self) -> tuple[int, int]:
        """Return the last moment, in ns since the trace's start, and the bytes that readers had got by then."""
        with self._lock:
            return self._now

    def reading(self, mount: Mount) -> Reading:
        """Return how a mount's open files are read."""
        with self._lock:
            return self._asked[mount].reading()

    def open_files(self, mount: Mount) -> list[str]:
        """Return the files of a mount that are open and have been read."""
        with self._lock:
            return self._asked[mount].open_files()

    def readers(self, mount: Mount) -> set[int]:
        """Return the processes that have files of a mount open."""
        with self._lock:
            return self._asked[mount].readers()

    def mount_of(self, path: str) -> Mount | None:
        """Return the FUSE mount of a file."""
        directory = path.rpartition("/")[0]
        if directory not in self._mounts:
            found = mount_of(path, mounts())
            self._mounts[directory] = found if found and found.fstype.startswith("fuse") else None
        return self._mounts[directory]
