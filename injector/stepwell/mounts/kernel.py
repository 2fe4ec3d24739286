"""What the kernel lets be set of a mount while it is in use."""

from __future__ import annotations

import os
from pathlib import Path

from stepwell.mounts.errors import MountError
from stepwell.mounts.table import Mount

NAMES = ("read_ahead_kb", "max_background")
"""KiB that are read ahead of a position at most, of any mount with a device of its own (Documentation/ABI/testing/
sysfs-class-bdi); requests of read-ahead that a FUSE client has under way at most (fs/fuse/control.c)."""


def place(mount: Mount, name: str) -> Path:
    """Return the file of a setting; a FUSE connection has the number of its device."""
    if name == "read_ahead_kb":
        return Path(f"/sys/class/bdi/{mount.dev >> 20}:{mount.dev & 0xFFFFF}/read_ahead_kb")
    return Path(f"/sys/fs/fuse/connections/{mount.dev}/max_background")


def settings(mount: Mount) -> dict[str, int]:
    """Return the settings that this process may change, with their values."""
    found = {}
    for name in NAMES:
        file = place(mount, name)
        if os.access(file, os.W_OK):
            found[name] = int(file.read_text())
    return found


def change(mount: Mount, name: str, value: int) -> None:
    """Set one of them.

    Raises:
        MountError: the kernel refuses.
    """
    file = place(mount, name)
    try:
        file.write_text(f"{value}\n")
    except OSError as error:
        raise MountError(f"{file} cannot be set to {value}: {error.strerror}; run as root to allow it") from error
