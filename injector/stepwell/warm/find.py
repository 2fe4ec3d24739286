"""The files to warm: all regular ones below some directories, without asking for their attributes one by one."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from stepwell.warm.errors import WarmError


@dataclass(frozen=True)
class File:
    """A file below a root."""

    root: str
    """Absolute directory without symbolic links."""
    path: str
    """Relative to it."""
    about: tuple[int, int] | None = None
    """Size and inode, where they were known for nothing."""

    @property
    def name(self) -> str:
        """Return its absolute path."""
        return f"{self.root}/{self.path}"


@dataclass(frozen=True)
class Failure:
    """A file that could not be read, or a directory that could not be listed."""

    path: str
    error: str
    """Name of the error, as in errno(3)."""

    @classmethod
    def of(cls, path: str, code: int | None) -> Self:
        """Return the failure of a path with an errno."""
        return cls(path, errno.errorcode.get(code or 0, str(code)))


def find(targets: tuple[Path, ...]) -> tuple[list[File], tuple[Failure, ...]]:
    """Return the files at and below some paths, each once, by name; and the directories that cannot be listed.

    Symbolic links are followed in the targets themselves and nowhere else; other file systems mounted below are left
    out.

    Raises:
        WarmError: there is no such target, or it cannot be listed.
    """
    found: dict[str, File] = {}
    unlisted: dict[str, Failure] = {}
    for target in targets:
        try:
            top = target.resolve(strict=True)
            status = top.stat()
            if top.is_dir():
                os.close(os.open(top, os.O_RDONLY | os.O_DIRECTORY))
                below = _below(str(top), "", status.st_dev, unlisted)
                each: Iterator[File] = (File(str(top), path) for path in below)
            else:
                each = iter([File(str(top.parent), top.name, (status.st_size, status.st_ino))])
            for file in each:
                found.setdefault(file.name, file)
        except OSError as error:
            raise WarmError(f"{target}: {error.strerror}; check the path and its permissions") from error
    return [found[name] for name in sorted(found)], tuple(unlisted[name] for name in sorted(unlisted))


def _below(root: str, directory: str, device: int, unlisted: dict[str, Failure]) -> Iterator[str]:
    whole = f"{root}/{directory}" if directory else root
    try:
        if directory and os.lstat(whole).st_dev != device:
            return
        with os.scandir(whole) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        unlisted[whole] = Failure.of(whole, error.errno)
        return
    for entry in listed:
        path = f"{directory}/{entry.name}" if directory else entry.name
        # The type is in the listing; attributes would take a request a file.
        if entry.is_file(follow_symlinks=False):
            yield path
        elif entry.is_dir(follow_symlinks=False):
            yield from _below(root, path, device, unlisted)
