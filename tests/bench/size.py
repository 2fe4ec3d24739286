"""How many bytes a trace takes, in the spool file and in the store."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.bench.figures import Figure, Table
from tests.bench.loop import Loop, compile_loop
from tests.bench.tracers import STEPWELL

from stepwell.store import Store
from stepwell.store import ingest as take


def _record(command: list[str], database: Path, where: str) -> dict[str, Figure]:
    """Record a command; the store is busy meanwhile, so that the spool file stays to be measured."""
    with Store.open(database, "w") as store:
        empty = database.stat().st_size
        subprocess.run(
            [str(STEPWELL), "--store", str(database), "record", "--", *command], check=True, capture_output=True
        )
        (spool,) = Path(f"{database}.spool").glob("*.spool")
        spooled = spool.stat().st_size
        taken = take(store, spool)
        spool.unlink()
    with Store.open(database, "r") as store:
        (accesses, runs), *_ = store.rows(
            f"SELECT sum(count)::BIGINT, count(*) FROM runs JOIN files USING (trace, file) WHERE {where}"
        )
    stored = database.stat().st_size
    database.unlink()
    return {
        "accesses of the data": accesses,
        "runs": runs,
        "spool B": spooled,
        "store B": stored,
        "empty store B": empty,
        "spool B an access": spooled / taken.accesses,
        "lost": taken.lost,
    }


def size(work: Path, *, quick: bool) -> list[Table]:
    program, data = compile_loop(work)
    table = Table("Bytes of a trace: spool file, and store with this trace alone")
    database, sparse = work / "store.duckdb", work / "sparse"
    for gib in (1, 4) if quick else (1, 100):
        with sparse.open("wb") as file:
            file.truncate(gib << 30)
        table.rows[f"{gib} GiB (sparse) read once, 1 MiB at a time"] = _record(
            ["dd", f"if={sparse}", "of=/dev/null", "bs=1M", "status=none"], database, f"path = '{sparse}'"
        )
        sparse.unlink()
    for call in ("sequential", "random"):
        loop = Loop(program, data, call, 1, 50, 800 if quick else 8000)
        table.rows[f"{loop.total:,} {call} reads of 4 KiB"] = _record(loop.argv(), database, f"path = '{data}'")
    return [table]
