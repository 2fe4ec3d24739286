"""`stepwell warm` beside what mounts bring themselves, over an object storage of known latency."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.backends.cold import CONNECTION
from tests.bench.backends.juicefs import JuiceFS
from tests.bench.backends.mounts import fill_probe
from tests.bench.backends.rclone import Rclone
from tests.bench.figures import Spread, Table
from tests.bench.tracers import STEPWELL
from tests.storage.slow import Control, Settings, Slow, compile_slow

MIB = 1 << 20


class Contest:
    """Contenders for one thing, measured in turns; each begins with a cold mount."""

    def __init__(self, name: str, octets: int, baseline: str) -> None:
        self.name, self.octets, self.baseline = name, octets, baseline
        self.seconds: dict[str, list[float]] = {}
        self.fetched: dict[str, float] = {}

    @contextmanager
    def timed(self, contender: str, storage: Control) -> Iterator[None]:
        before = storage.counters["bytes"]
        began = time.perf_counter()
        yield
        self.seconds.setdefault(contender, []).append(time.perf_counter() - began)
        self.fetched[contender] = (storage.counters["bytes"] - before) / self.octets

    def into(self, table: Table) -> None:
        base = self.seconds[self.baseline]
        for contender, seconds in self.seconds.items():
            ratios = Spread.of(one / other for one, other in zip(seconds, base, strict=True))
            table.rows[f"{self.name}: {contender}"] = {
                "s": Spread.of(seconds),
                "MiB/s": self.octets / MIB / Spread.of(seconds).median,
                f"time over that of {self.baseline}": ratios,
                "bytes from storage a byte": self.fetched[contender],
            }


def _write(octets: int) -> Callable[[Path], object]:
    return lambda directory: (directory / "data").write_bytes(os.urandom(octets))


def _run(*argv: str | Path) -> None:
    subprocess.run([str(one) for one in argv], check=True, capture_output=True)


def _stepwell(path: Path) -> None:
    _run(STEPWELL, "warm", "--restart", path)


def _juicefs(work: Path, program: Path, latency_ms: int, octets: int, turns: int) -> Contest:
    """Warm one file of a JuiceFS volume whose objects take so long."""
    contest = Contest(f"JuiceFS, {latency_ms} ms, {octets // MIB} MiB", octets, "stepwell warm")
    volume = JuiceFS.made(work, _write(octets))
    settings = Settings(open_us=latency_ms * 1000, bytes_s=CONNECTION, direct=1)
    with Slow(program, volume.objects, volume.slow, settings).mounted() as storage:
        for _ in range(turns):
            with volume.mounted(storage) as point, contest.timed("stepwell warm", storage):
                _stepwell(point / "data")
            for parallel in (1, 10, 50):
                with volume.mounted(storage) as point, contest.timed(f"juicefs warmup -p {parallel}", storage):
                    _run(*volume.warmup(parallel, point / "data"))
            with volume.mounted(storage) as point, contest.timed("cat", storage):
                _run("cat", point / "data")
    return contest


def _capped(work: Path, program: Path, table: Table) -> None:
    """Warm with a cap, and compare what the storage gave in which time."""
    source, mount = work / "source", work / "mount"
    for directory in (source, mount):
        directory.mkdir(parents=True)
    _write(64 * MIB)(source)
    with Slow(program, source, mount, Settings(latency_us=20_000)).mounted() as storage:
        for cap in (4, 16, 64):
            storage.reset()
            _run(STEPWELL, "warm", "--restart", "--bandwidth", f"{cap}MiB/s", mount / "data")
            reads = storage.reads()
            seconds = int(reads["end_ns"].max() - reads["begin_ns"].min()) / 1e9
            table.rows[f"cap of {cap} MiB/s"] = {"MiB/s": storage.counters["bytes"] / MIB / seconds}
            with (mount / "data").open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _rclone(work: Path, program: Path, latency_ms: int, octets: int, turns: int) -> Contest:
    """Warm one object through JuiceFS and through rclone's mount, beside rclone's own copy of the same bytes."""
    contest = Contest(f"S3, {latency_ms} ms, {octets // MIB} MiB", octets, "rclone copyto, 16 streams")
    volume = JuiceFS.made(work / "volume", _write(octets))
    bucket, slow = work / "buckets" / "bench", work / "slow"
    for directory in (bucket, slow):
        directory.mkdir(parents=True)
    fill_probe(bucket)
    _write(octets)(bucket)
    settings = Settings(open_us=latency_ms * 1000, bytes_s=CONNECTION, direct=1)
    with ExitStack() as stack:
        storage = stack.enter_context(Slow(program, bucket.parent, slow, settings).mounted())
        objects = stack.enter_context(Slow(program, volume.objects, volume.slow, settings).mounted())
        remote = stack.enter_context(Rclone.serving(work, slow))
        for _ in range(turns):
            copy = work / "copy"
            with contest.timed(contest.baseline, storage):
                _run(*remote.copy("bench", "data", copy, 16))
            assert copy.stat().st_size == octets
            copy.unlink()
            with volume.mounted(objects) as point, contest.timed("stepwell warm, JuiceFS", objects):
                _stepwell(point / "data")
            full = ("--vfs-cache-mode", "full", "--vfs-read-chunk-size", "4M", "--vfs-read-chunk-streams", "4")
            with (
                remote.mounted(storage, "bench", *full) as point,
                contest.timed("stepwell warm, rclone mount", storage),
            ):
                _stepwell(point / "data")
    return contest


def warm(work: Path, *, quick: bool) -> list[Table]:
    program = compile_slow(work)
    turns = 1 if quick else 5
    table = Table("warming one file: object storage of known latency, 90 MiB/s a connection; whole commands")
    for latency_ms in (20, 100):
        _juicefs(work / f"juicefs-{latency_ms}", program, latency_ms, 64 * MIB, turns).into(table)
    _rclone(work / "s3", program, 20, (64 if quick else 512) * MIB, turns).into(table)
    _capped(work / "capped", program, table)
    table.notes.append("ratios are of the same turn; each begins with a fresh mount and an empty cache")
    return [table]
