"""Files of a mount that processes have open, and the read-ahead that each of them has.

The kernel gives an open file its mount's `read_ahead_kb` when it is opened, and once more when somebody says
posix_fadvise(POSIX_FADV_NORMAL) of it (mm/readahead.c, file_ra_state_init; mm/fadvise.c, generic_fadvise).  The process
that has it open need not say so itself: pidfd_getfd(2) gives another process the same open file.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator

from stepwell.mounts.native.pidfd import getfd
from stepwell.mounts.table import Mount


def renew(mount: Mount, processes: Iterable[int]) -> int:
    """Let files that processes have open take over their mount's read-ahead; return how many did.

    Only files that are open for reading alone are touched, and neither their position nor anything else of them but
    advice: what a process itself has said by posix_fadvise counts as POSIX_FADV_NORMAL from then on.

    It takes the right to trace the process (ptrace(2), PTRACE_MODE_ATTACH_REALCREDS), as of one that this process has
    started.  Processes that are gone or do not allow it are left alone.  May wait for the mount.
    """
    renewed = 0
    for pid in processes:
        with contextlib.suppress(OSError), _closing(os.pidfd_open(pid)) as process:
            for number in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208 -- of names that are no paths
                with contextlib.suppress(OSError):
                    renewed += _is_on(mount, f"/proc/{pid}/fd/{number}") and _renew(process, int(number))
    return renewed


def _is_on(mount: Mount, link: str) -> bool:
    device = os.stat(link).st_dev  # noqa: PTH116 -- of an open file, which has perhaps no path any more
    return os.major(device) << 20 | os.minor(device) == mount.dev


def _renew(process: int, number: int) -> bool:
    with _closing(getfd(process, number)) as descriptor:
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY:
            return False
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_NORMAL)
    return True


@contextlib.contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)
