"""`stepwell run --tune-mounts` beside static settings of the mount, for readers that go on for a while.

Each cell is a way of reading at a latency.  All contenders read an unmodified JuiceFS mount that begins cold, with a
cache that holds an eighth of the data, so that nothing is read twice from it in the long run; at random also one that
holds a sixty-fourth, as where the data fits no cache.  The first of them has the mount as it is by default; the other
static ones are what an expert would try by hand.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tests.bench.backends.cold import Volume, kernel_reads_ahead
from tests.bench.figures import Figure, Table
from tests.bench.readings import ALONG, MIB, SCATTERED, SMALL
from tests.bench.steady import BINS, PAGE, label
from tests.bench.tracers import STEPWELL
from tests.storage.slow import compile_slow

READER = Path(__file__).with_name("steady.py")
EIGHTH, LITTLE = 8, 64
WAYS = {
    "sequential": ("sequential", EIGHTH),
    "random": ("random", EIGHTH),
    "random, hardly cached": ("random", LITTLE),
    "stride": ("stride", EIGHTH),
    "reverse": ("reverse", EIGHTH),
    "files": ("files", EIGHTH),
}
"""How `steady` reads, and how many times what the cache holds the data is."""

DEFAULT, TUNED = "default", "stepwell run --tune-mounts"


@dataclass(frozen=True)
class Static:
    """A setting of the mount from its beginning."""

    flags: tuple[str, ...] = ()
    read_ahead_kb: int = 0
    """0: as it is."""


FURTHER = ("--max-readahead", "128", "--buffer-size", "600")
STATIC = {
    DEFAULT: Static(),
    "read_ahead_kb of 16 MiB": Static((), 16_384),
    "prefetch 3, max-readahead 64, buffer-size 600": Static(ALONG["JuiceFS"]),
    "... and read_ahead_kb of 4 MiB": Static(ALONG["JuiceFS"], 4096),
    "max-readahead 128, buffer-size 600": Static(FURTHER),
    "max-readahead 128, buffer-size 600, read_ahead_kb of 4 MiB": Static(FURTHER, 4096),
    "prefetch 0": Static(("--prefetch", "0")),
    "prefetch 0, max-readahead 0": Static(SCATTERED["JuiceFS"]),
    "... and cache-partial-only": Static((*SCATTERED["JuiceFS"], "--cache-partial-only")),
}


@dataclass(frozen=True)
class Lengths:
    """How much there is, and for how long it is read."""

    octets: int = 4096 * MIB
    files: int = 6007
    seconds: int = 10
    """With a static setting."""
    settled: int = 2
    """After so many of them what follows is measured."""
    tuned: int = 50
    converged: int = 30
    """Seconds within which tuning must have got there."""
    latencies_ms: tuple[int, ...] = (20, 100)


@dataclass(frozen=True)
class Taken:
    """What one reader got."""

    early: float
    """MiB a second up to the moment from which on it is measured."""
    late: float
    """MiB a second from then on."""
    failed: int
    longest: tuple[float, float]
    """Milliseconds of the longest read, and the second in which it ended."""
    fetched: tuple[float, float]
    """Bytes from the storage for each that was read: of all, and of those that are measured."""
    told: str = ""

    def row(self, default: Taken, best: float) -> dict[str, Figure]:
        return {
            "MiB/s": self.late,
            "of the best static": self.late / best,
            "of the default": self.late / default.late,
            "before, of the default": self.early / default.late,
            "failed": self.failed,
            "longest read, ms": round(self.longest[0]),
            "... in second": self.longest[1],
            "fetched a byte": self.fetched[0],
            "... then": self.fetched[1],
        }


def _fill(lengths: Lengths, directory: Path) -> None:
    """Make files whose pages say where they stand."""
    rng = np.random.default_rng(5)
    with (directory / "large").open("wb") as file:
        for at in range(0, lengths.octets, MIB):
            file.write(_labelled(rng, 0, at, MIB))
    (directory / "files").mkdir()
    for number in range(lengths.files):
        (directory / "files" / str(number)).write_bytes(_labelled(rng, number, 0, SMALL))


def _labelled(rng: np.random.Generator, number: int, at: int, octets: int) -> bytes:
    data = bytearray(rng.bytes(octets))
    for offset in range(0, octets, PAGE):
        data[offset : offset + 8] = label(number, at + offset)
    return bytes(data)


class Cell:
    """One way of reading at one latency."""

    def __init__(self, work: Path, volume: Volume, lengths: Lengths, way: str, latency_ms: int) -> None:
        self.work, self.volume, self.lengths, self.latency_ms = work, volume, lengths, latency_ms
        self.name = f"{way}, {latency_ms} ms"
        self.way, self.times_the_cache = WAYS[way]

    def take(self, static: Static, seconds: int, settled: int, *, tuned: bool = False) -> Taken:
        """Let one contender read a cold mount."""
        cache = ("--cache-size", str(self.lengths.octets // self.times_the_cache // MIB))
        with ExitStack() as stack:
            point, storage = stack.enter_context(self.volume.cold(self.latency_ms, (*cache, *static.flags)))
            if static.read_ahead_kb:
                stack.enter_context(kernel_reads_ahead(point, static.read_ahead_kb))
            argv: list[str | Path] = [sys.executable, READER, self.way, point, str(seconds), os.urandom(4).hex()]
            if tuned:
                store: list[str | Path] = ["--store", self.work / "store.duckdb"]
                argv = [STEPWELL, *store, "run", "--under", point, "--tune-mounts", "--", *argv]
            seen = [(time.monotonic(), storage.counters["bytes"])]
            with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
                while process.poll() is None:
                    try:
                        process.wait(1 / BINS)
                    except subprocess.TimeoutExpired:
                        seen.append((time.monotonic(), storage.counters["bytes"]))
                assert process.stdout
                assert process.stderr
                said, told = process.stdout.read(), process.stderr.read()
            assert process.returncode == 0, told
        found = json.loads(said)
        octets = np.cumsum([0, *found["octets"]])
        times = found["began"] + np.array([0, settled, seconds])
        fetched = np.interp(times, *np.transpose(seen))
        got = octets[[0, settled * BINS, -1]]
        per_byte = (fetched[2] - fetched[:2]) / np.maximum(got[2] - got[:2], 1)
        return Taken(
            float(got[1] / MIB / settled),
            float((got[2] - got[1]) / MIB / (seconds - settled)),
            found["failed"],
            found["longest"],
            (float(per_byte[0]), float(per_byte[1])),
            told.strip(),
        )

    def table(self) -> Table:
        """Let all contenders read, one after the other."""
        lengths = self.lengths
        table = Table(f"tuning: {self.name} a request; over {self.volume.what}")
        taken = {name: self.take(static, lengths.seconds, lengths.settled) for name, static in STATIC.items()}
        best = max(one.late for one in taken.values())
        taken[TUNED] = self.take(Static(), lengths.tuned, lengths.converged, tuned=True)
        table.rows = {name: one.row(taken[DEFAULT], best) for name, one in taken.items()}
        table.notes.append(taken[TUNED].told)
        return table


def tuning(work: Path, *, quick: bool, only: str = "") -> list[Table]:
    """Measure; with `only`, no more than the cells whose "WAY, LATENCY ms" that pattern is found in."""
    lengths = Lengths(128 * MIB, 41, 2, 1, 4, 2, (3,)) if quick else Lengths()
    volume = Volume(compile_slow(work), work / "volume", lambda directory: _fill(lengths, directory))
    os.sync()  # what is still written to the disk would slow down the first readers
    cells = [Cell(work, volume, lengths, way, latency_ms) for way in WAYS for latency_ms in lengths.latencies_ms]
    tables = [cell.table() for cell in cells if re.search(only, cell.name)]
    assert tables, f"no cell is called {only}"
    tables[-1].notes.append(
        f"MiB/s after {lengths.settled} s of a static setting, after {lengths.converged} s with tuning"
    )
    return tables
