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
from tests.truth.accesses import Rng, Series, disturbed, interleaved, thinned
from tests.truth.composed import COMPOSED
from tests.truth.crews import CREWS, TOGETHER, shared
from tests.truth.crews import LATER as CREWS_LATER
from tests.truth.heldout import HELD_OUT
from tests.truth.judged import judge, judge_crew, names
from tests.truth.later import LATER
from tests.truth.patterns import FAMILIES
from tests.truth.unseen import UNSEEN, Label, Maker

from stepwell.analysis import classify
from stepwell.store import Store
from stepwell.store import ingest as take

CONFIDENT = 0.8

Labelled = dict[str, tuple[Label, Maker]]

Change = Callable[[Rng, Series, Maker], Series]

DISTURBANCES: dict[str, Change] = {
    "as it is": lambda _rng, series, _maker: series,
    "1 % foreign accesses": lambda rng, series, _maker: disturbed(rng, series, 0.01),
    "10 % foreign accesses": lambda rng, series, _maker: disturbed(rng, series, 0.1),
    "10 % lost": lambda rng, series, _maker: thinned(rng, series, 0.1),
    "with another one of its kind": lambda rng, series, maker: interleaved(rng, [series, maker(rng)], regular=False),
}

ALONE = {"as it is", "1 % foreign accesses", "10 % foreign accesses", "10 % lost"}
"""Two of their kind at once would not be what the label says: those with a start, an end or a change."""


def _labelled(families: dict[str, tuple[Maker, ...]]) -> Labelled:
    return {maker.__name__: (frozenset({word}), maker) for word, makers in families.items() for maker in makers}


SETS: dict[str, tuple[Labelled, set[str]]] = {
    "families that rules were chosen on": (_labelled(FAMILIES), ALONE),
    "families made later": (_labelled(HELD_OUT), ALONE),
    "programs of the field": (UNSEEN, set(DISTURBANCES)),
    "programs of the field, written after the rules": (LATER, set(DISTURBANCES)),
    "put together at random": (COMPOSED, set(DISTURBANCES)),
}
PAIRLESS = {
    "tiny_whole", "tiny_part", "log_append", "write_ahead_log", "warm_up_then_lookups", "tac", "reverse_playback",
    "short_reads", "there_and_back",
}  # fmt: skip


def _judged(families: Labelled, disturbance: str, seeds: int) -> tuple[dict[str, Figure], Table]:
    """Return how often verdicts are right, and a row for each family where one was not."""
    table = Table(disturbance)
    right = wrong = number = 0
    for kind, (name, (label, maker)) in enumerate(families.items()):
        if name in PAIRLESS and disturbance not in ALONE:
            continue
        series = []
        for seed in range(seeds):
            rng = np.random.default_rng([seed, kind, 1009])
            series.append(DISTURBANCES[disturbance](rng, maker(rng), maker))
        _, verdicts = judge(series, seen=0.9 if "lost" in disturbance else 1.0)
        found = names(verdicts)
        misses = Counter(verdict for verdict in found if verdict not in label)
        bold = sum(
            verdict not in label | {"unknown"} and bool(confidence >= CONFIDENT)
            for verdict, confidence in zip(found, verdicts["confidence"], strict=True)
        )
        good = seeds - misses.total()
        if misses:
            row: dict[str, Figure] = {"% right": 100 * good / seeds, "wrong but confident": bold}
            table.rows[f"{name} ({' or '.join(sorted(label))})"] = row | dict(sorted(misses.items()))
        right, wrong, number = right + good, wrong + bold, number + seeds
    return {
        "series": number, "% right": 100 * right / number, "wrong but confident": wrong,
        "% wrong but confident": 100 * wrong / number,
    }, table  # fmt: skip


def _verdicts(title: str, families: Labelled, disturbances: set[str], seeds: int) -> list[Table]:
    whole, details = Table(f"Verdicts: {title}"), []
    for disturbance in DISTURBANCES:
        if disturbance in disturbances:
            whole.rows[disturbance], table = _judged(families, disturbance, seeds)
            table.title = f"Misses: {title}, {disturbance}"
            details.append(table)
    return [whole, *(table for table in details if table.rows)]


def _crews(title: str, families: Labelled, seeds: int) -> Table:
    """Return how often the verdict on a file that several threads share is right, and as what it is told."""
    table = Table(f"Verdicts: {title}")
    for kind, (name, (label, maker)) in enumerate(families.items()):
        told, bold = Counter[str](), 0
        for seed in range(seeds):
            rng = np.random.default_rng([seed, kind, 1009])
            found = judge_crew(shared(rng, maker(rng), TOGETHER.get(name, 1)))
            told[found["pattern"]] += 1
            bold += found["pattern"] not in label | {"unknown"} and found["confidence"] >= CONFIDENT
        good = sum(count for pattern, count in told.items() if pattern in label)
        row: dict[str, Figure] = {"series": seeds, "% right": 100 * good / seeds, "wrong but confident": bold}
        table.rows[f"{name} ({' or '.join(sorted(label))})"] = row | {
            "told as": "; ".join(f"{count} {what}" for what, count in told.most_common())
        }
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
    tables = [table for title, of in SETS.items() for table in _verdicts(title, *of, seeds)]
    tables += [
        _crews("files that several threads share", CREWS, seeds),
        _crews("files that several threads share, written after the rule", CREWS_LATER, seeds),
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
