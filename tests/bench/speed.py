"""How fast a trace is understood: verdicts, each analysis and the whole report, each as a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.figures import Figure, Spread, Table
from tests.bench.synthetic import write_files, write_sequential, write_spool
from tests.bench.tracers import STEPWELL

from stepwell.analysis import ANALYSIS_VERSION, classify, summarize, understand
from stepwell.analysis.orders import orders
from stepwell.analysis.waits import waits
from stepwell.cli.imports import without_pandas
from stepwell.store import Store
from stepwell.store import ingest as take

ANALYSES: dict[str, Callable[[Store], object]] = {
    "classify": lambda store: classify(store, 1),
    "summarize": lambda store: summarize(store, 1, heat_rows=48, most_pictures=24),
    "orders": lambda store: orders(store, 1),
    "waits": lambda store: waits(store, 1),
    "understand": lambda store: understand(store, 1),
}
KINDS: dict[str, Callable[[Path, int], None]] = {
    "random": lambda spool, accesses: write_spool(spool, accesses, mixed=False, waiting=1 / 3),
    "sequential": write_sequential,
    "small files": lambda spool, accesses: write_files(spool, accesses, accesses // 10),
    "twice as many, each opened once": lambda spool, accesses: write_files(
        spool, accesses // 5, accesses // 5, epochs=1, places=5
    ),
}
FORMS = ("table", "json", "html")
REPEATED = 5
"""Times that what takes seconds is measured; minutes are measured once."""


def _measured(command: list[str], bytecode: Path) -> tuple[float, float, float]:
    """Return the elapsed and the processor time of a process, in s, and the peak of its resident memory, in MiB.

    Python keeps its modules compiled in `bytecode`, as it does for users, whatever the environment says of it.
    """
    environment = os.environ | {"PYTHONPYCACHEPREFIX": str(bytecode), "PYTHONDONTWRITEBYTECODE": ""}
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with {process.returncode}")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def _row(command: list[str], repeated: int, bytecode: Path) -> dict[str, Figure]:
    found = [_measured(command, bytecode) for _ in range(repeated)]
    elapsed, processor, memory = zip(*found, strict=True)
    return {
        "s": Spread.of(elapsed), "processor, s": Spread.of(processor), "peak MiB": max(memory),
        "load": os.getloadavg()[0],
    }  # fmt: skip


def _prepare(spool: Path, database: Path, kind: str, accesses: int) -> None:
    """Make a store with one trace."""
    KINDS[kind](spool, accesses)
    with Store.open(database, "w") as store:
        take(store, spool)
        store.set_patterns(1, classify(store, 1), ANALYSIS_VERSION)
    spool.unlink()


def speed(work: Path, *, quick: bool) -> list[Table]:
    spool, database, bytecode = work / "trace.spool", work / "store.duckdb", work / "bytecode"
    size = 10_000 if quick else 1_000_000
    cases = [(kind, size) for kind in KINDS]
    if not quick:
        cases += [("random", 50 * size), ("sequential", 50 * size)]
    tables = []
    for name, accesses in cases:
        # Not in this process: a child's peak of memory begins with its parent's.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            pool.apply(_prepare, (spool, database, name, accesses))
        table = Table(f"{accesses / 1e6:g} M accesses, {name}: whole processes, Python's start included")
        repeated = 1 if quick or accesses > size else REPEATED
        for analysis in ANALYSES:
            command = [sys.executable, "-m", "tests.bench.speed", analysis, str(database)]
            table.rows[analysis] = _row(command, repeated, bytecode)
        for form in FORMS:
            command = [str(STEPWELL), "--store", str(database), "report", "-o", form]
            table.rows[f"report -o {form}"] = _row(command, repeated, bytecode)
        tables.append(table)
        database.unlink()
    return tables


if __name__ == "__main__":
    without_pandas()
    with Store.open(Path(sys.argv[2]), "r") as opened:
        ANALYSES[sys.argv[1]](opened)
