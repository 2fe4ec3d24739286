"""The files that are read to measure their storage: found and opened."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stepwell.bench.errors import BenchError

SMALLEST = 4096
"""Bytes of the smallest file that is of use: the smallest block."""

MOST_SEEN = 20_000
"""Directory entries that are looked at.  Default 20,000: some seconds on storage of 0.2 ms a look-up."""

MOST_OPEN = 512
"""Files that are kept open, the largest ones.  Default 512: beyond any concurrency measured, below any usual limit."""


@dataclass
class Files:
    """Open files of one file system, and how they are read."""

    descriptors: list[int]
    sizes: list[int]
    direct: bool
    """They are open with O_DIRECT."""
    open_ns: list[int]
    """How long opening each took."""
    sparse: int = 0
    """How many have holes."""
    busy: bool = False
    """Reads of them are still under way."""


def find(path: Path, deadline: float) -> list[tuple[Path, int]]:
    """Return regular files at or below a path, on its file system, with their bytes; the largest first.

    Args:
        path: a file, or a directory; symbolic links below it are not followed.
        deadline: monotonic time, in seconds, at which to make do with what was found.

    Raises:
        BenchError: there is none of use.
    """
    top = path.stat()
    found, seen = [(path, top.st_size)], 1
    if stat.S_ISDIR(top.st_mode):
        found, seen = [], 0
        for name, about in _below(path, top.st_dev):
            if about and stat.S_ISREG(about.st_mode) and about.st_dev == top.st_dev:
                found.append((Path(name), about.st_size))
            seen += 1
            if seen >= MOST_SEEN or time.monotonic() > deadline:
                break
    elif not stat.S_ISREG(top.st_mode):
        raise BenchError(f"{path} is neither a file nor a directory; give one that is on the mount")
    found = sorted((one for one in found if one[1] >= SMALLEST), key=lambda one: (-one[1], one[0]))
    if not found:
        raise BenchError(
            f"{path} has no file of 4 KiB or more to read ({seen:,} looked at); name a directory that has, or let one "
            "be made with --make 1GiB"
        )
    return found


def _below(path: Path, device: int) -> Iterator[tuple[str, os.stat_result | None]]:
    """Yield what is in a directory and in those below it on a device, each as soon as it is listed."""
    waiting = [str(path)]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                about = None
                with contextlib.suppress(OSError):  # removed meanwhile
                    about = entry.stat(follow_symlinks=False)
                if about and stat.S_ISDIR(about.st_mode) and about.st_dev == device:
                    waiting.append(entry.path)
                yield entry.path, about


@contextlib.contextmanager
def opened(found: list[tuple[Path, int]], deadline: float) -> Iterator[Files]:
    """Open the first of some files, with O_DIRECT where that can be read.

    Args:
        found: what `find` returned.
        deadline: monotonic time, in seconds, after which no further one is opened.

    Raises:
        BenchError: none can be opened.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    files = Files([], [], direct=True, open_ns=[])
    refused: OSError | None = None
    try:
        for path, size in found[:MOST_OPEN]:
            began = time.monotonic_ns()
            try:
                descriptor = _open(path, files)
            except OSError as error:
                refused = error
                continue
            files.open_ns.append(time.monotonic_ns() - began)
            files.descriptors.append(descriptor)
            files.sizes.append(size)
            files.sparse += _has_holes(descriptor)
            if not files.direct:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)  # no more than is asked for
            if time.monotonic() > deadline:
                break
        if not files.descriptors:
            reason = refused.strerror if refused else "there are none"
            raise BenchError(f"no file there can be opened: {reason}; check their permissions, or run as their owner")
        yield files
    finally:
        # Closing a file whose reads do not come back may wait for them; then it is left to the end of the process.
        for descriptor in () if files.busy else files.descriptors:
            with contextlib.suppress(OSError):  # of a mount that is gone
                os.close(descriptor)


_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW


def _open(path: Path, files: Files) -> int:
    """Open one with O_DIRECT, as long as it may be that the file system can."""
    if files.direct:
        try:
            return os.open(path, _READ | os.O_DIRECT)
        except OSError as error:
            if error.errno != errno.EINVAL or files.descriptors:
                raise
            files.direct = False
    return os.open(path, _READ)


def _has_holes(descriptor: int) -> bool:
    """Return whether a file has holes; only one that takes little room is asked, as that may be a request."""
    try:
        about = os.fstat(descriptor)
        return about.st_blocks * 512 < about.st_size and os.lseek(descriptor, 0, os.SEEK_HOLE) < about.st_size
    except OSError:
        return False
