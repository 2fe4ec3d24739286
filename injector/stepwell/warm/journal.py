"""What was read so far, in a file: a warm-up that was interrupted goes on where it was.

Each line is a range that was read, as JSON: `[path, size of the file, inode, offset, bytes]`.  The first line names the
boot of the machine: the page cache does not outlive it.  A last line that is cut off is left out.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
from collections import defaultdict
from pathlib import Path
from typing import Any, Self

from stepwell.warm.errors import WarmError
from stepwell.warm.find import File
from stepwell.warm.work import Known, merged

_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Journal:
    """The journal of one set of targets, locked while it is open.

    Args:
        path: the file; it is made if it is missing.

    Raises:
        WarmError: another process warms the same, or the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.broken = ""
        """Why it cannot be written any more; empty while it can."""
        self._noted: dict[tuple[str, int, int], list[tuple[int, int]]] = defaultdict(list)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+", encoding="ascii")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise WarmError("the same is being warmed by another stepwell; wait for it, or end it first") from None
        except OSError as error:
            raise WarmError(f"{path}: {error.strerror}; check that place, or set XDG_STATE_HOME") from error

    @classmethod
    def of(cls, directory: Path, targets: tuple[Path, ...]) -> Self:
        """Return the journal of some targets in a directory."""
        names = "\0".join(sorted({str(target.resolve()) for target in targets}))
        return cls(directory / f"{hashlib.sha256(names.encode(errors='surrogateescape')).hexdigest()[:16]}.journal")

    def __enter__(self) -> Self:
        """Keep it open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Write what was noted, and close it."""
        self.save()
        with contextlib.suppress(OSError):  # `broken` says it
            self._file.close()

    def restart(self) -> None:
        """Forget what was read."""
        self._file.truncate(0)

    def known(self, files: list[File]) -> dict[int, Known]:
        """Return what was read of some files before, by their place in the list, and go on from there."""
        self._file.seek(0)
        header, _, body = self._file.read().partition("\n")
        boot = _BOOT.read_text().strip()
        if header != boot:
            self.restart()
            self._file.write(f"{boot}\n")
            return {}
        whole, _, cut = body.rpartition("\n")
        if cut:
            self._file.truncate(len(header) + 1 + len(whole) + bool(whole))
        ranges: dict[tuple[str, int, int], list[tuple[int, int]]] = defaultdict(list)
        latest: dict[str, tuple[int, int]] = {}
        for line in whole.splitlines():
            with contextlib.suppress(ValueError):  # a line that somebody damaged costs a piece, read again
                name, size, inode, offset, octets = _line(line)
                ranges[name, size, inode].append((offset, offset + octets))
                latest[name] = (size, inode)
        numbers = {file.name: number for number, file in enumerate(files)}
        return {
            numbers[name]: Known(*about, merged(ranges[name, *about]))
            for name, about in latest.items()
            if name in numbers
        }

    def add(self, file: File, size: int, inode: int, offset: int, octets: int) -> None:
        """Note that a piece came."""
        self._noted[file.name, size, inode].append((offset, offset + octets))

    def save(self) -> None:
        """Write what was noted; pieces that follow on are one line, so that it stays short.

        A disk that is full, or broken, ends the noting and not the warm-up.
        """
        if self.broken:
            return
        try:
            self._save()
        except OSError as error:
            self.broken = f"{self.path}: {error.strerror}"

    def _save(self) -> None:
        for (name, size, inode), ranges in self._noted.items():
            # An empty file has an empty piece, which says that it was read.
            for begin, end in merged(ranges) or ((0, 0),):
                self._file.write(json.dumps([name, size, inode, begin, end - begin]) + "\n")
        self._noted.clear()
        self._file.flush()

    def remove(self) -> None:
        """Remove it: all was read."""
        self.path.unlink(missing_ok=True)


def _line(line: str) -> Any:
    found = json.loads(line)
    if not isinstance(found, list) or [type(one) for one in found] != [str, int, int, int, int]:
        raise ValueError(line)
    return found
