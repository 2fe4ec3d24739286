"""What is still to be read, in pieces: a pure state machine.

A file's first piece tells its size; its further pieces come before the next file, so that one large file is read in
parallel.  What a journal knows of a file is believed as long as size and inode are the same: of one that was read as a
whole an empty piece tells them.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from stepwell.warm.find import File

MOST_NAMED = 100
"""Failures that are told one by one."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A range of a file."""

    file: File
    offset: int
    size: int
    whole: bool = False
    """It is a block of the mount's client."""


@dataclass(frozen=True, slots=True)
class Known:
    """What was read of a file before."""

    size: int
    inode: int
    read: tuple[tuple[int, int], ...]
    """Ranges `[begin, end)`, ascending, neither touching nor overlapping."""

    def covers(self, begin: int, end: int) -> bool:
        """Whether all of a range was read."""
        return begin >= end or any(low <= begin and end <= high for low, high in self.read)


@dataclass(slots=True)
class _State:
    """A file that has been begun."""

    known: Known | None
    """What is believed of it, until its size and inode have come."""
    told: bool = False
    """They have."""
    flying: int = 0
    """Pieces on their way."""
    next: Piece | None = None
    rest: Iterator[Piece] = field(default_factory=lambda: iter(()))
    """Pieces after `next`: a large file has millions."""
    error: int = 0
    """errno of its first failure."""


@dataclass
class Tally:
    """How far it is."""

    files: int = 0
    """Files that are done, those that failed or were gone included."""
    failed: int = 0
    gone: int = 0
    """Files that were removed meanwhile."""
    known_bytes: int = 0
    """Bytes that the journal had."""
    failures: list[tuple[File, int]] = field(default_factory=list)
    """The first `MOST_NAMED` that failed, each with the errno of its first failure."""


class Work:
    """Files to read, each once.

    Args:
        block: bytes of a piece.
        client_block: bytes of the blocks that the mount's client fetches whole, 0 if it does not: pieces of files of
            several.
    """

    def __init__(self, block: int, client_block: int = 0) -> None:
        self.tally = Tally()
        self._block, self._client_block = block, client_block
        self._files: deque[tuple[File, Known | None]] = deque()
        self._begun: deque[_State] = deque()
        """Those that have a next piece, in the order in which they are wanted."""
        self._states: dict[File, _State] = {}

    @property
    def finished(self) -> bool:
        """Whether every piece has come."""
        return not self._files and not self._states

    def add(self, file: File, known: Known | None = None) -> None:
        """Put a file at the end, with what was read of it before."""
        self._files.append((file, known))

    def next(self) -> Piece | None:
        """Return the next piece, None while there is none: all are on their way, or it is finished."""
        while not self._begun and self._files:
            self._begin(*self._files.popleft())
        if not self._begun:
            return None
        state = self._begun[0]
        piece, state.next = state.next, next(state.rest, None)
        state.flying += 1
        if not state.next:
            self._begun.popleft()
        return piece

    def done(self, piece: Piece, size: int, inode: int, error: int) -> None:
        """Take in that a piece has come.

        Args:
            piece: the piece.
            size: bytes of its whole file.
            inode: of the file.
            error: errno, 0 for none.
        """
        state = self._states[piece.file]
        state.flying -= 1
        state.error = state.error or error
        if not error and not state.told:
            self._tell(piece.file, state, size, inode, piece)
        self._end_if_through(piece.file, state)

    def _begin(self, file: File, known: Known | None) -> None:
        state = self._states[file] = _State(known)
        if file.about:
            self._tell(file, state, *file.about)
            self._end_if_through(file, state)
        else:
            first = Piece(file, 0, self._block)
            state.next = next(self._missing(file, known), Piece(file, 0, 0)) if known else first
            self._begun.append(state)

    def _tell(self, file: File, state: _State, size: int, inode: int, come: Piece | None = None) -> None:
        """Make the pieces of a file whose size and inode are known now, but for the one that has come."""
        known = state.known if state.known and (state.known.size, state.known.inode) == (size, inode) else None
        now = Known(size, inode, known.read if known else ())
        self.tally.known_bytes += sum(high - low for low, high in now.read)
        state.told, state.known = True, None
        state.rest = (one for one in self._missing(file, now) if one != come)
        state.next = next(state.rest, None)
        if state.next:
            self._begun.appendleft(state)

    def _end_if_through(self, file: File, state: _State) -> None:
        if state.flying or state.next:
            return
        del self._states[file]
        self.tally.files += 1
        if state.error == errno.ENOENT:
            self.tally.gone += 1
        elif state.error:
            self.tally.failed += 1
            if len(self.tally.failures) < MOST_NAMED:
                self.tally.failures.append((file, state.error))

    def _missing(self, file: File, known: Known) -> Iterator[Piece]:
        whole = 0 < self._client_block < known.size
        block = self._client_block if whole else self._block
        for offset in range(0, known.size, block):
            if not known.covers(offset, min(offset + block, known.size)):
                yield Piece(file, offset, block, whole)


def merged(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return ranges `[begin, end)` in ascending order, those that touch or overlap put together."""
    found: list[tuple[int, int]] = []
    for begin, end in sorted(ranges):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        elif begin < end:
            found.append((begin, end))
    return tuple(found)
