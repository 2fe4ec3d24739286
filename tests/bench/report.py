"""How long `stepwell report` takes on traces of a known size."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from tests.bench.figures import Figure, Table
from tests.bench.synthetic import write_spool
from tests.bench.tracers import STEPWELL

from stepwell.store import Store
from stepwell.store import ingest as take

RUNS_PER_ACCESS = 1 / 11
"""In a mixed trace, about: half of the runs have one access, the others 21."""


def _report(database: Path, form: str) -> tuple[float, float]:
    """Return the seconds and the peak of resident memory in MiB."""
    began = time.perf_counter()
    command = [str(STEPWELL), "--store", str(database), "report", "-o", form]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"report failed with {process.returncode}")
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def report(work: Path, *, quick: bool) -> list[Table]:
    table = Table("stepwell report, from start to end of the process")
    spool, database = work / "trace.spool", work / "store.duckdb"
    cases = [(10_000, False)] if quick else [(1_000_000, False), (1_000_000, True), (50_000_000, True)]
    for accesses, mixed in cases:
        write_spool(spool, int(accesses * RUNS_PER_ACCESS) if mixed else accesses, mixed=mixed)
        with Store.open(database, "w") as store:
            taken = take(store, spool)
        row: dict[str, Figure] = {"accesses": taken.accesses}
        for form in ("table", "json", "html"):
            row[f"{form}, s"], row[f"{form}, peak MiB"] = _report(database, form)
        table.rows[f"{accesses / 1e6:g} M accesses, {'mixed' if mixed else 'random'}"] = row
        spool.unlink()
        database.unlink()
    return [table]
