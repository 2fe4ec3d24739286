"""The questions about files' order, as SQL that DuckDB and Apache Spark have in common; `$1` is the trace.

What comes back has one row per visit, file or process, never one per run.
"""

from __future__ import annotations

from stepwell.analysis.software import SOFTWARE

FILES = f"""
SELECT f.file, f.dataset, f.path, coalesce(f.size, 0) AS size, coalesce(f.ino, 0) AS ino, f.mtime_ns,
    coalesce(f.filesystem, '') AS filesystem, {SOFTWARE} AS software
FROM (SELECT *, false AS written, false AS mapped FROM files WHERE trace = $1 AND dataset IS NOT NULL) f
JOIN (
    SELECT dataset FROM files WHERE trace = $1 AND dataset IS NOT NULL GROUP BY dataset HAVING count(*) >= $2
) d ON f.dataset = d.dataset
ORDER BY f.file
"""
"""Files of datasets that have at least `$2`."""

READERS = """
SELECT reader, coalesce(pid, 0) AS pid, coalesce(ppid, 0) AS ppid, coalesce(comm, '') AS comm,
    coalesce(command, comm, '') AS command, coalesce(start_ns, 0) AS start_ns
FROM readers WHERE trace = $1 ORDER BY start_ns, reader
"""

_OPENED = """
WITH piece AS NOT MATERIALIZED (
    SELECT r.reader, r.thread, r.file, r.open, r.seq, r.start_ns,
        r.start_ns + r.span_ns + CASE WHEN r.count = 1 THEN r.latency_ns ELSE 0 END AS end_ns, r."offset" AS low,
        CASE WHEN r.stride = 0 THEN CAST(r.count AS BIGINT) ELSE 1 END AS alike,
        r.size * (CAST(r.count AS BIGINT) - 1) + r.tail AS bytes
    FROM runs r JOIN (SELECT file FROM files WHERE trace = $1 AND dataset IN (
        SELECT dataset FROM files WHERE trace = $1 GROUP BY dataset HAVING count(*) >= $2
    )) f ON r.file = f.file
    WHERE r.trace = $1 AND r.count > 0 AND r.op <> 'write'
), opened AS MATERIALIZED (
    SELECT reader, file, open, min_by(thread, start_ns) AS thread, min(start_ns) AS start_ns, max(end_ns) AS end_ns,
        sum(bytes) AS bytes, count(*) AS runs, max(alike) AS alike, min_by(low, start_ns) AS origin
    FROM piece GROUP BY reader, file, open
)
"""

OPENED = (
    _OPENED
    + """
SELECT reader, thread, file, start_ns, end_ns, CAST(bytes AS BIGINT) AS bytes,
    CASE WHEN runs = 1 THEN alike ELSE 1 END AS alike, runs
FROM opened
"""
)
"""Open files that were read, as `VISITS`, each as one visit, with how many runs it has."""

VISITS = (
    _OPENED
    + """, again AS (
    SELECT p.reader, p.file, p.open, count(*) AS passes
    FROM piece p JOIN opened o ON p.reader = o.reader AND p.file = o.file AND p.open = o.open
    WHERE o.runs BETWEEN 2 AND $3 AND p.low = o.origin
    GROUP BY p.reader, p.file, p.open HAVING count(*) > 1
), numbered AS (
    SELECT p.*, sum(CASE WHEN p.low = o.origin THEN 1 ELSE 0 END) OVER (
        PARTITION BY p.reader, p.file, p.open ORDER BY p.start_ns, p.seq
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS pass
    FROM piece p JOIN again a ON p.reader = a.reader AND p.file = a.file AND p.open = a.open
    JOIN opened o ON p.reader = o.reader AND p.file = o.file AND p.open = o.open
), visit AS (
    SELECT o.reader, o.thread, o.file, o.start_ns, o.end_ns, o.bytes,
        CASE WHEN o.runs = 1 THEN o.alike ELSE 1 END AS alike
    FROM opened o LEFT JOIN again a ON o.reader = a.reader AND o.file = a.file AND o.open = a.open
    WHERE a.passes IS NULL
    UNION ALL
    SELECT reader, min_by(thread, start_ns), file, min(start_ns), max(end_ns), sum(bytes),
        CASE WHEN count(*) = 1 THEN max(alike) ELSE 1 END
    FROM numbered GROUP BY reader, file, open, pass
)
SELECT reader, thread, file, start_ns, end_ns, CAST(bytes AS BIGINT) AS bytes, alike FROM visit
"""
)
"""Visits to the files of `FILES`: an open file that was read, or each pass over one that was read from where the first
began again, of at most `$3` runs.  A run of `alike` equal accesses, as of reads of a small file that stays open, is as
many visits."""
