"""Measured storages: when a model holds, and what counts as all that a storage gives."""

from __future__ import annotations

LINE_ERROR = 0.10
"""Relative error of latency + bytes / rate, at any block size, up to which the sizes are one line; a larger block that
takes longer than that is taken apart by the mount.  Default 0.10: twice what medians of 23 reads of a steady storage
spread by."""

LINE_SIZES = 3
"""Block sizes that a line needs: two always lie on one."""

LEAST_READS = 2
"""Reads of a block size from which on it counts for the line.  Default 2: large reads are few, and one may be late."""

NEARLY_ALL = 0.9
"""Share of the highest rate from which on a combination of block size and concurrency counts as giving all.
Default 0.9: the bar that prefetch is held to."""

CACHED = 0.5
"""Share of the fastest first read's time below which a second read came from a cache.  Default 0.5: storages that
answer from memory of their own still have their network's latency."""

CACHED_FROM_NS = 1_000_000
"""Time of a first read, in ns, from which on a cache is told from it.  Default 1 ms: what a cache serves through a file
system in user space takes a tenth of it, and hiccups of a busy machine do not hide that."""

KEPT = 0.25
"""Share of second reads that came from a cache from which on somebody is said to keep data.  Default 0.25: a client may
still be fetching the rest of its block; a storage without a cache is never twice as fast by chance."""
