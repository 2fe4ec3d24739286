"""Which processes belong together: a workload's, though it makes new ones for every epoch."""

from __future__ import annotations

from stepwell.analysis.ask import Row


def groups(readers: list[Row]) -> dict[int, int]:
    """Return the group of each reader: the first reader in it.

    Together are processes with one command line, which forked workers inherit; and those of one name with one parent,
    whose command lines differ by a file or a rank (`find -exec`, `torchrun`, Python's spawned workers).

    Args:
        readers: reader, pid, ppid, comm and command of each, in the order of their start.
    """
    leader: dict[int, int] = {row["reader"]: row["reader"] for row in readers}

    def find(reader: int) -> int:
        while leader[reader] != reader:
            leader[reader] = leader[leader[reader]]
            reader = leader[reader]
        return reader

    latest: dict[int, int] = {}  # reader by pid: pids are used again
    first: dict[tuple[object, ...], int] = {}
    for row in readers:
        keys: list[tuple[object, ...]] = [("command", row["command"])] if row["command"] else []
        if row["ppid"] > 1:
            keys.append(("children", latest.get(row["ppid"], -row["ppid"]), row["comm"]))
        for key in keys:
            other = first.setdefault(key, row["reader"])
            low, high = sorted((find(other), find(row["reader"])))
            leader[high] = low
        latest[row["pid"]] = row["reader"]
    return {reader: find(reader) for reader in leader}
