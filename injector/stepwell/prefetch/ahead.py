"""Which bytes come next after a head, in the pieces in which they are asked for."""

from __future__ import annotations

from collections.abc import Iterator

from stepwell.prefetch.tracks import PAGE, Track


def pieces(start: int, end: int, block: int) -> Iterator[tuple[int, int]]:
    """Cut [start, end) where blocks begin; `start` goes down and `end` up to a page, so that pages are whole."""
    start, end = start // PAGE * PAGE, -(-end // PAGE) * PAGE
    while start < end:
        cut = min((start // block + 1) * block, end)
        yield start, cut
        start = cut


def forward(track: Track, cursor: int, window: int, block: int) -> Iterator[tuple[int, int]]:
    """Return the pieces after a sequential head, from `cursor` on, with whole blocks up to the end of the window."""
    position = track.position
    return pieces(max(cursor, position), -(-(position + window) // block) * block, block)


def backward(track: Track, cursor: int, window: int, block: int) -> Iterator[tuple[int, int]]:
    """Return the pieces before a backward head, nearest first; `cursor` is the lowest byte that was asked for."""
    position = track.position
    low = max((position - window) // block * block, 0)
    return reversed(list(pieces(low, min(cursor, position), block)))


def strided(track: Track, cursor: int, window: int, block: int, size: int | None) -> Iterator[tuple[int, int, int]]:
    """Return the pieces of the next accesses of a strided head.

    Args:
        track: the head.
        cursor: number of the head's access from which on nothing was asked for, its first being 0.
        window: how many bytes of accesses ahead.
        block: bytes of a piece at most.
        size: bytes of the file, None when they are not known.

    Returns:
        Number of the access, start and end, in bytes.
    """
    first = max(cursor, track.count)
    for number in range(first, track.count + max(window // track.size, 1)):
        offset = track.place(number)
        if offset < 0 or (size is not None and offset >= size):
            return
        for start, end in pieces(offset, offset + track.size, block):
            yield number, start, end
