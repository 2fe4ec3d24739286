"""`libbench.so` through ctypes and numpy: `measure.h`, declared once."""

from __future__ import annotations

import ctypes
import os
from ctypes import c_uint32, c_uint64, c_void_p
from functools import cache
from pathlib import Path

import numpy as np

PLACE = np.dtype([("offset", "u8"), ("fd", "i4"), ("reserved", "u4")])
"""`struct sw_place`: where to read."""

TIMED = np.dtype([("begin_ns", "i8"), ("end_ns", "i8"), ("bytes", "i8")])
"""`struct sw_timed`: a read."""


@cache
def library() -> ctypes.CDLL:
    """Return the loaded library.

    Raises:
        OSError: it is missing: `make native` compiles it.
    """
    native = ctypes.CDLL(str(Path(__file__).parent / "libbench.so"), use_errno=True)
    native.sw_measure_begin.argtypes = [c_void_p, c_uint32, c_uint64, c_uint32, c_uint64]
    native.sw_measure_begin.restype = c_void_p
    native.sw_measure_wait.argtypes = [c_void_p, c_uint32]
    native.sw_measure_wait.restype = c_uint32
    native.sw_measure_stop.argtypes = [c_void_p]
    native.sw_measure_stop.restype = None
    native.sw_measure_timed.argtypes = [c_void_p, c_void_p]
    native.sw_measure_timed.restype = None
    native.sw_measure_end.argtypes = [c_void_p]
    native.sw_measure_end.restype = None
    return native


class Measurement:
    """Threads that read, from when it is made to `end`.

    Args:
        places: where, by `PLACE`, in this order.
        block: bytes of each read: a power of two, 64 MiB at most.
        threads: reads at once.
        deadline_ns: monotonic time after which none is begun.

    Raises:
        OSError: so many threads or so much memory are not to be had.
    """

    def __init__(self, places: np.ndarray, block: int, threads: int, deadline_ns: int) -> None:
        self._count = len(places)
        found = library().sw_measure_begin(places.ctypes.data, len(places), block, threads, deadline_ns)
        if not found:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        self._handle = c_void_p(found)

    def wait(self, milliseconds: int) -> bool:
        """Wait until all reads have ended, at most so long; whether they have."""
        return not library().sw_measure_wait(self._handle, milliseconds)

    def stop(self) -> None:
        """Begin no further read."""
        library().sw_measure_stop(self._handle)

    def end(self) -> np.ndarray:
        """Return the reads as they are now, by `TIMED`, and forget the threads; a read that hangs harms nobody."""
        timed = np.zeros(self._count, TIMED)
        library().sw_measure_timed(self._handle, timed.ctypes.data)
        library().sw_measure_end(self._handle)
        return timed
