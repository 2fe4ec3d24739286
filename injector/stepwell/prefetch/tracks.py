"""Heads of streams: accesses with a common distance, or rows of such accesses."""

from __future__ import annotations

from dataclasses import dataclass

from stepwell.prefetch.protocol import Policy

PAGE = 4096
"""Bytes of a page: gaps smaller than this bring in the same pages as no gap."""

TRUST = 3
"""Accesses in line before a sequential or backward head is believed: two may meet by chance in a small file."""

TRUST_STRIDED = 4
"""Accesses in line before a stride is believed: of random ones in 1,000 places one in 500 is then taken for a head."""

LOST = 8
"""How many accesses of a stride may be missing in between, once the head is long."""

LONG = 8
"""Accesses from which on a head survives missing ones."""

ROW = 3
"""Accesses of a row at least: of pairs, each has a head of its own as soon. Seven accesses must fit then."""


@dataclass
class Track:
    """One head: accesses with a common distance from one to the next.

    Attributes:
        offset: start of its last access, in bytes.
        size: bytes of its last access.
        stride: bytes from one start to the next; for a sequential head the size.
        count: accesses in line.
        seen: accesses of the stream when it last moved.
        bytes: of all its accesses.
    """

    offset: int
    size: int
    stride: int
    count: int
    seen: int
    bytes: int = 0

    @property
    def policy(self) -> Policy:
        """How to read ahead of it; `NONE` while too little is known."""
        if self.count < (TRUST if self.contiguous else TRUST_STRIDED):
            return Policy.NONE
        if not self.contiguous:
            return Policy.STRIDED
        return Policy.SEQUENTIAL if self.stride > 0 else Policy.BACKWARD

    @property
    def contiguous(self) -> bool:
        """Whether its accesses touch: no whole page lies between two."""
        return abs(self.stride) < self.size + PAGE

    @property
    def position(self) -> int:
        """The byte that it asks for next: for a backward head, one behind the last of these."""
        return self.offset if self.contiguous and self.stride < 0 else self.next_offset

    @property
    def next_offset(self) -> int:
        """Where its next access begins."""
        if self.contiguous and self.stride > 0:
            return self.offset + self.size
        return self.offset + self.stride

    def expects(self, offset: int, size: int) -> bool:
        """Whether an access is the next one of this head."""
        end = self.offset + self.size
        if self.contiguous and self.stride > 0 and self.offset < offset < end + PAGE and offset + size > end:
            return True
        if self.contiguous and self.stride < 0 and self.offset - PAGE < offset + size and offset < self.offset:
            return True
        if not self.contiguous and offset == self.next_offset:
            return True
        steps, rest = divmod(offset - self.offset, self.stride)
        return self.count >= LONG and rest == 0 and 0 < steps <= LOST

    def misses_none(self, offset: int, size: int) -> bool:
        """Whether an access that it expects is the very next one."""
        return offset == self.next_offset and self.expects(offset, size)

    def move(self, offset: int, size: int, seen: int) -> None:
        """Take an access as its next."""
        if self.contiguous:
            # Sizes may vary, as long as accesses touch.
            self.count += 1
            self.stride = size if self.stride > 0 else -size
        else:
            self.count += (offset - self.offset) // self.stride
        self.offset, self.size, self.seen = offset, size, seen
        self.bytes += size

    def place(self, number: int) -> int:
        """Where an access begins, the first being 0."""
        return self.offset + self.stride * (number - self.count + 1)

    def fits(self, size: int, stride: int) -> bool:
        """Whether all further accesses of this size and stride are its next ones."""
        if self.contiguous:
            return stride * self.stride > 0 and abs(stride) < size + PAGE
        return self.size == size and self.stride == stride

    def leap(self, accesses: int, stride: int, seen: int) -> None:
        """Take so many further accesses of equal size at once; they must fit."""
        self.offset += stride * accesses
        self.count += accesses
        self.bytes += self.size * accesses
        self.seen = seen


@dataclass
class Nest(Track):
    """A head that goes along rows: equal runs of accesses, with a common distance from one row to the next.

    Where the accesses of a row touch, the whole row is one piece: `size` and `count` are of pieces.

    Attributes:
        first: where the first row begins, in bytes.
        outer: bytes from one row to the next.
        pieces: of each row.
    """

    first: int = 0
    outer: int = 0
    pieces: int = 1

    @property
    def policy(self) -> Policy:
        """Only what it will ask for is read ahead, as of any stride."""
        return Policy.STRIDED

    @property
    def next_offset(self) -> int:
        """Where its next piece begins."""
        return self.place(self.count)

    def place(self, number: int) -> int:
        """Where a piece begins, the first being 0."""
        row, within = divmod(number, self.pieces)
        return self.first + row * self.outer + within * self.stride

    def expects(self, offset: int, size: int) -> bool:
        """Whether an access lies in the piece that it is at, or in the next one."""
        return self._is_in(self.count - 1, offset, size) or self._is_in(self.count, offset, size)

    def misses_none(self, offset: int, size: int) -> bool:
        """Whether an access is one that it expects."""
        return self.expects(offset, size)

    def move(self, offset: int, size: int, seen: int) -> None:
        """Take an access as its next."""
        self.count += not self._is_in(self.count - 1, offset, size)
        self.offset, self.seen = offset, seen
        self.bytes += size

    def _is_in(self, piece: int, offset: int, size: int) -> bool:
        start = self.place(piece)
        return start <= offset and offset + size <= start + self.size


@dataclass
class Row:
    """Accesses of a stream, one after the other, with one size and one stride."""

    offset: int
    size: int
    stride: int = 0
    count: int = 1

    def add(self, offset: int, size: int) -> bool:
        """Take an access as its next; return whether it is that."""
        if size != self.size or (self.count > 1 and offset != self.offset + self.count * self.stride):
            return False
        self.stride = self.stride if self.count > 1 else offset - self.offset
        self.count += 1
        return True

    def nest(self, before: Row, offset: int, seen: int) -> Nest | None:
        """Return the head along the row before, this one, and the one that begins at an offset; None if they differ."""
        outer = offset - self.offset
        alike = (self.size, self.stride, self.count) == (before.size, before.stride, before.count)
        if not alike or self.count < ROW or not self.stride or not outer or outer != self.offset - before.offset:
            return None
        octets = 2 * self.count * self.size
        if abs(self.stride) >= self.size + PAGE:
            pieces = 2 * self.count
            return Nest(offset, self.size, self.stride, pieces, seen, octets, before.offset, outer, self.count)
        extent = (self.count - 1) * self.stride
        return Nest(offset, abs(extent) + self.size, outer, 2, seen, octets, before.offset + min(extent, 0), outer)
