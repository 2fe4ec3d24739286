"""What the study of waiting asks the store, as SQL over the public views; `$1` is the trace.

Every number that comes back is a sum over runs; what follows from the sums is decided in Python.  The SQL keeps to
what other engines have as well: no lists are made, and series of numbers come from values that are written out.
"""

from __future__ import annotations

import os

from stepwell.analysis.queries import HELD
from stepwell.analysis.software import SOFTWARE
from stepwell.analysis.thresholds import waits as limits
from stepwell.trace.definition import HISTOGRAM_BUCKETS, HISTOGRAM_SHIFT, EventKind, RunFlag

_TIMED = " + ".join(f"coalesce(histogram[{bucket + 1}], 0)" for bucket in range(HISTOGRAM_BUCKETS))

_BUCKETS = ", ".join(f"({bucket})" for bucket in range(HISTOGRAM_BUCKETS))

_ASYNC = f"flags & {RunFlag.ASYNC.value} <> 0"

_MODE = f"flags & {os.O_ACCMODE}"

_PLACED = (
    HELD
    + f""", used AS (
    SELECT file, bool_and(op = 'mmap') AS mapped, bool_or(op = 'write') AS written, sum(filled) AS filled
    FROM run GROUP BY file
), place AS (
    SELECT file, path, dataset, filesystem, dev, size AS file_size, {SOFTWARE} AS software, direct,
        min(file) OVER (PARTITION BY coalesce(dataset, ''), coalesce(filesystem, '')) AS storage
    FROM (
        SELECT f.file, path, dataset, filesystem, dev, coalesce(size, 0) AS size, coalesce(mapped, false) AS mapped,
            coalesce(written, false) AS written, filled = 0 AS direct
        FROM files f LEFT JOIN used u ON f.file = u.file WHERE f.trace = $1
    ) f
)"""
)
"""Where the files of the trace are: `storage` is the least file of a dataset on a file system."""

_FETCHED = (
    _PLACED
    + f""", fetched AS NOT MATERIALIZED (
    SELECT file, op = 'write' AS write, start_ns, span_ns, waited::BIGINT AS fetches, wait_ns::BIGINT AS fetch_ns,
        CASE WHEN filled > 0 THEN filled::BIGINT * {limits.PAGE}
            WHEN count = 1 THEN bytes ELSE waited::BIGINT * bytes // count END AS fetch_bytes,
        count = 1 AND filled::BIGINT * {limits.PAGE} <= {limits.READ_AHEAD} AS alone, filled = 0 AS bare
    FROM held WHERE waited > 0 AND count > 0 AND NOT free
    UNION ALL
    SELECT a.file, a.write, a.start_ns, a.span_ns, a.fetches, a.fetch_ns, a.fetches * b.bytes // b.accesses, true, true
    FROM (
        SELECT thread, open, file, op = 'write' AS write, start_ns, span_ns, {_TIMED} AS fetches,
            latency_ns::BIGINT AS fetch_ns
        FROM run WHERE count = 0 AND {_ASYNC}
    ) a JOIN (
        SELECT thread, open, op = 'write' AS write, sum(bytes)::BIGINT AS bytes, sum(count)::BIGINT AS accesses
        FROM run WHERE count > 0 AND {_ASYNC} GROUP BY thread, open, op
    ) b ON a.thread = b.thread AND a.open = b.open AND a.write = b.write
    WHERE a.fetches > 0
), moved AS NOT MATERIALIZED (
    SELECT f.file, storage, write, start_ns, span_ns, fetches, fetch_ns, fetch_bytes,
        CASE WHEN bare THEN direct ELSE alone END AS single
    FROM fetched f JOIN (SELECT file, storage, direct FROM place WHERE NOT software) p ON f.file = p.file
)"""
)
"""What of a run went to storage: accesses during which the thread slept, and asynchronous ones, which have latencies.

What a buffered access fetched are the pages that were filled, read-ahead included; what any other one fetched are its
own bytes.  Those that are `single` took one trip: one buffered access that filled no more than a read-ahead window, or
accesses to a file that nobody has in the page cache.
"""

