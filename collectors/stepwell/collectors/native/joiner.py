"""Accesses of many open files into runs: `joiner.h` with a face of numpy arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import POINTER, Structure, byref, c_int, c_size_t, c_void_p
from enum import IntEnum
from functools import cache
from typing import Any, Self

import numpy as np

from stepwell.collectors.native.library import library
from stepwell.trace.definition import RUN, RUN_SHORT
from stepwell.trace.layout import DTYPES

Records = np.ndarray[Any, np.dtype[np.void]]

OWNED = np.dtype(
    [
        *((name, "<u8") for name in ("seq", "start_ns", "latency_ns", "offset", "requested", "size")),
        ("filled", "<u4"), ("waited", "u1"), ("flags", "u1"), ("padding", "<u2"),
        ("open", "<u8"), ("thread", "<u4"), ("op", "u1"), ("place", "u1"), ("reserved", "<u2"),
    ]
)  # fmt: skip
"""`struct sw_owned`: an access, then whose it is."""


class Place(IntEnum):
    """`enum sw_place`: what is known of an access's place in a run that was taken apart."""

    ANYWHERE = 0
    EDGE = 1
    """First or last: continues a run only after one that is inside."""
    INSIDE = 2


HEADS = 1 << 16
"""Runs kept open at once: more than a program of 10,000 open files and several threads has, in 17 MB."""

ROOM = 1 << 13
"""Finished runs gathered before they are handed on: a block of 1 to 2 MB, which costs little to write and ingest."""


class _Runs(Structure):
    """`struct sw_runs`."""

    _fields_ = (
        ("runs", c_void_p),
        ("short_runs", c_void_p),
        ("room", c_size_t),
        ("run_count", c_size_t),
        ("short_count", c_size_t),
    )


@cache
def _library() -> ctypes.CDLL:
    native = library()
    native.sw_joiner_new.argtypes = [c_size_t]
    native.sw_joiner_new.restype = c_void_p
    native.sw_joiner_add.argtypes = [c_void_p, c_void_p, c_size_t, POINTER(_Runs)]
    native.sw_joiner_add.restype = c_size_t
    native.sw_joiner_end.argtypes = [c_void_p, POINTER(_Runs)]
    native.sw_joiner_end.restype = c_int
    native.sw_joiner_free.argtypes = [c_void_p]
    native.sw_joiner_free.restype = None
    return native


class Joiner:
    """Joins accesses in the order given; `take(kind, records)` receives the finished runs as `run`, `run_short`.

    Lossless, whatever is given: what does not continue the run of its thread, open file and operation begins a new
    one.  Memory is bounded by `heads`.  A context manager; the runs still open are handed on by `end` alone.
    """

    def __init__(self, take: Callable[[int, Records], None], heads: int = HEADS) -> None:
        self._take = take
        self._long = np.zeros(ROOM, DTYPES[RUN.kind])
        self._short = np.zeros(ROOM, DTYPES[RUN_SHORT.kind])
        self._out = _Runs(self._long.ctypes.data, self._short.ctypes.data, ROOM, 0, 0)
        self._handle = _library().sw_joiner_new(heads)
        if not self._handle:
            raise MemoryError(f"no memory for {heads:,} open runs, or not a multiple of 8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _library().sw_joiner_free(self._handle)
        self._handle = None

    def add(self, accesses: Records) -> None:
        """Join accesses of type `OWNED`."""
        accesses = np.ascontiguousarray(accesses, OWNED)
        done = 0
        while done < len(accesses):
            rest = accesses[done:]
            done += _library().sw_joiner_add(self._handle, rest.ctypes.data, len(rest), byref(self._out))
            if done < len(accesses):
                self._hand_on()

    def end(self) -> None:
        """End all open runs and hand on everything."""
        while not _library().sw_joiner_end(self._handle, byref(self._out)):
            self._hand_on()
        self._hand_on()

    def _hand_on(self) -> None:
        for kind, records, count in (
            (RUN.kind, self._long, self._out.run_count),
            (RUN_SHORT.kind, self._short, self._out.short_count),
        ):
            if count:
                self._take(kind, records[:count])
        self._out.run_count = self._out.short_count = 0
