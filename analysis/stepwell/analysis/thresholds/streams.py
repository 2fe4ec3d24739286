"""What decides how a stream of accesses is called."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HeadLimits:
    """How heads are told apart; parameters of `native/heads.c` and `native/streams.c`, in their order."""

    heads: int = 32
    """Heads of one stream, a multiple of 4. More sequential readers than that through one descriptor are rare (Linux
    itself keeps one readahead state for each), and time and chance grow with it."""
    proven: int = 4
    """Accesses in a chain. Among n places read at random a chain of 4 comes up with (heads / n)^3."""
    settled: int = 16
    """Accesses in a chain. Shorter ones may have holes only as long as no other head moves: there are many of them, and
    a random access is soon a little behind one."""
    expanded: int = 64
    """Accesses. A run with a stride that is no longer may be heads read in turn: one access of each makes one."""
    skips: int = 16
    """Steps, or requests. What a reader leaves out at once: rows it does not need, what other threads take, events
    that were lost."""
    page: int = 4096
    """Bytes. Holes are measured in requests of at least a page, the unit of the page cache."""
    around: int = 64 << 10
    """Bytes. Linux maps up to 16 cached pages around a fault (fault_around_bytes in mm/memory.c)."""
    lattice: int = 80
    """Percent of sampled offsets at multiples of one distance from each other, for that to be a lattice. A tenth of
    foreign accesses leaves 90 of 100, and in 128 samples hardly ever under 80."""
    streams: int = 1 << 17
    """Streams under way at the same time, of 2.5 to 8.5 KiB; beyond, the one left alone longest is concluded early."""
    short: int = 64
    """Accesses. A longer stream speaks for itself; shorter ones are also looked at together with the other streams of
    the same process on the same file."""
    shards: int = 2
    """Tables among which lanes are dealt out, each filled by a thread. Every one looks at each run to know its own
    (5 ns of 200), and DuckDB's threads, which fetch the runs meanwhile, take what other processors there are."""


EQUIVALENT = 16 << 10
"""Bytes that an access costs besides its own. A verdict on several kinds of accesses weighs each by its cost, latency +
bytes / bandwidth, in bytes: a request that misses the page cache costs as much as 100 KiB and more (80 us at
2 GB/s), one that hits it as 10 KiB (1 us at 10 GB/s). The lower end is taken, so that bytes decide, except where tiny
accesses abound."""

MAJORITY = 0.7
"""Share of the cost that accesses of one kind must have to give a stream its name; less is mixed. A tenth of foreign
accesses breaks up to a tenth of the other ones' steps, on both sides."""

OUTWEIGHS = 2.0
"""Times that the cost of accesses at one distance is that of those that go on, for a stream of both that goes one way
to be named after the distance."""

PHASE = 0.8
"""Share of one kind within each part of a stream in time, for it to be mixed of phases."""

PHASED = 32
"""Accesses of a stream, below which no phases are told apart."""

CHANCE = 2
"""Accesses. Chains shorter than twice this are taken for chance."""

PIECE = 16
"""Accesses. A reader that jumps after fewer, every time, reads random pieces; one that reads on so long is sequential
from many places. Linux's readahead window is full-grown after about as many requests of 4 to 16 KiB."""

FEW_PIECES = 4
"""Chains. So few are not called pieces, however short: the stream is short."""

STRETCH = 64
"""Accesses without a hole. Jumps at regular distances after as many are only now and then: the stream is sequential."""

ROWS = 0.5
"""Share of steps at one distance that come after a stretch, for stretches to be rows of what is read at that
distance; or of accesses that are another head's turn.  All do or are, but for what foreign accesses break."""

DENSE = 0.5
"""Share of the distance between rows. Rows that touch more than they leave out are a sequential stream with holes."""

TILED, ACROSS, BANDS, COVERED = 0.45, 3, 2.5, 0.25
"""Of tiles that cover an array: share of accesses that come after the row above or, at the top, after the last row of
the tile before (all but those at the left edge, and a tenth of foreign ones breaks a fifth); tiles beside each other,
fewer of which may be two buffers by turns; bands of tiles one below the other, fewer of which may be readers by turns;
and the share by which what is read may differ from the extent, for what is foreign or lost."""

BY_CHANCE = 0.001
"""Chance that so many places lie on a lattice though each might lie at any request's distance, above which it is none.
Default 0.001: 8 places on each third request, or 5 on each sixth, when all do; 13 of 16 on each third."""

MINIMUM = 4
"""Accesses of a stream, below which only a whole file read at once has a name."""

RANDOM_MINIMUM = 8
"""Jumps. The turning points of fewer say nothing: with 8, a monotonic series has one chance in 20,000 to be random."""

TURNS = (2 / 3, 0.25)
"""Share of jumps that turn, for a random order (I.-J. Bienaymé, "Sur une question de probabilités", 1874) and the
lowest share that passes as random: two thirds less what locality does."""

ONE_WAY = 0.9
"""Share of jumps in one direction from which on they are holes, not randomness: half is what randomness gives."""

MOSTLY, FEW_TURNS = 0.75, 0.45
"""The same, where there are many jumps and few turn: a tenth of foreign accesses makes a fifth of the jumps come and
go, while two thirds of random ones turn."""

SAMPLES = 16
"""Offsets sampled of a stream. Of as many in random order 13 rise once in a million, and that many are needed."""

TREND = 0.7
"""Share of what chance does not explain of the order of the samples that lines in one direction must: with a tenth of
foreign accesses it is 0.88; a random quarter of the time, and the order is another one."""

ALIKE = 0.45
"""Share of holes, or of jumps, that have one distance, for them to be a stride. Of two that alternate each has half."""

WHOLE_REQUESTS = 32
"""Requests. A whole file read in as many is "whole-file"; in more it is a sequential stream. 4 MiB in 128 KiB."""

WHOLE_SHARE = 0.98
"""Share of the file's size that must have been read: trailers may be left out."""

HEADER_ACCESSES = 8
"""Accesses: most that count as probes before a body."""

HEADER_SMALLER = 4
"""Times that a probe is smaller than the body's requests."""

HEADER_ZONE = 1 << 20
"""Bytes at the start or end of a file where headers, footers and indices are."""

BODY = 0.85
"""Share of a stream's bytes that the body has, in one chain."""

CONFIDENT = 0.5
"""Confidence below which a verdict is "unknown"."""

Z = 1.96
"""Standard deviations of the interval whose lower end confidence is: 95 % (Wilson, "Probable Inference", 1927)."""

UNSURE_SIZE = 0.7
"""Confidence is multiplied by it when a whole file is one only if the file is no larger than what was read of it, as
in traces of other tools, which do not tell sizes."""

STREAM_ROWS = 10_000
"""Streams that get a row of their own: those with most bytes, then those opened first. All count for their files."""

FILE_ROWS = 100_000
"""Files that get a row of their own: those with most bytes. All count in the rows of their datasets and workloads."""
