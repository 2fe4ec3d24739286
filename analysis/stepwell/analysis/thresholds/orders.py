"""In which order files are read: from when on it can be told, and what tells one order from another."""

from __future__ import annotations

FILES = 5
"""Files of a dataset below which nothing is said of it.  Default 5: fewer are a matter of streams, not of order."""

TELLING = 8
"""Files in a sequence below which its order is unknown.  Default 8: the chance that a shuffle comes out sorted, either
way, by one of a dozen keys is 12 * 2 / 8! = 0.06 %."""

RUNS = 1_000
"""Runs of one open file up to which it is looked at for further passes.  Default 1,000: a file read from the start
again in every epoch makes a few runs a pass; reading at random within one file is what streams tell."""

SAMPLE = 512
"""Visits of a sequence whose order is judged.  Default 512: their pairs put the share of inversions within 0.015 of
that of all (Kendall 1938: sd = sqrt((2n + 5) / (18 n (n - 1))))."""

EPOCHS = 8
"""Epochs whose order is judged, and pairs of epochs that are compared, spread over all.  Default 8: 50 ms."""

SIGNIFICANT = 1e-4
"""Chance that a shuffle looks like an order at least as much, above which it is called none.  Default 0.0001: a dozen
keys are tried, so one shuffled sequence in 1,000 passes for an order."""

NOISE = 3.0
"""Standard deviations that the nearest of a dozen keys is from a shuffle by chance."""

KEYED = 0.3
"""Inverted share of pairs up to which a sequence follows a key.  Default 0.3 (Kendall's tau 0.4): a shuffle buffer of
0.4 times the files, or every third visit foreign.  A shuffle has 0.5."""

ALIKE = 0.03
"""Difference in the inverted share within which two keys explain a sequence equally well.  Default: 3 standard errors
of the sample."""

TIED = 0.5
"""Share of pairs that a key must tell apart to be judged by.  Default 0.5: where half of the files are of one size,
the order of the rest may be by size and show nothing."""

LOCAL = 0.25
"""Inverted share of neighbours from which on they are shuffled within a window.  Default 0.25: halfway between sorted
and shuffled; one foreign visit in ten makes 0.1."""

TOGETHER = 0.15
"""Changes of directory, as a share of what shuffling would make beyond the least, up to which directories are read one
after the other.  Default 0.15: a walk makes the least, one foreign visit in ten 0.1 of the most."""

PURE = 0.83
"""Share of an epoch's visits that must be to files new in it.  Default 0.83: sampling with replacement makes 0.72
(0.5 F of 0.69 F visits, see `stepwell.analysis.orders.epochs`), one foreign visit in ten 0.9."""

VERY_PURE = 0.95
"""The same from which on it does not matter how many of the files an epoch covers."""

COVERED = 0.6
"""Share of all files that epochs but the last must visit on average.  Default 0.6: a loader may drop its last batch or
draw four fifths; sampling with replacement makes 0.5."""

LATE = 0.5
"""Visits by which files of a last, short epoch must be ahead of all others on average.  Default 0.5: halfway."""

NEAR = 0.05
"""Visits to a file that follow within this share of the files' number belong to one reading, where `USUAL` are so."""

USUAL = 0.2
"""Share of visits that must follow their last so closely to be taken together.  Default 0.2: a shuffled second epoch
makes 0.001 by chance."""

HOT = 4
"""Times the median number of visits from which on a file is an index or label file rather than one of the samples."""

HOT_SHARE = 0.1
"""Share of files that may be such.  Default 0.1: of a skewed popularity more are, and that is no epoch."""

LONG = 4
"""Mean visits of a thread in an epoch below which threads say nothing and all visits together are judged."""

PAIRS = 150
"""Pairs of files within one thread from which on only such are compared.  Default 150: the inverted share of shuffled
ones is 0.5 within 0.1 or so."""

JUMBLE = 3
"""Files by which each worker may be ahead of the others: a window as small shows workers, not shuffling, where threads
cannot be told apart.  Default 3: loaders fetch 2 batches ahead for each worker (PyTorch's prefetch_factor)."""

SHUFFLED = 0.05
"""Distance of the inverted share from 0.5 within which orders have nothing in common.  Default: 3 standard errors of a
sample of 600 pairs of files or more."""

FOLLOWED = 0.5
"""Share of steps to the file that came next last time too, from which on two orders have stretches in common."""

AHEAD = 16
"""Least number of files that a prefetcher is taken to keep ahead, when judging how well it would do.  Default 16: tens
of files of 100 KB cover a network storage's latency."""

AT_ONCE = 0.5
"""Share of the files that a process is in the middle of reading, on average, from which on they have no order: it
reads a bit of this and a bit of that.  Default 0.5: loaders have tens of files open, of thousands."""

WHOLE = 0.95
"""Share of a file's bytes from which on a visit reads it whole.  Default 0.95: formats leave a trailer or padding."""

MOSTLY = 0.5
"""Share of visits that read the whole file, from which on a dataset is read file by file."""

PROBED = 0.25
"""Share of its bytes up to which a file is only probed, where it is read further later."""

SEPARATE = 0.8
"""Share of the variance of log time between visits that two classes must explain to be pauses and none (Otsu 1979)."""

DECADES = 1.0
"""Powers of ten that lie at least between the two classes' means."""

PAUSES = 5
"""Long pauses needed to speak of steps.  Default 5: once or twice something else had the processor."""

COMMAND = 2047
"""Characters of a command line from which on it is taken for cut: collectors and importers keep 2,048 bytes."""

DISJOINT = 0.1
"""Share of files that several processes read up to which the files are partitioned.  Default 0.1: loaders pad the last
batch, and a foreign process may look in."""

COMMON = 0.8
"""Median Jaccard similarity of two processes' files from which on all read all."""

LEADS = 0.9
"""Share of all bytes from which on one of several processes reads for the others."""

OWNED = 0.9
"""Share of files read by the same process as in the last epoch, from which on a partition is static."""

DEALT = 0.8
"""Share of files that fit a rule by which files were dealt to processes, from which on the rule is named."""

COMPARED = 64
"""Processes that are compared pairwise, those with the most visits.  Default 64: one bit of a word each."""

WINDOWS = 64
"""Windows of time that the working set is given for."""

POINTS = 2_000
"""Points of the picture of files over time.  Default 2,000: more cannot be told apart."""

RANKED = 4_096
"""Paths among which a file's rank by name is told in that picture.  Default 4,096: finer than a screen."""

PARTITIONED = 50_000
"""Files, evenly spread ones of more, by whose names the rule of a partition is sought.  Default: 0.2 s of sorting."""

LISTING = frozenset({"tmpfs", "ramfs", "xfs", "btrfs", "f2fs", "vfat", "exfat", "iso9660", "squashfs", "erofs"})
"""File systems that list a directory by creation or by name, so that reading as listed is seen as such.  ext4 and ZFS
list by a hash that only they know, network file systems as their server does (Linux: fs/ext4/dir.c, hash.c)."""

SURE = 0.6
"""Confidence in the order of a dataset's files from which on it is called directory-ordered: likelier than not."""
