"""The directories that readers come to, and the order in which the files of each come."""

from __future__ import annotations

from collections import deque

from stepwell.prefetch.directory import ENOUGH, Directory, Way

LATEST = 16
"""Directories that tell in which order the files of the next one may come: two of each of eight readers."""


class Tree:
    """Directories by path.

    Attributes:
        way: the order in which all files of the directories before came; None when they came in none.
        like: the latest of these directories.
    """

    def __init__(self) -> None:
        self.way: Way | None = None
        self.like = ""
        self._directories: dict[str, Directory] = {}
        self._beside: dict[str, list[str]] = {}
        """The directories in each directory."""
        self._latest: deque[str] = deque(maxlen=LATEST)
        """Those that readers came to last."""

    def __len__(self) -> int:
        """Return how many directories are known."""
        return len(self._directories)

    def visit(self, directory: str, name: str) -> list[str]:
        """A reader opened a file; return the directories whose names should be listed."""
        folder = self._folder(directory)
        if directory not in self._latest and not folder.visited:
            self._expect(directory)
            self._latest.append(directory)
        return [directory] if folder.visit(name, expected=self.way is not None) else []

    def listed(self, directory: str, names: dict[str, int]) -> None:
        """Take in the names of a directory with their inode numbers, in the order in which it tells them."""
        self._folder(directory).listed(names)

    def get(self, directory: str) -> Directory | None:
        """Return what is known of a directory."""
        return self._directories.get(directory)

    def beside(self, directory: str) -> dict[str, Directory]:
        """Return those in the same directory, and that itself, whose names are known."""
        known = self._beside[parent_of(directory)]
        return {one: folder for one in known if (folder := self._directories[one]).names}

    def forget(self) -> None:
        """Begin anew: nothing has been visited."""
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


def parent_of(path: str) -> str:
    """Return the directory of a file, or of a directory."""
    return path.rpartition("/")[0]
