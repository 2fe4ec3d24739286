"""What was changed in a mount, written down before it is, for whoever has to undo it.

One file a mount, locked while the process that changed something lives: a file that nobody locks is left from one that
was killed.  It tells options only, so that no password gets to the disk.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from stepwell.mounts.errors import MountError
from stepwell.mounts.table import Mount, mounts


@dataclass(frozen=True)
class Change:
    """What was changed."""

    point: str
    dev: int
    fstype: str
    former: Mapping[str, str | None]
    """Value of each setting before; None where an option was not given."""
    now: Mapping[str, int]
    """And what it was set to."""

    @property
    def mount(self) -> Mount | None:
        """The mount, if it is still there."""
        here = [one for one in mounts() if one.point == self.point]
        return here[-1] if here and (here[-1].dev, here[-1].fstype) == (self.dev, self.fstype) else None


class Note:
    """The file of one mount, locked."""

    def __init__(self, directory: Path, mount: Mount) -> None:
        """Lock it; what is in it was left by a process that was killed.

        Raises:
            MountError: another process changes this mount, or the file cannot be written.
        """
        self._path = directory / f"{mount.dev}.json"
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise MountError(f"{self._path} cannot be written: {error.strerror}; nothing is changed without") from error
        # One that is removed at this moment belongs to a run that ends.
        if not _lock(self._fd) or not os.fstat(self._fd).st_nlink:
            os.close(self._fd)
            raise MountError(f"another `stepwell run` changes {mount.point}; wait for its end")
        self.left = _read(self._path)

    def write(self, change: Change) -> None:
        """Say what will be changed.

        Raises:
            MountError: the file cannot be written; nothing may be changed then.
        """
        try:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, json.dumps(asdict(change)).encode(), 0)
            os.fsync(self._fd)
        except OSError as error:
            raise MountError(f"{self._path} cannot be written: {error.strerror}; nothing is changed without") from error

    def close(self, *, undone: bool) -> None:
        """Give it up, and remove it if there is nothing to undo."""
        if undone:
            self._path.unlink(missing_ok=True)
        os.close(self._fd)


def left(directory: Path) -> Iterator[Change]:
    """Yield what processes that were killed have left changed in mounts; notes of mounts that are gone are removed."""
    if not os.access(directory, os.R_OK | os.X_OK):  # there is none, or it is somebody else's
        return
    for path in sorted(directory.glob("*.json")):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            if not _lock(descriptor):
                continue
            change = _read(path)
            if change is None or change.mount is None:
                path.unlink(missing_ok=True)
                continue
        finally:
            os.close(descriptor)
        yield change


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(path: Path) -> Change | None:
    try:
        return Change(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):  # nothing had been changed when it was not whole
        return None
