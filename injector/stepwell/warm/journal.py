"""What was read so far, in a file: a warm-up that was interrupted goes on where it was.

Each line is a range that was read, as JSON: `[path, size of the file, inode, offset, bytes]`.  A last line that is cut
off is left out.  Each boot of each machine has its own: the page cache does not outlive the one and is not shared with
the other, as a home directory may be.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, BinaryIO, Self

from stepwell.warm.errors import WarmError
from stepwell.warm.find import File
from stepwell.warm.work import Known, merged

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_LASTS_S = 30 * 86_400
"""Journals that nobody wrote to for so long are removed: those of earlier boots nobody else would."""


class Journal:
    """The journal of one set of targets, locked while it is open; a file that cannot be used is said by `broken`.

    Args:
        path: the file; it is made if it is missing.
        restart: forget what was read.

    Raises:
        WarmError: another process warms the same.
    """

    def __init__(self, path: Path, restart: bool = False) -> None:
        self.path = path
        self.broken = ""
        """Why nothing can be noted; empty while it can."""
        self._noted: dict[tuple[str, int, int], list[tuple[int, int]]] = defaultdict(list)
        self._known: dict[str, Known] = {}
        self._file: BinaryIO | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = _locked(path)
            if restart:
                self._file.truncate(0)
            self._load(self._file)
        except BlockingIOError:
            raise WarmError("the same is being warmed by another stepwell; wait for it, or end it first") from None
        except OSError as error:
            self._break(error)

    @classmethod
    def of(cls, directory: Path, targets: list[str], restart: bool = False) -> Self:
        """Return the journal of some targets, absolute and resolved, in a directory."""
        for old in directory.glob("*.journal"):
            with contextlib.suppress(OSError):
                if time.time() - old.stat().st_mtime > _LASTS_S:
                    old.unlink()
        names = "\0".join([_BOOT.read_text(), *targets])
        digest = hashlib.sha256(names.encode(errors="surrogateescape")).hexdigest()[:16]
        return cls(directory / f"{digest}.journal", restart)

    def __enter__(self) -> Self:
        """Keep it open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Write what was noted, and close it."""
        self.save()
        with contextlib.suppress(OSError):  # `broken` says it
            if self._file:
                self._file.close()

    def known(self, file: File) -> Known | None:
        """Return what was read of a file before; it is told once."""
        return self._known.pop(file.name, None)

    def add(self, file: File, size: int, inode: int, offset: int, octets: int) -> None:
        """Note that a piece came."""
        if not self.broken:
            self._noted[file.name, size, inode].append((offset, offset + octets))

    def save(self) -> None:
        """Write what was noted; pieces that follow on are one line, so that it stays short.

        A disk that is full, or broken, ends the noting and not the warm-up.
        """
        if self.broken or not self._file:
            return
        try:
            for (name, size, inode), ranges in self._noted.items():
                # An empty file has an empty piece, which says that it was read.
                for begin, end in merged(ranges) or ((0, 0),):
                    self._file.write(json.dumps([name, size, inode, begin, end - begin]).encode() + b"\n")
            self._noted.clear()
            self._file.flush()
        except OSError as error:
            self._break(error)

    def remove(self) -> None:
        """Remove it: the warm-up has come to its end."""
        self._noted.clear()
        try:
            if self._file:
                self._file.truncate(0)  # what cannot be removed says nothing
            self.path.unlink(missing_ok=True)
        except OSError as error:
            self._break(error)

    def _break(self, error: OSError) -> None:
        self.broken = f"{self.path}: {error.strerror}"
        self._noted.clear()

    def _load(self, file: BinaryIO) -> None:
        file.seek(0)
        end = 0
        for line in file:
            if not line.endswith(b"\n"):
                file.truncate(end)
                return
            end += len(line)
            with contextlib.suppress(ValueError):  # a line that somebody damaged costs a piece, read again
                name, size, inode, offset, octets = _line(line)
                before = self._known.get(name)
                read = before.read if before and (before.size, before.inode) == (size, inode) else ()
                self._known[name] = Known(size, inode, merged([*read, (offset, offset + octets)]))


def _locked(path: Path) -> BinaryIO:
    """Open the file and lock it; whoever had the lock before may have removed it as it ended."""
    while True:
        file = path.open("a+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        except FileNotFoundError:
            pass
        except OSError:
            file.close()
            raise
        file.close()


def _line(line: bytes) -> Any:
    found = json.loads(line)
    if not isinstance(found, list) or [type(one) for one in found] != [str, int, int, int, int]:
        raise ValueError(line)
    return found
