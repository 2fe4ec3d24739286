"""Files that are reached by all kinds of names. Each is read once, by a size that tells them apart."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
BIND, PRIVATE_TREE, DETACH = 4096, 1 << 18 | 1 << 14, 2


def _make(path: str, size: int = 5003) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(os.urandom(size))
    return path


def _read(path: str | bytes, requested: int) -> None:
    fd = os.open(path, os.O_RDONLY)
    os.pread(fd, requested, 0)
    os.close(fd)


def _identify(fd: int) -> None:
    """Write down the name of a file that has no path."""
    status = os.fstat(fd)
    Path("identity").write_text(f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}:{status.st_ino}")


def _check(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    _check(LIBC.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode() or None))


def _own_mounts() -> None:
    """Leave the mount namespace for one whose mounts nobody else sees."""
    _check(LIBC.unshare(0x20000))  # CLONE_NEWNS
    _mount("none", "/", flags=PRIVATE_TREE)


def renamed_while_open(_directory: Path) -> None:
    fd = os.open(_make("before"), os.O_RDONLY)
    os.pread(fd, 11, 0)
    Path("before").rename("after")
    os.pread(fd, 13, 0)
    os.close(fd)
    _read("after", 17)


def directory_renamed_while_open(_directory: Path) -> None:
    fd = os.open(_make("one/deep/file"), os.O_RDONLY)
    os.pread(fd, 11, 0)
    Path("one").rename("two")
    os.pread(fd, 13, 0)
    _read("two/deep/file", 17)


def hard_links(_directory: Path) -> None:
    _make("first")
    Path("second").hardlink_to("first")
    _read("first", 11)
    _read("second", 13)


def symbolic_links(_directory: Path) -> None:
    _make("real/file")
    Path("link").symlink_to("real")
    Path("to_file").symlink_to("link/../real/file")
    _read("link/file", 11)
    _read("to_file", 13)
    _read("real/./../real//file", 17)


def bind_mounts(directory: Path) -> None:
    _make("tree/sub/file")
    for name in ("whole", "part"):
        Path(name).mkdir()
    _make("single")
    _own_mounts()
    _mount("tree", "whole", flags=BIND)
    _mount("tree/sub", "part", flags=BIND)
    _mount("tree/sub/file", "single", flags=BIND)
    _read("tree/sub/file", 11)
    _read("whole/sub/file", 13)
    _read("part/file", 17)
    _read("single", 19)
    os.chdir(directory)


def private_mounts(_directory: Path) -> None:
    """Two processes see different file systems at one path."""
    Path("mnt").mkdir()
    for size in (11, 13):
        child = os.fork()
        if child == 0:
            _own_mounts()
            _mount("tmpfs", "mnt", "tmpfs")
            _make("mnt/file")
            _read("mnt/file", size)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0


def mounted_in_a_mount(_directory: Path) -> None:
    Path("a").mkdir()
    _own_mounts()
    _mount("tmpfs", "a", "tmpfs")
    Path("a/b").mkdir()
    _mount("tmpfs", "a/b", "tmpfs")
    _make("a/b/c/file")
    _read("a/b/c/file", 11)


def mounted_over(_directory: Path) -> None:
    """A file of a directory that another mount hides meanwhile."""
    fd = os.open(_make("top/file"), os.O_RDONLY)
    _own_mounts()
    _mount("tmpfs", "top", "tmpfs")
    _make("top/file", 3001)
    os.pread(fd, 11, 0)
    _read("top/file", 13)


def in_a_chroot(_directory: Path) -> None:
    _make("jail/inner/file")
    outside = os.open(_make("outside"), os.O_RDONLY)
    os.chroot("jail")
    os.chdir("/inner")
    _read("file", 11)
    _read("/inner/file", 13)
    os.pread(outside, 17, 0)


def opened_from_a_chroot(_directory: Path) -> None:
    """By a directory's descriptor, by a process for which the file has no path."""
    Path("jail").mkdir()
    fd = os.open(_make("outside"), os.O_RDONLY)
    _identify(fd)
    os.close(fd)
    child = os.fork()
    if child == 0:
        directory = os.open(".", os.O_RDONLY)
        os.chroot("jail")
        os.chdir("/")
        fd = os.open("outside", os.O_RDONLY, dir_fd=directory)
        os.pread(fd, 37, 0)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def in_a_pivoted_root(_directory: Path) -> None:
    """What a container runtime does: a root file system of its own, the machine's taken away."""
    Path("root").mkdir()
    _own_mounts()
    _mount("tmpfs", "root", "tmpfs")
    _make("root/data/file")
    Path("root/old").mkdir()
    os.chdir("root")
    _check(LIBC.syscall(155, b".", b"old"))  # pivot_root
    os.chdir("/")
    _check(LIBC.umount2(b"/old", DETACH))
    _read("/data/file", 11)


