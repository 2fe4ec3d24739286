"""The questions a comparison asks, as SQL over the public views; `$1` is the trace."""

from __future__ import annotations

from stepwell.analysis.queries import HELD, RUNS, bucket
from stepwell.analysis.software import SOFTWARE
from stepwell.trace.definition import HISTOGRAM_BUCKETS, RunFlag

_ALL = "FROM runs WHERE trace = $1"


def of_files(sql: str, files: list[int]) -> str:
    """Return a query over the runs of one trace as one over its runs on some files."""
    return sql.replace(_ALL, f"{_ALL} AND file IN ({', '.join(map(str, files))})") if files else sql


TOTALS = """
SELECT (SELECT count(*) FROM readers WHERE trace = $1) AS processes,
    (SELECT count(*) FROM threads WHERE trace = $1) AS threads,
    (SELECT count(*) FROM opens WHERE trace = $1 AND file IN (SELECT file FROM runs WHERE trace = $1)) AS opens,
    (SELECT coalesce(sum(user_ns + system_ns), 0)::BIGINT FROM readers WHERE trace = $1) AS cpu_ns,
    (SELECT coalesce(sum(async_wait_ns), 0)::BIGINT FROM threads WHERE trace = $1) AS asleep_ns
"""

ALIKE = """
SELECT t.trace, t.duration_ns,
    (SELECT coalesce(sum(user_ns + system_ns), 0)::BIGINT FROM readers r WHERE r.trace = t.trace) AS cpu_ns
FROM traces t JOIN traces mine ON mine.trace = $1
WHERE t.command = mine.command AND t.cwd IS NOT DISTINCT FROM mine.cwd AND t.host IS NOT DISTINCT FROM mine.host
    AND t.status = 'complete'
ORDER BY t.trace
"""
"""Traces of the same command line in the same directory of the same machine."""

HELD_UP = (
    HELD
    + """
SELECT coalesce(sum(stall_ns), 0)::BIGINT AS stall_ns, coalesce(sum(asleep_ns), 0)::BIGINT AS wait_ns FROM held
"""
)

_COUNTS = ", ".join(
    f"sum(share * CASE WHEN op = 'mmap' AND {k} = 0 THEN 0 WHEN histogram IS NOT NULL THEN histogram[{k + 1}] "
    f"WHEN flags & {RunFlag.ASYNC.value} <> 0 THEN 0 "
    f"ELSE (longest = {k})::INTEGER + (count > 1 AND other = {k})::INTEGER END)::DOUBLE AS h{k}"
    for k in range(HISTOGRAM_BUCKETS)
)

SPREAD = (
    HELD
    + f""", named AS (
    SELECT held.*, coalesce(r.comm, '') AS comm, coalesce(f.dataset, '') AS dataset
    FROM held LEFT JOIN (SELECT reader, comm FROM readers WHERE trace = $1) r USING (reader)
    LEFT JOIN (SELECT file, dataset FROM files WHERE trace = $1) f USING (file)
), timed AS (
    SELECT op, comm, dataset, flags, count, bytes, stall_ns, asleep_ns, latency_ns, histogram,
        {bucket("latency_max_ns")} AS longest, {bucket("latency_ns - latency_max_ns")} AS other,
        start_ns::BIGINT AS low,
        greatest(least(start_ns::BIGINT + span_ns::BIGINT + (stall_ns // greatest(count, 1))::BIGINT, $2::BIGINT * $3),
            start_ns::BIGINT + 1) AS high
    FROM named
), part AS (
    SELECT *, greatest(least(low // $2, $3 - 1), 0) AS first, greatest(least((high - 1) // $2, $3 - 1), 0) AS last
    FROM timed
), piece AS (
    SELECT *, first AS slice, 1.0 AS share FROM part WHERE first = last
    UNION ALL
    SELECT *, greatest(least(high, CASE WHEN slice = last THEN high ELSE (slice + 1) * $2 END)
        - greatest(low, slice * $2), 0) / (high - low)::DOUBLE AS share
    FROM (SELECT *, unnest(range(first, last + 1)) AS slice FROM part WHERE first < last)
)
SELECT op::VARCHAR AS op, comm, dataset, slice::BIGINT AS slice, sum(share * count)::DOUBLE AS accesses,
    sum(share * bytes)::DOUBLE AS bytes, sum(share * stall_ns)::DOUBLE AS stall_ns,
    sum(share * asleep_ns)::DOUBLE AS wait_ns, {_COUNTS}
FROM piece GROUP BY GROUPING SETS ((op, slice), (comm, slice), (dataset, slice))
"""
)
"""What happened in each of `$3` slices of `$2` ns, by operation, by name of process and by dataset.

A run counts evenly over its time, latencies included.
"""

USED = (
    RUNS
    + f""", used AS (
    SELECT file, sum(count)::BIGINT AS accesses, sum(bytes)::BIGINT AS bytes,
        coalesce(sum(bytes) FILTER (op <> 'write'), 0)::BIGINT AS read_bytes,
        bool_and(op = 'mmap') AS mapped, bool_or(op = 'write') AS written
    FROM run GROUP BY file
)
SELECT file, path, size, accesses, bytes, read_bytes, {SOFTWARE} AS software
FROM used
JOIN (SELECT file, path, coalesce(size, 0)::BIGINT AS size, filesystem FROM files WHERE trace = $1) USING (file)
WHERE accesses > 0
"""
)

PATTERNS = """
SELECT scope, coalesce(path, subject) AS path, op::VARCHAR AS op, pattern, reuse, confidence, bytes::DOUBLE AS bytes
FROM patterns WHERE trace = $1 AND scope IN ('dataset', 'workload') ORDER BY scope, path, op, bytes DESC
"""
