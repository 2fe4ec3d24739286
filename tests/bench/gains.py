"""Predicted gains against measured ones: three changes to readers of a storage with 3 ms latency and 100 MB/s.

Each reader is recorded once; the report's finding says what to change and what that gains.  Then the reader as it was
and the reader with exactly that change run in turns, untraced.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.bench.figures import Figure, Spread, Table
from tests.bench.layouts import layouts
from tests.bench.queues import queues
from tests.bench.tracers import STEPWELL
from tests.storage.slow import Settings, Slow, compile_slow

READER = Path(__file__).with_name("reader.py")
LATENCY_US, BYTES_S = 3000, 100_000_000
TIMED = 'began=$(date +%s%N); "$@" > /dev/null && echo $(($(date +%s%N) - began))'
WINDOW = 'echo $1 > /sys/class/bdi/$(mountpoint -d "$2")/read_ahead_kb; shift 2; exec "$@"'


@dataclass(frozen=True)
class Change:
    """A reader, the finding that is asked for, and which of its inputs is what to change."""

    name: str
    reader: str
    now: int
    files: int
    sizes: tuple[int, int]
    kind: str
    proposed: str
    read_ahead: bool = False

    def argv(self, mount: Path, value: int | None) -> list[str]:
        """Return the reader's command line, as it was or with what was proposed."""
        setting = self.now if value is None or self.read_ahead else value
        command = [sys.executable, str(READER), self.reader, str(mount), str(setting)]
        if self.read_ahead and value is not None:
            return ["sh", "-c", WINDOW, "sh", str(value // 1024), str(mount), *command]
        return command


CHANGES = (
    Change("read size", "chunks", 65_536, 48, (1 << 20, 1 << 20), "read-size", "read size proposed"),
    Change("workers", "workers", 1, 500, (60_000, 180_000), "concurrency", "concurrency proposed"),
    Change("read-ahead", "along", 65_536, 12, (8 << 20, 8 << 20), "read-ahead", "window proposed", read_ahead=True),
)


def _timed(slow: Slow, argv: list[str], environment: dict[str, str]) -> float:
    """Return the seconds of a command on the storage, newly mounted; mounting is no part of what is predicted."""
    done = subprocess.run(slow.argv("sh", "-c", TIMED, "sh", *argv), check=True, env=environment, capture_output=True)
    return int(done.stdout) / 1e9


def _measure(change: Change, work: Path, program: Path, repetitions: int, shrink: int) -> dict[str, Figure]:
    source, mount = work / change.reader, work / f"{change.reader}-mount"
    source.mkdir()
    mount.mkdir()
    files = max(4, change.files // shrink)
    rng = random.Random(7)
    for number in range(files):
        (source / str(number)).write_bytes(rng.randbytes(rng.randint(*change.sizes)))
    environment = os.environ | {"FILES": str(files)}
    slow = Slow(program, source, mount, Settings(latency_us=LATENCY_US, bytes_s=BYTES_S))
    store = [str(STEPWELL), "--store", str(work / f"{change.reader}.duckdb")]
    record = [*store, "record", "--under", str(mount), "--", *change.argv(mount, None)]
    subprocess.run(slow.argv(*record), check=True, env=environment, capture_output=True)
    explained = subprocess.run([*store, "explain", str(mount), "-o", "json"], check=True, capture_output=True)
    findings = json.loads(explained.stdout)["findings"]
    finding = next((one for one in findings if one["kind"] == change.kind), None)
    if finding is None:
        return {"change": f"no finding {change.kind}: {', '.join(one['kind'] for one in findings)}"}
    value = round(next(given["value"] for given in finding["inputs"] if given["name"] == change.proposed))
    before, after = [], []
    for _ in range(repetitions):
        before.append(_timed(slow, change.argv(mount, None), environment))
        after.append(_timed(slow, change.argv(mount, value), environment))
    low, high = finding["speedup"]["low"], finding["speedup"]["high"]
    gains = Spread.of(one / other for one, other in zip(before, after, strict=True))
    return {
        "change": f"{change.now if not change.read_ahead else 131_072:,} to {value:,}",
        "before, s": Spread.of(before),
        "after, s": Spread.of(after),
        "predicted": f"{low:.2f}x to {high:.2f}x",
        "measured": gains,
        "inside": "yes" if low <= gains.median <= high else "no",
        "rank": f"{1 + findings.index(finding)} of {len(findings)}",
    }


def gains(work: Path, *, quick: bool) -> list[Table]:
    program = compile_slow(work)
    table = Table(f"predicted and measured gains; storage of {LATENCY_US / 1000:g} ms and {BYTES_S / 1e6:g} MB/s each")
    for change in CHANGES:
        table.rows[change.name] = _measure(change, work, program, 1 if quick else 5, 4 if quick else 1)
    table.notes.append("rank: place of the finding among those on the dataset, by the time they would save")
    return [table, queues(work, program, quick=quick), layouts(work, program, quick=quick)]
