"""When a difference between two traces counts as real."""

from __future__ import annotations

SLICES = 512
"""Equal slices of time a trace is cut into.  Default 512: blocks of 22 of them leave more than twenty independent ones,
and a phase that is a tenth of the trace still has fifty."""

EDGE = 0.01
"""Share of the bytes before and after the phase that is resampled.  Default 1 %: a start-up that reads its settings and
an end that writes its log are other phases, whose time stays as it is."""

RESAMPLES = 2000
"""Bootstrap resamples.  Default 2,000: enough for the ends of a 95 % interval (Efron and Tibshirani 1993, 14.2)."""

CONFIDENCE = 0.95
"""Coverage of the intervals."""

LEAST_SLICES = 16
"""Slices in which something happened, below which one trace says nothing of its own spread."""

LEAST_CHANGE = 0.15
"""Share by which a measured time must differ to be real when no other traces of the same command tell how much runs
differ.  Default 15 %: repeated runs of benchmarks on one machine vary by several per cent, on shared machines by more
than ten (Maricq et al. 2018, "Taming Performance Variability"), and two runs cannot show how much."""

LEAST_TIME_NS = 10_000_000
"""Time, in ns, that a difference must be worth to be real.  Default 10 ms: start-up alone varies by as much."""

LEAST_RUNS = 3
"""Traces of the same command, the two compared ones included, from which on their spread is the noise."""

READ_AGAIN = 1.5
"""Bytes read over size from which on a file counts as read again."""

LISTED = 50
"""Most files, sizes and processes listed one by one."""
