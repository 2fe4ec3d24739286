"""What is planned, and the bounds within which it is."""

from __future__ import annotations

WORTH_PERMILLE = 1050
"""Predicted gain, in thousandths, that must be possible for acting.  Default 1050: below 5 % a verdict takes longer to
reach than the gain is worth, and the least harm that is allowed is 2 %."""

MEMORY_BYTES = 1 << 30
"""Bytes brought in and not used yet, unless given.  Default 1 GiB: 32 requests of 16 MiB twice over."""

IN_FLIGHT = 64
"""Most requests under way at once, unless given.  Default 64: as for readers that are proposed (`MOST_WORKERS`)."""

LEAST_IN_FLIGHT = 2
"""Requests under way at least: with one, each would wait for the one before."""

KNEE = 0.5
"""Share of a request's time in which bytes flow that block sizes aim at.  Default 0.5, the knee of latency + bytes /
rate: below it requests cost mostly latency, above it twice the bytes save less than a third of the time a byte."""

MOST_BLOCK = 4 << 20
"""Largest block of a request, in bytes.  Default 4 MiB: beyond, more at once gives the same rate and comes earlier."""

MARGIN = 2.0
"""Factor on the concurrency that Little's law demands.  Default 2, as in the prefetch engine: half of the requests may
take longer than the model says.  What a plan allows too little of cannot be made up for, what is not needed is not
used."""

PIPELINED = 2
"""Windows of Linux's read-ahead that are under way at once for a reader along a file, so that it waits for a request
for about this part of the request's time (mm/readahead.c, ondemand_readahead: async_size)."""

AHEAD = 2
"""Windows' worth of what is under way that is kept ahead.  Default 2: one under way while the other is used, as in
Linux's readahead (mm/readahead.c, async_size)."""

DETECTED = 8
"""Accesses of a stream after which its head is followed.  Default 8: what the prefetch engine needs."""

ACTING = 0.8
"""Share of the time in which a plan is carried out at least.  Default 0.8: `stepwell run` rests for a fifth of a short
run to see what it gains (`steer.ACTING_NS`, `LONGEST_WITHOUT_NS`)."""

START_NS = 1_000_000_000
"""Time at the start, in ns, in which nothing is gained at least.  Default 1 s: `stepwell run` first watches for 0.4 s,
the engine wants `DETECTED` accesses of a head, and then a request takes its time."""

MOST_FETCHED = 5
"""Bytes that are fetched for each byte asked for, at most, where it is not known which ones are.  Default 5: the
project's own bar for random reads."""

SEVERAL = 2
"""Files from which on their order matters."""

UNEVEN = 1.5
"""Factor of bytes read over the files' sizes, up to which data counts as read once."""

LISTED = 0.05
"""Share of a team's waiting from which on a dataset gets an entry.  Default 5 %: others would be noise in the plan."""

JUICEFS_BLOCK = 4 << 20
"""Bytes of a block of JuiceFS, unless formatted otherwise (juicedata/juicefs cmd/format.go, --block-size)."""

JUICEFS_READAHEAD = 8 * JUICEFS_BLOCK
"""Most that JuiceFS reads ahead in one session, by default (pkg/vfs/reader.go, NewDataReader: BlockSize * 8)."""

JUICEFS_MOST = 32 * JUICEFS_BLOCK
"""Most read-ahead of a session that is proposed.  Default 128 MiB: a client's memory is others', too."""

JUICEFS_READ_AGAIN = 4
"""Reads of each block, on average, from which on it pays to have it whole in the cache.  Default 4: reads of 4 KiB of
JuiceFS were 1.25 times as fast by whole blocks where each was read twice, and 32 times where it was read 126 times."""

JUICEFS_CACHE = 100 << 30
"""Bytes of JuiceFS's cache by default (cmd/flags.go, --cache-size)."""

JUICEFS_SESSIONS = 2
"""Heads in one open file that JuiceFS reads ahead of (pkg/vfs/reader.go, readSessions)."""

JUICEFS_KEPT = 2
"""Times its read-ahead that a session of JuiceFS keeps in the buffer (pkg/vfs/reader.go, need)."""

JUICEFS_BUFFER = 300 << 20
"""Bytes of JuiceFS's buffer by default (cmd/flags.go, --buffer-size), 80 % of which serve read-ahead."""

JUICEFS_PARTIAL = 4
"""Share of a block, as its inverse, up to which JuiceFS fetches a range of it, and then the whole block besides
(pkg/chunk/cached_store.go, ReadAt: len(p) <= blockSize/4)."""

FUSE_BACKGROUND = 12
"""Read-ahead requests that FUSE lets run at once unless set (fs/fuse/inode.c, FUSE_DEFAULT_MAX_BACKGROUND)."""
