"""When an effect is certain, and when it matters."""

from __future__ import annotations

CONFIDENCE = 0.9
"""Probability that the interval of an effect covers it.  Default 0.9, as for all intervals of Stepwell."""

PAIRS = 5
"""Pairs of windows from which on an effect is told.  Default 5: the fewest for which the signed-rank interval exists at
`CONFIDENCE` (all of 5 signs alike by chance: 2 in 32)."""

SIDE, BOTH_SIDES = 3, 8
"""Windows that each side has at least, where they do not alternate, and both together.  Default 3 and 8: the fewest for
which an interval is narrow enough to say anything: with two degrees of freedom it reaches 2.9 standard errors."""

EXACT = 40
"""Pairs up to which the rank statistic's distribution is counted rather than taken as normal.
Default 40: the normal law is right to three digits from there on, and counting takes 1 ms."""

MOST = 500
"""Pairs, or windows without acting, beyond which neighbours are joined.  Default 500: all pairs of them are
looked at, and the interval is narrower than anything that matters long before."""

CORRELATED_Z = 1.0
"""Standard errors of the correlation of neighbours from which on they are averaged.  Default 1: an interval that is too
wide in one series of six that is not correlated costs 5 % of its width; with 1.645, 47 windows whose correlation is 0.5
are covered in 82 instead of 88 % (simulated: tests/unit/test_verdicts.py)."""

MATTERS = 1.02
"""Ratio that an effect must reach to be one.  Default 1.02: the project's own bar for doing harm is 2 %."""

SAME = 1.05
"""Ratio that no effect must not reach.  Default 1.05: an interval within [1/1.05, 1.05] says that whatever there is, it
is small."""

UNEVEN = 100
"""Upper over lower bound from which on an effect that may be harm is not told in numbers.  Default 100: they would say
that it is ten times as fast, or ten times as slow.  Programs whose first reads are few and small come there."""

SHARES = 23
"""Equal shares of the work in which a run and its recorded baseline are held against each other."""

RUNS_DIFFER = 1.2
"""Factor within which two runs of the same work are, whatever is done.  Default 1.2: of five plain readers over JuiceFS
on a quiet machine the slowest took 1.02 to 1.19 times as long as the fastest (`python -m tests.bench.run prefetch`)."""

OTHER_WORK = 0.1
"""Relative difference of the bytes read from which on a run did other work than its baseline."""

BASELINE_WINDOWS = 100
"""Windows into which a recorded baseline is cut.  Default 100: several for each of `SHARES`."""

COLDER = 0.5
"""Part of what readers of the baseline fetched that acting must have fetched, for the two to be comparable.  Default a
half: with less, the data was in memory already, and that made the difference."""
