"""Where below a directory each recorded file stands: pure functions over paths."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import NamedTuple

MANIFEST = ".stepwell-replay"
"""Below the directory: which files were made there, so that nothing else is ever written to."""

_NAMELESS = re.compile(r"\.\.\.|[0-9]+:[0-9]+:[0-9]+$")
"""How the view `files` shows paths of which all or the start is unknown."""


class Recorded(NamedTuple):
    """One file of a trace, by its id; `dev` is its device."""

    file: int
    dev: int
    path: str


def known(path: str) -> bool:
    """Tell whether all of a path is known."""
    return bool(path) and not _NAMELESS.match(path) and "\0" not in path


def below(path: str, directory: str) -> bool:
    """Tell whether a path lies below a directory."""
    return _absolute(path).startswith(_absolute(directory).rstrip("/") + "/")


def root_of(paths: Iterable[str]) -> str:
    """Return the deepest directory that holds all of the files, absolute; "/" for none."""
    directories = {posixpath.dirname(_absolute(path)) for path in paths}
    return posixpath.commonpath(directories) if directories else "/"


def places(files: Iterable[Recorded], root: str) -> dict[int, str]:
    """Return where each file stands, relative to the directory that takes the place of `root`.

    A file keeps its path below `root`; `..` is resolved first, so that no path leads out.  Another file of the same
    path but on another device (a mount of another container), and one whose path is a directory of others, which it
    can only have been at another time, get the first free one of NAME~2, NAME~3 ...

    Args:
        files: the files, with known paths below `root`.
        root: what `root_of` says.
    """
    listed = [(file, posixpath.relpath(_absolute(file.path), root)) for file in files]
    reserved = {MANIFEST, *(parent for _, place in listed for parent in _parents(place))}
    owners: dict[str, int] = {}
    found: dict[int, str] = {}
    given: dict[tuple[str, int], str] = {}
    asked = {place for _, place in listed}
    for file, place in listed:
        key = (place, file.dev)
        if key not in given:
            number, name = 1, place
            while name in reserved or name in owners or (number > 1 and name in asked):
                number += 1
                name = f"{place}~{number}"
            owners[name] = file.dev
            given[key] = name
        found[file.file] = given[key]
    return found


def _absolute(path: str) -> str:
    return posixpath.normpath("/" + path.lstrip("/"))


def _parents(place: str) -> Iterable[str]:
    while place := posixpath.dirname(place):
        yield place
