"""What the recorder itself takes while programs read at a known rate."""

from __future__ import annotations

import select
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench.figures import Table
from tests.bench.loop import Loop, compile_loop
from tests.bench.tracers import STEPWELL

from stepwell.store import Store


@dataclass
class Sample:
    """The recorder's processor time and peak of resident memory, when it was looked at."""

    at: float
    cpu: float
    peak_mib: float


def _sample(pid: int) -> Sample | None:
    """Look at the recorder while the loop runs; None before and after."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if not any(Path(f"/proc/{child}/comm").read_text() == "loop\n" for child in children):
            return None
        # Exact, other than the ticks in /proc/PID/stat.
        run_ns = sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    peak = int(status.partition("VmHWM:")[2].split()[0])
    return Sample(time.monotonic(), run_ns / 1e9, peak / 1024)


def _record(loop: Loop, store: Path) -> list[Sample]:
    """Record the loop; return what was seen of the recorder from the loop's begin to its end."""
    command = [str(STEPWELL), "--store", str(store), "record", "--", *loop.argv()]
    samples = []
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as recorder:
        while recorder.poll() is None:
            if sample := _sample(recorder.pid):
                samples.append(sample)
            select.select([], [], [], 0.05)
    if recorder.returncode or len(samples) < 2:
        raise SystemExit(f"recording the loop failed with {recorder.returncode}, seen {len(samples)} times")
    return samples


def agent(work: Path, *, quick: bool) -> list[Table]:
    program, data = compile_loop(work)
    seconds = 1 if quick else 10
    table = Table(f"The recorder while programs make cached reads of 4 KiB for {seconds} s")
    rates = [("sequential", 100_000, 1), ("sequential", 100_000, 2), ("random", 100_000, 1), ("random", 500_000, 2)]
    for call, rate, threads in [*rates, ("sequential", 0, 2), ("random", 0, 2)]:
        calls = (rate or 1_000_000) * seconds // (threads * 10)
        loop = Loop(program, data, call, threads, 10, calls, rate)
        store = work / "agent.duckdb"
        samples = _record(loop, store)
        loop.result.unlink()
        with Store.open(store, "r") as opened:
            (accesses, lost), *_ = opened.rows("SELECT accesses, lost FROM traces")
            (span,), *_ = opened.rows("SELECT max(start_ns + span_ns) - min(start_ns) FROM runs WHERE requested = 4096")
        store.unlink()
        wall = samples[-1].at - samples[0].at
        table.rows[
            f"{call}, {threads} thread{'s' * (threads > 1)}, {f'{rate:,}/s' if rate else 'as fast as it can'}"
        ] = {
            "accesses/s": loop.total / span * 1e9,
            "% of a core": 100 * (samples[-1].cpu - samples[0].cpu) / wall,
            "peak MiB": samples[-1].peak_mib,
            "lost": lost + max(0, loop.total - accesses),
        }
    return [table]
