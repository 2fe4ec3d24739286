"""Which processes belong together: a workload's, though it makes new ones for every epoch or file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stepwell.analysis.ask import Row
from stepwell.analysis.orders.numbering import dense, distinct
from stepwell.analysis.orders.visits import Files, Ints, Visits
from stepwell.analysis.thresholds import orders as limits

_NUMBER = re.compile(r"\d+")

Key = tuple[object, ...]


def named(readers: list[Row], datasets: Iterable[Files]) -> frozenset[str]:
    """Return those words of command lines that are names of files in datasets, without their directories."""
    commands = sorted({row["command"] for row in readers})
    if not any(before.split(" ", 1)[0] == after.split(" ", 1)[0] for before, after in pairwise(commands)):
        return frozenset()
    words = pa.array(sorted({_last(word) for command in commands for word in command.split()}), pa.string())
    found: set[str] = set()
    for files in datasets:
        names = pc.replace_substring_regex(files.paths, r"^.*/", "")
        found.update(names.filter(pc.is_in(names, value_set=words)).to_pylist())
    return frozenset(found)


def groups(readers: list[Row], visits: Visits, names: frozenset[str] = frozenset()) -> dict[int, int]:
    """Return the group of each reader: the first reader in it.

    Together are processes with one command line, which forked workers inherit; children of one parent (or of parents
    that are together) with one name and command lines that differ in numbers only, such as ranks (`torchrun`) and
    Python's spawned workers, or only in which files of datasets they name and in what order; and those of one parent
    and name that share the files among them (`find -exec`, `xargs`), rather than each reading the same ones, as
    programs of a script do.

    Args:
        readers: reader, pid, ppid, comm and command of each, in the order of their start.
        visits: of all readers.
        names: words of the command lines that are names of files (`named`).
    """
    leader: dict[int, int] = {row["reader"]: row["reader"] for row in readers}

    def find(reader: int) -> int:
        while leader[reader] != reader:
            leader[reader] = leader[leader[reader]]
            reader = leader[reader]
        return reader

    def join(reader: int, other: int) -> None:
        low, high = sorted((find(other), find(reader)))
        leader[high] = low

    first: dict[Key, int] = {}
    siblings: dict[Key, list[int]] = {}
    latest: dict[int, int] = {}  # reader by pid: pids are used again
    for row in readers:
        reader, command = row["reader"], row["command"]
        keys: list[Key] = [(command,)] if command else []
        if row["ppid"] > 1:
            parent = latest.get(row["ppid"], -row["ppid"])
            family = (find(parent) if parent in leader else parent, row["comm"])
            keys += [(*family, _NUMBER.sub("0", command)), *((*family, kept) for kept in _nameless(command, names))]
            siblings.setdefault(family, []).append(reader)
        for key in keys:
            join(reader, first.setdefault(key, reader))
        latest[row["pid"]] = reader
    for members in siblings.values():
        ordered = np.sort(np.array(members))
        if len(members) > 1 and _apart(np.array([find(member) for member in ordered.tolist()]), ordered, visits):
            for member in members:
                join(member, members[0])
    return {reader: find(reader) for reader in leader}


def _last(word: str) -> str:
    return word.rsplit("/", 1)[-1]


def _nameless(command: str, names: frozenset[str]) -> list[tuple[str, ...]]:
    """Return the words of a command line that name no file; nothing where none names one."""
    words = command.split()
    if len(command) >= limits.COMMAND:
        words.pop()  # perhaps only the beginning of a name
    kept = tuple(word for word in words if _last(word) not in names)
    return [kept] if len(kept) < len(words) else []


def _apart(leaders: Ints, members: Ints, visits: Visits) -> bool:
    """Return whether the groups that the members are in read files of their own."""
    place = np.minimum(np.searchsorted(members, visits.reader), len(members) - 1)
    own = members[place] == visits.reader
    file, group = dense(visits.file[own]), dense(leaders[place[own]])
    if not len(file):
        return False
    pairs = len(distinct(group * (int(file.max()) + 1) + file))
    return int(file.max()) + 1 >= (1 - limits.DISJOINT) * pairs
