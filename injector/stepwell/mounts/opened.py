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
from pathlib import Path

from stepwell.mounts.native.pidfd import getfd
from stepwell.mounts.table import Mount, numbers


def renew(mount: Mount, processes: Iterable[int]) -> int:
    """Let files that processes have open take over their mount's read-ahead; return how many did.

    Only files that are open for reading alone are touched, and neither their position nor anything else of them but
    advice: what a process itself has said by posix_fadvise counts as POSIX_FADV_NORMAL from then on.

    It takes the right to trace the process (ptrace(2), PTRACE_MODE_ATTACH_REALCREDS), as of one that this process has
    started.  Processes that are gone or do not allow it are left alone.  May wait for the mount, and for no other.
    """
    renewed = 0
    for pid in processes:
        with contextlib.suppress(OSError), _closing(os.pidfd_open(pid)) as process:
            own = numbers((Path("/proc") / str(pid) / "mountinfo").read_bytes(), mount.dev)
            for file in (Path("/proc") / str(pid) / "fdinfo").iterdir():
                with contextlib.suppress(OSError):
                    renewed += _mount_number(file) in own and _renew(process, int(file.name))
    return renewed


def _mount_number(fdinfo: Path) -> int:
    """Return the number of the mount that an open file lies on (proc_pid_fdinfo(5)); no file system is asked."""
    fields = dict(line.split(":\t", 1) for line in fdinfo.read_text().splitlines() if ":\t" in line)
    return int(fields["mnt_id"])


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
