"""The native library through ctypes and numpy: `replay.h`, declared once."""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, Structure, c_char_p, c_double, c_int, c_int32, c_int64, c_uint, c_uint32, c_uint64, c_void_p
from functools import cache
from pathlib import Path

import numpy as np

from stepwell.trace.definition import HISTOGRAM_BUCKETS, Op

ERRNOS = 134

STEP = np.dtype(
    [
        ("seq", "u8"), ("seq_span", "u8"), ("start_ns", "u8"), ("span_ns", "u8"), ("offset", "u8"), ("stride", "i8"),
        ("requested", "u8"), ("size", "u8"), ("tail", "u8"), ("count", "u4"), ("target", "u4"), ("op", "u4"),
        ("async", "u4"),
    ]
)  # fmt: skip
"""`struct sw_step`: one run to issue again."""

TARGET = np.dtype([("left", "u8"), ("path", "u8"), ("flags", "i4"), ("fd", "i4")])
"""`struct sw_target`: one open file."""

READER = np.dtype(
    [
        ("first", "u8"), ("steps", "u8"), ("buffer", "u8"), ("workers", "u4"), ("rank", "u4"), ("after", "u4"),
        ("reserved", "u4"),
    ]
)  # fmt: skip
"""`struct sw_reader`: one recorded thread."""

TALLY = np.dtype(
    [
        ("accesses", "u8"), ("bytes", "u8"), ("other_size", "u8"), ("latency_ns", "u8"), ("latency_max_ns", "u8"),
        ("histogram", "u8", HISTOGRAM_BUCKETS),
    ]
)  # fmt: skip

OUTCOME = np.dtype(
    [
        ("ops", TALLY, len(Op)), ("errors", "u8", ERRNOS), ("undirect", "u8"), ("late", "u8"), ("late_ns", "u8"),
        ("late_max_ns", "u8"), ("elapsed_ns", "u8"),
    ]
)  # fmt: skip
"""`struct sw_outcome`: what was done."""


class Plan(Structure):
    """`struct sw_plan`."""

    _fields_ = (
        ("steps", c_void_p),
        ("targets", c_void_p),
        ("paths", c_void_p),
        ("readers", c_void_p),
        ("reader_count", c_uint32),
        ("directory", c_int32),
        ("pace", c_double),
        ("late_ns", c_uint64),
    )


@cache
def library() -> ctypes.CDLL:
    """Return the loaded library.

    Raises:
        OSError: it is missing: `make native` compiles it.
    """
    native = ctypes.CDLL(str(Path(__file__).parent / "libreplay.so"))
    native.sw_open_below.argtypes = [c_int, c_char_p, c_int, c_uint]
    native.sw_born_ns.argtypes = [c_int]
    native.sw_born_ns.restype = c_int64
    native.sw_replay_begin.argtypes = [POINTER(Plan), POINTER(c_void_p)]
    native.sw_replay_wait.argtypes = [c_void_p, c_uint32]
    native.sw_replay_wait.restype = c_uint32
    native.sw_replay_done.argtypes = [c_void_p]
    native.sw_replay_done.restype = c_uint64
    native.sw_replay_stop.argtypes = [c_void_p]
    native.sw_replay_stop.restype = None
    native.sw_replay_end.argtypes = [c_void_p, c_void_p]
    native.sw_replay_end.restype = None
    return native


def open_below(directory: int, path: str, flags: int, mode: int = 0o644) -> int:
    """Open a file below the open `directory`; neither `..` nor a symbolic link leads out of it.

    Raises:
        OSError: it cannot be opened; errno EXDEV when it lies outside.
    """
    fd: int = library().sw_open_below(directory, os.fsencode(path), flags, mode)
    if fd < 0:
        raise OSError(-fd, os.strerror(-fd), path)
    return fd


def born_ns(file: int) -> int:
    """Return when an open file was made, in nanoseconds since 1970; 0 where the file system does not tell."""
    return int(library().sw_born_ns(file))


class Replay:
    """Threads that issue accesses, from when it is made to `end`; what it is made of must not change meanwhile.

    Args:
        steps: runs, by `STEP`, those of one thread together and in order.
        targets: open files, by `TARGET`.
        paths: their paths below `directory`, each ended by NUL.
        readers: threads, by `READER`.
        directory: descriptor of the directory.
        pace: recorded nanoseconds a nanosecond; 0 for as fast as possible.
        late_ns: from which delay on the start of an access counts as late.

    Raises:
        OSError: there is not enough memory, or so many threads are not allowed.
    """

    def __init__(
        self,
        steps: np.ndarray,
        targets: np.ndarray,
        paths: bytes,
        readers: np.ndarray,
        directory: int,
        pace: float,
        late_ns: int,
    ) -> None:
        table = ctypes.create_string_buffer(paths, len(paths) + 1)
        self._kept = (steps, targets, table, readers)
        plan = Plan(
            steps.ctypes.data, targets.ctypes.data, ctypes.addressof(table), readers.ctypes.data, len(readers),
            directory, pace, late_ns,
        )  # fmt: skip
        self._handle = c_void_p()
        code = library().sw_replay_begin(ctypes.byref(plan), ctypes.byref(self._handle))
        if code:
            raise OSError(-code, os.strerror(-code))

    def wait(self, milliseconds: int) -> bool:
        """Wait until everything was issued, at most so long; whether it was."""
        return not library().sw_replay_wait(self._handle, milliseconds)

    @property
    def done(self) -> int:
        """How many accesses were issued so far."""
        return int(library().sw_replay_done(self._handle))

    def stop(self) -> None:
        """Issue no further access; what is under way goes on."""
        library().sw_replay_stop(self._handle)

    def end(self) -> np.void:
        """Stop, wait for what is under way, and return what was done, by `OUTCOME`."""
        outcome = np.zeros(1, OUTCOME)
        library().sw_replay_end(self._handle, outcome.ctypes.data)
        one: np.void = outcome[0]
        return one
