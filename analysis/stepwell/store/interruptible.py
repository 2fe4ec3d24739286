"""Queries that end at once when a signal's handler raises: on Ctrl-C, above all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")

AGAIN_SECONDS = 0.1
"""How often a query is told to end: one that was about to begin when it was told has not heard it."""


def interruptibly(work: Callable[[], T], stop: Callable[[], object]) -> T:
    """Return what `work` returns, which a thread of its own does; the main thread stays free for signals.

    DuckDB looks for signals between its tasks alone, one of which may take minutes, and raises a RuntimeError of its
    own instead of what their handlers raise; py4j, amid a call, raises one of its own as well.

    Args:
        work: asks the query.
        stop: makes it end, called from this thread when a signal's handler raises.

    Raises:
        BaseException: what the work raises, or a signal's handler; the query has ended then.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    with ThreadPoolExecutor(1) as asking:
        answer = asking.submit(work)
        try:
            return answer.result()
        except BaseException:
            while not answer.done():
                stop()
                wait([answer], AGAIN_SECONDS)
            raise
