"""The backends of the contest of readers: each mounted with nothing in any cache, over a storage of known latency."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.bench.backends.juicefs import JuiceFS
from tests.bench.backends.mounts import fill_probe
from tests.bench.backends.rclone import Rclone
from tests.storage.slow import Control, Settings, Slow

CONNECTION = 90 << 20
"""Bytes a second of one connection, as S3 gives."""

Fill = Callable[[Path], object]


class Volume:
    """A JuiceFS volume, unmodified, whose objects are on the slow storage."""

    name = "JuiceFS"
    what = "an unmodified JuiceFS mount, 90 MiB/s a connection"
    request = "opens"
    """What counts as a request: each GET opens its object."""

    def __init__(self, program: Path, work: Path, fill: Fill) -> None:
        self._volume = JuiceFS.made(work, fill)
        self._slow = Slow(program, self._volume.objects, self._volume.slow, Settings(bytes_s=CONNECTION, direct=1))

    @contextmanager
    def cold(self, latency_ms: int, flags: tuple[str, ...]) -> Iterator[tuple[Path, Control]]:
        """Mount it with nothing in any cache, and with flags of its own."""
        with _opening(self._slow, latency_ms) as storage, self._volume.mounted(storage, *flags) as point:
            yield point, storage

    def warmup(self, path: Path) -> list[str]:
        """Return its own command to fetch what is at a path below its mount."""
        return self._volume.warmup(50, path)


class Bucket:
    """A bucket that rclone mounts from its own S3 server, which serves it from the slow storage."""

    name = "rclone"
    what = "rclone's mount of an S3 server, 90 MiB/s a connection"
    request = "opens"

    def __init__(self, program: Path, work: Path, fill: Fill) -> None:
        self._work, self._buckets, slow = work, work / "buckets", work / "slow"
        for directory in (self._buckets / "bench", slow):
            directory.mkdir(parents=True)
        fill_probe(self._buckets / "bench", 4096)
        fill(self._buckets / "bench")
        self._slow = Slow(program, self._buckets, slow, Settings(bytes_s=CONNECTION, direct=1))

    @contextmanager
    def cold(self, latency_ms: int, flags: tuple[str, ...]) -> Iterator[tuple[Path, Control]]:
        """Mount it with nothing in any cache, and with flags of its own."""
        with (
            _opening(self._slow, latency_ms) as storage,
            Rclone.serving(self._work, self._slow.mount) as remote,
            remote.mounted(storage, "bench", *flags) as point,
        ):
            yield point, storage


class Bare:
    """The slow storage itself, through the page cache, with one line for all reads."""

    name = "bare"
    what = "the storage itself, 90 MiB/s in all"
    request = "reads"

    def __init__(self, program: Path, work: Path, fill: Fill) -> None:
        source, mount = work / "source", work / "mount"
        for directory in (source, mount):
            directory.mkdir(parents=True)
        fill(source)
        self._slow = Slow(program, source, mount, Settings(total_bytes_s=CONNECTION))

    @contextmanager
    def cold(self, latency_ms: int, flags: tuple[str, ...]) -> Iterator[tuple[Path, Control]]:
        """Mount it with nothing in the page cache; it has no flags."""
        assert not flags
        settings = replace(self._slow.settings, latency_us=latency_ms * 1000)
        with replace(self._slow, settings=settings).mounted() as storage:
            yield self._slow.mount, storage


Backend = Volume | Bucket | Bare


@contextmanager
def _opening(slow: Slow, latency_ms: int) -> Iterator[Control]:
    """Show the storage with a latency before the first byte of each object."""
    with replace(slow, settings=replace(slow.settings, open_us=latency_ms * 1000)).mounted() as storage:
        yield storage


@contextmanager
def kernel_reads_ahead(mount: Path, kib: int) -> Iterator[None]:
    """Set a mount's read_ahead_kb, and set it back."""
    number = subprocess.run(["mountpoint", "-d", mount], check=True, capture_output=True, text=True).stdout.strip()
    setting = Path(f"/sys/class/bdi/{number}/read_ahead_kb")
    before = setting.read_text()
    setting.write_text(f"{kib}")
    assert setting.read_text().strip() == f"{kib}", f"{setting} did not take {kib}"
    try:
        yield
    finally:
        setting.write_text(before)
