"""Predicted gains against measured ones of deeper queues: fio with io_uring and libaio, direct random reads.

Each row records fio once and takes the finding's queue depth; then fio as it was and with that depth run in turns,
untraced.  Where handing requests over waits, as on a file system without asynchronous direct reads, what the finding
says is tried instead: io_uring with IOSQE_ASYNC.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench.figures import Figure, Spread, Table
from tests.bench.tracers import STEPWELL
from tests.storage.slow import Settings, Slow

FILE_BYTES = 256 << 20
SLOW = Settings(latency_us=3000, bytes_s=100_000_000, async_direct=1)
KINDS = ("queue-depth", "submission")


@dataclass(frozen=True)
class Queue:
    """How fio reads, and where from."""

    engine: str
    depth: int
    block: int
    reads: int
    storage: Settings | None = SLOW
    """None is the local disk."""

    def argv(self, directory: Path, depth: int, engine: str, *more: str) -> list[str]:
        """Return fio's command line at a depth."""
        return [
            "fio", "--name=x", f"--filename={directory}/data", f"--size={FILE_BYTES}", f"--number_ios={self.reads}",
            f"--bs={self.block}", "--rw=randread", "--randrepeat=1", "--direct=1", f"--ioengine={engine}",
            f"--iodepth={depth}", "--output-format=terse", *more,
        ]  # fmt: skip


QUEUES = {
    "io_uring, 1 in flight": Queue("io_uring", 1, 65_536, 1000),
    "libaio, 1 in flight": Queue("libaio", 1, 65_536, 1000),
    "io_uring, 4 in flight": Queue("io_uring", 4, 65_536, 4000),
    "libaio, 4 in flight, 16 KiB": Queue("libaio", 4, 16_384, 4000),
    "io_uring, 64 in flight": Queue("io_uring", 64, 65_536, 16_000),
    "io_uring, 1 in flight, 20 MB/s in all": Queue(
        "io_uring", 1, 65_536, 1000, Settings(latency_us=3000, total_bytes_s=20_000_000, async_direct=1)
    ),
    "libaio, 4, handing over waits": Queue(
        "libaio", 4, 65_536, 1000, Settings(latency_us=3000, bytes_s=100_000_000)
    ),
    "local disk: io_uring, 1 in flight, 4 KiB": Queue("io_uring", 1, 4096, 16_000, None),
}  # fmt: skip


def _run(slow: Slow | None, argv: list[str]) -> float:
    began = time.monotonic()
    subprocess.run(slow.argv(*argv) if slow else argv, check=True, capture_output=True)
    return time.monotonic() - began


def _measure(queue: Queue, name: str, work: Path, program: Path, repetitions: int) -> dict[str, Figure]:
    source, mount = work / "queues", work / "queues-mount"
    mount.mkdir(exist_ok=True)
    slow = Slow(program, source, mount, queue.storage) if queue.storage else None
    directory = mount if slow else source
    before = queue.argv(directory, queue.depth, queue.engine)
    store = [str(STEPWELL), "--store", str(work / f"{name}.duckdb")]
    _run(slow, [*store, "record", "--under", str(directory), "--", *before])
    explained = subprocess.run([*store, "explain", "fio", "-o", "json"], check=True, capture_output=True)
    findings = json.loads(explained.stdout)["findings"]
    finding = next((one for one in findings if one["kind"] in KINDS), None)
    if finding is None:
        return {"change": f"none: {', '.join(one['kind'] for one in findings)}"}
    depth = round(next(given["value"] for given in finding["inputs"] if given["name"] == "concurrency proposed"))
    held_up = finding["kind"] == "submission"
    after = queue.argv(directory, depth, *(["io_uring", "--force_async=1"] if held_up else [queue.engine]))
    times = [(_run(slow, before), _run(slow, after)) for _ in range(repetitions)]
    gains = Spread.of(one / other for one, other in times)
    low, high = finding["speedup"]["low"], finding["speedup"]["high"]
    return {
        "change": f"{queue.depth} to {depth}{' with IOSQE_ASYNC' if held_up else ''}",
        "before, s": Spread.of(one for one, _ in times),
        "after, s": Spread.of(other for _, other in times),
        "predicted": f"{low:.2f}x to {high:.2f}x",
        "measured": gains,
        "inside": "yes" if low <= gains.median <= high else "no",
    }


def queues(work: Path, program: Path, *, quick: bool) -> Table:
    """Return how deeper queues gained what was said, or that nothing was said."""
    (work / "queues").mkdir()
    with (work / "queues" / "data").open("wb") as file:
        for _ in range(FILE_BYTES >> 20):
            file.write(os.urandom(1 << 20))
        os.fsync(file.fileno())
    table = Table("predicted and measured gains of deeper queues; storage of 3 ms and 100 MB/s a request")
    for name, queue in QUEUES.items():
        table.rows[name] = _measure(queue, name.replace(" ", "-").replace("/", "-"), work, program, 1 if quick else 5)
    return table
