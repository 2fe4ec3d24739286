"""What is worth advising, and the bounds within which settings are proposed."""

from __future__ import annotations

WORTH = 0.03
"""Share of a team's elapsed time that a change must be able to save.  Default 3 %: less drowns in a run's noise."""

NO_TIME_NS = 100_000_000
"""Elapsed time, in ns, below which nothing is advised.  Default 0.1 s: nobody waits for it."""

MODEL_ERROR = 0.15
"""Relative error that a prediction of the waiting that remains allows for, besides what the fit is unsure of.  Default
0.15: models of storage leave out queues, caches and how processes start."""

LITTLE_BYTES = 16 << 20
"""Bytes read once, up to which "leave alone" gives the little data as the reason.  Default 16 MiB."""

FLOW = 0.9
"""Share of a fetch's time in which bytes flow that a larger size aims at; the rest is latency.  Default 0.9."""

MOST_READ = 16 << 20
"""Largest read size, or read-ahead window, that is proposed, in bytes.  Default 16 MiB: buffers above cost more memory
and cache misses than they save."""

LEAST_GROWTH = 2.0
"""Factor by which a size or a concurrency must grow to be proposed."""

MOST_GROWTH = 8.0
"""Factor by which concurrency grows at most in one step: beyond what was seen, the model is a guess."""

MOST_WORKERS = 64
"""Largest concurrency that is proposed."""

CONSECUTIVE = 0.6
"""Share of bytes in runs that follow on, from which on reading counts as sequential when no verdict says so."""

TINY_BYTES = 1 << 20
"""Mean size up to which files count as tiny.  Default 1 MiB: opening one then costs as much as its bytes on storage
with 5 ms and 200 MB/s."""

MANY_FILES = 100
"""Files from which on packing them is advised."""

SHARD_BYTES = 256 << 20
"""Size of a packed file.  Default 256 MiB: WebDataset proposes 100 MB to 1 GB a shard."""

REOPENED = 5.0
"""Opens of a file, on average, from which on keeping it open is advised."""

REREAD = 1.5
"""Factor of bytes read over the size of the files read, from which on data counts as read again."""

SMALL_READ = 4096
"""Request size, in bytes, up to which reads from memory are better made through a larger buffer."""

BUFFER = 1 << 18
"""Buffer proposed for them, in bytes.  Default 256 KiB: the system call's cost is below 5 % of the copy's then."""

SPLIT = 0.5
"""Share of accesses that touch a page too many, from which on alignment is advised."""

BROUGHT_ALONG = 1.25
"""Factor of the bytes of a fetch over those asked for, up to which a fetch brings just what is asked for.  Default
1.25: read-ahead and mapping around a fault bring several times as much, pages at a request's ends less than a quarter.
"""

SERIES_RUNS = 1_000_000
"""Runs of strided reads up to which it is looked at what is read together.  Default 1 million, a second of work: as
series are runs, more of them are too short to gain by being stored together, or far too many to describe."""

PROBE = 4
"""Times that a request is smaller than those usually made, from which on it is a probe, of a header or an index, which
stays when they grow.  Default 4, as for headers in patterns (`thresholds.streams.HEADER_SMALLER`)."""

CERTAIN = 0.5
"""Confidence of other analyses' verdicts from which on they are relied on."""