PAIRS = (
    _PLACED
    + f""", slept AS NOT MATERIALIZED (
    SELECT *, CASE WHEN waited > 0 AND NOT free THEN ln(greatest(asleep_ns, 1)::DOUBLE / waited) ELSE 0 END AS log_ns,
        {_ASYNC} AS asynchronous, latency_ns = 0 AS untimed, count > 1 AND stride = size AS along,
        count = 1 AND "offset" = 0 AS first, size > 0 AND (count = 1 OR stride % {limits.PAGE} = 0)
            AND "offset" % {limits.PAGE} + size > (size + {limits.PAGE - 1}) // {limits.PAGE} * {limits.PAGE} AS split
    FROM held
), alike AS (
    SELECT min(reader) AS reader, thread, file, op, asynchronous, untimed, along, first, split, count(*) AS runs,
        sum(count)::BIGINT AS accesses, sum(bytes)::BIGINT AS bytes, sum(stall_ns)::BIGINT AS stall_ns,
        sum(asleep_ns)::BIGINT AS asleep_ns, sum(waited)::BIGINT AS waited, sum(filled)::BIGINT AS filled,
        sum(log_ns * waited) AS log_ns, sum(log_ns * log_ns * waited) AS log2_ns,
        sum(least(requested, 1099511627776)::DOUBLE * count)::DOUBLE AS requested
    FROM slept GROUP BY thread, file, op, asynchronous, untimed, along, first, split
), pair AS (
    SELECT min(reader) AS reader, thread, file, op = 'write' AS write,
        sum(accesses)::BIGINT AS accesses, sum(bytes)::BIGINT AS bytes, sum(stall_ns)::BIGINT AS stall_ns,
        sum(asleep_ns)::BIGINT AS asleep_ns, sum(waited)::BIGINT AS waited, sum(filled)::BIGINT AS filled,
        sum(log_ns) AS log_ns, sum(log2_ns) AS log2_ns,
        sum(CASE WHEN along THEN bytes ELSE 0 END)::BIGINT AS along_bytes,
        sum(CASE WHEN first THEN bytes ELSE 0 END)::BIGINT AS first_bytes,
        sum(CASE WHEN first THEN runs ELSE 0 END)::BIGINT AS firsts,
        sum(CASE WHEN asynchronous THEN accesses ELSE 0 END)::BIGINT AS asynchronous,
        sum(CASE WHEN untimed AND op <> 'mmap' AND NOT asynchronous THEN accesses ELSE 0 END)::BIGINT AS untimed,
        sum(CASE WHEN op = 'mmap' THEN accesses ELSE 0 END)::BIGINT AS mapped, sum(requested) AS requested,
        sum(CASE WHEN split THEN accesses ELSE 0 END)::BIGINT AS split
    FROM alike GROUP BY thread, file, op = 'write'
)
SELECT pair.*, p.storage, coalesce(p.software, false) AS software, coalesce(p.file_size, 0)::BIGINT AS file_size,
    CASE WHEN write THEN 'write' ELSE 'read' END AS direction,
    along_bytes + CASE WHEN firsts > 0 AND first_bytes >= firsts * p.file_size THEN first_bytes ELSE 0 END
        AS consecutive_bytes
FROM pair LEFT JOIN place p ON pair.file = p.file
"""
)
"""What each thread did with each file: sums, for those accesses that held it up and of those that slept.

Bytes are consecutive in runs that follow on, and where single accesses from the start brought whole files.  Runs that
are alike are put together first: that leaves half as many sums for each of very many runs.
"""


def _class(value: str) -> str:
    """Return the SQL for the logarithmic class of a value: `CLASSES` to a factor of two."""
    return f"floor(ln({value}) / ln(2) * {limits.CLASSES})::INTEGER"


_SLICED = (
    _FETCHED
    + f""", timed AS NOT MATERIALIZED (
    SELECT storage, write, single, fetches, fetch_bytes, fetch_ns, start_ns::BIGINT AS low,
        greatest(least(start_ns::BIGINT + span_ns::BIGINT + fetch_ns // fetches, $2::BIGINT * {limits.SLICES}),
            start_ns::BIGINT + 1) AS high
    FROM moved
), cut AS NOT MATERIALIZED (
    SELECT *, least(low // $2, {limits.SLICES - 1})::INTEGER AS first,
        least((high - 1) // $2, {limits.SLICES - 1})::INTEGER AS last, (high - low) * 8 > $2 AS long
    FROM timed
)"""
)
"""Fetches with the first and the last slice of `$2` ns that they touch; those much
shorter than a slice belong to the first."""

