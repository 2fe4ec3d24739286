"""How often verdicts are right, on series whose pattern is known; and how long they take on large traces."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tests.bench.figures import Figure, Table
from tests.bench.synthetic import write_spool
from tests.truth.accesses import Rng, Series, disturbed, thinned
from tests.truth.heldout import HELD_OUT
from tests.truth.judged import judge, names
from tests.truth.patterns import FAMILIES, Maker

from stepwell.analysis import classify
from stepwell.store import Store
from stepwell.store import ingest as take

CONFIDENT = 0.8

DISTURBANCES: dict[str, Callable[[Rng, Series], Series]] = {
    "as it is": lambda _, series: series,
    "1 % foreign accesses": lambda rng, series: disturbed(rng, series, 0.01),
    "10 % foreign accesses": lambda rng, series: disturbed(rng, series, 0.1),
    "10 % lost": lambda rng, series: thinned(rng, series, 0.1),
}


def _confusion(title: str, families: dict[str, tuple[Maker, ...]], disturbance: str, seeds: int) -> Table:
    """Return a row for each true pattern: how many got which verdict."""
    table = Table(f"Verdicts, {title}, {disturbance}")
    right = wrong = number = 0
    for pattern, makers in families.items():
        series = []
        for kind, maker in enumerate(makers):
            for seed in range(seeds):
                rng = np.random.default_rng([seed, kind, 1009])
                series.append(DISTURBANCES[disturbance](rng, maker(rng)))
        _, verdicts = judge(series, seen=0.9 if "lost" in disturbance else 1.0)
        found = names(verdicts)
        bold = [
            verdict not in {pattern, "unknown"} and confidence >= CONFIDENT
            for verdict, confidence in zip(found, verdicts["confidence"], strict=True)
        ]
        row: dict[str, Figure] = {"% right": 100 * found.count(pattern) / len(found), "wrong but confident": sum(bold)}
        table.rows[pattern] = row | dict(sorted(Counter(found).items()))
        right, wrong, number = right + found.count(pattern), wrong + sum(bold), number + len(found)
    table.notes.append(f"{100 * right / number:.2f} % of {number:,} right; {wrong:,} wrong with confidence 0.8 or more")
    return table


def _timed(spool: Path, database: Path) -> dict[str, Figure]:
    """Ingest and classify, in a process of its own for the sake of the memory's peak."""
    with Store.open(database, "w") as store:
        result = take(store, spool)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Store.open(database, "r") as store:
        began = time.perf_counter()
        rows = classify(store, result.trace).num_rows
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "accesses": result.accesses, "rows": rows, "classify, s": seconds, "peak MiB": peak / 1024,
        "peak MiB of ingest": before / 1024,
    }  # fmt: skip


def patterns(work: Path, *, quick: bool) -> list[Table]:
    seeds = 7 if quick else 97
    tables = [
        _confusion(title, families, disturbance, seeds)
        for title, families in (("families known", FAMILIES), ("families made later", HELD_OUT))
        for disturbance in DISTURBANCES
    ]
    table = Table("Time to all verdicts on a trace; reads of 4 KiB, by 17 threads, of 1,009 files")
    # In a mixed trace half of the runs are sequential and have 21 accesses, about.
    for title, runs, mixed in (
        [("random", 100_000, False)] if quick else [
            ("1 M random", 1_000_000, False), ("50 M random", 50_000_000, False),
            ("50 M, most of them sequential", 4_500_000, True),
        ]
    ):  # fmt: skip
        spool, database = work / "trace.spool", work / "store.duckdb"
        write_spool(spool, runs, mixed=mixed)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            table.rows[title] = pool.apply(_timed, (spool, database))
        spool.unlink()
        database.unlink()
    return [*tables, table]
