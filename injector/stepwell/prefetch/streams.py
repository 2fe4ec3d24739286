"""Takes the accesses of a stream apart into heads, each with its own stride."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from stepwell.prefetch.protocol import Policy

PAGE = 4096
"""Bytes of a page: gaps smaller than this bring in the same pages as no gap."""

MOST_HEADS = 16
"""Heads of one stream: loaders that read more columns or tensors at once are not known."""

MOST_STRAYS = 16
"""Accesses that fit no long head and are kept to find one: three each of five heads that begin by turns."""

TRUST = 3
"""Accesses in line before a sequential or backward head is believed: two may meet by chance in a small file."""

TRUST_STRIDED = 4
"""Accesses in line before a stride is believed: of random ones in 1,000 places one in 500 is then taken for a head."""

YOUNG = 2 * MOST_HEADS
"""Accesses of the stream after which a head that is not yet long is given up: all heads have had two turns."""

LOST = 8
"""How many accesses of a stride may be missing in between, once the head is long."""

LONG = 8
"""Accesses from which on a head survives missing ones."""


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
class Separator:
    """The heads of one stream, and what fits none."""

    tracks: list[Track] = field(default_factory=list)
    strays: deque[tuple[int, int, int]] = field(default_factory=lambda: deque(maxlen=MOST_STRAYS))
    """Offset, size and number of each."""
    seen: int = 0
    lone: int = 0
    """Accesses that did not fit a head, in the recent past: halved every 64."""
    recent: int = 0
    """Accesses in the same time."""

    def access(self, offset: int, size: int) -> Track | None:
        """Take one access; return the head that it moved, or None when it fits none that is believed."""
        self._count(1)
        expecting = [track for track in self.tracks if track.expects(offset, size)]
        owner = max(expecting, key=lambda track: track.count, default=None)
        if owner is not None and owner.count >= LONG:
            owner.move(offset, size, self.seen)
            return owner
        if owner is None and self._is_known(offset, size):
            return None
        # As long as no head is long, one access may speak for several.
        for track in expecting:
            track.move(offset, size, self.seen)
        self._guess(offset, size, owner)
        if owner is None or owner.policy is Policy.NONE:
            self.lone += 1
            return None
        return owner

    def accesses(self, offset: int, size: int, stride: int, count: int) -> list[Track]:
        """Take `count` accesses with one stride; return the heads that they moved, each once."""
        moved: dict[int, Track] = {}
        at = 0
        while at < count:
            track = self.access(offset + at * stride, size)
            at += 1
            if track is None:
                continue
            moved[id(track)] = track
            if track.count >= LONG and track.fits(size, stride):
                self._count(count - at)
                track.leap(count - at, stride, self.seen)
                break
        return list(moved.values())

    @property
    def is_random(self) -> bool:
        """Whether half of at least 32 recent accesses fitted no head; in small files many do by chance."""
        return self.recent >= 32 and 2 * self.lone >= self.recent

    def _count(self, accesses: int) -> None:
        self.seen += accesses
        self.recent += accesses
        while self.recent >= 128:
            self.recent //= 2
            self.lone //= 2

    def _is_known(self, offset: int, size: int) -> bool:
        """Whether it only reads again what a head read last."""
        return any(track.offset <= offset and offset + size <= track.offset + track.size for track in self.tracks)

    def _guess(self, offset: int, size: int, owner: Track | None) -> None:
        """Begin heads of which this access and one or two strays may be the first."""
        strides: dict[int, int] = {}
        for stray in self.strays:
            start, length, _ = stray
            if start < offset < start + length + PAGE and offset + size > start + length:
                strides[size] = 2
            elif offset < start < offset + size + PAGE:
                strides[-size] = 2
            elif self._in_line(offset, size, stray):
                strides[offset - start] = 3
        taken = {(track.offset, track.stride) for track in self.tracks}
        for stride, count in strides.items():
            # Every second access of a head is no head of its own.
            if (offset, stride) not in taken and (owner is None or stride % owner.stride):
                self.tracks.append(Track(offset, size, stride, count, self.seen, count * size))
        self.tracks = [one for one in self.tracks if one.count >= LONG or self.seen - one.seen <= YOUNG]
        while len(self.tracks) > MOST_HEADS:
            self.tracks.remove(min(self.tracks, key=lambda one: (one.policy is not Policy.NONE, one.seen)))
        self.strays.append((offset, size, self.seen))

    def _in_line(self, offset: int, size: int, middle: tuple[int, int, int]) -> bool:
        """Whether an earlier stray lies as far before `middle` as this access behind it."""
        start, length, when = middle
        return any(
            stray[0] + offset == 2 * start != 2 * offset and stray[1] == length == size and stray[2] < when
            for stray in self.strays
        )
