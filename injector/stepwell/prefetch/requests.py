"""Between the planner, which decides, and the issuer, which reads."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Kind(IntEnum):
    """What a worker does; the numbers are those of `enum sw_kind` in `native/pool.h`."""

    READ = 0
    """Read into a discarded buffer what is not in memory."""
    WILLNEED = 1
    """Let the kernel read it ahead, and wait until it is there."""
    LOOK = 2
    """Only tell what is in memory."""
    DROP = 3
    """Let it be evicted."""
    BLOCK = 4
    """Read it by an open file of its own: clients of object storage follow each open file, and read ahead of it."""

    TOUCH = 5
    """Have the mount's client fetch all of it by asking for its first page, past the page cache."""


BRINGING = frozenset({Kind.READ, Kind.WILLNEED, Kind.BLOCK, Kind.TOUCH})
"""What brings something in."""


@dataclass(frozen=True)
class Request:
    """A range of a file, and what to do with it."""

    number: int
    root: str
    """The dataset's directory; `path` lies below it."""
    path: str
    offset: int
    size: int
    kind: Kind


@dataclass(frozen=True)
class Done:
    """What became of a request."""

    number: int
    brought: int
    """Bytes that came and had not been in memory."""
    resident: int
    """Bytes that had been in memory already, and were not read; for LOOK, that are."""
    file_size: int
    """Bytes of the whole file."""
    took_ns: int
    """From when a worker took it up to its end."""
    error: int = 0
    """errno, 0 for none."""
    identity: tuple[int, int] = (0, 0)
    """Device and inode of the file."""
