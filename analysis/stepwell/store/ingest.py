"""From a spool file into the store: in one transaction, exactly once, in bounded memory."""

from __future__ import annotations

import fcntl
import json
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from stepwell.store import counters, events, files
from stepwell.store.database import Store
from stepwell.store.readers import processes
from stepwell.store.results import Records, Results
from stepwell.store.runs import RunBatches
from stepwell.store.tables import enum_case
from stepwell.trace.definition import EXEC, META_KIND, RESULT, THREAD, THREAD_END, EventKind, Op
from stepwell.trace.errors import SpoolError
from stepwell.trace.layout import DTYPES
from stepwell.trace.spool import HEADER_BYTES, Spool


@dataclass(frozen=True)
class IngestResult:
    """What became of one spool file.

    `new` is False when the store had the trace already; `damage` says why the file's tail was not read, if it was not.
    """

    trace: int
    uuid: str
    new: bool
    accesses: int
    lost: int
    damage: str | None


@dataclass(frozen=True)
class Leftovers:
    """What became of the spool files that were left behind: those ingested, and the unusable ones with the reason."""

    ingested: list[IngestResult] = field(default_factory=list)
    unusable: list[tuple[Path, SpoolError]] = field(default_factory=list)


@dataclass
class _Described:
    """What is in memory as a whole during ingest: all records but runs, opens and events."""

    meta: dict[str, Any]
    threads: list[dict[str, Any]]
    execs: list[tuple[dict[str, Any], bytes]]
    ends: list[dict[str, Any]]
    results: Records


def ingest(store: Store, path: Path) -> IngestResult:
    """Bring a spool file into a store opened for writing; the file stays, for the caller to delete.

    The caller makes sure that nobody writes the file any more.  Runs, open files and threads that nothing describes
    are kept, with readers and files called "unknown".

    Raises:
        SpoolError: nothing in the file can be used.
        StoreError: the store cannot take it; nothing has changed.
    """
    with Spool(path) as spool:
        described = _describe(spool)
        uuid = str(described.meta.get("uuid", path.stem))
        with store.transaction() as connection:
            for trace, accesses, lost in store.rows(
                "SELECT trace, accesses, lost FROM stored.trace WHERE uuid = ?", uuid
            ):
                return IngestResult(trace, uuid, False, accesses, lost, spool.damage)
            return _Ingest(connection, spool, described, uuid).run()


def ingest_leftovers(store: Store, directory: Path) -> Leftovers:
    """Ingest and delete every `*.spool` in a directory that no recorder holds locked, oldest first.

    A file from which nothing can be used is left where it is and reported.

    Raises:
        StoreError: the store cannot take one of them; that one and those after it stay.
    """
    leftovers = Leftovers()
    for path in sorted(directory.glob("*.spool"), key=lambda path: (path.stat().st_mtime_ns, path.name)):
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if not path.exists():  # another process ingested it between our open and our lock
                continue
            if path.stat().st_size <= HEADER_BYTES:  # the recorder died before it began
                path.unlink()
                continue
            try:
                leftovers.ingested.append(ingest(store, path))
            except SpoolError as error:
                leftovers.unusable.append((path, error))
            else:
                path.unlink()
    return leftovers


def _describe(spool: Spool) -> _Described:
    described = _Described({}, [], [], [], np.empty(0, DTYPES[RESULT.kind]))
    results = [described.results]
    for block in spool.blocks({META_KIND, THREAD.kind, EXEC.kind, THREAD_END.kind, RESULT.kind}):
        if block.meta is not None:
            described.meta |= block.meta
        elif block.kind == THREAD.kind:
            described.threads += _rows(block.records)
        elif block.kind == EXEC.kind and block.texts is not None:
            described.execs += zip(_rows(block.records), block.texts.to_pylist(), strict=True)
        elif block.kind == THREAD_END.kind:
            described.ends += _rows(block.records)
        else:
            results.append(block.records)
    described.results = np.concatenate(results)
    if "start_monotonic_ns" not in described.meta:
        raise SpoolError(
            f"{spool.path} does not say when its recording began ({spool.damage or 'it is not complete'}); "
            "nothing in it can be used, delete it"
        )
    return described


