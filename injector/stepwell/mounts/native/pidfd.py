"""Files that another process has open (pidfd_getfd(2), Linux 5.6 and later)."""

from __future__ import annotations

import ctypes
import os

_PIDFD_GETFD = 438
"""Its number on all architectures (include/uapi/asm-generic/unistd.h)."""

_libc = ctypes.CDLL(None, use_errno=True)


def getfd(process: int, number: int) -> int:
    """Return a descriptor of the open file that a process, given by its pidfd, has under a number.

    Raises:
        OSError: it has none of that number, or it may not be traced by this process.
    """
    descriptor = int(_libc.syscall(_PIDFD_GETFD, process, number, 0))
    if descriptor < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return descriptor
