"""Facts about the machine and the moment, for the META block of a trace."""

from __future__ import annotations

import os
import platform
import re
import socket
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

_ESCAPE = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True)
class Mount:
    """One line of /proc/PID/mountinfo (proc_pid_mountinfo(5))."""

    dev: int
    """Device as the records carry it: major << 20 | minor."""
    point: str
    fstype: str
    source: str


def parse_mounts(mountinfo: bytes) -> list[Mount]:
    """Return the mounts of a mountinfo file, in its order: later ones cover earlier ones."""
    mounts = []
    for line in mountinfo.removesuffix(b"\n").split(b"\n"):  # splitlines would also split at \r, which is not escaped
        fields = line.split(b" ")
        # Optional fields of any number stand between the sixth and a lone "-".
        fstype, source = fields[fields.index(b"-", 6) + 1 :][:2]
        major, minor = map(int, fields[2].split(b":"))
        mounts.append(Mount(major << 20 | minor, *map(_unescape, (fields[4], fstype, source))))
    return mounts


def mounts() -> list[Mount]:
    """Return the mounts that this process sees."""
    return parse_mounts(Path("/proc/self/mountinfo").read_bytes())


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


def _unescape(field: bytes) -> str:
    r"""Undo the kernel's \ooo escapes."""
    return text(_ESCAPE.sub(lambda match: bytes([int(match[1], 8)]), field))
