"""Reads and writes in all ways that Python has, for tracers to see: `traced.py DIRECTORY`."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from pathlib import Path

NAMES = [
    "plain",
    'quo"te',
    "gt>x",
    "lt<x",
    "sp ace",
    "nl\nx",
    "é",
    "back\\slash",
    "c,omma",
    "br)ack = 3 <0.1>",
    "\udcff",
]

SIZE = 10_007


def names(directory: Path) -> None:
    for name in NAMES:
        path = directory / name
        path.write_bytes(b"x" * SIZE)
        fd = os.open(path, os.O_RDONLY)
        for _ in range(7):
            os.read(fd, 1009)
        os.pread(fd, 10, 9001)
        os.lseek(fd, -5, os.SEEK_END)
        os.read(fd, 10)
        os.read(fd, 10)
        os.close(fd)


def kinds(directory: Path) -> None:
    path = directory / "plain"
    fd = os.open(path, os.O_RDWR)
    os.readv(fd, [bytearray(3), bytearray(5)])
    os.preadv(fd, [bytearray(13), bytearray(5)], 7)
    os.writev(fd, [b"abc", b"defg"])
    os.pwrite(fd, b"abc", 20_011)
    os.pwritev(fd, [b"abc", b"de"], 3)
    os.ftruncate(fd, 5_003)
    os.fsync(fd)
    copy = os.dup(fd)
    os.read(copy, 17)
    os.close(fd)
    os.read(copy, 19)
    os.dup2(copy, 97)
    os.close(copy)
    os.read(97, 23)
    appending = os.open(path, os.O_WRONLY | os.O_APPEND)
    os.fstat(appending)
    for _ in range(3):
        os.write(appending, b"end")
    with contextlib.suppress(OSError):
        os.read(appending, 3)
    os.close(appending)


def copies(directory: Path) -> None:
    fd = os.open(directory / "plain", os.O_RDONLY)
    out = os.open(directory / "out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.sendfile(out, fd, 100, 53)
    os.sendfile(out, fd, None, 11)
    os.copy_file_range(fd, out, 29)
    os.copy_file_range(fd, out, 31, offset_src=7, offset_dst=201)
    ends = os.pipe()
    os.splice(fd, ends[1], 37, offset_src=5)
    os.splice(ends[0], out, 37)
    (directory / "out").rename(directory / "moved")
    os.write(out, b"123")
    (directory / "moved").unlink()
    os.write(out, b"45678")
    os.close(out)
    os.close(fd)


def sharing(directory: Path) -> None:
    fd = os.open(directory / "plain", os.O_RDONLY)
    os.read(fd, 41)
    child = os.fork()
    if child == 0:
        os.read(fd, 43)
        os._exit(3)
    os.waitpid(child, 0)
    os.read(fd, 47)
    for _ in range(3):
        thread = threading.Thread(target=lambda: [os.read(fd, 53) for _ in range(5)])
        thread.start()
        thread.join()
    os.set_inheritable(fd, True)
    child = os.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", f"import os; os.read({fd}, 59)"])
    os.waitpid(child, 0)
    os.read(fd, 61)


if __name__ == "__main__":
    for part in (names, kinds, copies, sharing):
        part(Path(sys.argv[1]))
