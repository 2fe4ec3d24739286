"""Descriptors that several threads or processes have, or that do not come from open(2)."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

SIZE = 4093
"""Bytes of one read."""


def _make(path: str, reads: int) -> str:
    Path(path).write_bytes(os.urandom(reads * SIZE))
    return path


def _read_all(fd: int) -> int:
    reads = 0
    while os.read(fd, SIZE):
        reads += 1
    return reads


def threads_share_a_position(_directory: Path) -> None:
    fd = os.open(_make("file", 997), os.O_RDONLY)
    together = threading.Barrier(3)

    def read() -> None:
        together.wait()
        _read_all(fd)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def processes_race_for_a_position(_directory: Path) -> None:
    fd = os.open(_make("file", 997), os.O_RDONLY)
    wait, go = os.pipe()
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            os.close(go)
            os.read(wait, 1)
            _read_all(fd)
            os._exit(0)
        children.append(child)
    os.close(go)
    for child in children:
        os.waitpid(child, 0)


def duplicates_share_a_position(_directory: Path) -> None:
    first = os.open(_make("file", 11), os.O_RDONLY)
    fds = [first, os.dup(first), os.dup2(first, 50), fcntl.fcntl(first, fcntl.F_DUPFD, 60)]
    for i in range(11):
        os.read(fds[i % 4], SIZE)
    for fd in fds:
        os.close(fd)


def dup2_onto_itself_closes_nothing(_directory: Path) -> None:
    fd = os.open(_make("file", 5), os.O_RDONLY)
    os.read(fd, SIZE)
    libc = ctypes.CDLL(None)
    assert libc.dup2(fd, fd) == fd
    assert libc.dup2(999, fd) == -1
    for _ in range(4):
        os.read(fd, SIZE)
    os.close(fd)


def dup2_closes_its_target(_directory: Path) -> None:
    one, other = os.open(_make("one", 3), os.O_RDONLY), os.open(_make("other", 5), os.O_RDONLY)
    os.read(one, SIZE)
    os.dup2(other, one)
    for _ in range(5):
        os.read(one, SIZE)


def parent_and_child_take_turns(_directory: Path) -> None:
    fd = os.open(_make("file", 23), os.O_RDONLY)
    (from_parent, to_child), (from_child, to_parent) = os.pipe(), os.pipe()
    child = os.fork()
    wait, tell = (from_parent, to_child), (from_child, to_parent)
    for i in range(23):
        mine = (i % 2 == 0) == (child != 0)
        if mine:
            os.read(fd, SIZE)
            os.write((tell if child == 0 else wait)[1], b".")
        else:
            os.read((wait if child == 0 else tell)[0], 1)
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def passed_through_a_socket(_directory: Path) -> None:
    here, there = socket.socketpair()
    child = os.fork()
    if child == 0:
        _, (fd,), _, _ = socket.recv_fds(there, 1, 1)
        for _ in range(7):
            os.read(fd, SIZE)
        os._exit(0)
    fd = os.open(_make("file", 13), os.O_RDONLY)
    for _ in range(6):
        os.read(fd, SIZE)
    socket.send_fds(here, [b"."], [fd])
    os.close(fd)
    os.waitpid(child, 0)


def received_from_a_stranger(_directory: Path) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.environ["PASSER"])
        _, (fd,), _, _ = socket.recv_fds(connection, 1, 1)
    for _ in range(8):
        os.read(fd, SIZE)


def opened_again_through_proc(_directory: Path) -> None:
    fd = os.open(_make("file", 7), os.O_RDONLY)
    Path("file").unlink()
    os.read(fd, SIZE)
    again = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
    assert _read_all(again) == 7


def taken_from_another_process(_directory: Path) -> None:
    path = _make("file", 5)
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        fd = os.open(path, os.O_RDONLY)
        os.dup2(fd, 77)
        os.read(fd, SIZE)
        os.write(told, b".")
        signal.pause()
    os.read(ready, 1)
    pidfd = os.pidfd_open(child)
    fd = ctypes.CDLL(None).syscall(438, pidfd, 77, 0)  # pidfd_getfd
    assert fd >= 0
    for _ in range(4):
        os.read(fd, SIZE)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def closed_at_exec_and_kept(_directory: Path) -> None:
    kept = os.open(_make("kept", 5), os.O_RDONLY)
    gone = os.open(_make("gone", 5), os.O_RDONLY | os.O_CLOEXEC)
    for fd in (kept, gone):
        os.read(fd, SIZE)
    os.set_inheritable(kept, True)
    code = f"import os\nwhile os.read({kept}, {SIZE}): pass\ntry:\n os.read({gone}, 1)\nexcept OSError: pass"
    os.execv(sys.executable, [sys.executable, "-S", "-c", code])


def numbers_are_used_again_at_once(_directory: Path) -> None:
    for name in ("a", "b", "c"):
        _make(name, 3)
    numbers = set()
    for name in ("a", "b", "c", "a", "b", "c", "a"):
        fd = os.open(name, os.O_RDONLY)
        numbers.add(fd)
        _read_all(fd)
        os.close(fd)
    assert len(numbers) == 1


def closed_by_another_thread_and_opened_again(_directory: Path) -> None:
    path = _make("file", 3)
    fds = [os.open(path, os.O_RDONLY)]
    turns = threading.Barrier(2)

    def close() -> None:
        for _ in range(7):
            turns.wait()
            os.close(fds[0])
            turns.wait()

    closer = threading.Thread(target=close)
    closer.start()
    for _ in range(7):
        os.read(fds[0], SIZE)
        turns.wait()
        turns.wait()
        fds[0] = os.open(path, os.O_RDONLY)
        os.read(fds[0], SIZE)
    closer.join()
    os.close(fds[0])


def a_range_is_closed(_directory: Path) -> None:
    fds = [os.open(_make(name, 1), os.O_RDONLY) for name in ("a", "b", "c")]
    for fd in fds:
        os.read(fd, SIZE)
    os.closerange(fds[0], fds[-1] + 1)


def standard_input_of_a_child(_directory: Path) -> None:
    with Path(_make("file", 3)).open("rb") as file:
        subprocess.run(["dd", f"bs={SIZE}", "of=/dev/null", "status=none"], stdin=file, check=True)