def in_a_detached_mount(_directory: Path) -> None:
    Path("mnt").mkdir()
    _own_mounts()
    _mount("tmpfs", "mnt", "tmpfs")
    fd = os.open(_make("mnt/file"), os.O_RDONLY)
    directory = os.open("mnt", os.O_RDONLY)
    os.pread(fd, 11, 0)
    _check(LIBC.umount2(b"mnt", DETACH))
    again = os.open("file", os.O_RDONLY, dir_fd=directory)
    _identify(again)
    os.pread(again, 41, 0)


def overlay(_directory: Path) -> None:
    _make("lower/below")
    _make("upper/above")
    _make("lower/copied")
    for name in ("work", "merged"):
        Path(name).mkdir()
    _own_mounts()
    _mount("overlay", "merged", "overlay", data="lowerdir=lower,upperdir=upper,workdir=work")
    _read("merged/below", 11)
    _read("merged/above", 13)
    _read("merged/copied", 17)
    with Path("merged/copied").open("ab") as file:
        file.write(b".")
    _read("merged/copied", 19)


def deleted(_directory: Path) -> None:
    fd = os.open(_make("file"), os.O_RDONLY)
    Path("file").unlink()
    os.pread(fd, 11, 0)
    _read(f"/proc/self/fd/{fd}", 13)


def directory_deleted(_directory: Path) -> None:
    fd = os.open(_make("gone/file"), os.O_RDONLY)
    directory = os.open("gone", os.O_RDONLY)
    Path("gone/file").unlink()
    Path("gone").rmdir()
    os.close(directory)
    _read(f"/proc/self/fd/{fd}", 11)


def nameless(directory: Path) -> None:
    fd = os.open(directory, os.O_TMPFILE | os.O_RDWR)
    os.pwrite(fd, b"." * 23, 0)
    os.pread(fd, 11, 0)
    _check(LIBC.linkat(-100, f"/proc/self/fd/{fd}".encode(), -100, b"named", 0x400))  # AT_SYMLINK_FOLLOW
    _read("named", 13)


def memory_file(_directory: Path) -> None:
    fd = os.memfd_create("stepwell-test")
    _identify(fd)
    os.pwrite(fd, b"." * 53, 0)
    os.pread(fd, 43, 0)


def inode_used_again(_directory: Path) -> None:
    """Unlink and create until a file has the inode of an earlier one; ext4 gives it at once."""
    seen: set[int] = set()
    for size in range(11, 997):
        _make("file")
        inode = Path("file").stat().st_ino
        _read("file", size)
        if inode in seen:
            return
        seen.add(inode)
        Path("file").unlink()


def _long(length: int) -> None:
    """Make directories of 241 bytes each until the path has a length, and read a file there."""
    while length > 241:
        Path("d" * 240).mkdir()
        os.chdir("d" * 240)
        length -= 241
    _make("file")
    _read("file", 11)


def long_path(directory: Path) -> None:
    _long(4000 - len(str(directory)))


def longer_path_than_any_call_takes(_directory: Path) -> None:
    _long(5003)


def many_short_directories(_directory: Path) -> None:
    for _ in range(401):
        Path("d").mkdir()
        os.chdir("d")
    _make("file")
    _read("file", 11)


def strange_names(directory: Path) -> None:
    for number, name in enumerate(
        (b"new\nline", b"tab\tquote\"'\\", b"invalid \xff\xfe", "größe 木".encode(), b" ", b"...")
    ):
        path = os.fsencode(directory) + b"/" + name
        with open(path, "wb") as file:  # noqa: PTH123 -- paths have no bytes
            file.write(b"." * 101)
        _read(path, 11 + 2 * number)


def by_directory_descriptor(_directory: Path) -> None:
    _make("one/file")
    directory = os.open("one", os.O_RDONLY | os.O_DIRECTORY)
    Path("one").rename("two")
    fd = os.open("file", os.O_RDONLY, dir_fd=directory)
    os.pread(fd, 11, 0)


def through_proc_root(directory: Path) -> None:
    _make("file")
    _read(f"/proc/self/root{directory}/file", 11)
    _read("/proc/self/cwd/file", 13)
