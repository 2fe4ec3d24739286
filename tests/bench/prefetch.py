"""`stepwell run` beside plain readers and what JuiceFS brings itself, over an object storage of known latency.

Seconds are the reader's own, from its first read to its last; the whole command's, with recording and verdict, are told
beside.  All contenders read the same bytes, which is checked.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.bench.backends.juicefs import JuiceFS
from tests.bench.figures import Spread, Table
from tests.bench.tracers import STEPWELL
from tests.bench.warm import CONNECTION, MIB
from tests.storage.slow import Control, Settings, Slow, compile_slow

FOLLOW = Path(__file__).with_name("follow.py")
SMALL = 128 << 10
PLAIN, BARE, BEST = "plain reader", "no readahead", "best settings"
STEERED, KNOWN = "stepwell run", "stepwell run, order known"
WARMUP, WARMED = "juicefs warmup, then read", "stepwell warm, then read"


@dataclass(frozen=True)
class Workload:
    """What is read in which order, on a storage of some latency, and who competes."""

    name: str
    latency_ms: int
    steps: tuple[str, ...]
    octets: int
    contenders: tuple[str, ...]


@dataclass
class Taken:
    """What each turn of one contender took."""

    seconds: list[float] = field(default_factory=list)
    command: list[float] = field(default_factory=list)
    counted: dict[str, int] = field(default_factory=dict)


class Volume:
    """A JuiceFS volume, unmodified, whose objects are on the slow storage."""

    request = "opens"
    """What counts as a request: each GET opens its object."""

    def __init__(self, program: Path, volume: JuiceFS) -> None:
        self._volume = volume
        self._slow = Slow(program, volume.objects, volume.slow, Settings(bytes_s=CONNECTION, direct=1))

    @contextmanager
    def cold(self, latency_ms: int, contender: str) -> Iterator[tuple[Path, Control]]:
        """Mount it with nothing in any cache."""
        flags = ("--prefetch", "3", "--max-readahead", "64", "--buffer-size", "600") if contender == BEST else ()
        settings = replace(self._slow.settings, open_us=latency_ms * 1000)
        slow = replace(self._slow, settings=settings)
        with slow.mounted() as storage, self._volume.mounted(storage, *flags) as point:
            yield point, storage

    def warmup(self, path: Path) -> list[str]:
        """Return its own command to fetch what is at a path below its mount."""
        return self._volume.warmup(50, path)


class Bare:
    """The slow storage itself, through the page cache, with one line for all reads."""

    request = "reads"

    def __init__(self, program: Path, source: Path, mount: Path) -> None:
        self._slow = Slow(program, source, mount, Settings(total_bytes_s=CONNECTION))

    @contextmanager
    def cold(self, latency_ms: int, contender: str) -> Iterator[tuple[Path, Control]]:
        """Mount it with nothing in the page cache."""
        ahead = 16 * MIB if contender == BEST else 0
        settings = replace(self._slow.settings, latency_us=latency_ms * 1000, readahead_bytes=ahead)
        with replace(self._slow, settings=settings).mounted() as storage:
            yield self._slow.mount, storage


class Run:
    """Readers of one backend."""

    def __init__(self, work: Path, backend: Volume | Bare) -> None:
        self.work, self.backend = work, backend
        self.digests: dict[str, str] = {}

    def turn(self, workload: Workload, contender: str, taken: Taken) -> None:
        """Let one contender read what nothing has in a cache."""
        order = self.work / f"{workload.name}.order"
        order.write_text("\n".join(workload.steps) + "\n")
        with self.backend.cold(workload.latency_ms, contender) as (point, storage):
            reader = [sys.executable, str(FOLLOW), str(order), str(point)]
            if contender == BARE:
                reader.append("random")
            began = time.perf_counter()
            if contender == WARMED:
                subprocess.run([STEPWELL, "warm", "--restart", point / "files"], check=True, capture_output=True)
            elif contender == WARMUP and isinstance(self.backend, Volume):
                subprocess.run(self.backend.warmup(point / "files"), check=True, capture_output=True)
            ready = time.perf_counter() - began
            known = ["--order-from", str(order)] if contender == KNOWN else []
            store = ["--store", str(self.work / "store.duckdb")]
            steered = [str(STEPWELL), *store, "run", "-q", "--under", str(point), *known, "--"]
            argv = [*steered, *reader] if contender in {STEERED, KNOWN} else reader
            done = subprocess.run(argv, check=True, capture_output=True, text=True)
            taken.command.append(time.perf_counter() - began)
            taken.counted = storage.counters
        said = json.loads(done.stdout)
        taken.seconds.append(said["seconds"] + ready)
        assert self.digests.setdefault(workload.name, said["digest"]) == said["digest"], f"{contender} read other bytes"

    def table(self, title: str, workloads: list[Workload], turns: int) -> Table:
        """Let all contenders read, in turns."""
        table = Table(title)
        for workload in workloads:
            taken = {contender: Taken() for contender in workload.contenders}
            for _ in range(turns):
                for contender, one in taken.items():
                    self.turn(workload, contender, one)
            _into(table, workload, taken, self.backend.request)
        return table


def _into(table: Table, workload: Workload, taken: dict[str, Taken], request: str) -> None:
    plain = taken[PLAIN].seconds
    for contender, one in taken.items():
        table.rows[f"{workload.name}, {workload.latency_ms} ms: {contender}"] = {
            "s": Spread.of(one.seconds),
            "MiB/s": workload.octets / MIB / Spread.of(one.seconds).median,
            "times as fast as plain": Spread.of(a / b for a, b in zip(plain, one.seconds, strict=True)),
            "whole command, s": Spread.of(one.command).median,
            "bytes fetched a byte": one.counted["bytes"] / workload.octets,
            "requests": one.counted[request],
            "most at once": one.counted["most_in_flight"],
        }


def _workloads(files: int, large: int, reads: int) -> list[Workload]:
    rng = random.Random(5)
    names = [f"files/{number}" for number in range(files)]
    rng.shuffle(names)
    strided = [f"large\t{offset}\t65536" for offset in range(0, large, 8 * MIB)]
    scattered = [f"large\t{rng.randrange(large // 4096) * 4096}\t4096" for _ in range(reads)]
    through = [f"large\t{offset}\t131072" for offset in range(0, large // 4, 131_072)]
    return [
        Workload("shuffled files", 20, tuple(names), files * SMALL, (PLAIN, STEERED, KNOWN, WARMUP, WARMED)),
        Workload("64 KiB every 8 MiB", 20, tuple(strided), len(strided) * 65_536, (PLAIN, STEERED, KNOWN)),
        Workload("4 KiB at random", 20, tuple(scattered), reads * 4096, (PLAIN, STEERED, KNOWN)),
        Workload("sequential", 20, tuple(through), large // 4, (PLAIN, BARE, BEST, STEERED)),
        Workload("sequential", 100, tuple(through), large // 4, (PLAIN, BARE, BEST, STEERED)),
    ]


def _fill(files: int, large: int) -> Callable[[Path], None]:
    def fill(directory: Path) -> None:
        (directory / "files").mkdir()
        for number in range(files):
            (directory / "files" / str(number)).write_bytes(os.urandom(SMALL))
        with (directory / "large").open("wb") as file:
            for _ in range(0, large, MIB):
                file.write(os.urandom(MIB))

    return fill


def prefetch(work: Path, *, quick: bool) -> list[Table]:
    program, turns = compile_slow(work), 1 if quick else 5
    files, large, reads = (101, 128 * MIB, 41) if quick else (1000, 1024 * MIB, 307)
    volume = JuiceFS.made(work / "volume", _fill(files, large))
    workloads = _workloads(files, large, reads)
    juicefs = Run(work, Volume(program, volume)).table(
        "prefetch over an unmodified JuiceFS mount; each request waits 20 or 100 ms, 90 MiB/s a connection",
        workloads, turns,
    )  # fmt: skip
    juicefs.notes.append(f"{BEST}: --prefetch 3 --max-readahead 64 --buffer-size 600")
    source, mount = work / "source", work / "mount"
    for directory in (source, mount):
        directory.mkdir()
    files, large = files // 4, large // 4
    _fill(files, large)(source)
    bare = Run(work, Bare(program, source, mount)).table(
        "prefetch over the storage itself; each request waits 20 or 100 ms, 90 MiB/s in all",
        [replace(one, contenders=tuple(name for name in one.contenders if name != WARMUP))
         for one in _workloads(files, large, reads)],
        turns,
    )  # fmt: skip
    bare.notes.append(f"{BEST}: read_ahead_kb of 16 MiB, set by hand")
    bare.notes.append("seconds include a warm-up before reading; bytes and requests are the last turn's")
    return [juicefs, bare]
