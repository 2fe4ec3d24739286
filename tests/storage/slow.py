"""A storage with a known speed and known faults: `slow.c`, a read-only FUSE file system over a directory.

`Slow.argv` shows it to one command alone; `Slow.mounted` mounts it for all to see, and makes sure that it is there and
as slow as was asked before anybody measures.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

import numpy as np
from tests.kernel.tool import SECONDS, wait_until

from stepwell.mounts import mounts

COUNTERS = ("lookups", "getattrs", "opens", "reads", "bytes", "in_flight", "most_in_flight", "failed", "hung")
"""What it counts, in the order of `struct counters`."""

_LOG = np.dtype([("inode", "u8"), ("offset", "u8"), ("size", "u8"), ("begin_ns", "u8"), ("end_ns", "u8")])
_LOG_BEGINS, _LOGGED = 4096, 1 << 20
_PROBES = 7


@dataclass(frozen=True)
class Settings:
    """How fast it is and what goes wrong, in the order of `SETTINGS` in `slow.h`; numbers of reads begin with 1."""

    latency_us: int = 0
    """Each read waits this long."""
    open_us: int = 0
    """Each open of a file: what an object storage takes before its first byte, with `direct` and no `latency_us`."""
    lookup_us: int = 0
    """Each look-up of a name that the kernel does not know."""
    getattr_us: int = 0
    """Each question for a file's attributes."""
    jitter_us: int = 0
    """Mean of what a read waits beyond its latency; exponential, so that there is a tail."""
    seed: int = 0
    """Of jitter and failures: the n-th read has the same with the same seed."""
    bytes_s: int = 0
    """Rate of each single read, as of one connection; 0 is without limit."""
    total_bytes_s: int = 0
    """Rate of all reads together; 0 is without limit."""
    slow_inode: int = 0
    """Inode, in the source, of a file that is slower than the others."""
    slow_percent: int = 100
    """Time of its reads, of what they would take."""
    fail_at: int = 0
    """This read fails."""
    fail_permille: int = 0
    """So many in a thousand reads fail."""
    fail_errno: int = 5
    """With this error; EIO."""
    hang_at: int = 0
    """This read is never answered."""
    die_at: int = 0
    """When this read comes, the file system's process ends: ENOTCONN for all."""
    keeps: int = 0
    """1: a block of 4 MiB that was read from before is served at once, as by a client with a cache of its own."""
    valid_ms: int = 86_400_000
    """How long the kernel believes names and attributes; less, and changes of the source are seen."""
    direct: int = 0
    """1: nothing is kept in the page cache, every read comes here."""
    refuse_direct: int = 0
    """1: files cannot be opened with O_DIRECT, as on some file systems."""
    servers: int = 128
    """Requests that are served at once. Fixed at the beginning, as those that follow."""
    request_bytes: int = 1 << 20
    """Most bytes of a request."""
    readahead_bytes: int = 0
    """The kernel's readahead; 0 leaves it at its default."""
    background: int = 128
    """Most requests that the kernel sends without waiting for their answers."""
    async_direct: int = 0
    """1: io_uring and libaio need not wait for one direct read to make the next, as with libfuse (FUSE_ASYNC_DIO)."""


def compile_slow(directory: Path) -> Path:
    """Return the program."""
    program, sources = directory / "slow", sorted(Path(__file__).parent.glob("*.c"))
    warnings = ["-Wall", "-Wextra", "-Werror"]
    subprocess.run(["cc", "-O2", *warnings, "-pthread", "-o", program, *sources, "-lm"], check=True)
    return program


