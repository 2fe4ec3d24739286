"""Processes and threads that begin, change their program or name, and end."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

SIZE = 4093
LIBC = ctypes.CDLL(None, use_errno=True)


def _make(path: str, reads: int = 7) -> str:
    Path(path).write_bytes(os.urandom(reads * SIZE))
    return path


def _read(path: str, reads: int) -> None:
    fd = os.open(path, os.O_RDONLY)
    for _ in range(reads):
        os.read(fd, SIZE)


def _wait(pid: int) -> None:
    os.waitpid(pid, 0)


def forks(_directory: Path) -> None:
    _make("file")
    for reads in (2, 3, 5):
        child = os.fork()
        if child == 0:
            _read("file", reads)
            os._exit(reads)
        _wait(child)


def vforked_and_spawned(_directory: Path) -> None:
    _make("file", 5)
    subprocess.run(["dd", "if=file", f"bs={SIZE}", "of=/dev/null", "status=none"], check=True)  # vfork
    _wait(
        os.posix_spawn("/bin/cat", ["cat", "file"], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "out", 65, 384)])
    )


def cloned(_directory: Path) -> None:
    """clone3(2), without libc's knowledge."""
    _make("file")
    arguments = (ctypes.c_uint64 * 11)(0, 0, 0, 0, signal.SIGCHLD)
    child = LIBC.syscall(435, arguments, ctypes.sizeof(arguments))
    if child == 0:
        _read("file", 3)
        os._exit(0)
    _wait(child)


def executes_several_programs(_directory: Path) -> None:
    _make("file", 3)
    once = f"dd if=file bs={SIZE} count=1 of=/dev/null status=none"
    os.execvp("sh", ["sh", "-c", f"{once}; exec env {once}"])


def executed_by_a_thread(_directory: Path) -> None:
    _make("file")
    code = f"import os\nfd = os.open('file', 0)\nfor _ in range(3): os.read(fd, {SIZE})\nos._exit(23)"
    arguments = [sys.executable, "-S", "-c", code]
    child = os.fork()
    if child == 0:
        threading.Thread(target=os.execv, args=(sys.executable, arguments)).start()
        signal.pause()
    _wait(child)


def ends_in_many_ways(_directory: Path) -> None:
    for reads, how in ((2, 0), (3, 23), (5, -signal.SIGKILL), (6, -signal.SIGSEGV)):
        _make(f"file{reads}")
        child = os.fork()
        if child == 0:
            _read(f"file{reads}", reads)
            if how < 0:
                os.kill(os.getpid(), -how)
            os._exit(how)
        _wait(child)


def named_threads(_directory: Path) -> None:
    _make("file", 11)

    def work(name: str, reads: int) -> None:
        LIBC.prctl(15, name.encode(), 0, 0, 0)  # PR_SET_NAME
        _read("file", reads)

    for name, reads in (("reader", 2), ("a long thread name", 3), ("naïve", 5)):
        thread = threading.Thread(target=work, args=(name, reads))
        thread.start()
        thread.join()


def renames_itself(_directory: Path) -> None:
    _make("file")
    LIBC.prctl(15, b"other name", 0, 0, 0)
    _read("file", 2)


def many_threads_end_with_the_process(_directory: Path) -> None:
    _make("file", 11)
    started = threading.Barrier(12)

    def work() -> None:
        _read("file", 11)
        started.wait()
        signal.pause()

    for _ in range(11):
        threading.Thread(target=work, daemon=True).start()
    started.wait()
    os._exit(0)


def deep_tree(_directory: Path) -> None:
    for depth in range(23):
        if depth == 22:
            _make("file")
            _read("file", 5)
        child = os.fork()
        if child:
            _wait(child)
            return


def daemon(_directory: Path) -> None:
    """Twice forked, leader of a session, its parent gone before it reads."""
    _make("file")
    (alive, told), (parent_alive, parent_told) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        os.close(parent_told)
        os.read(parent_alive, 1)
        _read("file", 5)
        os._exit(0)
    os.close(parent_told)
    os.close(told)
    _wait(child)
    os.read(alive, 1)


def arguments_of_all_kinds(_directory: Path) -> None:
    program = ["sh", "-c", "exec 3< file", "a b", "", "'", "new\nline", "x" * 3001]
    _make("file")
    _wait(os.posix_spawnp("sh", program, os.environ))
