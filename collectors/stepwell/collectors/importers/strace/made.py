"""A system call that was made, and what its arguments say; no state."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import lru_cache

from stepwell.collectors.importers.strace.lines import Call, arguments, descriptor
from stepwell.collectors.importers.strace.tasks import Task

_PATH = re.compile(r"</[^<>()\\]*>")
"""What follows a descriptor that was made, and takes what it says as it stands."""
_IOVEC = re.compile(r"iov_len=(\d{1,19})")


@dataclass(slots=True)
class Made:
    """A system call that was made: by whom, its end, its arguments, and when it began."""

    task: Task
    call: Call
    given: str
    start_ns: int | None
    _arguments: list[str] | None = None

    @property
    def arguments(self) -> list[str]:
        """Its arguments as strace printed them."""
        if self._arguments is None:
            self._arguments = arguments(self.given)
        return self._arguments

    @property
    def rest(self) -> str:
        """What strace printed after the first argument."""
        call = self.call
        return self.given[len(self.argument(0) if call.own is None else f"{call.own}<{call.path}>") :]

    @property
    def result(self) -> int:
        """What it returned; -1 where strace does not say."""
        return -1 if self.call.result is None else self.call.result

    @property
    def took_ns(self) -> int:
        """How long it took, 0 when unknown."""
        return self.call.took_ns or 0

    def argument(self, index: int) -> str:
        """Return an argument as strace printed it, "" where there is none."""
        return self.arguments[index] if index < len(self.arguments) else ""


def iovec(buffers: str) -> int | None:
    """Return the bytes of several buffers; None where strace did not print them all."""
    return None if buffers.endswith("...]") else sum(map(int, _IOVEC.findall(buffers)))


def result_of(made: Made) -> tuple[int, str | None] | None:
    """Return the descriptor that a call made, and its path where -y told it."""
    said = made.call.said
    if _PATH.fullmatch(said):
        return (made.result, said[1:-1]) if made.result >= 0 else None
    made_one = descriptor(f"{made.result}{said}")
    return None if made_one is None or made_one.number < 0 else (made_one.number, made_one.path)


def is_of_descriptor(made: Made) -> bool:
    """Tell whether a stat call asks of a descriptor, not of a path."""
    return made.call.name.startswith("fstat") or made.argument(1) == '""'


@lru_cache(maxsize=128)  # few are in use, and a hostile one may be as long as a line
def flags_of(text: str) -> int:
    """Return the flags of an open as strace prints them, openat2's among others."""
    words = text.removeprefix("{flags=").split(",")[0].rstrip("}").split("|")
    values = (getattr(os, word, 0) for word in words if word.startswith("O_"))
    return sum(value for value in values if isinstance(value, int))
