"""The questions a summary asks, as SQL over the public views; `$1` is the trace.

Each is one scan of `runs` that reads only the columns it names.  What comes back
is at most as long as there are files, threads or distinct request sizes.
"""

from __future__ import annotations

from stepwell.analysis.sampling import mixed
from stepwell.analysis.software import SOFTWARE
from stepwell.trace.definition import HISTOGRAM_BUCKETS, HISTOGRAM_SHIFT, RunFlag

IMPORTED = "import "
"""What the collector's name begins with where other tools' files were imported."""

TRACE = """
SELECT trace, uuid::VARCHAR AS uuid, coalesce(command, '') AS command, coalesce(scope, '') AS scope,
    coalesce(cwd, '') AS cwd, coalesce(host, '') AS host, coalesce(kernel, '') AS kernel,
    coalesce(collector, '') AS collector, coalesce(version, '') AS version,
    replace(strftime(started AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S'), ' ', 'T') || '+00:00' AS started,
    duration_ns, status, exit_code, coverage::VARCHAR AS coverage, degraded::VARCHAR AS degraded
FROM traces WHERE trace = $1
"""

LOSSES = """
SELECT hop, sum(count)::BIGINT AS count FROM losses WHERE trace = $1 GROUP BY hop HAVING sum(count) > 0 ORDER BY hop
"""

OPENS = "SELECT file, count(*) AS opens FROM opens WHERE trace = $1 GROUP BY file"

RUNS = """
WITH run AS NOT MATERIALIZED (
    SELECT *, CASE WHEN count = 0 THEN 0 ELSE size * (count - 1) + tail END AS bytes FROM runs WHERE trace = $1
)
"""
"""Bytes of a run."""

HELD = (
    RUNS
    + f""", held AS NOT MATERIALIZED (
    SELECT *, CASE WHEN free THEN 0 ELSE latency_ns END AS stall_ns, CASE WHEN free THEN 0 ELSE wait_ns END AS asleep_ns
    FROM (
        SELECT *, flags & {RunFlag.ASYNC.value} <> 0 OR (op = 'write' AND (thread, start_ns) IN (
            SELECT (thread, start_ns) FROM run WHERE op IN ('sendfile', 'splice', 'copy')
        )) AS free FROM run
    )
)
"""
)
"""How long a run held its thread up.

Asynchronous accesses hold nobody up by themselves. A call that copies between two files is two accesses, of which the
one that reads counts.
"""

OPERATIONS = (
    RUNS
    + """
SELECT op::VARCHAR AS op, count(*) FILTER (count > 0) AS runs, sum(count)::BIGINT AS accesses,
    sum(bytes)::BIGINT AS bytes,
    sum(waited)::BIGINT AS waited, sum(wait_ns)::BIGINT AS wait_ns,
    sum(latency_ns)::BIGINT AS latency_ns, max(latency_max_ns)::BIGINT AS latency_max_ns, sum(filled)::BIGINT AS filled
FROM run GROUP BY op ORDER BY bytes DESC, op
"""
)

THREADS = (
    HELD
    + """, spent AS (
    SELECT thread, sum(count)::BIGINT AS accesses, sum(bytes)::BIGINT AS bytes, sum(stall_ns)::BIGINT AS stall_ns,
        sum(asleep_ns)::BIGINT AS wait_ns
    FROM held GROUP BY thread
)
SELECT t.reader, t.thread, t.tid, t.comm, h.accesses, h.bytes,
    (h.stall_ns + coalesce(t.async_wait_ns, 0))::BIGINT AS stall_ns,
    (h.wait_ns + coalesce(t.async_wait_ns, 0))::BIGINT AS wait_ns,
    (coalesce(t.end_ns, $2) - t.start_ns)::BIGINT AS wall_ns,
    (coalesce(t.user_ns, 0) + coalesce(t.system_ns, 0))::BIGINT AS cpu_ns,
    least(greatest(coalesce(t.queued_ns, 0) - h.wait_ns, 0), greatest(wall_ns - cpu_ns - h.stall_ns, 0))::BIGINT
        AS queued_ns
FROM threads t JOIN spent h USING (thread) WHERE t.trace = $1
ORDER BY stall_ns DESC, thread
"""
)
"""`$2` is the end of the trace, where threads that did not end are taken to end."""

