"""Where time goes: what counts as waiting, how the storage's model is fitted, and what tells the causes apart."""

from __future__ import annotations

PAGE = 4096
"""Bytes of a page of the page cache.  Default: that of x86-64 and most arm64 kernels; a trace does not tell it."""

CLASSES = 8
"""Logarithmic classes to a factor of two, for sizes and times of fetches.  Default 8: neighbours differ by 9 %, and
their exact sums are kept, so only quantiles are rounded."""

SLICES = 256
"""Slices of a trace in which rate and concurrency of a storage are looked at.  Default 256: a plateau and what came
before it are told apart, at a few thousand rows."""

SWEPT = 200_000
"""Fetches whose overlap is counted exactly; of more, regular windows of time are looked at.  Default: 0.1 s of work."""

WINDOWS = 64
"""Windows of time that a sweep is spread over when there are more fetches than `SWEPT`."""

ASLEEP_NS = 20_000
"""Latency of open(2), close(2) and the like, in ns, from which on the call counts as waiting rather than work.
Default 20 us: lookups that the kernel can answer from memory take 1 to 10 us, an NVMe read 20 us at least."""

FEW = 23
"""Fetches, or accesses, below which nothing is concluded from times.  Default 23: the median's 95 % interval then
spans the middle half of the values (order statistics of the binomial)."""

ENOUGH = 200
"""Fetches from which on their number does not lower the confidence any more."""

SPREAD = 1.5
"""Factor between the smallest and the largest fetch from which on latency and bandwidth can be told apart.  Default
1.5: in 480 simulated storages, with noise of 2 to 60 %, the 90 % intervals held the truth in 97 % and more; at 1.25,
with the classes of sizes that there are, in 15 % at worst."""

REPEATS = 200
"""Bootstrap repetitions behind each interval.  Default 200: enough for 5 % and 95 % (Efron, Tibshirani: An
Introduction to the Bootstrap, 1993, chapter 13)."""

INTERVAL = (0.05, 0.95)
"""Quantiles of the bootstrap that bound an interval."""

READ_AHEAD = 131_072
"""Bytes of a read-ahead window: what a buffered read fetches in one trip.  Default 128 KiB, Linux's (VM_READAHEAD_PAGES
in linux/mm.h); a trace does not tell what a device was set to."""

PLAUSIBLE_BYTES_S = (25e6, 100e6, 10e9)
"""Bytes a second at which bytes flow once a transfer has begun: least, usual, most.  They stand in where all fetches
have one size, at a lower confidence.  Defaults: a slow network disk, gigabit Ethernet or a hard disk, local NVMe."""

DEMANDED = 0.5
"""Fetches under way on average in a slice, from which on the rate of the slice shows the storage rather than demand."""

STEADY = 0.1
"""Relative spread (90 % minus 10 % quantile, over the median) of the rate over slices, up to which it is a plateau.
Default 0.1: token buckets hold their rate within a few per cent, disks and networks vary more."""

PLATEAU_SLICES = 8
"""Slices that a plateau needs at least."""

PLATEAU_NS = 1_000_000_000
"""Time, in ns, that a plateau needs at least.  Default 1 s: quotas are by the second, and in less a cache that was left
or a buffer that filled up looks the same."""

BURST = 1.5
"""Factor of the rate before a plateau over the plateau's, from which on it is a token bucket's burst."""

SCALES = 1.2
"""Factor by which the rate must rise where twice as many fetches are under way, for the storage to scale on."""

STALLED = 0.1
"""Share of time in waiting for storage below which storage is not what holds a program up."""

BUSY = 0.5
"""Share of time on a processor from which on a program is bound by computing."""

CACHED = 0.01
"""Share of accesses that slept, up to which a dataset counts as served from memory."""

AWAKE = 0.2
"""Share of time in accesses, awake, from which on a program mostly copies from memory."""

IDLE = 0.5
"""Share of time in which readers wait for something else than storage, from which on no part of their stall is sure to
delay anything: it may be hidden behind whom they wait for."""

SLOW_FILE = 3.0
"""Factor of a file's fetch time over the rest of its dataset's, at equal sizes, from which on it is a slow file."""

SLOW_FILE_Z = 4.0
"""Standard errors that its mean must lie above the rest's.  Default 4: with 10,000 files less than one by chance."""

SLOW_FILE_MOMENT = 2.0
"""Windows of time in which a file that seems slow is held against others, in its own mean fetch times.  Default 2: a
burst of it spans several windows, and readers beside it fetch something else in each."""

SLOW_FILE_WINDOWS = 4_096
"""Most such windows in a trace; in longer ones they are longer."""

SLOW_FILE_MOMENTS = 5
"""Windows in which a slow file and others must have been fetched, at least.  Default 5: a slow moment of the storage,
which has all of them slow, and one of the file's are not told apart by fewer."""

SLOW_FILE_STEADY_MOMENTS = 3
"""Such windows where the file was slow all along.  Default 3: a slow moment does not explain it, so that these need
only show that the storage was not slow meanwhile."""

SLOW_FILE_FETCHES = 7
"""Fetches a file needs before it is called slow."""

SLOW_FILE_FAST = 0.1
"""Share of a slow file's fetches that may be as fast as others are, and of its readings, where it is read alone.
Default 0.1: that a slow spell of the storage covers all of the file but so little at both ends is a chance of one in
100, and a few waits are for something else, such as a page that another thread holds."""

SLOW_FILE_ALONE = 7.0
"""Windows of time in which a slow file is read alone, between fetches of others that are not slow: the product over its
readings.  Default 7: a slow spell of the storage begins and ends with a reading of n windows by chance in one of n^2
cases, and a trace has such a spell seldom."""

SLOW_FILE_SHARE = 0.3
"""Share of a dataset's stall that slow files explain, from which on they are the verdict."""

STRAGGLER = 1.5
"""Factor of a worker's busy time over its siblings' median from which on it is a straggler."""

SHARE_OF_WORK = 0.5
"""Share of its siblings' median bytes or stall below which a worker that is busy longer has another job, not too much
of theirs.  Default 0.5: workers that are dealt equal pieces differ by less, whoever has too many has more."""

STRAGGLER_SHARE = 0.15
"""Share of the elapsed time that an even distribution would save, from which on imbalance is the verdict."""

TEAM_SHARE = 0.05
"""Share of the largest member's bytes or stall below which a thread is no member of a team of readers."""

ALIKE_REQUESTS = 4.0
"""Factor between the mean requests of two processes from which on they do not do the same job: workers that share one
differ by the sizes of their files, and by a last, short request a file."""

ALIKE_SHAPES = 64.0
"""Factor between two processes' bytes of a file over their number of files, from which on they do not do the same.  Who
has larger files, or more of them, may have been dealt too much; few large files for many small ones, by a factor of 8
each, are another job."""

ALIKE_ORDER = 0.5
"""Difference between the shares of bytes that two processes read along, from which on they do not do the same: nothing
lies between reading along and reading anywhere but what mixes both."""

TAIL = 10.0
"""Factor over the median time of fetches of the same size, from which on a fetch is in the tail."""
