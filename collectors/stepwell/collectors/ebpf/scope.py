"""What to record, and how that is told to the kernel programs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from stepwell.collectors.native.library import Filter
from stepwell.trace.errors import StepwellError


class ScopeError(StepwellError):
    """The processes or files to record cannot be named to the kernel."""

    exit_code = 2


class ScopeKind(StrEnum):
    """Which processes to record."""

    TREE = "tree"
    CGROUP = "cgroup"
    ALL = "all"


SCOPE_NUMBER = {ScopeKind.TREE: 0, ScopeKind.CGROUP: 1, ScopeKind.ALL: 2}
"""`enum sw_scope`."""


@dataclass(frozen=True)
class Scope:
    """Which processes and files to record."""

    kind: ScopeKind
    pids: tuple[int, ...] = ()
    """TREE: these processes, all their threads, and whatever they start from now on."""
    after_exec: bool = False
    """TREE: record what these processes do from their next execve on; for a command about to be started."""
    cgroup: Path | None = None
    """CGROUP: a directory in a cgroup hierarchy; processes in and below it."""
    under: Path | None = None
    """Only files below this directory; combines with any kind."""


def kernel_filter(scope: Scope) -> Filter:
    """Return the scope as the kernel programs know it.

    Raises:
        ScopeError: the cgroup or the directory does not exist, or cannot be told apart by the kernel.
    """
    wanted = Filter(scope=SCOPE_NUMBER[scope.kind], self=os.getpid(), cgroup_subsystem=-1, after_exec=scope.after_exec)
    if scope.cgroup is not None:
        wanted.cgroup = _status(scope.cgroup).st_ino
        wanted.cgroup_subsystem = _subsystem(scope.cgroup)
    if scope.under is not None:
        _status(scope.under)
    return wanted


def _status(directory: Path) -> os.stat_result:
    try:
        status = directory.stat()
    except OSError as error:
        raise ScopeError(f"{directory}: {error.strerror}. Give an existing directory.") from error
    if not directory.is_dir():
        raise ScopeError(f"{directory} is not a directory. Give the directory that holds the files.")
    return status


def _subsystem(cgroup: Path) -> int:
    """Return the index of the cgroup's controller in the kernel's `css_set.subsys`, -1 for the unified hierarchy."""
    path = cgroup.resolve()
    for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
        left, right = line.split(" - ", 1)
        mount = Path(left.split()[4])
        kind, _, options = right.split(" ", 2)
        if not kind.startswith("cgroup") or not path.is_relative_to(mount):
            continue
        if kind == "cgroup2":
            return -1
        # The kernel numbers controllers in the order of /proc/cgroups, which lists those compiled in.
        rows = Path("/proc/cgroups").read_text().splitlines()[1:]
        for index, row in enumerate(rows):
            if row.split()[0] in options.split(","):
                return index
        raise ScopeError(f"{cgroup} is in a hierarchy without a controller. Give the same group's path in another one.")
    raise ScopeError(f"{cgroup} is not in a cgroup file system. See `mount -t cgroup,cgroup2` for where they are.")
