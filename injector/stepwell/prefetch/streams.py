"""Takes the accesses of a stream apart into heads, each with its own stride."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from stepwell.prefetch.protocol import Policy
from stepwell.prefetch.tracks import LONG, PAGE, Nest, Row, Track

MOST_HEADS = 16
"""Heads of one stream: loaders that read more columns or tensors at once are not known."""

MOST_STRAYS = 16
"""Accesses that fit no long head and are kept to find one: three each of five heads that begin by turns."""

YOUNG = 2 * MOST_HEADS
"""Accesses of the stream after which a head that is not yet long is given up: all heads have had two turns."""


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
    row: Row | None = None
    before: Row | None = None
    """The row before that one, which has ended."""

    def access(self, offset: int, size: int) -> Track | None:
        """Take one access; return the head that it moved, or None when it fits none that is believed."""
        self._count(1)
        self._go_along(offset, size)
        expecting = [track for track in self.tracks if track.expects(offset, size)]
        owner = max(expecting, key=lambda track: track.count, default=None)
        if owner is not None and (owner.count >= LONG or isinstance(owner, Nest)):
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
        if not stride:  # the same place again and again says no more than once
            track = self.access(offset, size)
            self._count(count - 1)
            return [track] if track else []
        at = 0
        while at < count:
            track = self.access(offset + at * stride, size)
            at += 1
            if track is None:
                continue
            moved[id(track)] = track
            # A row has an end, and further accesses may lie behind it.
            if track.count >= LONG and not isinstance(track, Nest) and track.fits(size, stride):
                self._count(count - at)
                track.leap(count - at, stride, self.seen)
                if at < count:
                    self._leap_along(Row(offset + at * stride, size, stride, count - at))
                break
        return list(moved.values())

    @property
    def is_random(self) -> bool:
        """Whether half of at least 32 recent accesses fitted no head; in small files many do by chance."""
        return self.recent >= 32 and 2 * self.lone >= self.recent

    def go_on(self, before: Separator) -> None:
        """Count what was seen of the stream of the file before, but for its heads."""
        self.seen, self.lone, self.recent = before.seen, before.lone, before.recent

    def _count(self, accesses: int) -> None:
        self.seen += accesses
        self.recent += accesses
        while self.recent >= 128:
            self.recent //= 2
            self.lone //= 2

    def _go_along(self, offset: int, size: int) -> None:
        """Take an access as the next of its row or of a new one; three alike make a head in the place of all others."""
        if self.row is not None and self.row.add(offset, size):
            return
        nest = self.row.nest(self.before, offset, self.seen) if self.row and self.before else None
        # Heads that take turns leave rows, too: the next access of one of them begins a row.
        if nest is not None and not any(track.misses_none(offset, size) for track in self.tracks):
            self.tracks = [nest]
            self.strays.clear()
        self.before, self.row = self.row, Row(offset, size)

    def _leap_along(self, more: Row) -> None:
        """Take several accesses as the next of the row."""
        row = self.row
        if row and row.stride == more.stride and row.add(more.offset, more.size):
            row.count += more.count - 1
        else:
            self.before, self.row = None, more

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
