"""What requests told of files: their size, and whether they are still the same."""

from __future__ import annotations

from stepwell.prefetch.requests import Done
from stepwell.prefetch.sources import ASKED


class Files:
    """Sizes of files; a file that cannot be read has none until it is opened again."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self._identities: dict[str, tuple[int, int]] = {}
        self._asked: dict[str, int] = {}

    def size_of(self, path: str) -> int | None:
        """Return its bytes, `ASKED` while the first request is on its way, None when nothing is known."""
        return self._sizes.get(path, ASKED if path in self._asked else None)

    @property
    def sizes(self) -> dict[str, int]:
        """All sizes that are known."""
        return self._sizes

    def ask(self, path: str) -> None:
        """A request is on its way."""
        self._asked[path] = self._asked.get(path, 0) + 1

    def answer(self, path: str, done: Done) -> bool:
        """Take in an answer; whether it is another file than before, so that nothing of it is in memory."""
        self._asked[path] -= 1
        if not self._asked[path]:
            del self._asked[path]
        if done.error:
            self._sizes[path] = 0
            return False
        self._sizes[path] = done.file_size
        before = self._identities.get(path)
        self._identities[path] = done.identity
        return before not in (None, done.identity)

    def doubt(self, path: str) -> None:
        """Forget its size: it may have grown, or can be read again."""
        self._sizes.pop(path, None)
