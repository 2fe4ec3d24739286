"""What tracing adds to a cached 4 KiB pread, for Stepwell and its peers in turns."""

from __future__ import annotations

from pathlib import Path

from tests.bench.figures import Spread, Table
from tests.bench.loop import Loop, compile_loop
from tests.bench.tracers import TRACERS, Traced, missing, tracefs

PEERS = {"x count": "bpftrace, count by comm", "x histogram": "bpftrace, latency histogram"}
"""Columns of ratios: the median that a tracer adds, against the median that these add."""

NOTES = [
    "added us: median batch minus that of the untraced repetition beside it; fastest: the same of the fastest batches.",
    "x count, x histogram: what it adds in relation to what bpftrace adds. bpftrace keeps sums only, no trace.",
    "strace is given a twentieth of the calls.",
]


def overhead(work: Path, *, quick: bool) -> list[Table]:
    if lacking := missing():
        raise SystemExit(f"cannot compare without {', '.join(lacking)}; `make bench` installs them")
    program, data = compile_loop(work)
    repetitions, batches = (1, 5) if quick else (5, 50)
    tables = []
    with tracefs():
        for threads in (1, 2):
            for call in ("sequential", "random"):
                loop = Loop(program, data, call, threads, batches)
                turns = [{name: run(loop) for name, run in TRACERS.items()} for _ in range(repetitions)]
                tables.append(_table(loop, turns))
    tables[-1].notes += NOTES
    return tables


def _table(loop: Loop, turns: list[dict[str, Traced]]) -> Table:
    threads = "1 thread" if loop.threads == 1 else f"{loop.threads} threads"
    table = Table(
        f"Cached preads of 4 KiB, {loop.call}, {threads}: {len(turns)} repetitions of {loop.batches} batches of "
        f"{loop.calls:,} calls"
    )
    base = [turn["untraced"].times for turn in turns]
    times = {name: [turn[name].times for turn in turns] for name in TRACERS}
    added = {
        name: Spread.of((one.median - other.median) / 1000 for one, other in zip(own, base, strict=True))
        for name, own in times.items()
    }
    for name, own in times.items():
        row = table.rows.setdefault(name, {"us a call": Spread.of(one.median / 1000 for one in own)})
        if name == "untraced":
            continue
        row["added us"] = added[name]
        row["fastest"] = Spread.of((one.fastest - other.fastest) / 1000 for one, other in zip(own, base, strict=True))
        for column, peer in PEERS.items():
            row[column] = added[name].median / added[peer].median
        row["lost"] = sum(max(0, loop.total - (turn[name].seen or 0)) for turn in turns)
        if turns[0][name].trace_bytes is not None:
            row["trace B a call"] = max(turn[name].trace_bytes or 0 for turn in turns) / loop.total
    return table
