"""The live line: what is being recorded right now, on the terminal that the command uses too.

It is drawn at the right edge of the line the cursor is on, and the cursor is put back, so
that the command's own output stays whole.  It is not drawn while the command has taken
over the terminal (no line editing or no echo: editors, pagers, passwords) nor while the
recorder is in the background, where writing could stop it.
"""

from __future__ import annotations

import contextlib
import os
import termios
import time
from typing import TYPE_CHECKING, Self, TextIO

from stepwell.cli import format as human

if TYPE_CHECKING:
    from types import TracebackType

    from stepwell.collectors.ebpf import Counters

INTERVAL = 0.25
"""Seconds between two drawings: readable, and too rare to cost anything."""

UNKNOWN_WIDTH = 80
"""Columns of a terminal that does not tell."""

_SAVE, _RESTORE, _ERASE_TO_END = "\x1b7", "\x1b8", "\x1b[K"
_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"


def describe(now: Counters, before: Counters, seconds: float) -> str:
    """Return the line's text from two readings of the counters, `seconds` apart."""
    accesses = (now.accesses - before.accesses) / seconds
    octets = (now.bytes - before.bytes) / seconds
    parts = (f"{human.rate(accesses)} accesses", human.throughput(octets), f"{human.count(now.lost)} lost")
    return " · ".join((*parts, f"{human.count(now.accesses)} in all"))


class LiveLine:
    """Context that owns the live line of one recording and clears it at the end."""

    def __init__(self, stream: TextIO, first: Counters) -> None:
        self._stream = stream
        self._before = first
        self._at = time.monotonic()
        self._width = 0

    def __enter__(self) -> Self:
        """Draw nothing yet: there are no rates before the second reading."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Erase the line, if it may be drawn on."""
        if self._width and self._terminal_is_ours():
            self._write("")

    def update(self, now: Counters) -> None:
        """Draw the line anew."""
        at = time.monotonic()
        if at > self._at and self._terminal_is_ours():
            self._write(describe(now, self._before, at - self._at))
        self._before, self._at = now, at

    def _write(self, text: str) -> None:
        # A terminal that is gone (hang-up) must not end the recording.
        with contextlib.suppress(OSError):
            columns = os.get_terminal_size(self._stream.fileno()).columns or UNKNOWN_WIDTH
            text = text[: columns - 1]
            self._width = max(self._width, len(text))
            start = columns - self._width + 1
            text = text.rjust(self._width) if text else ""
            self._stream.write(f"{_SAVE}\x1b[{start}G{_ERASE_TO_END}{_DIM}{text}{_PLAIN}{_RESTORE}")
            self._stream.flush()

    def _terminal_is_ours(self) -> bool:
        fd = self._stream.fileno()
        try:
            local_modes = termios.tcgetattr(fd)[3]
            return os.tcgetpgrp(fd) == os.getpgrp() and local_modes & _LINE_MODES == _LINE_MODES
        except (OSError, termios.error):
            return False


_LINE_MODES = termios.ICANON | termios.ECHO
