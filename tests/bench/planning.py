"""Plans: their predicted gains, and what `stepwell run` makes of them, over a storage of 20 ms and 100 MB/s.

Each reader is recorded once; `stepwell plan` says what to do and what that gains.  Then the reader alone, and the
reader with that plan carried out beside it, run in turns; the reader times itself.
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
from tests.bench.tracers import STEPWELL
from tests.storage.slow import Settings, Slow, compile_slow

READER = Path(__file__).with_name("reader.py")
LATENCY_US, BYTES_S = 20_000, 100_000_000


@dataclass(frozen=True)
class Reading:
    """One way to read, with about a millisecond of work after each piece."""

    kind: str
    value: int
    files: int
    octets: int
    """Of each file."""


READINGS = {
    "one file along": Reading("along-working", 65_536, 1, 48 << 20),
    "64 KiB in steps of 1 MiB": Reading("steps", 1 << 20, 1, 96 << 20),
    "128 KiB files by name, 2 epochs": Reading("named", 2, 150, 128 << 10),
    "128 KiB files, shuffled anew, 2 epochs": Reading("shuffled", 2, 150, 128 << 10),
}


def _seconds(argv: list[str], environment: dict[str, str]) -> float:
    done = subprocess.run(argv, check=True, env=environment, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def _measure(reading: Reading, work: Path, program: Path, repetitions: int) -> dict[str, Figure]:
    source, mount = work / reading.kind, work / f"{reading.kind}-mount"
    source.mkdir()
    mount.mkdir()
    rng = random.Random(7)
    for number in range(reading.files):
        (source / str(number)).write_bytes(rng.randbytes(reading.octets))
    environment = os.environ | {"FILES": str(reading.files)}
    slow = Slow(program, source, mount, Settings(latency_us=LATENCY_US, bytes_s=BYTES_S))
    reader = [sys.executable, str(READER), reading.kind, str(mount), str(reading.value)]
    store = [str(STEPWELL), "--store", str(work / f"{reading.kind}.duckdb")]
    record = [*store, "record", "-q", "--under", str(mount), "--", *reader]
    subprocess.run(slow.argv(*record), check=True, env=environment, capture_output=True)
    run = [*store, "run", "-q", "--under", str(mount)]
    plan = work / f"{reading.kind}.json"
    plan.write_bytes(subprocess.run([*store, "plan", "-o", "json"], check=True, capture_output=True).stdout)
    target = json.loads(plan.read_bytes())["targets"][0]
    alone, carried = [], []
    for _ in range(repetitions):
        alone.append(_seconds(slow.argv(*reader), environment))
        carried.append(_seconds(slow.argv(*run, "--plan", str(plan), "--", *reader), environment))
    gains = Spread.of(one / other for one, other in zip(alone, carried, strict=True))
    low, high = (target.get("gain", {}).get(f"{end}_permille", 1000) / 1000 for end in ("low", "high"))
    said = subprocess.run(
        [*store, "query", "-o", "json", "select ratio, low, high, verdict from verdicts order by trace desc limit 1"],
        check=True,
        capture_output=True,
    )
    verdict = json.loads(said.stdout)[0]
    ratio, *bounds = (verdict[name] for name in ("ratio", "low", "high"))
    interval = f", {ratio:.2f}x [{bounds[0]:.2f}, {bounds[1]:.2f}]" if ratio else ""
    return {
        "policy": target["policy"],
        "alone, s": Spread.of(alone),
        "with the plan, s": Spread.of(carried),
        "predicted": f"{low:.2f}x to {high:.2f}x" if target["policy"] != "none" else "left alone",
        "measured": gains,
        "last verdict": verdict["verdict"] + interval,
    }


def planning(work: Path, *, quick: bool) -> list[Table]:
    program = compile_slow(work)
    table = Table(f"plans carried out; storage of {LATENCY_US / 1000:g} ms and {BYTES_S / 1e6:g} MB/s each")
    for name, reading in READINGS.items():
        table.rows[name] = _measure(reading, work, program, 1 if quick else 5)
    return [table]
