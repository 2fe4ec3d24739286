"""A directory whose files are visited, and the order in which they come."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

ENOUGH = 4
"""Different files of a directory before its order is guessed: three equal steps."""

SAMPLE = 8
"""Visits that an order within a directory is judged by."""


@dataclass(frozen=True)
class Following:
    """The files that follow in a directory.

    Attributes:
        names: those that were not visited yet, in order.
        way: the order, a key of `Directory.names`.
        stride: from one file to the next in it; negative is backward.
    """

    names: list[str]
    way: str
    stride: int


@dataclass
class Directory:
    """A directory whose files are visited.

    Attributes:
        visited: files in the order of their first visits.
        recent: the last of them.
        asked: whether its names were asked for.
        names: its orderings, each with the place of every name.
    """

    visited: dict[str, None] = field(default_factory=dict)
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=SAMPLE))
    asked: bool = False
    names: dict[str, dict[str, int]] = field(default_factory=dict)

    def visit(self, name: str, *, expected: bool) -> bool:
        """A reader opened a file; return whether the names should be listed now.

        Args:
            name: the file.
            expected: an order is expected, so that the first visit tells whether it may be.
        """
        self.visited[name] = None
        if name not in self.recent:
            self.recent.append(name)
        asks = len(self.visited) >= (1 if expected else ENOUGH - 1) and not self.asked
        self.asked |= asks
        return asks

    def listed(self, names: dict[str, int]) -> None:
        """Take in the names with their inode numbers, in the order in which the directory tells them."""
        ways = {
            "name": sorted(names),
            "number": sorted(names, key=_natural),
            "directory": [*names],
            "inode": sorted(names, key=names.__getitem__),  # as cp and rm do (fts(3) of gnulib)
        }
        self.names = {}
        for way, order in ways.items():
            if all([*one] != order for one in self.names.values()):
                self.names[way] = {name: place for place, name in enumerate(order)}

    def following(self) -> Following | None:
        """Return the files that follow, or None when no order is seen."""
        if len(self.recent) < ENOUGH:
            return None
        for way, places in self.names.items():
            recent = [places[name] for name in self.recent if name in places]
            if stride := _steps(recent):
                return Following([*self._rest([*places], recent, stride)], way, stride)
        return None

    def begun(self, way: str) -> Following | None:
        """Return the files that follow if those visited are the first ones in an order that is expected."""
        order = [*self.names.get(way, ())]
        first = order[: len(self.visited)]
        return Following(order[len(first) :], way, 1) if first and self.visited.keys() == {*first} else None

    def forget(self) -> None:
        """Begin anew: nothing has been visited."""
        self.visited.clear()
        self.recent.clear()

    def _rest(self, order: list[str], recent: list[int], steps: int) -> Iterator[str]:
        """Yield what is to come of an order, given the places of the last visits."""
        begin = (max if steps > 0 else min)(recent) + steps
        if begin >= 0:
            yield from (name for name in order[begin::steps] if name not in self.visited)


def _natural(name: str) -> list[tuple[int, str]]:
    """Key that orders file-9 before file-10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", name)]


def _steps(places: list[int]) -> int:
    """The common step of places that rise or fall, 0 when there is none; they may come out of turn."""
    if len(places) < ENOUGH:
        return 0
    ordered = sorted(places)
    steps = [after - before for before, after in pairwise(ordered)]
    middle = sorted(steps)[len(steps) // 2]
    half = len(places) // 2
    direction = sum(places[half:]) * half - sum(places[:half]) * (len(places) - half)
    if 4 * steps.count(middle) < 3 * len(steps) or direction == 0:
        return 0
    return middle if direction > 0 else -middle