READERS = """
SELECT reader, pid, ppid, coalesce(comm, '') AS comm, coalesce(command, comm, '') AS command, start_ns,
    coalesce(end_ns, $2)::BIGINT AS end_ns
FROM readers WHERE trace = $1
"""

VOLUMES = (
    RUNS
    + f""", pair AS (
    SELECT reader, file, count(*) FILTER (count > 0) AS runs, sum(count)::BIGINT AS accesses,
        sum(bytes)::BIGINT AS bytes, sum(latency_ns)::BIGINT AS latency_ns,
        min(start_ns)::BIGINT AS first_ns, max(start_ns)::BIGINT AS last_ns,
        coalesce(sum(bytes) FILTER (flags & {RunFlag.FAULT_AROUND.value} <> 0), 0)::BIGINT AS around_bytes,
        bool_and(op = 'mmap') AS mapped, bool_or(op = 'write') AS written
    FROM run GROUP BY reader, file
), used AS (
    SELECT file, bool_and(mapped) AS mapped, bool_or(written) AS written FROM pair GROUP BY file
), fact AS (
    SELECT file, coalesce(dataset, '') AS dataset, regexp_replace(coalesce(path, ''), '[^/]*$', '') AS directory,
        {SOFTWARE} AS software
    FROM used LEFT JOIN (SELECT file, dataset, path, filesystem FROM files WHERE trace = $1) USING (file)
), named AS MATERIALIZED (
    SELECT * FROM pair JOIN fact USING (file)
), mostly AS (
    SELECT reader, max_by(directory, (NOT software, bytes, directory)) AS top_directory
    FROM (SELECT reader, directory, software, sum(bytes) AS bytes FROM named GROUP BY ALL) GROUP BY reader
)
SELECT reader, dataset, file, count(DISTINCT file) AS files, count(DISTINCT reader) AS readers,
    sum(runs)::BIGINT AS runs, sum(accesses)::BIGINT AS accesses, sum(bytes)::BIGINT AS bytes,
    sum(latency_ns)::BIGINT AS latency_ns, min(first_ns) AS first_ns, max(last_ns) AS last_ns,
    sum(around_bytes)::BIGINT AS around_bytes, min(top_directory) AS top_directory, bool_and(software) AS software
FROM named JOIN mostly USING (reader) GROUP BY GROUPING SETS ((reader), (reader, dataset), (dataset), (dataset, file))
ORDER BY bytes DESC, accesses DESC, reader, dataset, file
"""
)
"""Who read what: rows per reader, reader and dataset, dataset, file; keys a row is not about are NULL.

A reader's `top_directory` is one with data in it, if there is any.
"""

FILES = """
SELECT file, path, coalesce(size, 0)::BIGINT AS size, coalesce(filesystem, '') AS filesystem,
    coalesce(deleted, false) AS deleted
FROM files WHERE trace = $1
"""

SIZES = (
    RUNS
    + """
SELECT op::VARCHAR AS op, requested::BIGINT AS requested, sum(count)::BIGINT AS accesses, sum(bytes)::BIGINT AS bytes
FROM run WHERE count > 0 GROUP BY op, requested ORDER BY accesses DESC, op, requested
"""
)

SHAPES = (
    RUNS
    + """
SELECT op::VARCHAR AS op, CASE WHEN count > 1 AND stride = size THEN 'consecutive' WHEN count < 3 THEN 'single'
    WHEN stride < 0 THEN 'backward' ELSE 'strided' END AS shape,
    count(*) AS runs, sum(count)::BIGINT AS accesses, sum(bytes)::BIGINT AS bytes
FROM run WHERE count > 0 GROUP BY ALL ORDER BY bytes DESC, op, shape
"""
)

STRIDES = (
    RUNS
    + """
SELECT op::VARCHAR AS op, stride, requested::BIGINT AS requested, count(*) AS runs,
    sum(count)::BIGINT AS accesses, sum(bytes)::BIGINT AS bytes
FROM run WHERE count > 2 AND stride <> size GROUP BY op, stride, requested
ORDER BY accesses DESC, op, stride, requested LIMIT 10
"""
)


def bucket(latency: str) -> str:
    """Return the SQL for the histogram bucket of a latency; the first and the last one are open."""
    edges = (f"WHEN {latency} < {2 << (HISTOGRAM_SHIFT + k)} THEN {k}" for k in range(HISTOGRAM_BUCKETS - 1))
    return f"CASE {' '.join(edges)} ELSE {HISTOGRAM_BUCKETS - 1} END"


