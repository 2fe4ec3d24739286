"""The files to warm: all regular ones below some directories, without asking for their attributes one by one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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


def find(targets: tuple[Path, ...]) -> list[File]:
    """Return the files at and below some paths, each once, by name.

    Symbolic links are followed in the targets themselves and nowhere else; other file systems mounted below are left
    out, as are directories that cannot be listed.

    Raises:
        WarmError: there is no such target, or it cannot be listed.
    """
    found: dict[str, File] = {}
    for target in targets:
        try:
            top = target.resolve(strict=True)
            if top.is_dir():
                os.close(os.open(top, os.O_RDONLY | os.O_DIRECTORY))
                each: Iterator[File] = (File(str(top), path) for path in _below(str(top), "", top.stat().st_dev))
            else:
                status = top.stat()
                each = iter([File(str(top.parent), top.name, (status.st_size, status.st_ino))])
            for file in each:
                found.setdefault(file.name, file)
        except OSError as error:
            raise WarmError(f"{target}: {error.strerror}; check the path and its permissions") from error
    return [found[name] for name in sorted(found)]


def _below(root: str, directory: str, device: int) -> Iterator[str]:
    try:
        with os.scandir(f"{root}/{directory}") as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in listed:
        path = f"{directory}/{entry.name}" if directory else entry.name
        # The type is in the listing; attributes would take a request a file.
        if entry.is_file(follow_symlinks=False):
            yield path
        elif entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_dev == device:
            yield from _below(root, path, device)
