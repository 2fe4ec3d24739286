"""The live line, on a real pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import sys
import termios

from stepwell.cli.live import LiveLine, describe
from stepwell.collectors.ebpf import Counters

BEFORE = Counters(accesses=23, bytes=4093, runs=1, open_files=1, losses={}, degraded={})
NOW = Counters(accesses=40_983, bytes=4093 + (1 << 30), runs=7, open_files=1, losses={"ring": 2}, degraded={})


def test_describe() -> None:
    assert describe(NOW, BEFORE, 0.25) == "164k/s accesses · 4 GiB/s · 2 lost · 40,983 in all"


def draw_in_a_terminal(columns: int, raw: bool) -> bytes:
    """Return what a process with a terminal of its own writes there."""
    pid, terminal = pty.fork()
    if pid == 0:
        status = 1
        try:
            fcntl.ioctl(2, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            if raw:
                modes = termios.tcgetattr(2)
                modes[3] &= ~termios.ECHO
                termios.tcsetattr(2, termios.TCSANOW, modes)
            with LiveLine(sys.__stderr__, BEFORE) as line:  # type: ignore[arg-type]
                line.update(NOW)
            status = 0
        finally:
            os._exit(status)
    written = b""
    try:
        while chunk := os.read(terminal, 4096):
            written += chunk
    except OSError:  # the other end is closed
        pass
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return written


def test_line_is_drawn_at_the_right_and_erased() -> None:
    written = draw_in_a_terminal(200, raw=False).decode()
    first, last = written.split("\x1b8")[:2]
    assert "2 lost · 40,983 in all" in first
    text = first.split("\x1b[2m")[1].removesuffix("\x1b[0m")
    column = f"\x1b[{200 - len(text) + 1}G\x1b[K"
    assert first == f"\x1b7{column}\x1b[2m{text}\x1b[0m"
    assert last == f"\x1b7{column}\x1b[2m\x1b[0m"


def test_narrow_terminal_gets_what_fits() -> None:
    written = draw_in_a_terminal(20, raw=False).decode()
    assert len(written.split("\x1b[2m")[1].split("\x1b")[0]) == 19


def test_terminal_that_does_not_tell_its_width_is_taken_for_80_columns() -> None:
    drawn = re.match("\x1b7\x1b\\[(\\d+)G\x1b\\[K\x1b\\[2m([^\x1b]*)", draw_in_a_terminal(0, raw=False).decode())
    assert drawn is not None
    assert int(drawn[1]) + len(drawn[2]) - 1 == 80


def test_nothing_is_drawn_while_the_command_owns_the_terminal() -> None:
    assert draw_in_a_terminal(80, raw=True) == b""