FETCHES = (
    _SLICED
    + f"""
SELECT storage, CASE WHEN write THEN 'write' ELSE 'read' END AS direction, single, slice, size_class, time_class,
    fetches, bytes, ns
FROM (
    SELECT storage, write, single, CASE WHEN first < last AND long THEN -1 ELSE first END AS slice,
        {_class("greatest(fetch_bytes::DOUBLE / fetches, 1)")} AS size_class,
        {_class("greatest(fetch_ns::DOUBLE / fetches, 1)")} AS time_class,
        sum(fetches)::BIGINT AS fetches, sum(fetch_bytes)::BIGINT AS bytes, sum(fetch_ns)::BIGINT AS ns
    FROM cut GROUP BY storage, write, single, slice, size_class, time_class
) ORDER BY storage, direction
"""
)
"""Fetches of each storage by what they brought, how long they took and when, in slices of `$2` ns.

Sizes and times are in logarithmic classes, with exact sums.  The slice is -1 for what is shared out over several; see
`LONG_FETCHES`.
"""

_SLICES = ", ".join(f"({number})" for number in range(limits.SLICES))

LONG_FETCHES = (
    _SLICED
    + f"""
SELECT storage, CASE WHEN write THEN 'write' ELSE 'read' END AS direction, slice::INTEGER AS slice,
    sum(fetches * share) AS fetches, sum(fetch_bytes * share) AS bytes, sum(fetch_ns * share) AS ns
FROM (
    SELECT *, (least(high, (slice + 1)::BIGINT * $2) - greatest(low, slice::BIGINT * $2))::DOUBLE / (high - low)
        AS share
    FROM (SELECT * FROM cut WHERE first < last AND long) JOIN (VALUES {_SLICES}) AS slices(slice)
        ON slice BETWEEN first AND last
) GROUP BY storage, write, slice
"""
)
"""What runs over several slices of `$2` ns, shared out by time."""

MOMENTS = (
    _FETCHED
    + """, timed AS (
    SELECT CASE WHEN list_contains($3, file) THEN file END AS file, start_ns // $4 AS first,
        (start_ns + span_ns) // $4 AS last, fetches, ln(greatest(fetch_ns::DOUBLE / fetches, 1))
            - ln(greatest($5 + fetch_bytes::DOUBLE / fetches * $6 / 1048576, 1)) AS log_excess
    FROM moved WHERE storage = $2 AND NOT write
), cut AS (
    SELECT file, first AS moment, fetches::DOUBLE AS fetches, log_excess FROM timed WHERE first = last
    UNION ALL
    SELECT file, unnest(range(first, last + 1)) AS moment, fetches::DOUBLE / (last - first + 1), log_excess
    FROM timed WHERE first < last
)
SELECT file, moment::BIGINT AS moment, sum(fetches) AS fetches, sum(fetches * log_excess) AS log_excess
FROM cut GROUP BY file, moment
"""
)
"""Reads from storage `$2` in each window of `$4` ns, of each of the files `$3` and of all others together (NULL).

`log_excess` is the logarithm of a fetch's time over what is expected, `$5` ns and `$6` ns a MiB, summed.  Fetches of a
run are taken to be spread evenly over its windows.
"""

TIMES = (
    HELD
    + f""", timed AS (
    SELECT file, count, waited, wait_ns, histogram FROM held
    WHERE list_contains($2, file) AND op <> 'write' AND waited > 0 AND count > 0 AND NOT free
)
SELECT file, {_class("greatest(wait_ns::DOUBLE / waited, 1)")} AS time_class, sum(waited)::BIGINT AS accesses,
    sum(waited)::BIGINT AS waited
FROM timed WHERE count <= 2 GROUP BY file, time_class
UNION ALL
SELECT file, (bucket + {HISTOGRAM_SHIFT}) * {limits.CLASSES} + {limits.CLASSES // 2}, sum(accesses)::BIGINT, 0
FROM (
    SELECT file, bucket, coalesce(histogram[bucket + 1], 0)::BIGINT AS accesses
    FROM timed JOIN (VALUES {_BUCKETS}) AS buckets(bucket) ON count > 2
) GROUP BY file, bucket
UNION ALL
SELECT file, NULL, 0, sum(waited)::BIGINT FROM timed WHERE count > 2 GROUP BY file
"""
)
"""Reads of the files `$2` by how long they took, in classes as those of `FETCHES`, and how many of them waited.

A run of more than two tells the latencies of all its reads only, by classes a factor of two wide, of which this is the
middle; those that waited are the longest.
"""

