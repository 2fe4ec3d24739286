"""What is mounted at a directory: its device, how far its kernel reads ahead, and what its client fetches whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stepwell.mounts import MountError, mount_of, mounts
from stepwell.mounts.juicefs_config import config

LEAST_READ_AHEAD = 128 << 10
"""Bytes that Linux reads ahead at most by default: where there is no setting, as on overlays, it is taken for that."""

CLIENT_BLOCKS = (64 << 10, 64 << 20)
"""Bytes of a client's block that are believed: JuiceFS has 64 KiB to 16 MiB (`juicefs format --block-size`)."""


@dataclass(frozen=True)
class Client:
    """What the client of a file system fetches whole as soon as its first byte is read."""

    block: int = 0
    """Bytes; 0: it does not, or is not known."""
    at_once: int = 0
    """Blocks that it takes at once without dropping some."""
    ahead: int = 0
    """Blocks that it fetches ahead of each reader that goes along a file."""
    streams: bool = False
    """It has one stream for each open file: a read elsewhere in it begins a new one."""


@dataclass(frozen=True)
class Mounted:
    """One file system."""

    device: int
    read_ahead: int
    """Bytes that its kernel reads ahead at most."""
    client: Client = Client()


def describe(directory: str) -> Mounted:
    """Describe the file system of a directory.

    Raises:
        OSError: the directory cannot be looked at.
    """
    device = Path(directory).stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        read_ahead = int(Path(f"/sys/class/bdi/{number}/read_ahead_kb").read_text()) << 10
    except (OSError, ValueError):
        read_ahead = 0
    same = [one for one in mounts() if one.dev == os.major(device) << 20 | os.minor(device)]
    mount = mount_of(directory, same)
    ask = CLIENTS.get(mount.fstype) if mount else None
    client = ask(mount.point) if mount and ask else Client()
    return Mounted(device, read_ahead or LEAST_READ_AHEAD, client)


def _juicefs(point: str) -> Client:
    """Return what JuiceFS fetches whole.

    A read at the beginning of a block has all of it fetched and cached (pkg/chunk/cached_store.go: ReadAt,
    shouldCache).  Blocks that wait to be written to its cache take a fifth of its buffer at most, and those that find
    no room are dropped and fetched again (pkg/chunk/disk_cache.go: cache).
    """
    try:
        chunk = config(point)["Chunk"]
        block, buffer = int(chunk["BlockSize"]), int(chunk["BufferSize"])
        keeps = chunk["CacheSize"] and chunk["CacheFullBlock"]
        ahead = int(chunk["Readahead"]) // block
        sane = CLIENT_BLOCKS[0] <= block <= CLIENT_BLOCKS[1] and not block % 4096
        return Client(block, max(1, buffer // 5 // block), ahead) if keeps and sane else Client()
    except (MountError, ValueError, TypeError, KeyError, ArithmeticError):
        return Client()


def _rclone(_: str) -> Client:
    """Return what rclone does unless it caches files whole, which it does not tell: it streams each open file.

    A read that does not follow on waits for the one in between, then asks anew, for 128 MiB on (vfs/read.go: seek,
    waitSequential; --vfs-read-chunk-size).
    """
    return Client(streams=True)


CLIENTS: dict[str, Callable[[str], Client]] = {"fuse.juicefs": _juicefs, "fuse.rclone": _rclone}
"""Clients that are known, by type of file system: each is asked at its mount point."""
