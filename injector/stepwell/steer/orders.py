"""A known order from a file that somebody wrote."""

from __future__ import annotations

import os.path
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from pathlib import Path

from stepwell.mounts import mounts
from stepwell.prefetch.errors import OrderError
from stepwell.prefetch.order_file import read_order

MOST = 256
"""Directories that an engine is told to read in for an order: it looks at each of them by itself, and each file that a
reader opens is looked for in all."""


def of_file(file: Path, base: Path) -> list[str]:
    """Return the directories of what an order file names; relative paths are below `base`.

    Raises:
        OrderError: it cannot be read, names nothing, or names directories by symbolic links, which the engine does not
            follow and readers are not seen to come to.
    """
    paths = {entry.path for batch in read_order(file) for entry in batch}
    if not paths:
        raise OrderError(f"{file} names nothing; write a path a line")
    absolute = [path for path in paths if path.startswith("/")]
    found = directories(absolute)
    for directory in found:
        if (real := os.path.realpath(directory)) != directory:
            raise OrderError(f"{file}: {directory} leads over a symbolic link; write {real} there instead")
    return [*([str(base)] if len(absolute) < len(paths) else []), *found]


def directories(paths: Iterable[str]) -> list[str]:
    """Return the directories of files, without those below another one; of very many, directories that contain them."""
    parents = {os.path.normpath(_parent(path)) for path in paths}
    return few(parents, {mount.point for mount in mounts()}) if len(parents) > MOST else _outermost(parents)


def few(parents: AbstractSet[str], points: AbstractSet[str]) -> list[str]:
    """Return the deepest directories that contain them, `MOST` at most unless these are on more mounts.

    Args:
        parents: the directories.
        points: where something is mounted, "/" among them: what lies above is another storage.
    """
    found = _outermost(parents)
    while len(found) > MOST and (depths := [one.count("/") for one in found if one not in points]):
        deepest = max(depths)
        found = _outermost({_parent(one) if one not in points and one.count("/") == deepest else one for one in found})
    return found


def _outermost(parents: AbstractSet[str]) -> list[str]:
    found: list[str] = []
    for directory in sorted(parents, key=_below):  # each before what is in it, and nothing in between
        if not found or not _below(directory).startswith(_below(found[-1])):
            found.append(directory)
    return found


def _parent(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _below(directory: str) -> str:
    """Return how paths in a directory begin."""
    return f"{directory.rstrip('/')}/"
