"""The files that are read to measure their storage: found, opened, or made and removed again."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stepwell.bench.errors import BenchError

SMALLEST = 4096
"""Bytes of the smallest file that is of use: the smallest block."""

MOST_SEEN = 20_000
"""Directory entries that are looked at.  Default 20,000: some seconds on storage of 0.2 ms a look-up."""

MOST_OPEN = 512
"""Files that are kept open, the largest ones.  Default 512: beyond any concurrency measured, below any usual limit."""

MADE_BYTES = 64 << 20
"""Bytes of a file that is made: 16 granules."""

_COPY = 1 << 20


@dataclass
class Files:
    """Open files of one file system, and how they are read."""

    descriptors: list[int]
    sizes: list[int]
    direct: bool
    """They are open with O_DIRECT."""
    open_ns: list[int]
    """How long opening each took."""


def find(path: Path, deadline: float) -> list[tuple[Path, int]]:
    """Return regular files at or below a path, on its file system, with their bytes; the largest first.

    Args:
        path: a file, or a directory; symbolic links below it are not followed.
        deadline: monotonic time, in seconds, at which to make do with what was found.

    Raises:
        BenchError: there is none of use.
    """
    top = path.stat()
    if stat.S_ISREG(top.st_mode):
        found = [(path, top.st_size)]
    else:
        found, seen = [], 0
        for directory, names, files in os.walk(path):
            names[:] = [name for name in names if _device(Path(directory, name)) == top.st_dev]
            for name in files:
                with contextlib.suppress(OSError):  # removed meanwhile
                    about = Path(directory, name).lstat()
                    if stat.S_ISREG(about.st_mode) and about.st_dev == top.st_dev:
                        found.append((Path(directory, name), about.st_size))
                seen += 1
            if seen >= MOST_SEEN or time.monotonic() > deadline:
                break
    found = sorted((one for one in found if one[1] >= SMALLEST), key=lambda one: (-one[1], one[0]))
    if not found:
        raise BenchError(f"{path} has no file of 4 KiB or more to read; let one be made with --make 1GiB")
    return found


def _device(path: Path) -> int:
    try:
        return path.lstat().st_dev
    except OSError:
        return -1


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
    files = Files([], [], _can_be_direct(found[0][0]), [])
    refused: OSError | None = None
    try:
        for path, size in found[:MOST_OPEN]:
            began = time.monotonic_ns()
            try:
                descriptor = os.open(path, _READ | (os.O_DIRECT if files.direct else 0))
            except OSError as error:
                refused = error
                continue
            files.open_ns.append(time.monotonic_ns() - began)
            files.descriptors.append(descriptor)
            files.sizes.append(size)
            if not files.direct:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)  # no more than is asked for
            if time.monotonic() > deadline:
                break
        if not files.descriptors:
            reason = refused.strerror if refused else "there are none"
            raise BenchError(f"no file there can be opened: {reason}; check their permissions, or run as their owner")
        yield files
    finally:
        for descriptor in files.descriptors:
            os.close(descriptor)


_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW


def _can_be_direct(path: Path) -> bool:
    try:
        os.close(os.open(path, _READ | os.O_DIRECT))
    except OSError as error:
        return error.errno != errno.EINVAL
    return True


@contextlib.contextmanager
def made(directory: Path, octets: int, progress: Callable[[int, int], None]) -> Iterator[Path]:
    """Make files of random bytes in a directory of their own below `directory`, and remove them again.

    Args:
        directory: where.
        octets: bytes in all.
        progress: told bytes made, of how many.

    Raises:
        OSError: they cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix=".stepwell-bench-", dir=directory) as work:
        data = np.random.default_rng().bytes(_COPY)
        done = 0
        while done < octets:
            with Path(work, str(done // MADE_BYTES)).open("wb", buffering=0) as file:
                size = min(MADE_BYTES, octets - done)
                while size > 0:
                    # Every MiB differs, so that no storage keeps it once for all.
                    block = (done.to_bytes(8, "little") + data[8:])[:size]
                    file.write(block)
                    size -= len(block)
                    done += len(block)
                    progress(done, octets)
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        yield Path(work)
