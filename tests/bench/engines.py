"""How long the same questions take DuckDB and Apache Spark on one machine, over the same Parquet files."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.figures import Figure, Table
from tests.bench.synthetic import write_spool

from stepwell.analysis import queries, unique
from stepwell.analysis.ask import Queryable, ask
from stepwell.analysis.patterns import classify
from stepwell.store import ParquetStore, Store, export
from stepwell.store import ingest as take

DEEDS: dict[str, Callable[[Queryable], object]] = {
    "operations": lambda store: ask(store, queries.OPERATIONS, 1),
    "who read what": lambda store: ask(store, queries.VOLUMES, 1),
    "latencies": lambda store: ask(store, queries.LATENCIES, 1),
    "unique bytes": lambda store: unique.unique(store, 1),
    "verdicts": lambda store: classify(store, 1),
}


def engines(work: Path, *, quick: bool) -> list[Table]:
    table = Table("Seconds over one exported trace, mixed runs; Spark as local[2], after its start")
    for runs in [10_000] if quick else [1_000_000, 10_000_000]:
        spool, database, place = work / "trace.spool", work / "store.duckdb", work / f"{runs}"
        write_spool(spool, runs, mixed=True)
        with Store.open(database, "w") as store:
            take(store, spool)
        with Store.open(database, "r") as store:
            export(store, 1, place)
        database.unlink()
        spool.unlink()
        rows: dict[str, dict[str, Figure]] = {name: {} for name in DEEDS}
        with ParquetStore.of(place) as duckdb:
            _measure(duckdb, "DuckDB", rows)
        began = time.perf_counter()
        from stepwell.store.spark import SparkStore  # an extra, which the other parts do without

        with SparkStore.through("local[2]", place) as spark:
            table.notes.append(f"Spark started in {time.perf_counter() - began:.0f} s.")
            _measure(spark, "Spark", rows)
        table.rows |= {f"{runs:,} runs: {name}": row for name, row in rows.items()}
    return [table]


def _measure(store: Queryable, engine: str, rows: dict[str, dict[str, Figure]]) -> None:
    for name, deed in DEEDS.items():
        began = time.perf_counter()
        deed(store)
        rows[name][f"{engine}, s"] = time.perf_counter() - began
