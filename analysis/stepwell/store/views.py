"""The public views: the contract between a store and whoever queries it.

Every view and column is described here once; `schema_text` prints it, and a
test holds the descriptions against what DuckDB has.  Ids are unique within a
trace: join on (trace, id).
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent

from stepwell.trace.definition import RUN, OpenFlag

PIECE = 256
"""Accesses rebuilt at a time from one run: bounds the memory a run of a billion accesses takes."""


@dataclass(frozen=True)
class View:
    """One public view: its name, what a row is, its columns with their meaning, and its SQL."""

    name: str
    doc: str
    columns: dict[str, str]
    sql: str


def _run_doc(name: str) -> str:
    """Return what a field of a run means, with its unit."""
    (doc,) = (field.doc for field in RUN.fields if field.name == name)
    unit = ", in nanoseconds" if name.endswith("_ns") else ""
    return doc + unit + (" since the trace's start" if name == "start_ns" else "")


def _accesses() -> str:
    """Return the SQL that rebuilds accesses from runs.

    Runs of one access, which random reading consists of, take a path of their own without the cost of `unnest`.
    Doubles are exact enough: rounding is right for spans below 2^51 (26 days in nanoseconds).
    """
    return f"""
        SELECT trace, reader, thread, file, path, op, seq, "offset", size - size_minus_tail AS size, requested,
            start_ns, false AS interpolated
        FROM stored.run JOIN (SELECT trace, file, path FROM stored.file) USING (trace, file) WHERE count = 1
        UNION ALL
        SELECT trace, reader, thread, file, path, op,
            seq + round(i * (seq_span / (count - 1)::DOUBLE))::BIGINT,
            "offset" + i * stride,
            CASE WHEN i = count - 1 THEN size - size_minus_tail ELSE size END,
            requested,
            start_ns + round(i * (span_ns / (count - 1)::DOUBLE))::BIGINT,
            i BETWEEN 1 AND count - 2
        FROM (
            SELECT *, unnest(range(base, least(base + {PIECE}, count))) AS i
            FROM (
                SELECT *, unnest(range(0, count, {PIECE})) AS base
                FROM stored.run JOIN (SELECT trace, file, path FROM stored.file) USING (trace, file) WHERE count > 1
            )
        )"""


_DARSHAN = """
    WITH
    -- Opening a file sets Darshan's "last byte" of the process's record to 0 (darshan-posix.c, _POSIX_RECORD_OPEN).
    reopened AS (
        SELECT trace, reader, file, start_ns + latency_ns AS opened_ns FROM stored.open
        WHERE TRUE
        QUALIFY row_number() OVER (PARTITION BY trace, reader, file ORDER BY start_ns, open) > 1
            AND state & {before} = 0 AND opened_ns > 0
    ),
    step_or_reset AS (
        SELECT trace, reader, file, op, thread, seq, seq_span, count, "offset", stride, size,
            size - size_minus_tail AS tail, start_ns, span_ns
        FROM stored.run WHERE count > 0 AND op IN ('read', 'write')
        UNION ALL
        SELECT trace, reader, file, op, {nobody}, -1, 0, 1::UINTEGER, NULL, 0, 0, 0, opened_ns, 0
        FROM reopened CROSS JOIN (SELECT DISTINCT op FROM stored.run WHERE op IN ('read', 'write')) AS either
    ),
    run AS (
        SELECT *, min(thread) OVER same = max(thread) OVER same AS alone
        FROM step_or_reset
        WINDOW same AS (PARTITION BY trace, reader, file, op)
    ),
    -- `low` and `high` bound the run in the order of accesses; runs that overlap in it are taken apart.
    bounded AS (
        SELECT *, CASE WHEN alone THEN seq ELSE start_ns END AS low,
            CASE WHEN alone THEN seq + seq_span ELSE start_ns + span_ns END AS high
        FROM run
    ),
    tangled AS (
        SELECT *, count > 1 AND (
                coalesce(max(high) OVER before >= low, false) OR coalesce(lead(low) OVER ordered <= high, false)
            ) AS apart
        FROM bounded
        WINDOW ordered AS (PARTITION BY trace, reader, file, op ORDER BY low, seq, thread),
            before AS (PARTITION BY trace, reader, file, op ORDER BY low, seq, thread
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ),
    piece AS (
        SELECT trace, reader, file, op, low, seq, thread, "offset" AS first,
            coalesce("offset" + (count - 1) * stride + tail, 1) AS after,
            CASE WHEN stride = size THEN count - 1 ELSE 0 END AS consecutive,
            CASE WHEN stride >= size THEN count - 1 ELSE 0 END AS sequential
        FROM tangled WHERE NOT apart
        UNION ALL
        SELECT trace, reader, file, op,
            CASE WHEN alone THEN seq + round(i * (seq_span / (count - 1)::DOUBLE))::BIGINT
                ELSE start_ns + round(i * (span_ns / (count - 1)::DOUBLE))::BIGINT END,
            seq + round(i * (seq_span / (count - 1)::DOUBLE))::BIGINT, thread, "offset" + i * stride,
            "offset" + i * stride + CASE WHEN i = count - 1 THEN tail ELSE size END, 0, 0
        FROM (SELECT *, unnest(range(base, least(base + {piece}, count))) AS i
            FROM (SELECT *, unnest(range(0, count, {piece})) AS base FROM tangled WHERE apart))
    ),
    -- A "last byte" of 0, before the first access and after opening, makes 1 the end of what came before.
    step AS (
        SELECT *, coalesce(lag(after) OVER (PARTITION BY trace, reader, file, op ORDER BY low, seq, thread), 1) AS last
        FROM piece
    )
    SELECT trace, reader, path,
        coalesce(sum(consecutive + (first = last)::BIGINT) FILTER (op = 'read'), 0)::BIGINT AS consec_reads,
        coalesce(sum(sequential + (first >= last)::BIGINT) FILTER (op = 'read'), 0)::BIGINT AS seq_reads,
        coalesce(sum(consecutive + (first = last)::BIGINT) FILTER (op = 'write'), 0)::BIGINT AS consec_writes,
        coalesce(sum(sequential + (first >= last)::BIGINT) FILTER (op = 'write'), 0)::BIGINT AS seq_writes
    FROM step JOIN (SELECT trace, file, path FROM stored.file) USING (trace, file)
    WHERE first IS NOT NULL GROUP BY ALL"""

_TRACE = {"trace": "number of the trace; grows with every recording"}
_READER = _TRACE | {"reader": "id of the reader (process) within the trace"}
_THREAD = _READER | {"thread": "id of the thread within the trace"}
_FILE = _THREAD | {"file": "id of the file within the trace"}
_AS_RECORDED = (
    "seq", "seq_span", "count", "offset", "stride", "requested", "size", "tail", "start_ns", "span_ns", "latency_ns",
    "latency_max_ns", "wait_ns", "waited", "filled", "flags",
)  # fmt: skip
_OP = "read, write, mmap, sendfile, splice or copy"

VIEWS = (
    View(
        "traces",
        "one recording",
        _TRACE
        | {
            "uuid": "names the recording everywhere and for ever",
            "command": "the recorded command, quoted for the shell; NULL when none was started",
            "scope": "what was recorded, in words",
            "cwd": "directory in which recording was started",
            "host": "name of the machine",
            "kernel": "release of its kernel",
            "collector": "how the accesses were seen",
            "version": "Stepwell's version that recorded",
            "started": "when recording began",
            "duration_ns": "how long it lasted, in nanoseconds",
            "status": "complete, or interrupted when recording was stopped or the recorder died",
            "exit_code": "the command's exit code; NULL when unknown",
            "accesses": "accesses recorded",
            "bytes": "bytes transferred by them",
            "lost": "records lost, at all hops together; see `losses`",
            "coverage": "JSON list of what could not be seen, and of what recording cost other programs",
            "degraded": "JSON object: what was seen less exactly, and how often",
        },
        """SELECT trace, uuid, command, scope, cwd, host, kernel, collector, version, started, duration_ns, status,
            exit_code, accesses, bytes, lost, coverage, degraded FROM stored.trace""",
    ),
    View(
        "readers",
        "one process that was traced; its id is negative when its description was lost",
        _READER
        | {
            "pid": "process id in the initial namespace; 0 when unknown",
            "ppid": "process id of its parent",
            "comm": "name of the process",
            "command": "command line of the last program it ran, or inherited from its parent; quoted for the shell",
            "uid": "real user id in the initial namespace; NULL when unknown",
            "container": "container it ran in; NULL when unknown",
            "pod": "pod it ran in; NULL when unknown",
            "workload": "what it belongs to: the trace's command, or its scope",
            "start_ns": "when tracing of it began, in nanoseconds since the trace's start",
            "end_ns": "when it or tracing ended, in nanoseconds since the trace's start; NULL when that was lost",
            "user_ns": "processor time in user mode while traced, in nanoseconds; NULL when unknown",
            "system_ns": "processor time in the kernel while traced, in nanoseconds; NULL when unknown",
            "exit_code": "its exit code, minus the signal that killed it; NULL when it did not end while traced",
        },
        """SELECT r.trace, reader, pid, ppid, comm, r.command, uid, NULL::VARCHAR AS container, NULL::VARCHAR AS pod,
            coalesce(t.command, t.scope) AS workload, start_ns, end_ns, user_ns, system_ns, r.exit_code
            FROM stored.reader r JOIN stored.trace t USING (trace)""",
    ),
    View(
        "threads",
        "one thread that was traced; its id is negative when its description was lost",
        _THREAD
        | {
            "tid": "thread id in the initial namespace",
            "comm": "name of the thread",
            "start_ns": "when tracing of it began, in nanoseconds since the trace's start",
            "end_ns": "when it or tracing ended, in nanoseconds since the trace's start; NULL when that was lost",
            "user_ns": "processor time in user mode while traced, in nanoseconds; NULL when unknown",
            "system_ns": "processor time in the kernel while traced, in nanoseconds; NULL when unknown",
            "async_wait_ns": "time asleep in io_uring_enter, io_submit and io_getevents, in nanoseconds",
            "accesses": "accesses the collector saw it make, lost ones included",
            "queued_ns": "time it was ready but had no processor while traced, in nanoseconds; NULL when unknown",
        },
        """SELECT trace, reader, thread, tid, comm, start_ns, end_ns, user_ns, system_ns, async_wait_ns, accesses,
            queued_ns FROM stored.thread""",
    ),
    View(
        "files",
        "one file under one path; its id is negative when its description was lost",
        _TRACE
        | {
            "file": "id of the file within the trace",
            "dev": "device of the file system, major * 2^20 + minor; NULL when unknown, as in most imported traces",
            "ino": "inode number; NULL when unknown",
            "generation": "inode generation: tells apart files that reuse an inode number; NULL when unknown",
            "path": "path as the reader saw it; major:minor:inode when unknown; after ... when its start is missing",
            "size": "largest size or end of an access seen, in bytes",
            "dataset": "directory that holds the dataset; NULL when the path is unknown",
            "filesystem": "type of the file system; NULL when unknown",
            "deleted": "whether it had no name any more when it was first seen",
            "mtime_ns": "time of its last change when first seen, in nanoseconds since 1970; NULL when unknown",
        },
        "SELECT trace, file, dev, ino, generation, path, size, dataset, filesystem, deleted, mtime_ns FROM stored.file",
    ),
    View(
        "opens",
        "one open file (open file description)",
        _TRACE
        | {
            "open": "id of the open file within the trace",
            "reader": "reader that opened it, or used it first",
            "thread": "thread that opened it, or used it first",
            "file": "id of the file within the trace",
            "flags": "flags of open(2), Linux's values for the architecture",
            "state": "1 deleted, 2 path unknown, 4 start of path missing, 8 opened before tracing",
            "start_ns": "start of open(2), or when first seen, in nanoseconds since the trace's start",
            "latency_ns": "time open(2) took, in nanoseconds; 0 when not seen",
        },
        "SELECT trace, open, reader, thread, file, flags, state, start_ns, latency_ns FROM stored.open",
    ),
    View(
        "runs",
        RUN.doc.partition(";")[0],
        _FILE
        | {
            "open": "id of the open file within the trace",
            "op": _OP,
            **{name: _run_doc(name) for name in _AS_RECORDED},
            "histogram": f"{_run_doc('histogram')}; NULL for runs of 1 or 2",
        },
        """SELECT trace, reader, thread, file, open, op, seq, seq_span, count, "offset", stride, requested, size,
            size - size_minus_tail AS tail, start_ns, span_ns, latency_ns,
            latency_ns - latency_minus_max_ns AS latency_max_ns, wait_ns, waited, filled, flags,
            list_resize(histogram, 24, 0)::UINTEGER[24] AS histogram FROM stored.run""",
    ),
    View(
        "accesses",
        "one access, rebuilt from its run",
        _FILE
        | {
            "path": "path of the file, as in `files`",
            "op": _OP,
            "seq": "number of the access among all accesses of the thread",
            "offset": "file offset, in bytes",
            "size": "bytes transferred",
            "requested": "bytes asked for",
            "start_ns": "when it began, in nanoseconds since the trace's start",
            "interpolated": "whether `seq` and `start_ns` lie between measured ones of the run's ends",
        },
        _accesses(),
    ),
    View(
        "events",
        "something other than an access that happened to a file",
        _THREAD
        | {
            "file": "id of the file within the trace; NULL when it was named by path",
            "open": "id of the open file within the trace; NULL when it was named by path",
            "event": "close (not by exit or execve), unlink, rename_from, rename_to, truncate, sync or error",
            "op": "for an error: the access that failed, as in `runs`; otherwise NULL",
            "path": "path given, after the directory it is relative to; otherwise the file's path; after ... when cut",
            "start_ns": "when the call began, in nanoseconds since the trace's start",
            "latency_ns": "time the call took, in nanoseconds",
            "value": "truncate: new size in bytes; error: errno; rename: flags of renameat2; otherwise 0",
        },
        "SELECT trace, reader, thread, file, open, event, op, path, start_ns, latency_ns, value FROM stored.event",
    ),
    View(
        "datasets",
        "a tree of files that are read together: the deepest directory common to all files seen of one mount; programs "
        "and libraries apart",
        _TRACE
        | {
            "dataset": "its directory; NULL collects the files whose path is unknown",
            "files": "files seen",
            "readers": "readers that accessed it",
            "accesses": "accesses",
            "bytes": "bytes transferred",
            "first_ns": "start of the first access, in nanoseconds since the trace's start; NULL when there was none",
            "last_ns": "start of the last access, in nanoseconds since the trace's start; NULL when there was none",
        },
        """SELECT f.trace, f.dataset, count(DISTINCT f.file) AS files, count(DISTINCT r.reader) AS readers,
            coalesce(sum(r.accesses), 0)::BIGINT AS accesses, coalesce(sum(r.bytes), 0) AS bytes,
            min(r.first_ns) AS first_ns, max(r.last_ns) AS last_ns
            FROM stored.file f LEFT JOIN (
                SELECT trace, file, reader, sum(count) AS accesses,
                    sum(count::BIGINT * size - size_minus_tail) AS bytes,
                    min(start_ns) AS first_ns, max(start_ns + span_ns) AS last_ns
                FROM stored.run WHERE count > 0 GROUP BY ALL
            ) r USING (trace, file) GROUP BY ALL""",
    ),
    View(
        "patterns",
        "a verdict on how something is accessed",
        _TRACE
        | {
            "scope": "what the verdict is about: stream, file, dataset or workload",
            "subject": "which of them: THREAD/OPEN of a stream, the file's id, the dataset's directory (empty when "
            "unknown), or the workload",
            "path": "path of the file or stream's file; otherwise as `subject`",
            "op": _OP,
            "pattern": "sequential, strided, backward, random, whole-file, header-then-body, append, mixed, "
            "directory-ordered or unknown",
            "stride": "distance between starts, in bytes, where it is regular",
            "request_size": "typical bytes asked for at once",
            "reuse": "once, looping, clustered, popularity-skewed or unknown; of a mix, what weighs most in bytes read",
            "reuse_period": "bytes between two uses of the same byte, when looping; about, when a part is read once",
            "confidence": "from 0 to 1",
            "accesses": "accesses the verdict rests on",
            "bytes": "bytes the verdict rests on",
            "evidence": "JSON object: the figures that the verdict was drawn from",
        },
        """SELECT trace, scope, subject, path, op, pattern, stride, request_size, reuse, reuse_period, confidence,
            accesses, bytes, evidence FROM stored.pattern""",
    ),
    View(
        "plans",
        "what was to be done about one dataset from one moment on, while the trace was recorded",
        _TRACE
        | {
            "start_ns": "from when on, in nanoseconds since the trace's start",
            "dataset": "its directory",
            "workload": "command line of the readers it was for; NULL for all",
            "mode": "observe, recommend or auto",
            "policy": "none, sequential, backward, strided, whole-file, directory, epoch, order or random",
            "block_bytes": "bytes of one request; NULL where left to the engine, as in the following columns",
            "in_flight": "requests under way at once",
            "window_bytes": "bytes kept ahead of a reader",
            "stride_bytes": "from one start to the next, when strided",
            "gain_low_permille": "predicted elapsed time without it over that with it, in thousandths: lower bound",
            "gain_high_permille": "upper bound",
            "reason": "why, in words",
            "plan": "JSON object: the whole plan, as `stepwell plan -o json` writes it",
        },
        """SELECT trace, start_ns, dataset, workload, mode, policy, block_bytes, in_flight, window_bytes, stride_bytes,
            gain_low_permille, gain_high_permille, reason, plan FROM stored.plan""",
    ),
    View(
        "verdicts",
        "the measured effect of what was done about a dataset",
        _TRACE
        | {
            "dataset": "its directory; empty for all data together",
            "verdict": "helped, no effect, hurt or unknown",
            "action": "kept; rolled back: ended while it ran, or found useless at its end; none: nothing was done",
            "sentence": "what was done and what it gained, in words",
            "because": "how that was measured, in words",
            "design": "alternating, before and after, recorded (against another trace), or none",
            "ratio": "elapsed time without it over that with it, for equal work; NULL when unknown",
            "low": "lower bound of ratio, with 90 % confidence",
            "high": "upper bound of ratio, with 90 % confidence",
            "pairs": "independent comparisons behind it",
            "waited_ns": "time that readers waited while it was carried out, in nanoseconds",
            "expected_ns": "time that they would have waited without it, in nanoseconds; NULL when unknown",
            "baseline": "the trace it is measured against; NULL for its own windows, or when exported without it",
            "files": "files of which something was brought in",
            "requests": "requests made ahead",
            "brought_bytes": "bytes brought in ahead",
            "used_bytes": "of these, bytes that were there before their reader came",
            "late_bytes": "of these, bytes still on their way when their reader came",
            "wasted_bytes": "of these, bytes evicted before, or never asked for",
            "stopped": "why acting stopped early, or never began; empty when it did not stop",
            "windows": "JSON array: what was measured (start_ns, length_ns, acting, bytes, waited_ns)",
        },
        """SELECT trace, dataset, verdict, action, sentence, because, design, ratio, low, high, pairs, waited_ns,
            expected_ns, baseline, files, requests, brought_bytes, used_bytes, late_bytes, wasted_bytes, stopped,
            windows FROM stored.verdict""",
    ),
    View(
        "counters",
        "a figure that another tool had counted over one file; only in imported traces",
        _READER
        | {
            "file": "id of the file within the trace",
            "path": "path of the file, as in `files`",
            "module": "the tool's module that counted, such as POSIX, MPI-IO or STDIO",
            "counter": "the counter's own name",
            "value": "its value, in the unit that its own name implies",
        },
        """SELECT trace, reader, file, path, module, counter, value
            FROM stored.counter JOIN (SELECT trace, file, path FROM stored.file) USING (trace, file)""",
    ),
    View(
        "darshan_counters",
        "Darshan's POSIX access counters of one reader on one path, for comparison; ops read and write only; counting "
        "begins anew when a file is opened again, which DXT does not tell: there one of each may differ per reopening",
        _READER
        | {
            "path": "path of the file, as in `files`",
            "consec_reads": "reads that start where the last one ended",
            "seq_reads": "reads that start at or above where the last one ended",
            "consec_writes": "writes that start where the last one ended",
            "seq_writes": "writes that start at or above where the last one ended",
        },
        _DARSHAN.format(piece=PIECE, before=OpenFlag.BEFORE.value, nobody=-(1 << 62)),
    ),
    View(
        "losses",
        "how many records one hop between kernel and store lost",
        _TRACE
        | {
            "hop": "where: ring, threads, recursion, drain, spool, store, compat ...",
            "count": "records lost there; at least, when the hop cannot count further",
        },
        "SELECT trace, hop, count FROM stored.loss",
    ),
)

VIEW_SQL = "".join(f"CREATE VIEW {view.name} AS {dedent(view.sql)};\n" for view in VIEWS)
"""Creates all views."""


def schema_text() -> str:
    """Return the description of all views and columns, as people read it in a terminal."""
    width = max(len(column) for view in VIEWS for column in view.columns)
    lines = []
    for view in VIEWS:
        lines += [f"{view.name}: {view.doc}"]
        lines += [f"    {column:<{width}}  {doc}" for column, doc in view.columns.items()]
        lines += [""]
    return "\n".join(lines)
