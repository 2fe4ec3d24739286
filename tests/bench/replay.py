"""How exactly `stepwell replay` keeps times: a recording of the replay beside the trace that it replays."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import numpy as np
from tests.bench.figures import Figure, Table
from tests.bench.tracers import STEPWELL
from tests.unit.recordings import Recording

from stepwell.store import Store, ingest

RATE = 20_000
"""Accesses a second, of all threads together."""

FILE_BYTES = 64 << 20
STRETCH = 1000
"""Accesses of a thread over which spacing is compared."""


Starts = dict[bytes, np.ndarray]
"""When each access of a thread began, in ns, by the thread's offsets, which tell it from the others."""


def _plan(store: Path, threads: int, seconds: float, *, even: bool) -> Starts:
    """Leave a trace of threads that read 4 KiB at random."""
    random = np.random.default_rng(threads)
    recording = Recording(store.parent / f"plan-{threads}-{even}.spool")
    each = int(RATE * seconds / threads)
    starts: Starts = {}
    for thread in range(1, threads + 1):
        gaps = np.full(each, 1e9 * threads / RATE) if even else random.exponential(1e9 * threads / RATE, each)
        at = np.cumsum(gaps).astype(np.int64)
        recording.thread(thread, end=int(at[-1]) + 1_000_000)
        recording.open(thread, b"/data/file", size=FILE_BYTES, thread=thread)
        offsets = random.integers(0, FILE_BYTES // 4096, each) * 4096
        recording.run(thread, thread=thread, at=at, seq=np.arange(each), offset=offsets)
        starts[offsets.tobytes()] = at
    recording.end(max(int(one[-1]) for one in starts.values()) + 1_000_000)
    with Store.open(store, "w") as opened:
        ingest(opened, recording.path)
    return starts


def _starts(store: Path, trace: int, path: Path) -> Starts:
    """Return the starts of each thread's reads of a file."""
    chosen = f"trace = {trace} AND path = '{path}' AND op = 'read'"
    sql = f'SELECT thread, "offset", start_ns FROM accesses WHERE {chosen} ORDER BY thread, seq'
    with Store.open(store, "r") as opened:
        found = opened.query(sql).read_all()
    edges = np.flatnonzero(np.diff(found["thread"].to_numpy())) + 1
    offsets, starts = (np.split(found[name].to_numpy(), edges) for name in ("offset", "start_ns"))
    return {one.tobytes(): at for one, at in zip(offsets, starts, strict=True)}


def _figures(wanted: Starts, got: Starts, told: dict[str, dict[str, int]]) -> dict[str, Figure]:
    """Return how far times are off; the least late access is taken to be on time."""
    origin = min(int((got[key] - wanted[key]).min()) for key in wanted)
    pairs = [(wanted[key], got[key] - origin) for key in wanted]
    ends = [max(int(pair[side][-1]) for pair in pairs) for side in (0, 1)]
    spacing = [
        abs(float(now) / float(then) - 1)
        for a, b in pairs
        for then, now in zip(np.diff(a[::STRETCH]), np.diff(b[::STRETCH]), strict=True)
    ]
    delay = np.concatenate([b - a for a, b in pairs]) / 1e3
    return {
        "accesses": sum(len(one) for one in got.values()),
        "accesses/s": sum(len(one) for one in got.values()) / (ends[1] / 1e9),
        "total off, %": abs(ends[1] / ends[0] - 1) * 100,
        f"{STRETCH} accesses off, %, median": float(np.median(spacing)) * 100,
        "worst": max(spacing) * 100,
        "start late, us, median": float(np.median(delay)),
        "99 %": float(np.quantile(delay, 0.99)),
        "late > 1 ms": told["late"]["accesses"],
    }


def _held_off(seconds: float) -> dict[str, Figure]:
    """Return how many of as many accesses a thread that does nothing but look at the clock would begin late.

    One thread with all accesses has no time to sleep between them, and so no more than this is Stepwell's.
    """
    clock, late = time.perf_counter_ns, 0
    last = clock()
    end = last + round(seconds * 1e9)
    while last < end:
        now = clock()
        late += max(0, now - last - 1_000_000) * RATE // 10**9
        last = now
    return {"late > 1 ms": late}


def replay(work: Path, *, quick: bool) -> list[Table]:
    """Replay known times under `record`, and compare when each access began."""
    table = Table(f"Replay at 1x of {RATE:,} reads a second: a recording of it against the trace")
    store, copy = work / "store.duckdb", work / "copy"
    command = [str(STEPWELL), "--store", str(store)]
    trace = 0
    for even in (True, False):
        for threads in (1, 2, 4, 8):
            if threads == 1:
                name = f"a loop that only reads the clock, before {'even' if even else 'random'} gaps"
                table.rows[name] = _held_off(1 if quick else 10)
            wanted = _plan(store, threads, 1 if quick else 10, even=even)
            trace += 2
            again = [*command, "replay", str(trace - 1), "--on", str(copy), "--make-files", "-o", "json"]
            # Into the page cache first: what is measured is how replay keeps time, not the storage.
            subprocess.run([*again, "--speed", "max"], check=True, capture_output=True)
            done = subprocess.run(
                [*command, "record", "-q", "--under", str(copy), "--", *again],
                check=True, capture_output=True, text=True,
            )  # fmt: skip
            got = _starts(store, trace, copy / "file")
            table.rows[f"{'even' if even else 'random'} gaps, {threads} threads"] = _figures(
                wanted, got, json.loads(done.stdout)
            )
    return [table]
