"""A directory whose files are visited, and the order in which they come."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

ENOUGH = 4
"""Different files of a directory before its order is guessed: three equal steps."""

SAMPLE = 8
"""Visits that an order within a directory is judged by."""

NEARLY = 7 / 8
"""Share of a directory's files that is nearly all: some may be programs, which nobody tells of."""

JUDGED, ALIKE = 64, 0.9
"""Files by which is judged in which order all came, and the rank correlation with it; several readers take some out of
turn.  Default 0.9: four files in no order have it, either way, in 8 cases of a hundred, seven in 7 of a thousand."""

Way = tuple[str, int]
"""An order, a key of `Directory.names`, and the step from one file to the next in it; negative is backward."""


@dataclass(frozen=True)
class Names:
    """What is in a directory: inode numbers by name, in the order in which it tells them."""

    files: dict[str, int] = field(default_factory=dict)
    folders: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Following:
    """The files that follow in a directory.

    Attributes:
        names: those that were not visited yet, in order.
        way: the order.
    """

    names: list[str]
    way: Way


@dataclass
class Directory:
    """A directory whose files are visited.

    Attributes:
        visited: files in the order of their first visits.
        recent: the last of them.
        asked: whether its names were asked for.
        names: its orderings, each with the place of every name.
        folders: the directories in it; None while its names are not known.
    """

    visited: dict[str, None] = field(default_factory=dict)
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=SAMPLE))
    asked: bool = False
    names: dict[str, dict[str, int]] = field(default_factory=dict)
    folders: dict[str, int] | None = None
    _ordered: dict[Way, list[str]] = field(default_factory=dict)
    """The directories in it, by the orders that were asked for."""

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

    def listed(self, names: Names) -> None:
        """Take in what is in it."""
        self.names, self.folders = {}, names.folders
        self._ordered.clear()
        for way, ordered in _ORDERS.items():
            order = ordered(names.files)
            alike = next((one for one in self.names.values() if [*one] == order), None)
            self.names[way] = alike or {name: place for place, name in enumerate(order)}

    def folders_by(self, way: Way, *, after: str = "") -> list[str]:
        """Return the directories in it in an order: all of them, or those that follow one of them."""
        if way not in self._ordered:
            self._ordered[way] = _ORDERS[way[0]](self.folders or {})[:: way[1]]
        order = self._ordered[way]
        if not after:
            return order
        return order[order.index(after) + 1 :] if self.folders and after in self.folders else []

    def all_by(self, way: Way) -> list[str]:
        """Return all of its files in an order."""
        return [*self.names.get(way[0], ())][:: way[1]]

    @property
    def files(self) -> int:
        """How many files it has; 0 while their names are not known."""
        return len(self.names.get("name", ()))

    def following(self) -> Following | None:
        """Return the files that follow, or None when no order is seen."""
        way = next(self._ways(), None)
        return Following([*self._rest(way)], way) if way else None

    def whole(self) -> set[Way]:
        """Return the orders in which all files came, one after the other; none while most are still to come."""
        listed = self.names.get("name", {})
        come = [name for name in self.visited if name in listed]
        if len(come) < max(NEARLY * len(listed), ENOUGH):
            return set()
        found = {way: _likeness([places[name] for name in come[:JUDGED]]) for way, places in self.names.items()}
        return {(way, 1 if likeness > 0 else -1) for way, likeness in found.items() if abs(likeness) >= ALIKE}

    def begun(self, way: Way) -> Following | None:
        """Return the files that follow if those visited are the first ones in an order that is expected."""
        order = self.all_by(way)
        first = order[: len(self.visited)]
        return Following(order[len(first) :], way) if first and self.visited.keys() == {*first} else None

    def forget(self) -> None:
        """Begin anew: nothing has been visited."""
        self.visited.clear()
        self.recent.clear()

    def _ways(self) -> Iterator[Way]:
        """Yield the orders in which the last visits came."""
        for way, places in self.names.items():
            if step := _steps([places[name] for name in self.recent if name in places]):
                yield way, step

    def _rest(self, way: Way) -> Iterator[str]:
        """Yield what is to come of an order."""
        places, step = self.names[way[0]], way[1]
        begin = (max if step > 0 else min)(places[name] for name in self.recent if name in places) + step
        if begin >= 0:
            yield from (name for name in [*places][begin::step] if name not in self.visited)


def _likeness(places: list[int]) -> float:
    """Return how alike an order is to one that rises: 1, to one that falls: -1.

    The rank correlation (C. Spearman, "The Proof and Measurement of Association between Two Things", American Journal
    of Psychology 15, 1904).
    """
    number = len(places)
    apart = sum((turn - at) ** 2 for turn, at in enumerate(sorted(range(number), key=places.__getitem__)))
    return 1 - 6 * apart / (number * (number**2 - 1))


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


_ORDERS: dict[str, Callable[[dict[str, int]], list[str]]] = {
    "name": sorted,
    "number": lambda names: sorted(names, key=_natural),
    "directory": list,
    "inode": lambda names: sorted(names, key=names.__getitem__),  # as cp and rm do (fts(3) of gnulib)
}
"""Names in all orders that are known, of inode numbers by name as a directory tells them."""
