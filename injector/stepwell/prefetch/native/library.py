"""`libprefetch.so` through ctypes: `pool.h` and `below.h`, declared once."""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_int32, c_int64, c_uint32, c_uint64, c_void_p
from functools import cache
from pathlib import Path

from stepwell.prefetch.requests import Kind

MOST_WORKERS = 256
"""Requests at once: what a FUSE mount is asked by at most (`max_background` of the busiest clients), times two."""

_BATCH = 256


class Answer(Structure):
    """`struct sw_done`; times are those of CLOCK_MONOTONIC."""

    number: int
    brought: int
    resident: int
    file_size: int
    dev: int
    ino: int
    begin_ns: int
    end_ns: int
    error: int
    kind: int
    opened: int

    _fields_ = (
        ("number", c_uint64), ("brought", c_uint64), ("resident", c_uint64), ("file_size", c_uint64),
        ("dev", c_uint64), ("ino", c_uint64), ("begin_ns", c_uint64), ("end_ns", c_uint64), ("error", c_int32),
        ("kind", c_uint32), ("opened", c_uint64),
    )  # fmt: skip


@cache
def library() -> ctypes.CDLL:
    """Return the loaded library.

    Raises:
        OSError: it is missing: `make native` compiles it.
    """
    native = ctypes.CDLL(str(Path(__file__).parent / "libprefetch.so"), use_errno=True)
    native.sw_pool_begin.argtypes = [c_uint32, POINTER(c_int)]
    native.sw_pool_begin.restype = c_void_p
    native.sw_pool_root.argtypes = [c_void_p, c_char_p]
    native.sw_pool_submit.argtypes = [c_void_p, c_uint64, c_uint32, c_char_p, c_uint64, c_uint64, c_uint32]
    native.sw_pool_take.argtypes = [c_void_p, c_void_p, c_uint32]
    native.sw_pool_take.restype = c_uint32
    native.sw_open_directory.argtypes = [c_char_p, c_char_p]
    native.sw_resident_pages.argtypes = [c_int, c_uint64, c_uint64]
    native.sw_resident_pages.restype = c_int64
    return native


class Pool:
    """Threads that read, at most `MOST_WORKERS`; they are never waited for, the process ends by `os._exit`.

    Raises:
        OSError: no memory or no descriptor is left.
    """

    def __init__(self) -> None:
        event = c_int(-1)
        self._pool = c_void_p(library().sw_pool_begin(MOST_WORKERS, byref(event)))
        if not self._pool:
            raise OSError(ctypes.get_errno(), "cannot make threads")
        self.event = event.value
        """A descriptor that becomes readable when something is done."""

    def root(self, path: str) -> int:
        """Return the number of a directory, which must be absolute and free of symbolic links.

        Raises:
            OSError: there is no memory.
        """
        return _checked(library().sw_pool_root(self._pool, os.fsencode(path)), path)

    def submit(self, number: int, root: int, path: str, offset: int, size: int, kind: Kind) -> None:
        """Give one request to a worker; `path` is relative to the root.

        Raises:
            OSError: errno EAGAIN: all workers are busy.
        """
        _checked(library().sw_pool_submit(self._pool, number, root, os.fsencode(path), offset, size, kind), path)

    def take(self) -> list[Answer]:
        """Return what was done since the last call, in the order in which it ended."""
        try:
            os.eventfd_read(self.event)
        except BlockingIOError:
            return []
        answers: list[Answer] = []
        while True:
            batch = (Answer * _BATCH)()
            count = library().sw_pool_take(self._pool, batch, _BATCH)
            answers += batch[:count]
            if count < _BATCH:
                return answers


def open_directory(root: str, path: str) -> int:
    """Open a directory below `root` for `os.listdir`; no symbolic link is followed.

    Raises:
        OSError: it cannot be opened.
    """
    return _checked(library().sw_open_directory(os.fsencode(root), os.fsencode(path)), path)


def resident_pages(descriptor: int, offset: int, size: int) -> int | None:
    """Return how many pages of a range of a file are in the page cache; None when the kernel does not tell."""
    pages: int = library().sw_resident_pages(descriptor, offset, size)
    return pages if pages >= 0 else None


def _checked(code: int, path: str) -> int:
    if code < 0:
        raise OSError(-code, os.strerror(-code), path)
    return code
