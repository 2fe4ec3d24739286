"""From one trace in the store to everything a report shows of it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from stepwell.analysis import queries
from stepwell.analysis.bands import bands
from stepwell.analysis.latency import quantile
from stepwell.analysis.model import (
    Dataset,
    File,
    HeatRow,
    Latency,
    Loss,
    Operation,
    Picture,
    Reader,
    RequestSize,
    Shape,
    SizeBucket,
    Stride,
    Summary,
    Thread,
    Timeline,
    Totals,
    Trace,
    Usage,
)
from stepwell.analysis.unique import PIECES, sampling, unique_sql
from stepwell.store.errors import NoTraceError
from stepwell.trace.definition import HISTOGRAM_BUCKETS

if TYPE_CHECKING:
    import pyarrow as pa

LISTED = 200
"""Most readers, threads, files, datasets and usages listed one by one."""

SLICES = 160
"""Slices of time in timeline and heat strip: what a wide terminal or a page has room for."""

LINES = 2_000
"""Most runs in one picture: more cannot be told apart."""

ALL_LINES = 36_000
"""Most runs in all pictures together: a page of them stays within a few megabytes."""

Row = dict[str, Any]

_Unique = dict[tuple[int | None, str | None, int | None], int]
"""Unique bytes by (None, None, file) and by (reader, dataset, None)."""


class Queryable(Protocol):
    """Something that answers SQL over the public views: an open store."""

    def query(self, sql: str) -> pa.RecordBatchReader:
        """Return the answer to one query."""


def summarize(store: Queryable, trace: int, *, rows: int = 48, pictures: int = 24) -> Summary:
    """Return what `store` knows about `trace`.

    Args:
        store: where the public views are.
        trace: number of the trace.
        rows: most rows of the heat strip.
        pictures: most files that get a picture of their own.

    Raises:
        NoTraceError: the trace is not in the store.
    """
    found = _rows(store, queries.TRACE, trace)
    if not found:
        raise NoTraceError(f"there is no trace {trace}; `stepwell traces` lists those there are")
    facts = found[0]
    coverage, degraded = json.loads(facts.pop("coverage") or "[]"), json.loads(facts.pop("degraded") or "{}")
    end = facts["duration_ns"]

    one_in = sampling(_rows(store, PIECES, trace)[0]["pieces"])
    unique: _Unique = {
        (row["reader"], row["dataset"], row["file"]): row["unique_bytes"]
        for row in _rows(store, unique_sql(one_in), trace)
    }
    about = {row["file"]: row for row in _rows(store, queries.FILES, trace)}
    opens = {row["file"]: row["opens"] for row in _rows(store, queries.OPENS, trace)}
    volumes = _rows(store, queries.VOLUMES, trace)
    files = [_file(row, about, opens, unique) for row in volumes if row["file"] is not None]
    operations = [Operation(**row) for row in _rows(store, queries.OPERATIONS, trace)]
    threads = _rows(store, queries.THREADS, trace, end)
    readers = _readers(_rows(store, queries.READERS, trace, end), threads, volumes, unique)
    sizes = [RequestSize(**row) for row in _rows(store, queries.SIZES, trace)]
    timeline, heat = _over_time(store, trace, end, files, rows)
    return Summary(
        trace=Trace(**facts),
        totals=Totals(
            readers=len(readers),
            threads=len(threads),
            files=len(files),
            opens=sum(opens.values()),
            runs=sum(row.runs for row in operations),
            accesses=sum(row.accesses for row in operations),
            read_bytes=sum(row.bytes for row in operations if row.op != "write"),
            written_bytes=sum(row.bytes for row in operations if row.op == "write"),
            unique_bytes=sum(file.unique_bytes for file in files),
            stall_ns=sum(row["stall_ns"] for row in threads),
            wall_ns=sum(row["wall_ns"] for row in threads),
            cpu_ns=sum(row["cpu_ns"] for row in threads),
        ),
        losses=tuple(Loss(**row) for row in _rows(store, queries.LOSSES, trace)),
        degraded=degraded,
        coverage=tuple(coverage),
        unique_sampling=one_in,
        operations=tuple(operations),
        readers=tuple(readers[:LISTED]),
        threads=tuple(Thread(**{k: v for k, v in row.items() if k != "wait_ns"}) for row in threads[:LISTED]),
        datasets=_datasets(volumes, files, about)[:LISTED],
        usage=_usage(volumes, unique)[:LISTED],
        files=tuple(files[:LISTED]),
        sizes=tuple(sizes[:20]),
        size_buckets=_size_buckets(sizes),
        shapes=tuple(Shape(**row) for row in _rows(store, queries.SHAPES, trace)),
        strides=tuple(Stride(**row) for row in _rows(store, queries.STRIDES, trace)),
        latencies=_latencies(_rows(store, queries.LATENCIES, trace), operations),
        timeline=timeline,
        heat=heat,
        pictures=_pictures(store, trace, files, pictures),
    )


def _ask(store: Queryable, sql: str, *values: int | list[int]) -> pa.Table:
    """Return the answer to `sql` with the values, which are integers only, for $1, $2 ..."""
    for number, value in enumerate(values, 1):
        sql = sql.replace(f"${number}", str(value))
    return store.query(sql).read_all()


def _rows(store: Queryable, sql: str, *values: int | list[int]) -> list[Row]:
    rows: list[Row] = _ask(store, sql, *values).to_pylist()
    return rows


def _file(row: Row, about: dict[int, Row], opens: dict[int, int], unique: _Unique) -> File:
    facts = about.get(row["file"], {"path": "unknown", "size": 0, "deleted": False})
    return File(
        file=row["file"],
        path=facts["path"],
        dataset=row["dataset"],
        size=facts["size"],
        deleted=facts["deleted"],
        readers=row["readers"],
        opens=opens.get(row["file"], 0),
        runs=row["runs"],
        accesses=row["accesses"],
        bytes=row["bytes"],
        unique_bytes=min(unique.get((None, None, row["file"]), 0), row["bytes"]),
        latency_ns=row["latency_ns"],
        first_ns=row["first_ns"],
        last_ns=row["last_ns"],
    )


def _readers(found: list[Row], threads: list[Row], volumes: list[Row], unique: _Unique) -> list[Reader]:
    of_reader: dict[int, list[Row]] = defaultdict(list)
    for row in threads:
        of_reader[row["reader"]].append(row)
    touched: dict[int | None, int] = defaultdict(int)
    for (reader, _, _), size in unique.items():
        touched[reader] += size
    facts = {row["reader"]: row for row in found}
    return [
        Reader(
            **facts[row["reader"]],
            threads=len(of_reader[row["reader"]]),
            files=row["files"],
            top_directory=row["top_directory"],
            accesses=row["accesses"],
            bytes=row["bytes"],
            unique_bytes=min(touched[row["reader"]], row["bytes"]),
            **{
                key: sum(thread[key] for thread in of_reader[row["reader"]])
                for key in ("stall_ns", "wait_ns", "wall_ns", "cpu_ns")
            },
        )
        for row in volumes
        if row["reader"] is not None and row["dataset"] is None
    ]


def _datasets(volumes: list[Row], files: list[File], about: dict[int, Row]) -> tuple[Dataset, ...]:
    members: dict[str, list[File]] = defaultdict(list)
    for file in files:
        members[file.dataset].append(file)
    return tuple(
        Dataset(
            dataset=row["dataset"],
            filesystem=next((about[f.file]["filesystem"] for f in members[row["dataset"]] if f.file in about), ""),
            files=row["files"],
            readers=row["readers"],
            size=sum(file.size for file in members[row["dataset"]]),
            accesses=row["accesses"],
            bytes=row["bytes"],
            unique_bytes=sum(file.unique_bytes for file in members[row["dataset"]]),
        )
        for row in volumes
        if row["dataset"] is not None and row["reader"] is None and row["file"] is None
    )


def _usage(volumes: list[Row], unique: _Unique) -> tuple[Usage, ...]:
    return tuple(
        Usage(
            reader=row["reader"],
            dataset=row["dataset"],
            files=row["files"],
            accesses=row["accesses"],
            bytes=row["bytes"],
            unique_bytes=min(unique.get((row["reader"], row["dataset"], None), 0), row["bytes"]),
        )
        for row in volumes
        if row["reader"] is not None and row["dataset"] is not None
    )


def _size_buckets(sizes: list[RequestSize]) -> tuple[SizeBucket, ...]:
    found: dict[tuple[str, int], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for size in sizes:
        key = size.op, 1 << size.requested.bit_length() >> 1
        found[key] = found[key][0] + size.accesses, found[key][1] + size.bytes
    return tuple(SizeBucket(op, low, *numbers) for (op, low), numbers in sorted(found.items()))


def _latencies(rows: list[Row], operations: list[Operation]) -> tuple[Latency, ...]:
    counts = {row["op"]: [0] * HISTOGRAM_BUCKETS for row in rows}
    for row in rows:
        counts[row["op"]][row["bucket"]] = row["accesses"]
    return tuple(
        Latency(
            op=operation.op,
            counts=tuple(counts[operation.op]),
            mean_ns=operation.latency_ns // sum(counts[operation.op]),
            p50_ns=quantile(counts[operation.op], 0.5, operation.latency_max_ns),
            p90_ns=quantile(counts[operation.op], 0.9, operation.latency_max_ns),
            p99_ns=quantile(counts[operation.op], 0.99, operation.latency_max_ns),
            max_ns=operation.latency_max_ns,
        )
        for operation in operations
        if operation.op in counts
    )


def _over_time(
    store: Queryable, trace: int, end_ns: int, files: list[File], rows: int
) -> tuple[Timeline, tuple[HeatRow, ...]]:
    width = max(1, -(-max(end_ns, *(file.last_ns + 1 for file in files), 1) // SLICES))
    table = _ask(store, queries.SLICES, trace, width, SLICES)
    columns = {name: table[name].to_numpy() for name in table.column_names}
    found = bands([file.path for file in files], [file.bytes for file in files], rows)
    row_of = {files[i].file: number for number, band in enumerate(found) for i in band.files}
    where = np.array([row_of[file] for file in columns["file"].tolist()], dtype=np.intp)
    cells = np.zeros((len(found), SLICES))
    np.add.at(cells, (where, columns["slice"]), columns["bytes"])

    def total(column: str, chosen: np.ndarray[Any, Any]) -> tuple[int, ...]:
        return _integers(np.bincount(columns["slice"][chosen], columns[column][chosen], SLICES))

    write = columns["write"].astype(bool)
    timeline = Timeline(width, total("bytes", ~write), total("bytes", write), total("stall_ns", write | ~write))
    heat = tuple(
        HeatRow(band.label, len(band.files), sum(files[i].bytes for i in band.files), _integers(cells[number]))
        for number, band in enumerate(found)
    )
    return timeline, heat


def _integers(values: np.ndarray[Any, Any]) -> tuple[int, ...]:
    return tuple(np.rint(values).astype(np.int64).tolist())


def _pictures(store: Queryable, trace: int, files: list[File], most: int) -> tuple[Picture, ...]:
    chosen = files_of_interest(files)[:most]
    lines: dict[int, list[Row]] = defaultdict(list)
    for row in _rows(store, queries.PICTURES, trace, [file.file for file in chosen], min(LINES, ALL_LINES // most)):
        lines[row["file"]].append(row)
    columns = ("reader", "write", "line", "start_ns", "end_ns", "offset", "last")
    return tuple(
        Picture(
            file.file,
            file.path,
            file.size,
            file.runs,
            *(tuple(line[column] for line in lines[file.file]) for column in columns),
        )
        for file in chosen
    )


def files_of_interest(files: list[File]) -> list[File]:
    """Return the most telling first: by share of bytes or accesses, the k-th of one directory by 1/k of that."""
    octets = max(sum(file.bytes for file in files), 1)
    accesses = max(sum(file.accesses for file in files), 1)
    shares = [(max(file.bytes / octets, file.accesses / accesses), file) for file in files]
    seen: Counter[str] = Counter()
    ranked = []
    for share, file in sorted(shares, key=lambda pair: -pair[0]):
        directory = file.path.rpartition("/")[0]
        seen[directory] += 1
        ranked.append((share / seen[directory], file))
    return [file for _, file in sorted(ranked, key=lambda pair: -pair[0])]
