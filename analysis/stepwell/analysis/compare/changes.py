"""What differs between two traces, and what each difference is worth."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence

import numpy as np

from stepwell.analysis.ask import Queryable, Row, rows
from stepwell.analysis.compare import noise, queries
from stepwell.analysis.compare.measured import FIGURES, HISTOGRAM, Array, Measured, measure
from stepwell.analysis.compare.model import Change, Comparison, FileChange, Files, PatternChange, Side, SizeChange
from stepwell.analysis.thresholds.compare import LEAST_RUNS, LEAST_TIME_NS, LISTED, READ_AGAIN, RESAMPLES, SLICES

_COLUMN = {name: number for number, name in enumerate(FIGURES)}
_QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


def compare(store: Queryable, a: int, b: int) -> Comparison:
    """Compare two traces of a store.

    Raises:
        NoTraceError: one of them is not in it.
    """
    before, after = measure(store, a), measure(store, b)
    alike = rows(store, queries.ALIKE, a)
    if b not in {row["trace"] for row in alike} or len(alike) < LEAST_RUNS:
        alike = []
    shared = {file["path"] for file in before.files} & {file["path"] for file in after.files}
    roots = [_root(side.files) for side in (before, after)]
    return Comparison(
        a=_side(before, roots[0]),
        b=_side(after, roots[1]),
        runs=len(alike),
        changes=(
            *_trace(before, after, alike),
            *_operations(before, after),
            *_parts(before, after, "process"),
            *_parts(before, after, "dataset"),
        ),
        files=_files(
            *(_named(side.files, "" if shared else root) for side, root in zip((before, after), roots, strict=True))
        ),
        sizes=_sizes(before.sizes, after.sizes),
        patterns=_patterns(before.patterns, after.patterns, ("", "") if shared else (roots[0], roots[1])),
    )


def _side(side: Measured, root: str) -> Side:
    facts = side.facts
    return Side(
        trace=facts["trace"],
        command=facts["command"] or facts["scope"],
        started=facts["started"],
        status=facts["status"],
        lost=side.lost,
        root=root,
    )


def _root(files: list[Row]) -> str:
    directories = {posixpath.dirname(file["path"]) for file in files if file["path"].startswith("/")}
    return posixpath.commonpath(directories) if directories else ""


# ---- figures ----


def _count(scope: str, subject: str, name: str, unit: str, a: int, b: int) -> Change:
    return Change(
        scope, subject, name, unit, a, b, b / a if a else None, None, None, "equal" if a == b else "real", "exact"
    )


def _time(
    scope: str,
    subject: str,
    name: str,
    a: float,
    b: float,
    found: noise.Interval | None,
    *,
    cost_ns: float,
    unit: str = "ns",
) -> Change:
    """Return a measured figure; `cost_ns` is the time that the difference is worth."""
    return Change(
        scope=scope,
        subject=subject,
        name=name,
        unit=unit,
        a=round(a),
        b=round(b),
        ratio=b / a if a else None,
        low=found.low if found and a and b else None,
        high=found.high if found and a and b else None,
        verdict=noise.verdict(a, b, found, cost_ns),
        basis=found.basis if found else "slices",
    )


def _trace(before: Measured, after: Measured, alike: list[Row]) -> Iterator[Change]:
    duration = (before.facts["duration_ns"], after.facts["duration_ns"])
    longer = _longer(before, after)
    cost = abs(duration[1] - duration[0])
    runs = noise.between(*duration, [row["duration_ns"] for row in alike])
    yield _time("trace", "", "duration", *duration, runs or longer, cost_ns=cost)
    for name in ("stall_ns", "wait_ns"):
        values = (before.totals[name], after.totals[name])
        yield _time(
            "trace",
            "",
            name.removesuffix("_ns"),
            *values,
            _of_totals(before, after, name),
            cost_ns=abs(values[1] - values[0]),
        )
    cpu = (before.totals["cpu_ns"], after.totals["cpu_ns"])
    runs = noise.between(*cpu, [row["cpu_ns"] for row in alike])
    yield _time("trace", "", "cpu", *cpu, runs, cost_ns=abs(cpu[1] - cpu[0]))
    for name, written in (("read", False), ("written", True)):
        of = (_sum(before, "bytes", written=written), _sum(after, "bytes", written=written))
        yield _count("trace", "", name, "bytes", *of)
    yield _count(
        "trace",
        "",
        "accesses",
        "count",
        *(sum(row["accesses"] for row in side.operations.values()) for side in (before, after)),
    )
    for name in ("opens", "processes", "threads"):
        yield _count("trace", "", name, "count", before.totals[name], after.totals[name])
    yield _count("trace", "", "files", "count", len(before.files), len(after.files))


def _longer(before: Measured, after: Measured) -> noise.Interval | None:
    """Return the interval of durations, out of how long equal parts of the work took.

    Start-up and end happened once, so that nothing tells how they vary: the interval holds what the ratio would be with
    them as they were, and with them alike in both traces.
    """
    phases, others = [], []
    for number, side in enumerate((before, after)):
        work = side.whole[:, _COLUMN["bytes"]]
        if not noise.enough(work):
            return None
        parts = noise.durations(work) * side.facts["duration_ns"]
        phases.append(noise.resampled(parts[:, None], number)[:, 0])
        others.append(float(side.facts["duration_ns"] - parts.sum()))
    alike = sum(others) / 2
    found = [noise.within(phases[0] + a, phases[1] + b) for a, b in (others, (alike, alike))]
    measured, level = found
    if measured is None or level is None:
        return None
    return noise.Interval(min(measured.low, level.low), max(measured.high, level.high), "slices")


def _sum(side: Measured, name: str, *, written: bool) -> int:
    return sum(row[name] for op, row in side.operations.items() if (op == "write") == written)


def _total(slices: Array, name: str) -> float:
    return float(slices[:, _COLUMN[name]].sum())


def _resampled(slices: Array, name: str, seed: int) -> Array | None:
    """Return resampled totals of one figure; None when too few slices have any."""
    column = slices[:, _COLUMN[name]]
    part = column[noise.phase(slices[:, _COLUMN["bytes"]])]
    if not noise.enough(part):
        return None
    sums: Array = column.sum() - part.sum() + noise.resampled(part[:, None], seed)[:, 0]
    return sums


def _within(sums: Sequence[Array | None]) -> noise.Interval | None:
    a, b = sums
    return None if a is None or b is None else noise.within(a, b)


def _of_totals(before: Measured, after: Measured, name: str) -> noise.Interval | None:
    """Return the interval of a total; sleep for asynchronous accesses, which no slice has, stays as it is."""
    sums: list[Array] = []
    for number, side in enumerate((before, after)):
        found = _resampled(side.whole, name, number) if side.totals[name] else np.zeros(RESAMPLES)
        if found is None:
            return None
        sums.append(found + max(0.0, side.totals[name] - _total(side.whole, name)))
    if 0 in (before.totals[name], after.totals[name]):  # no ratio; what is too little to matter takes the place of 0
        sums = [one + LEAST_TIME_NS for one in sums]
    return _within(sums)


def _operations(before: Measured, after: Measured) -> Iterator[Change]:
    for op in sorted(set(before.operations) | set(after.operations)):
        sides = [side.operations.get(op) for side in (before, after)]
        for name, unit in (("accesses", "count"), ("bytes", "bytes")):
            yield _count("op", op, name, unit, *(row[name] if row else 0 for row in sides))
        if all(sides):
            yield from _latencies(op, before.spread[("op", op)], after.spread[("op", op)])


def _latencies(op: str, before: Array, after: Array) -> Iterator[Change]:
    whole = [side.sum(axis=0) for side in (before, after)]
    if not all(side[HISTOGRAM].sum() > 0 for side in whole):
        return
    parts = [side[noise.phase(side[:, _COLUMN["accesses"]])] for side in (before, after)]
    busy = all(noise.enough(part[:, _COLUMN["accesses"]]) for part in parts)
    sums = [noise.resampled(part[:, HISTOGRAM], number) for number, part in enumerate(parts)] if busy else []
    fewer = min(float(side[HISTOGRAM].sum()) for side in whole)
    for name, share in _QUANTILES.items():
        a, b = (float(noise.quantiles(side[None, HISTOGRAM], share)[0]) for side in whole)
        found = noise.within(*(noise.quantiles(side, share) for side in sums)) if busy else None
        yield _time("op", op, name, a, b, found, cost_ns=abs(b - a) * fewer * (1 - share))


def _parts(before: Measured, after: Measured, scope: str) -> Iterator[Change]:
    subjects = {subject for side in (before, after) for of, subject in side.spread if of == scope and subject}
    nothing = np.zeros((SLICES, len(FIGURES)))
    sides = {s: [side.spread.get((scope, s), nothing) for side in (before, after)] for s in subjects}
    ordered = sorted(sides, key=lambda s: (-sum(_total(side, "bytes") for side in sides[s]), s))
    for subject in ordered[:LISTED]:
        pair = sides[subject]
        for name, unit in (("accesses", "count"), ("bytes", "bytes")):
            yield _count(scope, subject, name, unit, *(round(_total(side, name)) for side in pair))
        stall = (_total(pair[0], "stall_ns"), _total(pair[1], "stall_ns"))
        found = _within([_resampled(side, "stall_ns", number) for number, side in enumerate(pair)])
        yield _time(scope, subject, "stall", *stall, found, cost_ns=abs(stall[1] - stall[0]))


# ---- files, sizes, patterns ----


def _named(files: list[Row], root: str) -> dict[str, Row]:
    """Return files by their path below the root; files of one path are added up."""
    found: dict[str, Row] = {}
    for file in files:
        path = file["path"].removeprefix(f"{root.rstrip('/')}/") if root else file["path"]
        same = found.get(path, {})
        found[path] = {name: same.get(name, 0) + file[name] for name in ("accesses", "bytes", "read_bytes", "size")}
    return found


def _files(before: dict[str, Row], after: dict[str, Row]) -> Files:
    changed = []
    for path in sorted(set(before) | set(after)):
        a, b = before.get(path), after.get(path)
        figures = [side[name] if side else 0 for name in ("accesses", "bytes") for side in (a, b)]
        if figures[0] != figures[1] or figures[2] != figures[3]:
            changed.append(FileChange(path, "both" if a and b else "a" if a else "b", *figures))
    changed.sort(key=lambda file: -abs(file.bytes_b - file.bytes_a))
    again = [
        sum(file["size"] > 0 and file["read_bytes"] >= READ_AGAIN * file["size"] for file in side.values())
        for side in (before, after)
    ]
    return Files(
        only_a=len(set(before) - set(after)),
        only_b=len(set(after) - set(before)),
        both=len(set(before) & set(after)),
        again_a=again[0],
        again_b=again[1],
        changed=tuple(changed[:LISTED]),
    )


def _sizes(before: dict[tuple[str, int], int], after: dict[tuple[str, int], int]) -> tuple[SizeChange, ...]:
    found = [SizeChange(*key, before.get(key, 0), after.get(key, 0)) for key in set(before) | set(after)]
    found = [size for size in found if size.accesses_a != size.accesses_b]
    found.sort(key=lambda size: (-abs(size.accesses_b - size.accesses_a), size.op, size.requested))
    return tuple(found[:LISTED])


def _patterns(before: list[Row], after: list[Row], roots: tuple[str, str]) -> tuple[PatternChange, ...]:
    sides = [_verdicts(found, root) for found, root in zip((before, after), roots, strict=True)]
    found = []
    for key in sorted(set(sides[0]) | set(sides[1])):
        a, b = (side.get(key) for side in sides)
        either = b or a
        assert either is not None
        change = PatternChange(
            scope=key[0],
            path=either["path"],
            op=key[2],
            pattern_a=a["pattern"] if a else "unknown",
            pattern_b=b["pattern"] if b else "unknown",
            reuse_a=a["reuse"] if a else "unknown",
            reuse_b=b["reuse"] if b else "unknown",
            confidence=min(side["confidence"] or 0.0 if side else 0.0 for side in (a, b)),
        )
        if (change.pattern_a, change.reuse_a) != (change.pattern_b, change.reuse_b):
            found.append(change)
    return tuple(found)


def _verdicts(found: list[Row], root: str) -> dict[tuple[str, str, str], Row]:
    """Return verdicts by scope, path below the root and operation; of workloads the one with the most bytes."""
    best: dict[tuple[str, str, str], Row] = {}
    for row in found:
        path = "" if row["scope"] == "workload" else f"{row['path']}/".removeprefix(f"{root.rstrip('/')}/")
        key = (row["scope"], path, row["op"])
        if key not in best or (row["bytes"] or 0) > (best[key]["bytes"] or 0):
            best[key] = row | {name: row[name] or "unknown" for name in ("pattern", "reuse")}
    return best
