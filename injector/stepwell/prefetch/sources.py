"""What wants bytes.  Each source tells its next piece; who may take it, and when, is for the turns to say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from stepwell.prefetch.pace import Pace
from stepwell.prefetch.protocol import Head, Policy

SizeOf = Callable[[str], int | None]
"""Bytes of a file: None while they are not known, 0 when it cannot be read, `ASKED` until the first request tells."""

ASKED = -1


@dataclass(frozen=True)
class Piece:
    """Bytes that are wanted, whole pages; `end` may lie behind the end of the file when its size is not known."""

    path: str
    start: int
    end: int
    whole: bool = False
    """It is a block of the mount's client."""


class Source(Protocol):
    """Something that reads ahead."""

    name: str
    pace: Pace

    @property
    def policy(self) -> Policy:
        """How it reads ahead."""

    @property
    def place(self) -> str:
        """The file that is next; empty when there is none."""

    def why_not(self) -> str:
        """Return why nothing is read ahead of it now; empty when it is."""

    def next_piece(self, size_of: SizeOf, ahead: int) -> Piece | None:
        """Return the next piece and count it as asked for; None when there is none now.

        Args:
            size_of: tells the size of a file.
            ahead: bytes of this source that are on their way or ready.
        """

    def restart(self) -> None:
        """What is ahead of its reader may be gone: it is to be asked for again."""

    def status(self) -> Head:
        """Return what to tell of it."""
