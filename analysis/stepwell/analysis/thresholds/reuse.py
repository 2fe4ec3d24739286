"""What decides how often and how soon bytes are read again, and how large a cache should be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReuseLimits:
    """How blocks are sampled; parameters of `native/reuse.c`."""

    waiting: int = 1 << 13
    """Runs that wait for their turn in time. A run is stored at most 10 s after it began (the collector's age limit),
    so that order is exact up to 800 sampled or longer runs/s, and off by at most those 10 s beyond."""
    file_blocks: int = 1024
    """Blocks in the sample of a single file, at most; fewer where there are many files."""
    file_blocks_least: int = 16
    """... at least: as many uses tell once from looping; popularity takes more."""
    all_file_blocks: int = 1 << 17
    """Blocks in the samples of all single files together: 15 MiB with what is kept of each."""
    group_blocks: int = 16384
    """Blocks in the sample of a dataset, and of the whole trace; halved when full. Error 0.01 takes about 8,000
    ("Efficient MRC Construction with SHARDS", FAST 2015, section 5.3)."""
    effort: int = 64
    """References for each of a sample's most blocks, before it is halved, down to an eighth of its most blocks: bounds
    the time that small, hot sets take."""
    per_octave: int = 64
    """Steps of a curve between a size and its double: 1.5 %."""
    windows: int = 64
    """Windows of time in which the working set is measured."""


BLOCK = 4096
"""Bytes: the page cache's unit."""

MOST_REFERENCES = 1 << 28
"""References to blocks. Where a trace would have more, blocks are larger: hashing takes 3 ns each."""

LARGEST = 1 << 50
"""Bytes: the largest block, for what other tools' traces may claim to have read."""

DATASETS = 64
"""Datasets with a curve of their own, those with most bytes: 2 MiB each."""

FILES = 100_000
"""Files with a sample of their own: those with most bytes."""

ONCE = 0.15
"""Share of uses that are uses again, up to which something is read once: a tenth of foreign accesses makes as many."""

EVEN = 0.5
"""Variance of uses among blocks, as a multiple of what independent, even uses give (Poisson, without 0): below it
all blocks are used equally often, which only an order that repeats brings about."""

STEADY = 0.5
"""How much the gaps between the uses of one block differ, relative to independent uses: below it an order repeats,
whatever else is read beside. One order gives 0, orders shuffled anew 0.2 (gaps are then triangular, from 0 to twice
their mean), with a tenth of foreign reads 0.2 to 0.4; popularity and chance give 1."""

MOSTLY = 0.6
"""Share of what is read that is read once, above which a mix is called after that: what is used again then weighs less
than two thirds as much. In a tie it is named, because it is what a cache can act on."""

SKEWED = 1.6
"""The same: above it some blocks are more popular."""

SLIGHTLY, CERTAIN, INDEPENDENT = 1.25, 5.0, 0.8
"""The same, from which on some blocks are a little more popular: where it is as many standard deviations of what even
uses give above 1, and gaps differ so much of what independent uses give, so that it is no order that repeats."""

BURSTY = -1.5
"""Mean logarithm of the gaps between uses of a block, relative to evenly spread ones. Independent uses give -0.58
(minus Euler's constant) to -0.81 (two uses), repeated orders 0 to -0.2; below -1.5, gaps are less than a fifth."""

FEW_HOT = 0.05
"""Share of blocks that may be headers or indices. Popular data have no such edge."""

FEW_HOT_REST = 0.2
"""Share of uses of the other blocks that are uses again, at most, for these to be headers: as `ONCE`, with room for
foreign accesses that are many because headers are."""

FEW_HOT_SPREAD = 1.0
"""Variance of the uses of the other blocks, as `EVEN`, at most: the few that are used again are so by chance. Where
popularity falls off slowly they are more varied."""

FEW_HOT_SHARE = 0.9
"""Confidence that reuse of a few blocks only is clustered, before the number of uses is considered."""

MINIMUM_BLOCKS = 8
"""Blocks in the sample: fewer say nothing of popularity or clustering."""

MINIMUM_AGAIN = 4
"""Uses again: fewer say nothing."""

PERIOD_DOUBT = 0.3
"""Confidence in a loop is 1 - this^repetitions at most: two passes are one repetition."""

HILL_USES = 10
"""Uses of a block from which on its count is exact enough for an exponent: 30 % at one standard deviation."""

Z = 1.96
"""Standard deviations of the interval whose lower end confidence is: 95 % (Wilson, "Probable Inference", 1927)."""

CONFIDENT = 0.5
"""Confidence below which a verdict is "unknown"."""

WORTH = 0.05
"""Share of references that a cache of any size must serve for one to be recommended."""

SIMULATED = 1 << 24
"""References that are simulated at most; beyond, one block in 2, 4, 8 ... 200 bytes of memory for each block."""

CURVE_SIMULATED = 1 << 21
"""References that are simulated beside a curve, as long as there are so many of `CURVE_BLOCKS`: 80 ns each, for each
size."""

CURVE_BLOCKS = 1 << 16
"""Blocks that are followed at least for that: four times as many as for a curve (`ReuseLimits.group_blocks`)."""

SIMULATED_AT_ONCE = 4
"""Caches that are simulated at the same time at most: each takes 12 bytes for each block."""

SIMULATED_WAITING = 1 << 16
"""Runs that wait for their turn in time when caches are simulated: exact up to 6,500 runs/s, see `ReuseLimits`."""

SIMULATED_SIZES = 8
"""Sizes of caches beside a curve: the whole working set, its half, its quarter ..."""

SIMULATED_POLICIES = ("s3fifo",)
"""Policies beside a curve of LRU."""

SIMULATED_DATASETS = 4
"""Datasets with curves in a report, those with most bytes read: each takes two passes over the runs."""

HASHED = 1 << 34
"""References that are looked at for a simulation, sampled or not, at most: a minute of hashing."""
