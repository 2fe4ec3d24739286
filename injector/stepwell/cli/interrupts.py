"""Ctrl-C where a storage may hang, signals where something is to be put away, and threads that take none."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


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


def apart(work: Callable[[], T]) -> T:
    """Return what `work` returns, which has nothing to put away: Ctrl-C ends this process at once.

    A thread that takes no signals does it, and those that it starts take none either. Arrow's never end: when the main
    thread holds signals back later, they would take them, and the process would die of what it is to pass on.
    """
    with deadly_interrupts(), ThreadPoolExecutor(1, initializer=take_no_signals) as worker:
        return worker.submit(work).result()


def take_no_signals() -> None:
    """Let no signal be delivered to this thread."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
