"""What happens to files besides accesses."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
HERE = -100
OPENAT2, CREAT, RENAMEAT2 = 437, 85, 316
EXCHANGE = 2


def _make(path: str) -> str:
    Path(path).write_bytes(b"." * 4093)
    return path


def opened_in_many_ways(_directory: Path) -> None:
    LIBC.syscall(CREAT, b"file", 0o600)
    os.close(os.open("file", os.O_WRONLY | os.O_APPEND))
    os.close(os.open("file", os.O_RDWR | os.O_CREAT | os.O_TRUNC))
    os.open("file", os.O_RDONLY | os.O_DIRECT)
    how = struct.pack("<QQQ", os.O_RDONLY | os.O_CREAT | os.O_NOATIME, 0o600, 0)
    assert LIBC.syscall(OPENAT2, HERE, b"file", how, len(how)) > 0


def opened_in_vain(_directory: Path) -> None:
    _make("there")
    with contextlib.suppress(FileNotFoundError):
        os.open("missing", os.O_RDONLY)
    with contextlib.suppress(FileExistsError):
        os.open("there", os.O_RDONLY | os.O_CREAT | os.O_EXCL)


def unlinked(directory: Path) -> None:
    for name in ("one", "two", "three"):
        _make(name)
    Path("one").unlink()
    Path(directory / "two").unlink()
    descriptor = os.open("..", os.O_RDONLY)
    os.unlink(f"{directory.name}/three", dir_fd=descriptor)
    with contextlib.suppress(FileNotFoundError):
        Path("missing").unlink()


def renamed(_directory: Path) -> None:
    _make("one")
    Path("sub").mkdir()
    Path("one").rename("two")
    os.rename("two", "three", dst_dir_fd=os.open("sub", os.O_RDONLY))
    _make("other")
    assert LIBC.syscall(RENAMEAT2, HERE, b"other", HERE, b"sub/three", EXCHANGE) == 0
    with contextlib.suppress(FileNotFoundError):
        Path("missing").rename("nowhere")


def truncated(_directory: Path) -> None:
    fd = os.open(_make("file"), os.O_RDWR)
    os.ftruncate(fd, 5003)
    os.truncate("file", 11)
    Path("link").symlink_to("file")
    os.truncate("link", 0)
    with contextlib.suppress(OSError):
        os.truncate("file", -1)


def synced(_directory: Path) -> None:
    fd = os.open(_make("file"), os.O_RDWR)
    os.fsync(fd)
    os.fdatasync(fd)
    LIBC.sync_file_range(fd, ctypes.c_long(0), ctypes.c_long(4093), 2)
    os.close(fd)


def at_the_root(_directory: Path) -> None:
    name = f"stepwell-test-{os.getpid()}"
    os.chdir("/")
    _make(name)
    Path(name).unlink()


def in_a_chroot(_directory: Path) -> None:
    Path("jail").mkdir()
    _make("outside")
    here = os.open(".", os.O_RDONLY)
    os.chroot("jail")
    os.chdir("/")
    os.unlink("outside", dir_fd=here)
    _make("inside")
    Path("/inside").unlink()


def by_very_long_names(_directory: Path) -> None:
    _make("file")
    os.unlink("./" * 1999 + "file")  # noqa: PTH108 -- a Path would be shorter
    for _ in range(17):
        os.mkdir("d" * 240)  # noqa: PTH102
        os.chdir("d" * 240)
    _make("file")
    Path("file").unlink()


def accesses_in_vain(_directory: Path) -> None:
    fd = os.open(_make("file"), os.O_RDONLY)
    for _ in range(3):
        assert LIBC.read(fd, ctypes.c_void_p(1), 23) == -1  # EFAULT
    assert LIBC.write(fd, b".", 1) == -1  # EBADF
