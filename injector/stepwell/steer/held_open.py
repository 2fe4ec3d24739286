"""The files of a mount that its readers have open, held open beside them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

MOST = 256
"""Files held at once: far fewer are read piece by piece at the same time, and a process may have 1,024."""


class HeldOpen:
    """Files that a client is to count as open after it was mounted again.

    JuiceFS then serves those that were open, but does not know that they are; and it has the kernel forget what is in
    memory of a file when that is opened while nobody else has it open, as by the prefetch engine for each request
    (juicedata/juicefs pkg/meta/openfile.go: Open, cleanup).

    All methods wait for the mount.
    """

    def __init__(self) -> None:
        self._files: dict[str, int] = {}

    def hold(self, paths: Iterable[str]) -> None:
        """Open these anew, and let go of what was held."""
        former, self._files = self._files, {}
        for path in list(paths)[:MOST]:
            with contextlib.suppress(OSError):
                self._files[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        for descriptor in former.values():
            os.close(descriptor)

    def keep(self, paths: Iterable[str]) -> None:
        """Let go of all but these: what no reader has open must not keep the mount busy."""
        for path in self._files.keys() - set(paths):
            os.close(self._files.pop(path))
