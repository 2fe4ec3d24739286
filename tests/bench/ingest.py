"""How fast, in how much memory and into how many bytes runs go from a spool file into the store."""

from __future__ import annotations

import multiprocessing
import resource
import time
from pathlib import Path

from tests.bench.figures import Figure, Table
from tests.bench.synthetic import write_spool

from stepwell.cli.imports import without_pandas
from stepwell.store import Store
from stepwell.store import ingest as take

QUERIES = {
    "all accesses, s": "SELECT count(*), sum(size) FROM accesses",
    "one file of all, s": "SELECT count(*), sum(size) FROM accesses WHERE path = '/data/f500' AND op = 'read'",
}


def _measure(spool: Path, database: Path, runs: int) -> dict[str, Figure]:
    """Ingest and query, in a process of its own for the sake of the memory's peak."""
    without_pandas()  # as the command does
    began = time.perf_counter()
    with Store.open(database, "w") as store:
        result = take(store, spool)
        seconds = time.perf_counter() - began
    figures: dict[str, Figure] = {
        "accesses": result.accesses,
        "M runs/s": runs / seconds / 1e6,
        "peak MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "spool B a run": spool.stat().st_size / runs,
        "store B a run": database.stat().st_size / runs,
    }
    with Store.open(database, "r") as store:
        for name, sql in QUERIES.items():
            began = time.perf_counter()
            store.query(sql).read_all()
            figures[name] = time.perf_counter() - began
    return figures


def ingest(work: Path, *, quick: bool) -> list[Table]:
    table = Table("From spool file to store, first byte to commit on disk; each in a process of its own")
    for runs in [100_000] if quick else [1_000_000, 10_000_000, 50_000_000]:
        for mixed in (False, True):
            spool, database = work / "trace.spool", work / "store.duckdb"
            write_spool(spool, runs, mixed=mixed)
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                table.rows[f"{runs:,} runs, {'mixed' if mixed else 'random'}"] = pool.apply(
                    _measure, (spool, database, runs)
                )
            spool.unlink()
            database.unlink()
    table.notes += [
        "random: single reads of 4 KiB, the worst case. mixed: half of the runs are longer, with histograms."
    ]
    return [table]
