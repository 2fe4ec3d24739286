"""Opens of the files of directories, as Linux tells them without any privilege: inotify(7)."""

from __future__ import annotations

import ctypes
import os
import struct

OPENED = 0x20
_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
_HEADER = struct.Struct("iIII")
_ROOM = 65_536


class Inotify:
    """Watches directories, on any file system of this machine; it keeps none from being unmounted.

    Raises:
        OSError: this user may watch no more.
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = self._checked(self._libc.inotify_init1(_FLAGS), "inotify")
        """Becomes readable when something was opened."""
        self._watched: dict[str, int] = {}
        self._directories: dict[int, str] = {}

    def watch(self, directory: str) -> None:
        """Tell of opens in a directory.

        Raises:
            OSError: there is no such directory, or the limit of watches is reached (`fs.inotify.max_user_watches`).
        """
        if directory in self._watched:
            return
        number = self._checked(
            self._libc.inotify_add_watch(self.descriptor, os.fsencode(directory), OPENED), directory
        )  # fmt: skip
        self._watched[directory] = number
        self._directories[number] = directory

    def opened(self) -> list[str]:
        """Return the files that were opened since the last call, each as often as it was."""
        paths: list[str] = []
        while True:
            try:
                data = os.read(self.descriptor, _ROOM)
            except BlockingIOError:
                return paths
            at = 0
            while at < len(data):
                number, mask, _, length = _HEADER.unpack_from(data, at)
                name = data[at + _HEADER.size : at + _HEADER.size + length].rstrip(b"\0")
                at += _HEADER.size + length
                if mask & OPENED and name and number in self._directories:
                    paths.append(f"{self._directories[number]}/{os.fsdecode(name)}")

    @staticmethod
    def _checked(code: int, what: str) -> int:
        if code < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), what)
        return code
