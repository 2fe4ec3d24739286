"""From one trace in the store to everything a report shows of it."""

from __future__ import annotations

import json
from itertools import groupby

from stepwell.analysis import queries
from stepwell.analysis.ask import Queryable, Row, rows
from stepwell.analysis.latency import quantile
from stepwell.analysis.model import (
    File,
    Latency,
    Loss,
    Operation,
    RequestSize,
    Shape,
    SizeBucket,
    Stride,
    Summary,
    Thread,
    Totals,
    Trace,
)
from stepwell.analysis.pictures import over_time, pictures
from stepwell.analysis.who import Who
from stepwell.store.errors import NoTraceError
from stepwell.trace.definition import HISTOGRAM_BUCKETS

LISTED = 200
"""Most readers, threads, files, datasets and usages listed one by one."""


def summarize(store: Queryable, trace: int, *, heat_rows: int, most_pictures: int, fold: bool = True) -> Summary:
    """Return what `store` knows about `trace`.

    Args:
        store: where the public views are.
        trace: number of the trace.
        heat_rows: most rows of the heat strip.
        most_pictures: most files that get a picture of their own.
        fold: whether software stands back behind the data, if there is any; see `stepwell.analysis.software`.

    Raises:
        NoTraceError: the trace is not in the store.
    """
    found = rows(store, queries.TRACE, trace)
    if not found:
        raise NoTraceError(f"there is no trace {trace}; `stepwell traces` lists those there are")
    facts = found[0]
    coverage, degraded = json.loads(facts.pop("coverage") or "[]"), json.loads(facts.pop("degraded") or "{}")
    end = facts["duration_ns"]
    who = Who(store, trace, fold=fold)
    operations = [Operation(**row) for row in rows(store, queries.OPERATIONS, trace)]
    threads = rows(store, queries.THREADS, trace, end)
    readers = who.readers(rows(store, queries.READERS, trace, end), threads)
    sizes = [RequestSize(**row) for row in rows(store, queries.SIZES, trace)]
    timeline, heat = over_time(store, trace, end, who.files, who.shown, heat_rows)
    return Summary(
        trace=Trace(**facts),
        totals=Totals(
            readers=len(readers),
            threads=len(threads),
            files=len(who.files),
            opens=sum(who.files["opens"].to_pylist()),
            runs=sum(row.runs for row in operations),
            accesses=sum(row.accesses for row in operations),
            read_bytes=sum(row.bytes for row in operations if row.op != "write"),
            written_bytes=sum(row.bytes for row in operations if row.op == "write"),
            around_bytes=sum(who.files["around_bytes"].to_pylist()),
            unique_bytes=sum(who.files["unique_bytes"].to_pylist()),
            **{
                key: sum(row[key] for row in threads)
                for key in ("stall_ns", "wait_ns", "wall_ns", "cpu_ns", "queued_ns")
            },
        ),
        software=who.folded,
        losses=tuple(Loss(**row) for row in rows(store, queries.LOSSES, trace)),
        degraded=degraded,
        coverage=tuple(coverage),
        unique_sampling=who.sampling,
        operations=tuple(operations),
        readers=tuple(readers[:LISTED]),
        threads=tuple(Thread(**row) for row in threads[:LISTED]),
        datasets=tuple(who.datasets[:LISTED]),
        usage=tuple(who.usage()[:LISTED]),
        files=tuple(File(**row) for row in who.files[:LISTED].to_pylist()),
        sizes=tuple(sizes[:20]),
        size_buckets=size_buckets(sizes),
        shapes=tuple(Shape(**row) for row in rows(store, queries.SHAPES, trace)),
        strides=tuple(Stride(**row) for row in rows(store, queries.STRIDES, trace)),
        latencies=_latencies(rows(store, queries.LATENCIES, trace), operations),
        timeline=timeline,
        heat=heat,
        pictures=pictures(store, trace, who.files[: who.shown], most_pictures),
    )


def size_buckets(sizes: list[RequestSize]) -> tuple[SizeBucket, ...]:
    """Return request sizes put together by the power of two below them."""

    def bucket(size: RequestSize) -> tuple[str, int]:
        return size.op, size.requested.bit_length()

    ordered = sorted(sizes, key=lambda size: (size.op, size.requested))
    groups = [(op, list(members)) for (op, _), members in groupby(ordered, bucket)]
    return tuple(
        SizeBucket(
            op=op,
            low=members[0].requested,
            high=members[-1].requested,
            accesses=sum(size.accesses for size in members),
            bytes=sum(size.bytes for size in members),
        )
        for op, members in groups
    )


def _latencies(found: list[Row], operations: list[Operation]) -> tuple[Latency, ...]:
    counts = {operation.op: [0] * HISTOGRAM_BUCKETS for operation in operations}
    for row in found:
        counts[row["op"]][row["bucket"]] = row["accesses"]
    return tuple(_latency(operation, counts[operation.op]) for operation in operations)


def _latency(operation: Operation, counts: list[int]) -> Latency:
    timed = sum(counts)
    quantiles = {
        f"p{percent}_ns": quantile(counts, percent / 100, operation.latency_max_ns) for percent in (50, 90, 99)
    }
    return Latency(
        op=operation.op,
        untimed=max(0, operation.accesses - timed),
        counts=tuple(counts),
        mean_ns=operation.latency_ns // max(timed, 1),
        **quantiles,
        max_ns=operation.latency_max_ns,
    )