class Control:
    """The storage's shared memory: settings to change and counters to read while it runs."""

    def __init__(self, path: Path) -> None:
        self.pid = 0
        """Of the storage's process."""
        self._map = np.memmap(path, np.uint8, "r+")
        names = [field.name for field in fields(Settings)]
        page = self._map[: 8 * (len(names) + len(COUNTERS) + 1)].view(np.uint64)
        self._settings, self._counters, self._ready = np.split(page, [len(names), len(names) + len(COUNTERS)])
        self._log = self._map[_LOG_BEGINS:].view(_LOG)
        self._names = names

    def set(self, **settings: int) -> None:
        """Change settings from the next request on."""
        for name, value in settings.items():
            self._settings[self._names.index(name)] = value

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Answer nothing at all, not even whether a name is there."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    @property
    def ready(self) -> bool:
        """Whether it is mounted with all that was asked."""
        return bool(self._ready[0])

    @property
    def settings(self) -> Settings:
        """How it is set."""
        return Settings(*self._settings.tolist())

    @property
    def counters(self) -> dict[str, int]:
        """What it has counted, by the names in `COUNTERS`."""
        return dict(zip(COUNTERS, self._counters.tolist(), strict=True))

    def reset(self) -> None:
        """Count from 0; what is under way stays that."""
        self._counters[np.array(COUNTERS) != "in_flight"] = 0

    def reads(self, path: Path | None = None) -> np.ndarray:
        """Return the reads that came, in order, each `(inode, offset, size, begin_ns, end_ns)`; 0 is not ended.

        Args:
            path: in the source, the file whose reads are wanted; None for all files.
        """
        count = self.counters["reads"]
        assert count <= _LOGGED, "the log has been overwritten"
        log = self._log[:count].copy()
        return log if path is None else log[log["inode"] == path.stat().st_ino]


@dataclass(frozen=True)
class Slow:
    """A directory as seen through a slow storage; for all commands the mount is at the same place."""

    program: Path
    source: Path
    mount: Path
    settings: Settings = Settings()

    def argv(self, *command: str) -> list[str]:
        """Return the command line that runs a command with the storage mounted, for that command alone."""
        return [str(self.program), *_told(self.settings), str(self.source), str(self.mount), *command]

    @contextlib.contextmanager
    def mounted(self) -> Iterator[Control]:
        """Mount it for everybody; at the end unmount it whatever still reads.

        Raises:
            AssertionError: it is not there, or not as slow as was asked.
        """
        path = self.mount.parent / f"{self.mount.name}.control"
        path.write_bytes(bytes(_LOG_BEGINS))
        os.truncate(path, _LOG_BEGINS + _LOGGED * _LOG.itemsize)
        control = Control(path)
        faults = ("fail_at", "fail_permille", "hang_at", "die_at", "keeps")
        told = _told(replace(self.settings, **dict.fromkeys(faults, 0)))
        argv = ["setpriv", "--pdeathsig", "TERM", str(self.program), "-c", str(path), *told]
        process = subprocess.Popen([*argv, str(self.source), str(self.mount)])
        try:
            wait_until(lambda: process.poll() is not None or control.ready, "the storage does not begin")
            assert process.poll() is None, "the storage ended before it was mounted"
            assert self.is_mounted(), "what is seen is not the storage"
            if self.settings.latency_us:
                self.check(control)
            control.reset()
            control.pid = process.pid
            # Only now: the check is no part of what is counted.
            control.set(**{name: getattr(self.settings, name) for name in faults})
            yield control
        finally:
            process.terminate()
            process.wait(SECONDS)
            if self.is_mounted():
                subprocess.run(["umount", "--lazy", self.mount], check=True)
            path.unlink(missing_ok=True)

    def is_mounted(self) -> bool:
        """Whether the storage is what is seen at the mount point, rather than the local disk."""
        return any(mount.fstype == "fuse.slow" and Path(mount.point) == self.mount for mount in mounts())

    def check(self, control: Control) -> None:
        """Make sure that reads come to the storage and wait as long as was asked."""
        file = next(path for path in self.source.rglob("*") if path.is_file() and path.stat().st_size)
        descriptor = os.open(self.mount / file.relative_to(self.source), os.O_RDONLY | os.O_DIRECT)
        page, before, times = mmap.mmap(-1, 4096), control.counters["reads"], []
        try:
            for _ in range(_PROBES):
                began = time.monotonic_ns()
                os.preadv(descriptor, [page], 0)
                times.append((time.monotonic_ns() - began) / 1e3)
        finally:
            os.close(descriptor)
        assert control.counters["reads"] == before + _PROBES, f"reads of {file} do not reach the storage"
        least = self.settings.latency_us
        # The least of several: others may keep the processors busy, nobody makes a wait shorter.
        assert least <= min(times) < 1.25 * least + 2000 + self.settings.jitter_us, (
            f"{least} us were asked, {statistics.median(times):.0f} us it takes"
        )


def is_waiting(pid: int) -> bool:
    """Whether the first thread of a process waits for an answer of a FUSE file system."""
    return Path(f"/proc/{pid}/wchan").read_text() == "request_wait_answer"


def _told(settings: Settings) -> list[str]:
    return [f"{field.name}={value}" for field, value in zip(fields(settings), astuple(settings), strict=True)]
