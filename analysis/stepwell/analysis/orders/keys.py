"""What files may be sorted by: their names in several ways, size, time of change, inode."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from stepwell.analysis.orders.numbering import dense
from stepwell.analysis.orders.visits import Files, Ints

_DIGITS = re.compile(r"(\d+)")

Part = tuple[tuple[int, int, str], ...]


@dataclass(frozen=True)
class Key:
    """One way of sorting: `values` per file of the sequence; only files of one directory compare when `inside`."""

    by: str
    values: Ints
    inside: bool = False
    natural: bool = True


def natural(name: str) -> Part:
    """Return what sorts a name with the numbers in it as numbers: 2 before 10, and both before letters."""
    parts = _DIGITS.split(name)
    return tuple((0, int(part), part) if place % 2 else (1, 0, part) for place, part in enumerate(parts) if part)


def ranks(values: list[object]) -> Ints:
    """Return each value's rank; equal ones share theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)  # type: ignore[arg-type]
    found = np.zeros(len(values), np.int64)
    rank = 0
    for before, place in zip([order[0], *order], order, strict=False):
        rank += values[before] != values[place]
        found[place] = rank
    return found


def directories(names: list[str]) -> Ints:
    """Return the number of each path's directory."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name.rpartition("/")[0], len(numbers)) for name in names], np.int64)


def keys(files: Files, sequence: Ints, names: list[str]) -> list[Key]:
    """Return the keys that a sequence of files may be sorted by, the likelier ones first.

    By name: path by path, or each directory's own files before those below it (as `os.walk` does); numbers as numbers
    or as characters.  Then each key within directories only.
    """
    split = [name.split("/") for name in names]
    several = len({tuple(parts[:-1]) for parts in split}) > 1
    parts = [[natural(part) for part in path] for path in split]
    by_name = [Key("name", ranks([tuple(path) for path in parts])), Key("name", ranks(list(split)), natural=False)]
    if several:
        by_name += [
            Key("name", ranks([(tuple(path[:-1]), path[-1]) for path in parts])),
            Key("name", ranks([(path[:-1], path[-1]) for path in split]), natural=False),
        ]
    facts = {"size": files.size, "mtime": files.mtime, "inode": files.inode}
    by_fact = [Key(by, dense(values[sequence])) for by, values in facts.items() if values is not None]
    if not several:
        return by_name + by_fact
    inner = [
        Key("name", ranks([path[-1] for path in parts]), inside=True),
        Key("name", ranks([path[-1] for path in split]), inside=True, natural=False),
    ]
    return by_name + by_fact + inner + [Key(key.by, key.values, inside=True) for key in by_fact]
