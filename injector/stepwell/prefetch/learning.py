"""Learns orders of files from the files that readers visit: within a directory, from epoch to epoch, or as a set."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from itertools import islice, pairwise

from stepwell.prefetch.orders import Sequence
from stepwell.prefetch.protocol import Entry, Policy
from stepwell.trace.format import size

ENOUGH = 4
"""Different files of a directory before its order is guessed: three equal steps."""

SAMPLE = 8
"""Visits that an order within a directory is judged by."""

SMALLEST_EPOCH = 8
"""Files of an epoch: fewer are rather a program that opens a few files again and again."""

DENSE = 0.5
"""Share of a file's reach that was read: below, the file's own heads know better what to bring in."""

SHARE = 5
"""Bytes of a set, or of a file that is read at random, that are brought in for each that is asked for, at most."""

PART = 4
"""Bytes of the rest of a set for each that memory has, at most.  Default 4: of what is read next a quarter is there
then, and ever more towards the end; with less, all that is brought in for it would hardly be noticed."""

UNREPEATED = 3
"""Visits of files visited before that are due by chance, from which on none at all says that each file comes once.
Default 3: as many random visits would come without a repeat in 5 % of cases (Hanley and Lippman-Hand, "If nothing goes
wrong, is everything all right?", JAMA 249, 1983)."""


@dataclass
class Extent:
    """What was read of a file in one epoch.

    Attributes:
        first: lowest byte.
        end: one behind the highest; 0 when no access was told.
        bytes: sum of the accesses.
        visit: number of the last visit, to whatever file, before it was opened, read or closed last.
    """

    first: int = 0
    end: int = 0
    bytes: int = 0
    visit: int = 0

    def add(self, first: int, end: int, asked: int) -> None:
        """Take in accesses that span [first, end)."""
        self.first = min(self.first, first) if self.end else first
        self.end = max(self.end, end)
        self.bytes += asked


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


class Learning:
    """The files that were visited, and what follows from them."""

    def __init__(self) -> None:
        self.extents: dict[str, Extent] = {}
        """Of this epoch."""
        self.before: dict[str, Extent] = {}
        """Of the last epoch, in its order."""
        self.epoch = 1
        self._directories: dict[str, Directory] = {}
        self._again = 0
        self._visits = 0

    def visit(self, path: str) -> list[str]:
        """A reader opened a file; return the directories whose names should be listed."""
        self._visits += 1
        known = self.extents.get(path)
        # The same file twice in a row is no new epoch, and one of many may be a favourite.
        if known and self._visits - known.visit > SMALLEST_EPOCH:
            self._again += 1
            if self._again >= 2 and len(self.extents) >= SMALLEST_EPOCH:
                self._turn()
        self.extents.setdefault(path, Extent()).visit = self._visits
        parent, name = _split(path)
        folder = self._directories.setdefault(parent, Directory())
        folder.visited[name] = None
        if name not in folder.recent:
            folder.recent.append(name)
        if len(folder.visited) >= ENOUGH - 1 and not folder.asked:
            folder.asked = True
            return [parent]
        return []

    def read(self, path: str, first: int, end: int, asked: int) -> None:
        """A reader asked for so many bytes within [first, end) of a file."""
        extent = self.extents.setdefault(path, Extent())
        extent.add(first, end, asked)
        extent.visit = self._visits

    def closed(self, path: str) -> None:
        """The last reader of a file closed it."""
        if path in self.extents:
            self.extents[path].visit = self._visits

    def listed(self, path: str, names: list[str]) -> None:
        """Take in the names of a directory, in the order in which it tells them."""
        folder = self._directories.setdefault(path, Directory())
        ways = {"name": sorted(names), "number": sorted(names, key=_natural), "directory": names}
        folder.names = {way: {name: place for place, name in enumerate(order)} for way, order in ways.items()}

    def directory_order(self, path: str) -> Sequence | None:
        """Return the files that follow in the directory of a file, or None when no order is seen."""
        parent, _ = _split(path)
        folder = self._directories.get(parent)
        if folder is None or len(folder.recent) < ENOUGH:
            return None
        for way, places in folder.names.items():
            steps = _steps([places[name] for name in folder.recent if name in places])
            if not steps:
                continue
            last = (max if steps > 0 else min)(places[name] for name in folder.recent if name in places)
            order = list(places)
            rest = (
                [name for name in order[last + steps :: steps] if name not in folder.visited]
                if last + steps >= 0
                else []
            )
            stride = f", every {abs(steps)}th" if abs(steps) > 1 else ""
            found = Sequence(
                Policy.DIRECTORY,
                f"the last {len(folder.recent)} files in {parent} came by {way}{stride}",
                trusted=True,
            )
            sample = [self.extents[f"{parent}/{name}"] for name in folder.recent]
            found.extend(
                entry for name in rest if name not in folder.visited and (entry := _entry(f"{parent}/{name}", sample))
            )
            return found
        return None

    def whole_file(self, path: str, block: int) -> Sequence | None:
        """Return this one file, when those before it in its directory were read as a whole and take several requests.

        Args:
            path: the file just visited.
            block: bytes of a request.
        """
        parent, opened = _split(path)
        folder = self._directories.get(parent)
        names = [name for name in folder.recent if name != opened] if folder else []
        sample = [extent for name in names if (extent := self.extents.get(f"{parent}/{name}"))]
        entry = _entry(path, sample)
        if len(sample) < ENOUGH - 1 or entry is None or entry.size is None or entry.size < 2 * block:
            return None
        found = Sequence(
            Policy.WHOLE_FILE,
            f"the last {len(sample)} files in {parent} were read from {entry.offset} to {entry.size} bytes on",
            trusted=True,
        )
        found.extend([entry])
        return found

    def last_epoch(self) -> Sequence | None:
        """Return the order of the last epoch, to be followed if it comes again; None in the first."""
        if not self.before:
            return None
        found = Sequence(Policy.EPOCH, f"epoch {self.epoch} repeats the order of the last one", trusted=False)
        found.extend(entry for path, extent in self.before.items() if (entry := _entry(path, [extent])))
        return found

    def rest_of_set(self, path: str, sizes: dict[str, int], memory: int) -> Sequence | None:
        """Return the files that are still to come when files are read in no order, if much of them fits the memory.

        Args:
            path: the file just visited.
            sizes: bytes of the files that are known.
            memory: bytes that may be ahead.
        """
        folders = {} if self.before else self._like(path)
        total = len(self.before) or sum(len(folder.names["name"]) for folder in folders.values())
        if not self._is_set(len(self.extents), total):
            return None
        # Some have just been opened, and nothing is known of them yet.
        latest = (sizes.get(one, 0) or extent.end for one, extent in reversed(self.extents.items()))
        known_sizes = list(islice(filter(None, latest), SAMPLE))
        mean = sum(known_sizes) // max(len(known_sizes), 1)
        octets = mean * (total - len(self.extents))
        if octets > PART * memory:
            return None
        known = list(self.before) or [
            f"{parent}/{name}" for parent, one in folders.items() for name in one.names["name"]
        ]
        rest = [one for one in known if one not in self.extents]
        if not rest or not self._is_set(total - len(rest), total):
            return None
        where = "the last epoch" if self.before else _split(path)[0]
        if len(folders) > 1:
            where += f" and {len(folders) - 1} directories beside it"
        room = "fit" if octets <= memory else f"of {size(octets)} that are left {size(memory)} fit"
        why = f"the {total} files of {where} come in no order, and {room} the memory"
        found = Sequence(Policy.RANDOM, why, trusted=True)
        sample = list(self.before.values() or self.extents.values())[-SAMPLE:]
        found.extend(
            entry for one in rest if (entry := _entry(one, [self.before[one]] if one in self.before else sample))
        )
        return found

    def _is_set(self, visited: int, total: int) -> bool:
        """Return whether so many different files of so many say that the others will be visited, too."""
        # Of n files two visits are the same one by chance once in n pairs.
        once = not self._again and visited * (visited - 1) >= 2 * UNREPEATED * total
        return total > 0 and (once or SHARE * visited >= total)

    def _like(self, path: str) -> dict[str, Directory]:
        """Return the directories beside that of a file, and that itself, whose names are known, as of classes."""
        own = _split(path)[0]
        beside = _split(own)[0]
        return {
            parent: folder
            for parent, folder in self._directories.items()
            if folder.names and (parent == own or _split(parent)[0] == beside)
        }

    def _turn(self) -> None:
        """A new epoch begins with the last visits."""
        self.before, self.extents = self.extents, {}
        self.epoch += 1
        self._again = 0
        for folder in self._directories.values():
            folder.visited.clear()
            folder.recent.clear()


def _split(path: str) -> tuple[str, str]:
    """The directory of a file, and its name there."""
    parent, _, name = path.rpartition("/")
    return parent, name


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


def _entry(path: str, like: list[Extent]) -> Entry | None:
    """What to bring in of a file that is read like others; None when these were read here and there."""
    told = [extent for extent in like if extent.end]
    if not told:
        return Entry(path)
    first, end = min(extent.first for extent in told), max(extent.end for extent in told)
    if sum(extent.bytes for extent in told) < DENSE * sum(extent.end - extent.first for extent in told):
        return None
    # Files of one kind differ in size: what is beyond the largest that was seen is not asked for either.
    return Entry(path, first, end - first)
