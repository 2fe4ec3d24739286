"""Lines from and to other programs: unix sockets, standard input and output."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path

from stepwell.prefetch.errors import PrefetchError

LONGEST_LINE = 64 << 20
"""Bytes of a line: an order of a million steps fits; more is no protocol."""

BACKLOG = 4 << 20
"""Bytes of answers that wait for a program that does not read; further ones are dropped, later ones tell as much."""

_READ = 1 << 16


class Connection:
    """One program that sends lines, and may be answered.

    Args:
        source: descriptor to read from.
        sink: descriptor to write to; -1 for none.
        orders: its lines are steps of an order, not messages.
        anywhere: these may lie outside of all roots.
    """

    def __init__(self, source: int, sink: int, *, orders: bool = False, anywhere: bool = False) -> None:
        self.source = source
        self.orders, self.anywhere = orders, anywhere
        self.lines = 0
        """Lines that came so far."""
        self._sink = sink
        if sink >= 0:
            _set_nonblocking(sink)
        self._received = bytearray()
        self._unsent = bytearray()

    def receive(self) -> tuple[list[bytes], bool]:
        """Return the lines that have come, and whether more may; to be called when the source is readable.

        Raises:
            PrefetchError: a line is too long.
        """
        try:
            data = os.read(self.source, _READ)
        except BlockingIOError:
            return [], True
        except OSError:
            data = b""
        self._received += data
        if data and b"\n" not in data:
            if len(self._received) > LONGEST_LINE:
                raise PrefetchError(f"a line is longer than {LONGEST_LINE} bytes; send one message a line")
            return [], True
        *lines, rest = self._received.split(b"\n")
        if not data and rest:
            lines, rest = [*lines, rest], bytearray()
        self._received = bytearray(rest)
        self.lines += len(lines)
        return [bytes(line) for line in lines], bool(data)

    def send(self, line: bytes) -> None:
        """Write a line, or keep it until there is room, or drop it when too much waits; it never blocks on a pipe."""
        if self._sink < 0:
            return
        if len(self._unsent) + len(line) <= BACKLOG:
            self._unsent += line
        try:
            while self._unsent:
                del self._unsent[: os.write(self._sink, self._unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self._sink = -1

    def close(self) -> None:
        """Close what it was made of."""
        for descriptor in {self.source, self._sink} - {-1}:
            with contextlib.suppress(OSError):
                os.close(descriptor)


def listen(path: Path) -> socket.socket:
    """Return a unix socket that only this user may connect to; one that nobody serves any more is replaced.

    Raises:
        PrefetchError: the place cannot be used.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        if path.is_socket() and not _served(path):
            path.unlink()
        mask = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(mask)
        listener.listen()
    except OSError as error:
        listener.close()
        raise PrefetchError(f"cannot listen at {path}: {error.strerror or error}; give another place") from error
    return listener


def _served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(path)) == 0


def _set_nonblocking(descriptor: int) -> None:
    """Only pipes and sockets: a terminal or a file is shared with others, who would be surprised."""
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        os.set_blocking(descriptor, False)
