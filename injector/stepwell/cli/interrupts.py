"""Ctrl-C where a storage may hang, and signals that end a process in which something is to be put away."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def deadly_interrupts() -> Iterator[None]:
    """Let Ctrl-C end this process at once, wherever it is: for looks at a storage, with nothing to put away.

    The kernel ends the wait for a storage that does not answer for a signal that kills, and not for one that a handler
    is to hear of (fs/fuse/dev.c: request_wait_answer; a request that its server has taken keeps even the killed).
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # whoever started this process wants none, or another one has taken it
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def stopped_in_order() -> Iterator[list[int]]:
    """Let SIGTERM and SIGHUP do what Ctrl-C does, unless whoever started this process wants none; yield which came."""
    came: list[int] = []

    def stop(number: int, _: object) -> None:
        came.append(number)
        raise KeyboardInterrupt

    taken = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, stop)
    try:
        yield came
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
