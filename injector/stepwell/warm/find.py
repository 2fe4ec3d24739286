"""The files to warm: all regular ones below some directories, without asking for their attributes one by one."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from stepwell.warm.errors import WarmError

BATCH = 512
"""Files that are given out at once, at most."""


@dataclass(frozen=True, slots=True)
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
        return os.path.join(self.root, self.path)  # noqa: PTH118 - a Path takes ten times as long


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


@dataclass(frozen=True)
class Target:
    """What is to be warmed: a directory with all below it, or one file."""

    root: str
    """Absolute directory without symbolic links: itself, or that of the file."""
    device: int
    """Of the directory: other file systems mounted below are left out."""
    file: File | None = None

    @property
    def name(self) -> str:
        """Return its absolute path."""
        return self.file.name if self.file else self.root


def targets(paths: tuple[Path, ...]) -> list[Target]:
    """Return what some paths name, by name; symbolic links are followed in them, and nowhere else.

    What lies in a directory that is there as well is left out, so that each file comes once.

    Raises:
        WarmError: there is no such path, it is neither file nor directory, or it cannot be listed.
    """
    found: dict[str, Target] = {}
    for path in paths:
        try:
            one = _target(path.resolve(strict=True))
        except OSError as error:
            raise WarmError(f"{path}: {error.strerror}; check the path and its permissions") from error
        if not one:
            raise WarmError(f"{path}: is neither a file nor a directory; leave it out")
        found[one.name] = one
    directories = {name for name, one in found.items() if not one.file}
    apart = [one for one in found.values() if not _is_within(one, directories)]
    return sorted(apart, key=lambda one: one.name if one.file else f"{one.name}/")


def find(target: Target, unlisted: Callable[[Failure], object]) -> Iterator[list[File]]:
    """Yield the files of a target as they are found, by name; nothing, as a sign of life, while a directory is long.

    What was found is given out before the storage is asked again.

    Args:
        target: the directory or file.
        unlisted: told of directories that cannot be listed.
    """
    if target.file:
        yield [target.file]
        return
    batch: list[File] = []
    # What is to come, the next one last; directories end with a slash, which is their place among the files, too.
    waiting = [""]
    while waiting:
        path = waiting.pop()
        if path and not path.endswith("/"):
            batch.append(File(target.root, path))
            if len(batch) < BATCH:
                continue
        if batch:
            yield batch
            batch = []
        if path.endswith("/") or not path:
            names = yield from _listed(target, path[:-1], unlisted)
            waiting += [path + name for name in sorted(names, reverse=True)]
    if batch:
        yield batch


def _target(path: Path) -> Target | None:
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        os.close(os.open(path, os.O_RDONLY | os.O_DIRECTORY))
        return Target(str(path), status.st_dev)
    if not stat.S_ISREG(status.st_mode):
        return None
    root = path.parent
    return Target(str(root), root.stat().st_dev, File(str(root), path.name, (status.st_size, status.st_ino)))


def _is_within(target: Target, directories: set[str]) -> bool:
    """Whether a target is found below one of some directories: no other file system lies between."""
    at = Path(target.root)
    for above in (at, *at.parents) if target.file else at.parents:
        if above.stat().st_dev != target.device:
            return False
        if str(above) in directories:
            return True
    return False


def _listed(target: Target, path: str, unlisted: Callable[[Failure], object]) -> Generator[list[File], None, set[str]]:
    """Return the names in a directory, each once though it may change meanwhile."""
    directory = File(target.root, path).name if path else target.root
    names = set()
    try:
        # Before it is opened, which would mount what is mounted on demand.
        status = os.lstat(directory)
        if status.st_dev != target.device or not stat.S_ISDIR(status.st_mode):
            return set()
        with os.scandir(directory) as entries:
            for number, entry in enumerate(entries, 1):
                # The type is in the listing; attributes would take a request a file.
                if entry.is_file(follow_symlinks=False):
                    names.add(entry.name)
                elif entry.is_dir(follow_symlinks=False):
                    names.add(f"{entry.name}/")
                if not number % BATCH:
                    yield []
    except FileNotFoundError:
        return set()  # it was removed meanwhile
    except OSError as error:
        unlisted(Failure.of(directory, error.errno))
    return names
