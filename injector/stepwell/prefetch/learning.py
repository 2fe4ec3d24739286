"""Learns orders of files from the files that readers visit: within a directory, from epoch to epoch, or as a set."""

from __future__ import annotations

from itertools import islice

from stepwell.prefetch.directory import ENOUGH, SAMPLE, Names
from stepwell.prefetch.extents import Extent, entry_like
from stepwell.prefetch.orders import Sequence
from stepwell.prefetch.protocol import Policy
from stepwell.prefetch.tree import Tree
from stepwell.trace.format import size

MOST_READERS = 4096
"""Readers whose last file is known: many more are processes that come and go."""

SMALLEST_EPOCH = 8
"""Files of an epoch: fewer are rather a program that opens a few files again and again."""

SHARE = 5
"""Bytes of a set, or of a file that is read at random, that are brought in for each that is asked for, at most."""

PART = 4
"""Bytes of the rest of a set for each that memory has, at most.  Default 4: of what is read next a quarter is there
then, and ever more towards the end; with less, all that is brought in for it would hardly be noticed."""

LOOKS = 16
"""Looks at whether there is a set, from when a number of files was visited up to twice as many: each goes over all."""

UNREPEATED = 3
"""Visits of files visited before that are due by chance, from which on none at all says that each file comes once.
Default 3: as many random visits would come without a repeat in 5 % of cases (Hanley and Lippman-Hand, "If nothing goes
wrong, is everything all right?", JAMA 249, 1983)."""


class Learning:
    """The files that were visited, and what follows from them."""

    def __init__(self) -> None:
        self.extents: dict[str, Extent] = {}
        """Of this epoch."""
        self.before: dict[str, Extent] = {}
        """Of the last epoch, in its order."""
        self.epoch = 1
        self.tree = Tree()
        self._again = self._in_a_row = 0
        self._visits = self._due = 0
        self._last: dict[str, str] = {}
        """The file that each reader came to last."""

    def visit(self, path: str, reader: str) -> list[str]:
        """A reader opened a file; return the directories whose names should be listed."""
        self._visits += 1
        last = self._last.pop(reader, None)
        known, twice = self.extents.get(path), last == path
        self._last[reader] = path
        if len(self._last) > MOST_READERS:
            del self._last[next(iter(self._last))]
        # The same file twice in a row is no new epoch, and one of many may be a favourite: new files come in between.
        if not known:
            self._in_a_row = 0
        elif not twice and self._visits - known.visit > SMALLEST_EPOCH:
            self._again += 1
            self._in_a_row += 1
            if self._in_a_row >= 2 and len(self.extents) >= SMALLEST_EPOCH:
                self._turn()
        extent = self.extents.setdefault(path, Extent())
        extent.visit = self._visits
        extent.visits += 1
        return self.tree.visit(*_split(path))

    def read(self, path: str, first: int, end: int, asked: int) -> None:
        """A reader asked for so many bytes within [first, end) of a file."""
        extent = self.extents.setdefault(path, Extent())
        extent.add(first, end, asked)
        extent.visit = self._visits

    def closed(self, path: str) -> None:
        """The last reader of a file closed it."""
        if path in self.extents:
            self.extents[path].visit = self._visits

    def listed(self, path: str, names: Names) -> None:
        """Take in what is in a directory."""
        self.tree.listed(path, names)

    def directory_order(self, path: str) -> Sequence | None:
        """Return the files that follow in the directory of a file, or None when no order is seen."""
        parent, _ = _split(path)
        folder, way = self.tree.get(parent), self.tree.way
        if folder is None:
            return None
        if following := folder.following():
            by, step = following.way
            stride = f", every {abs(step)}th" if abs(step) > 1 else ""
            why, like = f"the last {len(folder.recent)} files in {parent} came by {by}{stride}", parent
        elif way and (following := folder.begun(way)):
            why = f"all files of the directories before came by {way[0]}, and those in {parent} begin like that"
            like = self.tree.like
        else:
            return None
        return self._of_directory(parent, following.names, why, like)

    def foreseen(self, directory: str) -> Sequence | None:
        """Return the files of a directory that readers are expected to come to."""
        folder, way = self.tree.get(directory), self.tree.way
        if folder is None or way is None:
            return None
        why = f"all files of the directories before came by {way[0]}, and {directory} comes next"
        return self._of_directory(directory, folder.all_by(way), why, self.tree.like)

    def _of_directory(self, directory: str, names: list[str], why: str, like: str) -> Sequence:
        """Return files of a directory as far as those read last in another one were read."""
        folder = self.tree.get(like)
        sample = [self.extents[f"{like}/{name}"] for name in folder.recent] if folder else []
        found = Sequence(Policy.DIRECTORY, why, trusted=True)
        found.extend(entry for name in names if (entry := entry_like(f"{directory}/{name}", sample)))
        return found

    def whole_file(self, path: str, block: int) -> Sequence | None:
        """Return this one file, when those before it in its directory were read as a whole and take several requests.

        Args:
            path: the file just visited.
            block: bytes of a request.
        """
        parent, opened = _split(path)
        folder = self.tree.get(parent)
        names = [name for name in folder.recent if name != opened] if folder else []
        sample = [extent for name in names if (extent := self.extents.get(f"{parent}/{name}"))]
        entry = entry_like(path, sample)
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
        found.extend(entry for path, extent in self.before.items() if (entry := entry_like(path, [extent])))
        return found

    def is_due(self) -> bool:
        """Return whether it is time to look for the rest of a set again."""
        if self._visits < self._due:
            return False
        self._due = self._visits + max((len(self.extents) + len(self.tree)) // LOOKS, 1)
        return True

    def rest_of_set(self, path: str, sizes: dict[str, int], memory: int) -> Sequence | None:
        """Return the files that are still to come when files are read in no order, if much of them fits the memory.

        Args:
            path: the file just visited.
            sizes: bytes of the files that are known.
            memory: bytes that may be ahead.
        """
        folders = {} if self.before else self.tree.beside(_split(path)[0])
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
        # What was asked for most comes first.
        known = sorted(self.before, key=lambda one: -self.before[one].visits) or [
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
            entry for one in rest if (entry := entry_like(one, [self.before[one]] if one in self.before else sample))
        )
        return found

    def _is_set(self, visited: int, total: int) -> bool:
        """Return whether so many different files of so many say that the others will be visited, too."""
        # Of n files two visits are the same one by chance once in n pairs.
        once = not self._again and visited * (visited - 1) >= 2 * UNREPEATED * total
        return total > 0 and (once or SHARE * visited >= total)

    def _turn(self) -> None:
        """A new epoch begins with the last visits."""
        self.before, self.extents = self.extents, {}
        self.epoch += 1
        self._again = self._in_a_row = 0
        self.tree.forget()


def _split(path: str) -> tuple[str, str]:
    """The directory of a file, and its name there."""
    parent, _, name = path.rpartition("/")
    return parent, name
