"""A reader that goes on for some seconds in one way: `python tests/bench/steady.py WAY ROOT SECONDS SEED`.

Ways: sequential, reverse (128 KiB each), stride (64 KiB every 8 MiB, each pass a little further on), random (4 KiB),
all of `ROOT/large`, by one open file; and files, whole ones of `ROOT/files` in a new order each pass.  What was read
leaves the page cache soon, as that of a set larger than the memory does.  The first bytes of each piece say where they
come from, which is checked.  Printed are when it began (CLOCK_MONOTONIC), bytes got in each tenth of a second, reads
that failed or gave wrong bytes, and the longest read in milliseconds with the second in which it ended.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path

PAGE, PIECE, STEP, STRIDE = 4096, 128 << 10, 64 << 10, 8 << 20
FIRST = 1 << 20
"""Where strides begin: inside a block of the mount's client, as most do."""
KEPT = 64
"""Reads after which a piece leaves the page cache."""
BINS = 10
"""A second."""


def label(number: int, offset: int) -> bytes:
    """Return what a page of a file begins with."""
    return (number << 40 | offset).to_bytes(8, "little")


Piece = tuple[int, int, int, int]
"""Descriptor, the file's number, offset and size of a read."""


def large(way: str, root: Path, rng: random.Random) -> Iterator[Piece]:
    """Yield the pieces of the large file, for ever."""
    descriptor = os.open(root / "large", os.O_RDONLY)
    octets = os.fstat(descriptor).st_size
    ways: dict[str, Callable[[int], tuple[Iterable[int], int]]] = {
        "sequential": lambda _: (range(0, octets, PIECE), PIECE),
        "reverse": lambda _: (range(octets - PIECE, -1, -PIECE), PIECE),
        "stride": lambda turn: (range((FIRST + turn * STEP) % STRIDE, octets, STRIDE), STEP),
        "random": lambda _: ([rng.randrange(octets // PAGE) * PAGE], PAGE),
    }
    for turn in count():
        offsets, size = ways[way](turn)
        for offset in offsets:
            yield descriptor, 0, offset, size


def files(root: Path, rng: random.Random) -> Iterator[Piece]:
    """Yield whole files, for ever."""
    paths = sorted((root / "files").iterdir())
    while True:
        for path in rng.sample(paths, len(paths)):
            descriptor = os.open(path, os.O_RDONLY)
            for offset in range(0, os.fstat(descriptor).st_size, PIECE):
                yield descriptor, int(path.name), offset, PIECE
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def main() -> None:
    way, root, seconds, rng = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), random.Random(sys.argv[4])
    pieces = files(root, rng) if way == "files" else large(way, root, rng)
    got: Counter[int] = Counter()
    failed, longest, behind = 0, (0.0, 0.0), deque[Piece]()
    began = now = time.monotonic()
    while now - began < seconds:
        descriptor, number, offset, size = piece = next(pieces)
        asked = time.monotonic()
        try:
            data = os.pread(descriptor, size, offset)
        except OSError:
            data = b""
        now = time.monotonic()
        failed += len(data) != size or data[:8] != label(number, offset)
        got[int((now - began) * BINS)] += len(data)
        longest = max(longest, ((now - asked) * 1000, now - began))
        if way != "files":
            behind.append(piece)
        if len(behind) > KEPT:
            descriptor, _, offset, size = behind.popleft()
            os.posix_fadvise(descriptor, offset, size, os.POSIX_FADV_DONTNEED)
    bins = [got[at] for at in range(int(seconds * BINS))]
    print(json.dumps({"began": began, "octets": bins, "failed": failed, "longest": longest}))


if __name__ == "__main__":
    main()
