"""How long it takes to find out where the time of a trace went: accounts, storages, verdicts."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.figures import Figure, Table
from tests.bench.synthetic import write_spool

from stepwell.analysis.waits import waits
from stepwell.store import Store, ingest

WAITED = "UPDATE stored.run SET waited = count, wait_ns = latency_ns, filled = count"
"""The synthetic traces come from the cache; this makes every access one that waited for storage, the worst case."""


def _study(database: Path) -> None:
    with Store.open(database, "r") as store:
        began = time.perf_counter()
        waits(store, 1)
        print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def facts(work: Path, *, quick: bool) -> list[Table]:
    table = Table("where the time of a trace went (stepwell.analysis.waits)")
    spool, database = work / "trace.spool", work / "store.duckdb"
    for runs in (10_000,) if quick else (1_000_000, 50_000_000):
        write_spool(spool, runs, mixed=False)
        with Store.open(database, "w") as store:
            ingest(store, spool)
        spool.unlink()
        row: dict[str, Figure] = {}
        for name, change in (("from memory", ""), ("all waited", WAITED)):
            if change:
                with Store.open(database, "w") as store:
                    store.connection.execute(change)
            command = [sys.executable, "-m", "tests.bench.facts", str(database)]
            answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
            row[f"{name}, s"], row[f"{name}, peak MiB"] = map(float, answer)
        database.unlink()
        table.rows[f"{runs / 1e6:g} M random accesses"] = row
    return [table]


if __name__ == "__main__":
    _study(Path(sys.argv[1]))
