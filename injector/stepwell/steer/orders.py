"""A known order from a file that somebody wrote."""

from __future__ import annotations

import os.path
from collections.abc import Iterable
from pathlib import Path

from stepwell.prefetch.errors import OrderError
from stepwell.prefetch.order_file import read_order


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
    """Return the directories of files, without those below another one."""
    found: list[str] = []
    parents = {path.rpartition("/")[0] or "/" for path in paths}
    for directory in sorted({os.path.normpath(parent) for parent in parents}):
        if not found or not f"{directory}/".startswith(f"{found[-1].rstrip('/')}/"):
            found.append(directory)
    return found
