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
    return Mounted(device, read_ahead or LEAST_READ_AHEAD, client if _is_sane(client) else Client())


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
        return Client(block, max(1, buffer // 5 // block), ahead) if keeps else Client()
    except (MountError, ValueError, TypeError, KeyError, ArithmeticError):
        return Client()


CLIENTS: dict[str, Callable[[str], Client]] = {"fuse.juicefs": _juicefs}
"""Clients that fetch whole blocks, by type of file system: each is asked at its mount point."""


def _is_sane(client: Client) -> bool:
    return CLIENT_BLOCKS[0] <= client.block <= CLIENT_BLOCKS[1] and not client.block % 4096
