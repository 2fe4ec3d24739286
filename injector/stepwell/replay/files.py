"""The directory a trace is replayed on: what it has, what it lacks, and making that.

Nothing that exists is ever changed here, and nothing outside the directory is opened.  Files that are made are listed
in a manifest with inode number and time of birth; a replay writes to those alone.
"""

from __future__ import annotations

import errno
import json
import os
import posixpath
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from stepwell.replay.errors import ReplayError
from stepwell.replay.native.library import born_ns, open_below
from stepwell.replay.places import MANIFEST
from stepwell.replay.selection import Selection

_BLOCK = 4 << 20
"""Bytes written at a time."""


class Files:
    """The files of a selection below a directory; use as a context manager.

    Args:
        path: the directory.
        selection: what is to be replayed on it.
        make: whether to make the directory if it is missing.

    Attributes:
        directory: its descriptor.
        missing: places where there is no file yet, in order.
        smaller: how many files are smaller than recorded.

    Raises:
        ReplayError: it is no directory, something at a place is not a regular file, or lies outside.
    """

    def __init__(self, path: Path, selection: Selection, *, make: bool) -> None:
        self.path = path.absolute()
        self._selection = selection
        if make:
            self.path.mkdir(parents=True, exist_ok=True)
        try:
            self.directory = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise ReplayError(
                f"cannot use {self.path}: {error.strerror}; name a directory, or let --make-files make it"
            ) from error
        self.missing: list[str] = []
        self.smaller = 0
        try:
            for place, size in selection.sizes.items():
                self._look(place, size)
        except BaseException:
            os.close(self.directory)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self.directory)

    def _look(self, place: str, size: int) -> None:
        found = self._stat(place)
        if found is None:
            self.missing.append(place)
        elif not stat.S_ISREG(found[0].st_mode):
            raise ReplayError(f"{self.path / place} is not a regular file; choose another directory")
        elif found[0].st_size < size:
            self.smaller += 1

    def _stat(self, place: str) -> tuple[os.stat_result, int] | None:
        """Return what is at a place, and when it was made."""
        try:
            file = open_below(self.directory, place, os.O_PATH)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            raise self._refused(place, error) from error
        try:
            return os.fstat(file), born_ns(file)
        finally:
            os.close(file)

    def _refused(self, place: str, error: OSError) -> ReplayError:
        if error.errno == errno.EXDEV:
            return ReplayError(
                f"{self.path / place} leads out of {self.path}; remove the symbolic link or choose another directory"
            )
        if error.errno == errno.ENOSYS:
            return ReplayError(
                "this kernel has no openat2(2), which keeps a replay inside its directory; use Linux 5.6"
            )
        return ReplayError(f"{self.path / place}: {error.strerror}; check its rights, or choose another directory")

    def check_written(self) -> None:
        """Make sure that all files to be written to were made here.

        Raises:
            ReplayError: one of them was not.
        """
        made = self._manifest()
        for place in self._selection.written:
            found = self._stat(place)
            if found is None or not found[1] or made.get(place) != [found[0].st_ino, found[1]]:
                raise ReplayError(
                    f"{self.path / place} would be written to, but was not made by --make-files"
                    f"{'' if found is None or found[1] else ', as far as its file system tells'}; "
                    "replay without --writes, or with --make-files on an empty directory"
                )

    def _manifest(self) -> dict[str, list[int]]:
        try:
            file = open_below(self.directory, MANIFEST, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return {}
        with os.fdopen(file, encoding="utf-8", errors="surrogateescape") as lines:
            try:
                return {place: inode for place, *inode in map(json.loads, lines)}
            except ValueError as error:
                raise ReplayError(f"{self.path / MANIFEST} is damaged; replay on another directory") from error

    def make_missing(self, *, sparse: bool, progress: Callable[[int, int], None]) -> int:
        """Make the missing files in their recorded sizes; return how many.

        They hold pseudo-random bytes, so that no storage can do without reading them, and are written through and
        dropped from the page cache: a replay that follows finds them cold.

        Args:
            sparse: leave them without content, which is quick but makes reading them so, too.
            progress: told how many bytes of all are written.

        Raises:
            ReplayError: there is not enough space, or a file cannot be made.
        """
        total = sum(self._selection.sizes[place] for place in self.missing)
        if not sparse:
            self._check_space(total)
        random = np.random.Generator(np.random.SFC64())
        done = 0
        count = len(self.missing)
        manifest = open_below(self.directory, MANIFEST, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW)
        with os.fdopen(manifest, "w", encoding="utf-8", errors="surrogateescape") as listed:
            while self.missing:
                place = self.missing[0]
                size = self._selection.sizes[place]
                try:
                    inode = self._make(
                        place, size, None if sparse else random, partial(_further, progress, done, total)
                    )
                except OSError as error:
                    raise self._refused(place, error) from error
                listed.write(json.dumps([place, *inode]) + "\n")
                listed.flush()
                done += size
                self.missing.pop(0)
        return count

    def _check_space(self, total: int) -> None:
        about = os.fstatvfs(self.directory)
        free = about.f_bavail * about.f_frsize
        if free < total:
            raise ReplayError(
                f"the missing files take {total:,} bytes, {self.path} has {free:,} free; "
                "choose another directory, or --sparse if reading holes will do"
            )

    def _make(
        self, place: str, size: int, random: np.random.Generator | None, progress: Callable[[int], None]
    ) -> tuple[int, int]:
        """Make one file, or nothing; return its inode number and time of birth."""
        parent = self._directory(posixpath.dirname(place))
        try:
            name = posixpath.basename(place)
            file = open_below(parent, name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            try:
                _fill(file, size, random, progress)
                made = os.fstat(file).st_ino, born_ns(file)
            except BaseException:
                os.unlink(name, dir_fd=parent)
                raise
            finally:
                os.close(file)
        finally:
            os.close(parent)
        return made

    def _directory(self, place: str) -> int:
        """Open a directory below this one, made if need be."""
        if not place:
            return os.dup(self.directory)
        try:
            return open_below(self.directory, place, os.O_PATH | os.O_DIRECTORY)
        except FileNotFoundError:
            pass
        parent = self._directory(posixpath.dirname(place))
        try:
            os.mkdir(posixpath.basename(place), dir_fd=parent)
        finally:
            os.close(parent)
        return open_below(self.directory, place, os.O_PATH | os.O_DIRECTORY)


def _further(progress: Callable[[int, int], None], before: int, total: int, done: int) -> None:
    progress(before + done, total)


def _fill(file: int, size: int, random: np.random.Generator | None, progress: Callable[[int], None]) -> None:
    if random is None:
        os.truncate(file, size)
        return
    written = 0
    while written < size:
        written += os.write(file, random.bytes(min(_BLOCK, size - written)))
        progress(written)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
