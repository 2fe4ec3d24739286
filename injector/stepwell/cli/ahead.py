"""Work of our own that is done while something else is waited for: what a recording needs only later is imported."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


SWITCH = 0.0002
"""Seconds that the main thread waits for its turn: with Python's 5 ms, after each of its system calls, as many as it
makes to begin a recording, the command would start a fifth of a second later."""

NICE = 5
"""Of what is needed at the end only: a third of what others get, where they want all of the processors."""


def give_way() -> None:
    """Let other programs go first: what this thread does from now on is not waited for."""
    thread = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, thread, max(NICE, os.getpriority(os.PRIO_PROCESS, thread)))


class Ahead(threading.Thread):
    """Context in which work is done beside its body, which is not left before that has ended.

    Attributes:
        error: what broke the work off. Whoever needs it meets the same error, or does it himself.
    """

    def __init__(self, work: Iterable[Callable[[], None]]) -> None:
        super().__init__(name="ahead")
        self.error: Exception | None = None
        self._work = tuple(work)
        self._switch = sys.getswitchinterval()

    def run(self) -> None:
        """Do the work, in its order."""
        try:
            for step in self._work:
                step()
        except Exception as error:
            self.error = error
        finally:
            sys.setswitchinterval(self._switch)

    def __enter__(self) -> Self:
        """Begin."""
        sys.setswitchinterval(SWITCH)
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the end."""
        self.join()
