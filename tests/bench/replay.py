"""How exactly `stepwell replay` keeps times: the recording of a replay beside the recording it replays."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
from tests.bench.figures import Table
from tests.bench.loop import Loop, compile_loop
from tests.bench.tracers import STEPWELL

from stepwell.store import Store


def _starts(database: Path, trace: int, path: str) -> list[np.ndarray]:
    """Return the starts of each thread's accesses to a file, in nanoseconds since the first of all."""
    chosen = f"trace = {trace} AND path LIKE '%/{path}' AND op = 'read'"
    sql = f"SELECT thread, start_ns FROM accesses WHERE {chosen} ORDER BY thread, seq"
    with Store.open(database, "r") as store:
        found = store.query(sql).read_all()
    threads, starts = found["thread"].to_numpy(), found["start_ns"].to_numpy()
    each = np.split(starts - starts.min(), np.flatnonzero(np.diff(threads)) + 1)
    return sorted(each, key=lambda one: int(one[0]))


def _record(database: Path, *command: str) -> str:
    done = subprocess.run(
        [str(STEPWELL), "--store", str(database), "record", "-q", "--", *command],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout


def replay(work: Path, *, quick: bool) -> list[Table]:
    """Record a paced reader, replay it under `record`, and compare when each access began."""
    program, data = compile_loop(work)
    table = Table("Replay at 1x: the recorded replay against the recording")
    database, copy = work / "store.duckdb", work / "copy"
    trace = 0
    for call in ("sequential", "random"):
        for threads in (1, 2, 4):
            loop = Loop(
                program, data, call, threads=threads, batches=3 if quick else 50, calls=8000 // threads, rate=20_000
            )
            _record(database, *loop.argv())
            loop.times()
            trace += 2
            command = [str(STEPWELL), "--store", str(database), "replay", str(trace - 1), "--on", str(copy)]
            told = json.loads(_record(database, *command, "--under", str(work), "--make-files", "-o", "json"))
            before, after = (_starts(database, number, data.name) for number in (trace - 1, trace))
            wanted = np.concatenate(before) - min(one[0] for one in before)
            got = np.concatenate(after) - min(one[0] for one in after)
            spacing = [np.diff(np.concatenate([one[:1] * 0, one[::1000]])) for one in (wanted, got)]
            drift = np.abs(got - wanted)
            table.rows[f"{call}, {threads} threads"] = {
                "accesses": len(wanted),
                "accesses/s recorded": len(wanted) / (wanted.max() / 1e9),
                "accesses/s replayed": len(got) / (got.max() / 1e9),
                "total, off by %": abs(got.max() / wanted.max() - 1) * 100,
                "1,000 accesses, off by %, worst": float(
                    np.max(np.abs(spacing[1] - spacing[0])[spacing[0] > 0] / spacing[0][spacing[0] > 0]) * 100
                ),
                "access off by, us, median": float(np.median(drift)) / 1e3,
                "99 %": float(np.quantile(drift, 0.99)) / 1e3,
                "late > 1 ms": told["late"]["accesses"],
            }
    return [table]
