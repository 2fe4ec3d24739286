"""The directories that readers come to, and the order in which the files of each come."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice

from stepwell.prefetch.directory import ENOUGH, Directory, Names, Way
from stepwell.prefetch.roots import parent_of

LATEST = 16
"""Directories that tell in which order the files of the next one may come: two of each of eight readers."""

FORESEEN, AHEAD = 16, 64
"""Directories that are looked into before readers come to them, at most, and files of theirs from which on no further
ones are: those of a directory take their own window."""

SELDOM = 4
"""Directories that readers must come to for each that they went past, some at first apart: else none is foreseen."""

RECENT = 64
"""Directories after which what they came to, and went past, counts half."""


class Tree:
    """Directories by path.

    Attributes:
        way: the order in which all files of the directories before came; None when they came in none.
        like: the latest of these directories.
        came: how many directories readers have come to.
    """

    def __init__(self) -> None:
        self.way: Way | None = None
        self.like = ""
        self.came = 0
        self._directories: dict[str, Directory] = {}
        self._beside: dict[str, list[str]] = {}
        """The directories in each directory."""
        self._latest: deque[str] = deque(maxlen=LATEST)
        """Those that readers came to last."""
        self._foreseen: dict[str, int] = {}
        """Those that readers are expected to come to, and `came` when that was seen last."""
        self._right = self._wrong = 0
        """How many they came to, and went past."""

    def __len__(self) -> int:
        """Return how many directories are known."""
        return len(self._directories)

    def visit(self, directory: str, name: str) -> list[str]:
        """A reader opened a file; return the directories whose names should be listed."""
        folder = self._folder(directory)
        if directory not in self._latest and not folder.visited:
            self._expect(directory)
            self._latest.append(directory)
            self.came += 1
            self._right += self._foreseen.pop(directory, None) is not None
            if self.came % RECENT == 0:
                self._right, self._wrong = self._right // 2, self._wrong // 2
        return [directory] if folder.visit(name, expected=self.way is not None) else []

    def listed(self, directory: str, names: Names) -> None:
        """Take in what is in a directory."""
        self._folder(directory).listed(names)

    def get(self, directory: str) -> Directory | None:
        """Return what is known of a directory."""
        return self._directories.get(directory)

    def ahead(self, root: str) -> tuple[list[str], list[str]]:
        """Look ahead of the readers: they go down the tree, and through each directory in the same way as its files.

        Args:
            root: a directory; beyond it, and those in which readers were, nothing is looked at.

        Returns:
            The directories that they come to next, whose files are known, each only once; and those whose names should
            be listed to know more.
        """
        found: list[str] = []
        unlisted: list[str] = []
        files, gap = 0, False
        next_ones = self._next(root) if SELDOM * self._wrong <= self._right + LATEST else ()
        for directory in islice(next_ones, FORESEEN):
            folder = self._folder(directory)
            if folder.folders is None and not folder.asked:
                folder.asked = True
                unlisted.append(directory)
            gap |= folder.folders is None  # what is in it comes first
            if gap or folder.visited or not folder.files:
                continue
            files += folder.files
            if directory not in self._foreseen:
                found.append(directory)
            self._foreseen[directory] = self.came
            if files >= AHEAD:
                break
        return found, unlisted

    def missed(self) -> list[str]:
        """Return those that readers were expected to come to, and went past, each only once."""
        over = [directory for directory, came in self._foreseen.items() if self.came - came > LATEST // 2]
        for directory in over:
            del self._foreseen[directory]
        self._wrong += len(over)
        return over

    def _next(self, root: str) -> Iterator[str]:
        """Yield the directories that follow the latest one; one whose names are not known ends its own part."""
        if self.way is None:
            return
        at = self._latest[-1]
        yield from self._below(at)
        while self._may_list(parent := parent_of(at), root):
            folder = self._folder(parent)
            if folder.folders is None:
                yield parent
                return
            for name in folder.folders_by(self.way, after=at[len(parent) + 1 :]):
                yield from self._with_those_below(f"{parent}/{name}")
            at = parent

    def _with_those_below(self, directory: str) -> Iterator[str]:
        yield directory
        yield from self._below(directory)

    def _below(self, directory: str) -> Iterator[str]:
        folder = self._directories.get(directory)
        if folder and self.way:
            for name in folder.folders_by(self.way):
                yield from self._with_those_below(f"{directory}/{name}")

    def _may_list(self, directory: str, root: str) -> bool:
        """Return whether readers were in a directory, or above it."""
        while directory:
            if directory == root or ((folder := self._directories.get(directory)) and folder.visited):
                return True
            directory = parent_of(directory)
        return False

    def beside(self, directory: str) -> dict[str, Directory]:
        """Return those in the same directory, and that itself, whose names are known."""
        known = self._beside[parent_of(directory)]
        return {one: folder for one in known if (folder := self._directories[one]).visited and folder.names}

    def forget(self) -> None:
        """Begin anew: nothing has been visited."""
        self._foreseen.clear()
        for folder in self._directories.values():
            folder.forget()

    def _folder(self, directory: str) -> Directory:
        """Return what is known of a directory, from now on at least that there is one."""
        if directory not in self._directories:
            self._directories[directory] = Directory()
            self._beside.setdefault(parent_of(directory), []).append(directory)
        return self._directories[directory]

    def _expect(self, directory: str) -> None:
        """A reader comes to a new directory, whose files may come in the way of those in the ones before.

        Of several readers each is in a directory of its own, and of one that goes down a tree those above wait.
        """
        before = [
            (one, self._directories[one])
            for one in reversed(self._latest)
            if not directory.startswith(f"{one}/") and self._directories[one].files >= ENOUGH
        ]
        whole = [(one, ways) for one, folder in before if (ways := folder.whole())]
        self.way = None
        if 2 * len(whole) <= len(before):
            return
        self.like, ways = whole[0]
        for _, others in whole[1:]:  # of a few files several orders may be the same
            ways = ways & others or ways
        self.way = min(ways)