def _rows(records: Records) -> list[dict[str, Any]]:
    names = records.dtype.names or ()
    return [dict(zip(names, row, strict=True)) for row in records.tolist()]


class _Ingest:
    """One spool file on its way into the store, inside a transaction."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, spool: Spool, described: _Described, uuid: str) -> None:
        self._connection = connection
        self._spool = spool
        self._described = described
        self._meta = described.meta
        self._uuid = uuid
        self._origin_ns = int(self._meta["start_monotonic_ns"])
        self._trace = self._one("SELECT nextval('stored.trace_id')")[0]

    def run(self) -> IngestResult:
        results = Results(self._described.results)
        runs = RunBatches(self._spool, results, self._origin_ns)
        self._readers()
        self._opens()
        self._runs(runs)
        self._events(results)
        self._counters()
        self._files()
        self._unknown()
        losses = dict(self._meta.get("losses", {}))
        if self._spool.damage:
            losses["spool"] = losses.get("spool", 0) + 1
        if runs.impossible:
            losses["store"] = losses.get("store", 0) + runs.impossible
        degraded = dict(self._meta.get("degraded", {}))
        if results.unused:
            degraded["results of asynchronous accesses that were not seen"] = results.unused
        return self._finish(losses, degraded)

    def _readers(self) -> None:
        described = self._described
        readers, threads = processes(described.threads, described.execs, described.ends, self._origin_ns)
        with self._given(readers=readers, threads=threads):
            self._do("INSERT INTO stored.reader BY NAME SELECT $trace AS trace, * FROM readers")
            self._do("INSERT INTO stored.thread BY NAME SELECT $trace AS trace, * FROM threads")
            self._do("CREATE OR REPLACE TEMP TABLE known_thread AS SELECT thread, reader FROM threads")

    def _opens(self) -> None:
        with self._given(
            batches=pa.RecordBatchReader.from_batches(
                files.OPEN_SCHEMA, files.open_batches(self._spool, self._origin_ns)
            )
        ):
            self._do(f"""CREATE OR REPLACE TEMP TABLE opened AS
                SELECT * EXCLUDE (components), coalesce({files.PATH}, {files.UNKNOWN_PATH}) AS path FROM batches
                QUALIFY row_number() OVER (PARTITION BY open ORDER BY start_ns) = 1""")
        self._do("""CREATE OR REPLACE TEMP TABLE named AS
            SELECT row_number() OVER (ORDER BY min(open)) AS file, dev, ino, generation, path, max(size) AS size,
                nullif(arg_min(mtime_ns, start_ns), 0) AS mtime_ns, any_value(magic) AS magic,
                bool_or(state & 1 <> 0) AS deleted
            FROM opened GROUP BY dev, ino, generation, path""")
        self._do("""CREATE OR REPLACE TEMP TABLE known_open AS
            SELECT open, file FROM opened JOIN named USING (dev, ino, generation, path)""")
        self._do("""INSERT INTO stored.open
            SELECT $trace, open, coalesce(t.reader, -1 - o.thread::BIGINT), o.thread, file, flags, state, start_ns,
                latency_ns
            FROM opened o JOIN known_open USING (open) LEFT JOIN known_thread t USING (thread)""")

    def _runs(self, runs: RunBatches) -> None:
        with self._given(batches=runs.reader()):
            self._do(f"""INSERT INTO stored.run BY NAME
                SELECT $trace AS trace, coalesce(t.reader, -1 - r.thread::BIGINT) AS reader,
                    coalesce(o.file, -1 - r.open) AS file, r.* REPLACE ({enum_case("r.op", Op, "stored.op")} AS op)
                FROM batches r LEFT JOIN known_thread t USING (thread) LEFT JOIN known_open o USING (open)""")

    def _events(self, results: Results) -> None:
        batches = events.event_batches(self._spool, results.errors, self._origin_ns)
        with self._given(batches=pa.RecordBatchReader.from_batches(events.SCHEMA, batches)):
            self._do(f"""INSERT INTO stored.event
                SELECT $trace, coalesce(t.reader, -1 - e.thread::BIGINT), e.thread,
                    CASE WHEN e.open <> 0 THEN coalesce(o.file, -1 - e.open) END AS file, nullif(e.open, 0),
                    {enum_case("e.event", EventKind, "stored.event")},
                    CASE WHEN e.event = {EventKind.ERROR:d} THEN {enum_case("e.op", Op, "stored.op")} END,
                    coalesce({events.PATH}, 'unknown:' || e.open), start_ns, latency_ns, value
                FROM batches e LEFT JOIN known_thread t USING (thread) LEFT JOIN known_open o USING (open)
                    LEFT JOIN named n ON n.file = o.file""")

    def _counters(self) -> None:
        batches = pa.RecordBatchReader.from_batches(counters.SCHEMA, counters.counter_batches(self._spool))
        with self._given(batches=batches):
            self._do("""INSERT INTO stored.counter BY NAME
                SELECT $trace AS trace, coalesce(t.reader, -1 - c.thread::BIGINT) AS reader, o.file, module, counter,
                    value
                FROM batches c LEFT JOIN known_thread t USING (thread) JOIN known_open o USING (open)""")

    def _files(self) -> None:
        """Store the files, with what the accesses tell of their sizes."""
        self._do("""CREATE OR REPLACE TEMP TABLE touched AS
            SELECT file, max("end") AS size FROM (
                SELECT file, CASE WHEN op <> 'mmap' THEN greatest(
                    CASE WHEN size > size_minus_tail THEN "offset" + (count - 1) * stride + size - size_minus_tail END,
                    CASE WHEN size > 0 AND count > 1 THEN greatest("offset", "offset" + (count - 2) * stride) + size END
                ) END AS "end" FROM stored.run WHERE trace = $trace AND count > 0
                UNION ALL
                SELECT file, CASE WHEN event = 'truncate' THEN value END FROM stored.event
                WHERE trace = $trace AND file IS NOT NULL
            ) GROUP BY file""")
        self._do(f"""CREATE OR REPLACE TEMP TABLE placed AS
            SELECT file, coalesce(nullif(parse_dirpath(path, 'forward_slash'), ''),
                    CASE WHEN starts_with(path, '/') THEN '/' ELSE '.' END) AS directory,
                regexp_matches(path, '{files.SOFTWARE_PLACES}') AS software,
                coalesce(greatest(n.size, t.size, 0), 0) AS size
            FROM named n LEFT JOIN touched t USING (file) WHERE NOT regexp_matches(path, '{files.NO_PATH}')""")
        rows = self._connection.execute(
            "SELECT software, directory, sum(size)::DOUBLE FROM placed GROUP BY ALL"
        ).fetchall()
        mounts = self._meta.get("mounts", [])
        found = [
            (software, *pair)
            for software in (False, True)
            for pair in files.datasets(
                {row[1]: row[2] for row in rows if row[0] == software}, (mount[1] for mount in mounts)
            ).items()
        ]
        kinds = {int(mount[0]): mount[2] for mount in mounts}
        given = {
            "found": _table({"software": pa.bool_(), "directory": pa.string(), "dataset": pa.string()}, found),
            "mounted": _table({"dev": pa.uint32(), "kind": pa.string()}, kinds.items()),
            "magics": _table({"magic": pa.uint32(), "kind": pa.string()}, files.FILE_SYSTEMS.items()),
        }
        with self._given(**given):
            self._do("""INSERT INTO stored.file BY NAME
                SELECT $trace AS trace, n.file, CASE WHEN known THEN n.dev END AS dev,
                    CASE WHEN known THEN n.ino END AS ino, CASE WHEN known THEN n.generation END AS generation, n.path,
                    greatest(n.size, t.size) AS size, d.dataset,
                    coalesce(m.kind, g.kind, CASE WHEN n.magic <> 0 THEN format('0x{:x}', n.magic) END) AS filesystem,
                    n.deleted, n.mtime_ns
                FROM (SELECT *, dev <> 0 OR magic <> 0 AS known FROM named) n
                    LEFT JOIN touched t USING (file) LEFT JOIN mounted m USING (dev)
                    LEFT JOIN magics g USING (magic)
                    LEFT JOIN placed USING (file)
                    LEFT JOIN found d ON d.directory = placed.directory AND d.software = placed.software""")
        self._do("""INSERT INTO stored.file BY NAME
            SELECT $trace AS trace, file, 'unknown:' || (-1 - file) AS path, size, false AS deleted
            FROM touched WHERE file < 0""")

    def _unknown(self) -> None:
        """Give a row to every thread, and its reader, that something names but nothing describes."""
        with self._given(
            ends=pa.table({"thread": pa.array([end["thread"] for end in self._described.ends], pa.uint32())})
        ):
            self._do("""CREATE OR REPLACE TEMP TABLE unknown AS
                SELECT DISTINCT thread FROM (
                    SELECT thread FROM stored.run WHERE trace = $trace AND reader < 0
                    UNION ALL SELECT thread FROM stored.open WHERE trace = $trace AND reader < 0
                    UNION ALL SELECT thread FROM stored.event WHERE trace = $trace AND reader < 0
                    UNION ALL SELECT thread FROM ends
                ) ANTI JOIN known_thread USING (thread)""")
        self._do("""INSERT INTO stored.reader BY NAME
            SELECT $trace AS trace, -1 - thread AS reader, 'unknown:' || thread AS comm FROM unknown""")
        self._do("""INSERT INTO stored.thread BY NAME
            SELECT $trace AS trace, -1 - thread AS reader, thread, 'unknown:' || thread AS comm FROM unknown""")

    def _finish(self, losses: dict[str, int], degraded: dict[str, int]) -> IngestResult:
        with self._given(losses=_table({"hop": pa.string(), "count": pa.int64()}, losses.items())):
            self._do("INSERT INTO stored.loss SELECT $trace, hop, count FROM losses WHERE count > 0")
        accesses, transferred, last_ns = self._one(
            """
            SELECT (SELECT coalesce(sum(count), 0)::BIGINT FROM stored.run WHERE trace = $trace),
                (SELECT coalesce(sum(count::BIGINT * size - size_minus_tail), 0) FROM stored.run
                    WHERE trace = $trace AND count > 0),
                greatest(0, (SELECT max(start_ns + span_ns) FROM stored.run WHERE trace = $trace),
                    (SELECT max(start_ns + latency_ns) FROM stored.open WHERE trace = $trace),
                    (SELECT max(start_ns + latency_ns) FROM stored.event WHERE trace = $trace),
                    (SELECT max(end_ns) FROM stored.thread WHERE trace = $trace))""",
            trace=self._trace,
        )
        meta, command, end = self._meta, self._meta.get("command"), self._meta.get("end_monotonic_ns")
        row = {
            "trace": self._trace,
            "uuid": self._uuid,
            "command": shlex.join(command) if command else None,
            **{key: meta.get(key) for key in ("scope", "cwd", "host", "kernel", "collector", "version", "exit_code")},
            "started": int(meta.get("start_realtime_ns", 0)) // 1000,
            "duration_ns": last_ns if end is None else int(end) - self._origin_ns,
            "status": "interrupted" if end is None or meta.get("interrupted") else "complete",
            "accesses": accesses,
            "bytes": transferred,
            "lost": sum(losses.values()),
            "coverage": json.dumps(meta.get("coverage", [])),
            "degraded": json.dumps(degraded),
            "meta": json.dumps(meta),
        }  # fmt: skip
        values = ", ".join(f"make_timestamptz(${name})" if name == "started" else f"${name}" for name in row)
        self._connection.execute(f"INSERT INTO stored.trace ({', '.join(row)}) VALUES ({values})", row)
        return IngestResult(self._trace, self._uuid, True, accesses, row["lost"], self._spool.damage)

    def _do(self, sql: str) -> None:
        self._connection.execute(sql, {"trace": self._trace} if "$trace" in sql else None)

    def _one(self, sql: str, **values: Any) -> tuple[Any, ...]:
        (row,) = self._connection.execute(sql, values).fetchall()
        return row

    @contextmanager
    def _given(self, **tables: pa.Table | pa.RecordBatchReader) -> Iterator[None]:
        """Let SQL inside see Arrow data by name; after an error the connection only rolls back, the names stay."""
        for name, table in tables.items():
            self._connection.register(name, table)
        yield
        for name in tables:
            self._connection.unregister(name)


def _table(columns: dict[str, pa.DataType], rows: Iterable[tuple[Any, ...]]) -> pa.Table:
    data = list(rows)
    return pa.table(
        {name: pa.array([row[index] for row in data], kind) for index, (name, kind) in enumerate(columns.items())}
    )
