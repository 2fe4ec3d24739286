"""What is still to be read, in pieces: a pure state machine.

A file's first piece tells its size; its further pieces come before the next file, so that one large file is read in
parallel.  What a journal knows of a file is believed as long as size and inode are the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Piece:
    """A range of a file; the file is a number from 0 on, in the order in which files are wanted."""

    file: int
    offset: int
    size: int
    whole: bool = False
    """It is a block of the mount's client."""


@dataclass(frozen=True)
class Known:
    """What was read of a file before."""

    size: int
    inode: int
    read: tuple[tuple[int, int], ...]
    """Ranges `[begin, end)`, ascending, neither touching nor overlapping."""

    def covers(self, begin: int, end: int) -> bool:
        """Whether all of a range was read."""
        return begin >= end or any(low <= begin and end <= high for low, high in self.read)


@dataclass
class _State:
    """A file that has been begun."""

    known: Known | None
    """What is believed of it, until its first piece has come."""
    open: int = 1
    """Pieces that are to come or on their way."""
    told: bool = False
    """Its size is known."""


@dataclass
class Tally:
    """How far it is."""

    files: int = 0
    """Files that are done, failed ones included."""
    known_bytes: int = 0
    """Bytes that the journal had."""
    failed: dict[int, int] = field(default_factory=dict)
    """errno of the first failure of a file."""


class Work:
    """Files to read.

    Args:
        count: how many.
        block: bytes of a piece.
        known: what was read before, by file.
        about: size and inode of files that need not tell them with their first piece.
        client_block: bytes of the blocks that the mount's client fetches whole, 0 if it does not: pieces of files of
            several.
    """

    def __init__(
        self,
        count: int,
        block: int,
        known: dict[int, Known],
        about: dict[int, tuple[int, int]] | None = None,
        client_block: int = 0,
    ) -> None:
        self.tally = Tally()
        self._block, self._known, self._about, self._client_block = block, known, about or {}, client_block
        self._files: Iterator[int] = iter(range(count))
        self._ready: deque[Piece] = deque()
        self._states: dict[int, _State] = {}
        self._exhausted = False

    @property
    def finished(self) -> bool:
        """Whether every piece has come."""
        return self._exhausted and not self._states

    def next(self) -> Piece | None:
        """Return the next piece, None while there is none: all are on their way, or it is finished."""
        while not self._ready and not self._exhausted:
            number = next(self._files, None)
            if number is None:
                self._exhausted = True
            else:
                self._begin(number)
        return self._ready.popleft() if self._ready else None

    def done(self, piece: Piece, size: int, inode: int, error: int) -> None:
        """Take in that a piece has come.

        Args:
            piece: the piece.
            size: bytes of its whole file.
            inode: of the file.
            error: errno, 0 for none.
        """
        state = self._states[piece.file]
        state.open -= 1
        if error:
            self.tally.failed.setdefault(piece.file, error)
        if not error and not state.told:
            state.told = True
            self._open(piece.file, state, size, inode, piece)
        elif not state.open:
            del self._states[piece.file]
            self.tally.files += 1

    def _begin(self, number: int) -> None:
        known = self._known.get(number)
        if number in self._about:
            self._open(number, _State(known, open=0, told=True), *self._about[number])
        elif known and known.covers(0, known.size):
            self.tally.files += 1
            self.tally.known_bytes += known.size
        else:
            first = next(self._missing(number, known), None) if known else None
            self._states[number] = _State(known)
            self._ready.append(first or Piece(number, 0, self._block))

    def _open(self, number: int, state: _State, size: int, inode: int, come: Piece | None = None) -> None:
        """Make the pieces of a file whose size has become known, but for the one that has come."""
        known = state.known if state.known and (state.known.size, state.known.inode) == (size, inode) else None
        now = Known(size, inode, known.read if known else ())
        self.tally.known_bytes += sum(high - low for low, high in now.read)
        rest = [one for one in self._missing(number, now) if one != come]
        state.open += len(rest)
        self._ready.extendleft(reversed(rest))
        if state.open:
            self._states[number] = state
        else:
            self._states.pop(number, None)
            self.tally.files += 1

    def _missing(self, number: int, known: Known) -> Iterator[Piece]:
        whole = 0 < self._client_block < known.size
        block = self._client_block if whole else self._block
        for offset in range(0, known.size, block):
            if not known.covers(offset, min(offset + block, known.size)):
                yield Piece(number, offset, block, whole)


def merged(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return ranges `[begin, end)` in ascending order, those that touch or overlap put together."""
    found: list[tuple[int, int]] = []
    for begin, end in sorted(ranges):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        elif begin < end:
            found.append((begin, end))
    return tuple(found)