SPANS = (
    _FETCHED
    + """
SELECT storage, start_ns::BIGINT AS low, (start_ns + span_ns + fetch_ns // fetches)::BIGINT AS high, fetch_ns
FROM moved
WHERE fetch_ns > 0 AND (start_ns % $2 < $3 OR (start_ns + span_ns + fetch_ns // fetches) // $2 > start_ns // $2)
ORDER BY low
"""
)
"""When fetches were under way, of those that touch the first `$3` ns of each `$2` ns."""

OPENS = (
    _PLACED
    + f"""
SELECT o.reader, o.thread, p.storage, coalesce(p.software, false) AS software, {_MODE} AS mode, count(*) AS opens,
    count(DISTINCT o.file) AS files,
    sum(CASE WHEN latency_ns >= {limits.ASLEEP_NS} THEN latency_ns ELSE 0 END)::BIGINT AS slow_ns,
    sum(CASE WHEN flags & {os.O_DIRECT} = {os.O_DIRECT} THEN 1 ELSE 0 END)::BIGINT AS direct,
    sum(CASE WHEN flags & {os.O_DSYNC} <> 0 THEN 1 ELSE 0 END)::BIGINT AS synchronous
FROM opens o LEFT JOIN place p ON o.file = p.file WHERE o.trace = $1
GROUP BY o.reader, o.thread, p.storage, coalesce(p.software, false), {_MODE}
"""
)
"""Opens of each storage's files by each thread and access mode.  O_SYNC has the bit of O_DSYNC, too."""

EVENTS = (
    _PLACED
    + f"""
SELECT e.reader, e.thread, p.storage, coalesce(p.software, false) AS software, event::VARCHAR AS event,
    coalesce({_MODE}, {os.O_WRONLY}) AS mode,
    sum(CASE WHEN e.latency_ns >= {limits.ASLEEP_NS} THEN e.latency_ns ELSE 0 END)::BIGINT AS slow_ns
FROM events e LEFT JOIN place p ON e.file = p.file
LEFT JOIN (SELECT open, flags FROM opens WHERE trace = $1) o ON e.open = o.open
WHERE e.trace = $1 AND event <> '{EventKind.ERROR.name.lower()}'
GROUP BY e.reader, e.thread, p.storage, coalesce(p.software, false), event, coalesce({_MODE}, {os.O_WRONLY})
"""
)
"""Closes, syncs and the like, as `OPENS`; what is done to a file by its name belongs to writing."""

PLACES = (
    _PLACED
    + """
SELECT storage, coalesce(min(dataset), '') AS dataset, coalesce(min(filesystem), '') AS filesystem,
    min(dev)::BIGINT AS dev FROM place GROUP BY storage
"""
)
"""The storages by name."""

FILES = (
    _PLACED
    + """
SELECT file, path, file_size::BIGINT AS size, storage FROM place
WHERE NOT software AND file IN (SELECT file FROM run WHERE waited > 0)
"""
)
"""Files of data that somebody waited for."""

THREADS = """
SELECT t.reader, thread, tid, coalesce(t.comm, '') AS comm, t.start_ns::BIGINT AS start_ns,
    coalesce(t.end_ns, r.end_ns, $2)::BIGINT AS end_ns,
    (coalesce(t.user_ns, 0) + coalesce(t.system_ns, 0))::BIGINT AS cpu_ns,
    coalesce(async_wait_ns, 0)::BIGINT AS async_wait_ns, coalesce(queued_ns, 0)::BIGINT AS queued_ns
FROM threads t LEFT JOIN (SELECT reader, end_ns FROM readers WHERE trace = $1) r ON t.reader = r.reader
WHERE t.trace = $1 ORDER BY thread
"""
"""All threads, also those without accesses: they may be who waits for the others.  `$2` is the end of the trace."""
