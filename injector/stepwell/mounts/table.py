"""What is mounted where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

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
        mounts.append(Mount(_device(fields[2]), *map(_unescape, (fields[4], fstype, source))))
    return mounts


def numbers(mountinfo: bytes, dev: int) -> set[int]:
    """Return the numbers of the mounts of a device in a mountinfo file: one for each place it is mounted at."""
    lines = (line.split(b" ", 3) for line in mountinfo.splitlines())
    return {int(fields[0]) for fields in lines if len(fields) > 3 and _device(fields[2]) == dev}


def _device(field: bytes) -> int:
    major, minor = map(int, field.split(b":"))
    return major << 20 | minor


def mounts() -> list[Mount]:
    """Return the mounts that this process sees."""
    return parse_mounts(Path("/proc/self/mountinfo").read_bytes())


def mount_of(path: str, among: list[Mount]) -> Mount | None:
    """Return the mount that a path lies on, by its name alone: nothing is asked of a file system that may hang."""
    over = [one for one in among if one.point == "/" or f"{path}/".startswith(f"{one.point}/")]
    return max(reversed(over), key=lambda one: len(one.point), default=None)


def _unescape(field: bytes) -> str:
    r"""Undo the kernel's \ooo escapes."""
    return _ESCAPE.sub(lambda match: bytes([int(match[1], 8)]), field).decode("utf-8", "replace")
