"""Which processes belong together: a workload's, though it makes new ones for every epoch or file."""

from __future__ import annotations

import re

import numpy as np

from stepwell.analysis.ask import Row
from stepwell.analysis.orders.numbering import dense, distinct
from stepwell.analysis.orders.visits import Ints, Visits
from stepwell.analysis.thresholds import orders as limits

_NUMBER = re.compile(r"\d+")

Key = tuple[object, ...]


def groups(readers: list[Row], visits: Visits) -> dict[int, int]:
    """Return the group of each reader: the first reader in it.

    Together are processes with one command line, which forked workers inherit; children of one parent with one name
    and command lines that differ in numbers only, such as ranks (`torchrun`) and Python's spawned workers; and those
    of one parent and name that share the files among them (`find -exec`, `xargs`), rather than each reading the same
    ones, as programs of a script do.

    Args:
        readers: reader, pid, ppid, comm and command of each, in the order of their start.
        visits: of all readers.
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
        if command:
            join(reader, first.setdefault((command,), reader))
        if row["ppid"] > 1:
            family = (latest.get(row["ppid"], -row["ppid"]), row["comm"])
            join(reader, first.setdefault((*family, _NUMBER.sub("0", command)), reader))
            siblings.setdefault(family, []).append(reader)
        latest[row["pid"]] = reader
    for members in siblings.values():
        ordered = np.sort(np.array(members))
        if len(members) > 1 and _apart(np.array([find(member) for member in ordered.tolist()]), ordered, visits):
            for member in members:
                join(member, members[0])
    return {reader: find(reader) for reader in leader}


def _apart(leaders: Ints, members: Ints, visits: Visits) -> bool:
    """Return whether the groups that the members are in read files of their own."""
    place = np.minimum(np.searchsorted(members, visits.reader), len(members) - 1)
    own = members[place] == visits.reader
    file, group = dense(visits.file[own]), dense(leaders[place[own]])
    if not len(file):
        return False
    pairs = len(distinct(group * (int(file.max()) + 1) + file))
    return int(file.max()) + 1 >= (1 - limits.DISJOINT) * pairs
