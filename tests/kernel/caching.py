"""A reader in a memory cgroup of known size, recorded: what the real page cache missed.

As a program it is the reader: `python -m tests.kernel.caching GROUP FILE PATTERN BLOCKS READS` enters the group, reads,
and prints how many bytes of file pages the group holds in the end.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tests.kernel.tool import Stepwell

from stepwell.mounts import mounts

BLOCK = 4096
ROOT = Path(__file__).parents[2]


def order(pattern: str, blocks: int, reads: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return which blocks are read."""
    rng = np.random.default_rng(29)
    if pattern == "loop":
        return np.arange(reads) % blocks
    if pattern == "uniform":
        return rng.integers(0, blocks, reads)
    share = 1 / np.arange(1, blocks + 1) ** 0.9
    return rng.permutation(blocks)[rng.choice(blocks, reads, p=share / share.sum())]


@dataclass(frozen=True)
class Group:
    """A memory cgroup of either version."""

    path: Path
    unified: bool

    @property
    def file_bytes(self) -> int:
        """Bytes of file pages that it holds."""
        lines = (line.split() for line in (self.path / "memory.stat").read_text().splitlines())
        return int({name: value for name, value, *_ in lines}["file" if self.unified else "total_cache"])

    @property
    def times_full(self) -> int:
        """How often it was at its limit, so that something had to go."""
        if not self.unified:
            return int((self.path / "memory.failcnt").read_text())
        lines = (line.split() for line in (self.path / "memory.events").read_text().splitlines())
        return int({name: value for name, value, *_ in lines}["max"])

    def limit(self, octets: int) -> None:
        """Set how many bytes it may hold."""
        (self.path / ("memory.max" if self.unified else "memory.limit_in_bytes")).write_text(str(octets))


def hierarchy() -> tuple[Path, bool] | None:
    """Return where memory can be limited here, and whether that is the unified hierarchy."""
    for mount in mounts():
        point = Path(mount.point)
        if mount.fstype == "cgroup" and (point / "memory.limit_in_bytes").exists():
            return point, False
        controllers = point / "cgroup.subtree_control"
        if mount.fstype == "cgroup2" and controllers.exists() and "memory" in controllers.read_text().split():
            return point, True
    return None


@contextlib.contextmanager
def limited(octets: int) -> Iterator[Group]:
    """Make a memory cgroup with a limit, and remove it."""
    found = hierarchy()
    assert found
    parent, unified = found
    group = Group(parent / f"stepwell-{os.getpid()}", unified)
    group.path.mkdir()
    try:
        group.limit(octets)
        yield group
    finally:
        group.path.rmdir()


def readahead(directory: Path) -> int:
    """Return the most bytes that the kernel reads ahead on the device of a directory."""
    device = directory.stat().st_dev
    setting = Path(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb")
    return int(setting.read_text()) << 10


@dataclass(frozen=True)
class Measured:
    """What the page cache did: pages put into it, reads that slept, and the bytes of file pages it could hold."""

    filled: int
    waited: int
    reads: int
    cache: int


def measure(stepwell: Stepwell, directory: Path, pattern: str, *, limit: int, blocks: int, reads: int) -> Measured:
    """Record a reader that finds none of its file in the page cache."""
    data = directory / f"{pattern}.data"
    with data.open("wb") as stream:
        for _ in range(0, blocks, 256):
            stream.write(os.urandom(256 * BLOCK))
        stream.flush()
        os.fsync(stream.fileno())
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    with limited(limit) as group:
        reader = [sys.executable, "-m", "tests.kernel.caching", str(group.path), str(data), pattern]
        done = stepwell.run("record", "--", *reader, str(blocks), str(reads), cwd=ROOT)
        assert done.returncode == 0, done.stderr
        cache = int(done.stdout)
        # What is left of the file would keep the group alive.
        with data.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    ((filled, waited, count),) = stepwell.rows(
        "SELECT sum(filled)::BIGINT, sum(waited)::BIGINT, sum(count)::BIGINT FROM runs JOIN files USING (trace, file) "
        "WHERE path = ? AND trace = (SELECT max(trace) FROM traces)",
        str(data),
    )
    return Measured(filled, waited, count, cache)


def main() -> None:
    path, data, pattern, blocks, reads = sys.argv[1:]
    group = Group(Path(path), hierarchy() == (Path(path).parent, True))
    places = (order(pattern, int(blocks), int(reads)) * BLOCK).tolist()
    (group.path / "cgroup.procs").write_text(str(os.getpid()))
    descriptor = os.open(data, os.O_RDONLY)
    if pattern != "loop":
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
    buffer = bytearray(BLOCK)
    for place in places:
        os.preadv(descriptor, [buffer], place)
    print(group.file_bytes)
    root = group.path.parent / "cgroup.procs"
    root.write_text(str(os.getpid()))


if __name__ == "__main__":
    main()
