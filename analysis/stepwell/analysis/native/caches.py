"""The references of a trace to blocks, and caches simulated on them: `references.c` and `policies.c`."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from stepwell.analysis.native.library import library
from stepwell.analysis.native.reuse import COLUMNS, columns_of

POLICIES = ("lru", "fifo", "clock", "sieve", "s3fifo", "min")
"""As numbered in `policies.c`, which tells their sources."""

OUTCOME = np.dtype(
    [
        *((name, "<u8") for name in ("accesses", "access_hits", "references", "hits", "bytes", "byte_hits")),
        ("fetched", "<u8"), ("fetched_ahead", "<u8"), ("group_references", "<u8", 8), ("group_hits", "<u8", 8),
    ]
)  # fmt: skip
"""`struct sw_outcome`: of reads, `fetched` and `fetched_ahead` in blocks; each group has an eighth of the blocks."""

Numbers = np.ndarray[Any, Any]

_TOO_MANY = -2
"""As `FULL` in `references.c`."""


@dataclass(frozen=True)
class References:
    """References in the order of time: numbers of blocks below `blocks`, and what is noted of each."""

    ids: Numbers
    infos: Numbers
    blocks: int
    seen: int
    """References that reads made, followed or not."""
    late: int
    """Accesses whose run came too late to be put in the order of time."""

    def uses(self) -> Numbers:
        """Return how often reads refer to each block."""
        read: Numbers = np.bincount(self.ids[self.infos >> 30 == 0], minlength=self.blocks)
        return read[read > 0]

    def halved(self) -> References:
        """Return the references to half of the blocks, which a hash chooses."""
        hashed = np.arange(self.blocks, dtype=np.uint32) * np.uint32(2654435769)  # Knuth's: 2^32 / the golden ratio
        chosen = hashed < 1 << 31
        kept = chosen[self.ids]
        numbers = np.cumsum(chosen, dtype=np.uint32) - np.uint32(1)
        return replace(self, ids=numbers[self.ids[kept]], infos=self.infos[kept], blocks=int(chosen.sum()))

    def simulate(self, policy: str, capacity: int) -> Any:
        """Return the outcome (`OUTCOME`) of a cache of `capacity` blocks.

        Raises:
            MemoryError: there is not enough memory.
        """
        found = np.zeros(1, OUTCOME)
        if library().sw_simulate(
            ctypes.c_void_p(self.ids.ctypes.data),
            ctypes.c_void_p(self.infos.ctypes.data),
            ctypes.c_uint64(len(self.ids)),
            self.blocks,
            POLICIES.index(policy),
            capacity,
            ctypes.c_void_p(found.ctypes.data),
        ):
            raise MemoryError
        return found[0]


class TooManyReferencesError(Exception):
    """There are more references than asked for: fewer blocks must be followed."""


class Collector:
    """Takes runs in the order in which they ended, gives references; use as a context manager.

    Args:
        files: ids of the files whose references count.
        sizes: their sizes in bytes, beyond which nothing is read ahead.
        shift: log2 of the bytes in a block.
        halvings: log2 of how many blocks one is followed of.
        readahead: most bytes of the kernel's readahead window; 0 for none.
        waiting: runs that wait for their turn in time.
        most: references, beyond which to give up.

    Raises:
        MemoryError: there is not enough memory.
    """

    columns = tuple(COLUMNS)

    def __init__(
        self, files: Numbers, sizes: Numbers, *, shift: int, halvings: int, readahead: int, waiting: int, most: int
    ) -> None:
        self._library = library()
        self._library.sw_references_new.restype = ctypes.c_void_p
        held, lengths = np.ascontiguousarray(files, np.int64), np.ascontiguousarray(sizes, np.int64)
        made = self._library.sw_references_new(
            ctypes.c_void_p(held.ctypes.data),
            ctypes.c_void_p(lengths.ctypes.data),
            len(held),
            shift,
            halvings,
            ctypes.c_uint64(readahead >> shift),
            waiting,
            ctypes.c_uint64(most),
        )
        if not made:
            raise MemoryError
        self._all: ctypes.c_void_p | None = ctypes.c_void_p(made)
        self._given_up = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._all:
            self._library.sw_references_free(self._all)
        self._all = None

    def feed(self, runs: Mapping[str, Numbers]) -> None:
        """Take the next runs, unless there are more references than `most` already.

        Raises:
            MemoryError: there is not enough memory.
        """
        if self._given_up:
            return
        columns, held = columns_of(runs)
        code = self._library.sw_references_feed(self._all, ctypes.byref(columns), ctypes.c_uint64(len(held[0])))
        if code == _TOO_MANY:
            self._given_up = True
        elif code:
            raise MemoryError

    def finish(self) -> References:
        """Return all references.

        Raises:
            TooManyReferencesError: there are more than `most`.
            MemoryError: there is not enough memory.
        """
        count, blocks, seen, late = ctypes.c_uint64(), ctypes.c_uint32(), ctypes.c_uint64(), ctypes.c_uint64()
        code = 0
        if not self._given_up:
            code = self._library.sw_references_finish(self._all, *map(ctypes.byref, (count, blocks, seen, late)))
        if self._given_up or code == _TOO_MANY:
            raise TooManyReferencesError
        if code:
            raise MemoryError
        ids, infos = (np.empty(count.value, np.uint32) for _ in range(2))
        self._library.sw_references_take(
            self._all, ctypes.c_void_p(ids.ctypes.data), ctypes.c_void_p(infos.ctypes.data)
        )
        return References(ids, infos, blocks.value, seen.value, late.value)