_SUMS = ", ".join(f"sum(histogram[{k + 1}]) AS number{k}" for k in range(HISTOGRAM_BUCKETS))
_NUMBER = "CASE bucket " + " ".join(f"WHEN {k} THEN number{k}" for k in range(HISTOGRAM_BUCKETS)) + " END"
_BUCKETS = ", ".join(f"({k})" for k in range(HISTOGRAM_BUCKETS))

LATENCIES = (
    RUNS
    + f""", implied AS MATERIALIZED (
    SELECT op, count, {bucket("latency_max_ns")} AS longest,
        {bucket("latency_ns - latency_max_ns")} AS other, count(*) AS number
    FROM run WHERE histogram IS NULL AND flags & {RunFlag.ASYNC.value} = 0 AND count > 0 GROUP BY ALL
), counted AS (
    SELECT op, {_SUMS} FROM run WHERE histogram IS NOT NULL GROUP BY op
), bucket AS (
    SELECT op, longest AS bucket, number FROM implied
    UNION ALL SELECT op, other, number FROM implied WHERE count > 1
    UNION ALL SELECT op, bucket, {_NUMBER} FROM counted CROSS JOIN (VALUES {_BUCKETS}) AS buckets(bucket)
)
SELECT op::VARCHAR AS op, bucket::INTEGER AS bucket, sum(number)::BIGINT AS accesses
FROM bucket WHERE NOT (op = 'mmap' AND bucket = 0) GROUP BY ALL HAVING sum(number) > 0 ORDER BY op, bucket
"""
)
"""A run of at most two accesses has no histogram: its longest latency and the rest of the sum are its latencies.

Page faults that did not sleep are not timed and have latency 0, which is none.
"""

SLICES = (
    HELD
    + """, timed AS (
    SELECT file, op = 'write' AS write, bytes, stall_ns, start_ns::BIGINT AS low,
        start_ns::BIGINT + span_ns::BIGINT + (stall_ns // count)::BIGINT AS latest,
        greatest(least(latest, $2::BIGINT * $3), low + 1) AS high,
        least(low // $2, $3 - 1) AS first, least((high - 1) // $2, $3 - 1) AS last
    FROM held WHERE count > 0
), cut AS (
    SELECT file, write, first AS slice, sum(bytes)::DOUBLE AS bytes, sum(stall_ns)::DOUBLE AS stall_ns
    FROM timed WHERE first = last GROUP BY ALL
    UNION ALL
    SELECT file, write, slice, sum(bytes * share), sum(stall_ns * share)
    FROM (
        SELECT *, greatest(least(high, CASE WHEN slice = last THEN high ELSE (slice + 1) * $2 END)
            - greatest(low, slice * $2), 0) / (high - low)::DOUBLE AS share
        FROM (SELECT *, unnest(range(first, last + 1)) AS slice FROM timed WHERE first < last)
    ) GROUP BY ALL
)
SELECT file, write, slice, sum(bytes) AS bytes, sum(stall_ns) AS stall_ns FROM cut GROUP BY ALL
"""
)
"""Bytes and stall of each file in each of `$3` slices of `$2` ns; what runs over several is shared out by time."""

PICTURES = (
    RUNS
    + f""", drawn AS (
    SELECT file, unnest(max_by(
        struct_pack(reader := reader, write := op = 'write', line := count <> 2 OR stride = size,
            start_ns := start_ns::BIGINT, end_ns := start_ns::BIGINT + span_ns::BIGINT, "offset" := "offset"::BIGINT,
            last := "offset"::BIGINT + stride * (count - 1) + tail::BIGINT),
        ln(({mixed("thread", "seq")} % 1000003 + 1) / 1000004.0) / greatest(bytes, 1), $3)) AS one
    FROM run WHERE count > 0 AND list_contains($2, file) GROUP BY file
)
SELECT file, one.* FROM drawn ORDER BY file, one.start_ns, one."offset"
"""
)
"""Up to `$3` runs of each of the files `$2`: all, or a random sample in which a run counts by its bytes.

Weighted sampling without replacement: Efraimidis and Spirakis, "Weighted random sampling with a reservoir" (2006),
with a hash in place of the random number, so that a report comes out the same twice.
"""
