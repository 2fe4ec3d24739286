"""Reuse: curves against exact ones, verdicts against truth, simulated caches against the page cache, and speed."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from tests.bench.figures import Figure, Table
from tests.bench.synthetic import write_spool
from tests.kernel.caching import BLOCK, hierarchy, measure, readahead
from tests.kernel.tool import Stepwell
from tests.truth.reuse import FAMILIES, Blocks, disturbed, lru_distances, runs_of

from stepwell.analysis.native.reuse import FILE, NO_SAMPLE, Samples
from stepwell.analysis.reuse import Reuse, Subjects
from stepwell.analysis.reuse.curve import miss_ratios
from stepwell.analysis.reuse.decide import Verdict, decide
from stepwell.analysis.reuse.simulate import POLICIES, Case, chosen_files, simulate
from stepwell.analysis.scan import scan
from stepwell.analysis.thresholds.reuse import ReuseLimits
from stepwell.store import Store
from stepwell.store import ingest as take

_WORDS = (*FAMILIES, "unknown")


def _zipf(rng: np.random.Generator, exponent: float, blocks: int, count: int) -> Blocks:
    share = 1 / np.arange(1, blocks + 1) ** exponent
    return rng.permutation(blocks)[rng.choice(blocks, count, p=share / share.sum())]


def _distributions(scale: int) -> dict[str, Blocks]:
    rng = np.random.default_rng(31)
    blocks, count = 100_003 // scale, 1_000_003 // scale
    groups = np.arange(blocks // 97)[:, None] * 97 + np.tile(np.arange(97), 5)
    return {
        "uniform": rng.integers(0, blocks, count),
        "Zipf 0.8": _zipf(rng, 0.8, 2 * blocks, count),
        "Zipf 1.2": _zipf(rng, 1.2, 2 * blocks, count),
        "loop": np.tile(np.arange(blocks), 7),
        "reshuffled epochs": np.concatenate([rng.permutation(blocks) for _ in range(7)]),
        "once, and a hot tenth": np.stack(
            [np.arange(count // 2), count + rng.integers(0, blocks // 10, count // 2)], axis=1
        ).ravel(),
        "groups read five times": groups.ravel(),
    }


def _sampled(blocks: Blocks) -> tuple[Any, Any, Verdict, float]:
    files = np.zeros(1, FILE)
    files["samples"] = (0, 1, NO_SAMPLE)
    began = time.perf_counter()
    with Samples(files, 1, 1, shift=12, window_ns=10**9, limits=ReuseLimits()) as samples:
        samples.feed(runs_of(blocks))
        samples.finish()
        evidence = samples.evidence()
        seconds = time.perf_counter() - began
        verdict = decide(evidence, samples.uses, block=BLOCK).of(1)
        return samples.curve(1)[0], evidence[1], verdict, seconds


def _curves(*, quick: bool) -> Table:
    table = Table("Miss-ratio curves of LRU: sampled (SHARDS) against exact, at 1,009 sizes up to the working set")
    for name, blocks in _distributions(20 if quick else 1).items():
        curve, found, _, seconds = _sampled(blocks)
        size, misses = miss_ratios(curve, found, ReuseLimits().per_octave)
        exact = 1 - np.cumsum(lru_distances(blocks)) / len(blocks)
        points = np.linspace(1, len(np.unique(blocks)), 1009).astype(int)
        errors = np.abs(np.interp(points, size, misses) - exact[points - 1])
        table.rows[name] = {
            "references": len(blocks),
            "one block in": round(1 / float(found["rate"])),
            "mean absolute error": float(errors.mean()),
            "largest": float(errors.max()),
            "s": seconds,
        }
    return table


def _verdicts(*, quick: bool) -> list[Table]:
    tables = []
    for noise in (0.0, 0.01, 0.1):
        rng = np.random.default_rng(37)
        table = Table(f"Classes of reuse with {noise:.0%} foreign accesses: truth in rows, verdicts in columns")
        right = total = confident = 0
        for word, makers in FAMILIES.items():
            found = Counter[str]()
            for maker in makers:
                for _ in range(2 if quick else 101):
                    verdict = _sampled(disturbed(rng, maker(rng), noise))[2]
                    found[verdict.reuse] += 1
                    confident += verdict.reuse != word and verdict.confidence >= 0.8
            table.rows[word] = {one: found[one] for one in dict.fromkeys(_WORDS)}
            right += found[word]
            total += found.total()
        table.notes.append(
            f"{right / total:.1%} of {total:,} right; {confident} wrong with a confidence of 0.8 and more"
        )
        tables.append(table)
    return tables


def _page_cache(work: Path, *, quick: bool) -> Table:
    table = Table("Simulated caches against the page cache in a memory cgroup: pages fetched for each read of 4 KiB")
    if hierarchy() is None:
        table.notes.append("memory cannot be limited by a control group here")
        return table
    stepwell = Stepwell(work / "store.duckdb")
    blocks, reads = (3 * 1024, 10_007) if quick else (48 * 1024, 300_007)
    for pattern in ("uniform", "zipf", "loop"):
        found = measure(stepwell, work, pattern, limit=blocks * BLOCK // 2, blocks=blocks, reads=reads)
        with Store.open(stepwell.store, "r") as store:
            trace = store.latest_trace()
            files = chosen_files(store, trace, str(work / f"{pattern}.data"))
            window = readahead(work) if pattern == "loop" else 0
            policies = [policy for policy in POLICIES if policy != "min"]
            made = simulate(store, trace, files, Case(readahead=window), [found.cache], policies)
        row: dict[str, Figure] = {"cache, MiB": found.cache / 2**20, "measured": found.filled / found.reads}
        table.rows[pattern] = row | {one.policy: one.fetched_bytes / BLOCK / found.reads for one in made}
    return table


def _seconds(database: Path) -> dict[str, Figure]:
    """Classify in a process of its own, for the sake of the memory's peak."""
    with Store.open(database, "r") as store:
        began = time.perf_counter()
        with Reuse(Subjects.of(store, 1)) as engine:
            questions = time.perf_counter() - began
            fed = 0.0

            class Clocked:
                columns = Reuse.columns

                def feed(self, runs: Any) -> None:
                    nonlocal fed
                    start = time.thread_time()
                    engine.feed(runs)
                    fed += time.thread_time() - start

            scan(store, 1, [Clocked()])
            engine.finish()
            engine.verdicts()
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"all, s": seconds, "questions, s": questions, "engine, s of processor": fed, "peak MiB": peak}


def _speed(work: Path, *, quick: bool) -> Table:
    table = Table("Classes and curves of a trace, from its store")
    runs = 100_000 if quick else 50_000_000
    for mixed in (False, True):
        spool, database = work / "trace.spool", work / "speed.duckdb"
        number = runs // 11 if mixed else runs
        write_spool(spool, number, mixed=mixed)
        with Store.open(database, "w") as store:
            accesses = take(store, spool).accesses
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            table.rows[f"{accesses:,} accesses, {'mixed' if mixed else 'random'}"] = pool.apply(_seconds, (database,))
        spool.unlink()
        database.unlink()
    return table


def reuse(work: Path, *, quick: bool) -> list[Table]:
    """Everything about reuse."""
    return [_curves(quick=quick), *_verdicts(quick=quick), _page_cache(work, quick=quick), _speed(work, quick=quick)]
