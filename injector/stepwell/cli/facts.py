"""Facts about the machine and the moment, for the META block of a trace."""

from __future__ import annotations

import os
import platform
import socket
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stepwell.mounts import mounts


def machine() -> dict[str, Any]:
    """Return the META keys that describe this machine, this Stepwell and where it was started."""
    return {
        "cwd": text(os.fsencode(Path("/proc/self/cwd").readlink())),  # also when it has been deleted
        "host": socket.gethostname(),
        "boot_id": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "kernel": platform.release(),
        "version": version("stepwell"),
        "mounts": [[mount.dev, mount.point, mount.fstype, mount.source] for mount in mounts()],
    }


def available_memory() -> int:
    """Return the bytes that programs can be given without swapping, as the kernel estimates them."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))


def environment() -> dict[bytes, bytes]:
    """Return the environment this process was started with.

    os.environ is not that: in the C locale Python sets LC_CTYPE at its start (PEP 538).
    """
    pairs = (pair.partition(b"=") for pair in Path("/proc/self/environ").read_bytes().split(b"\0") if pair)
    return {name: value for name, equals, value in pairs if equals}


def text(name: bytes) -> str:
    """Return a name of the system as UTF-8 text; bytes that are not UTF-8 become U+FFFD."""
    return name.decode("utf-8", "replace")
