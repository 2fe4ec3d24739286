"""What decides how a file is called that only Darshan's counters tell of.

Counters have no order: a verdict on them is never as sure as one on accesses, whatever they say.
"""

from __future__ import annotations

CEILING = 0.8
"""Confidence at most. Counters of one rank leave open in what order the steps came, and between which heads."""

SHARED = 0.75
"""Confidence is multiplied by it for a record of all ranks: its counters are sums, and its four strides those most
frequent among the ranks' four (darshan-posix.c, posix_record_reduction_op)."""

BOTH = 0.85
"""Confidence in a stride is multiplied by it where a file was read and written: one table has the strides of both."""

CONFIDENT = 0.4
"""Confidence below which a verdict is "unknown"; lower than for accesses, because CEILING and SHARED lower all."""

MINIMUM = 8
"""Steps from one access to the next, below which only a whole file has a name; as RANDOM_MINIMUM of streams."""

CONSECUTIVE = 0.9
"""Share of steps that start where the last one ended, for "sequential": a tenth is headers and jumps between heads."""

REGULAR = 0.7
"""Share of steps with one same gap, for "strided"; a majority, as MAJORITY of streams."""

FORWARD = 0.9
"""Share of steps to higher offsets from which on the gaps are holes, not randomness, as ONE_WAY of streams."""

HALF = 0.25
"""How far from 1/2 the share of steps to higher offsets may be, for "random". Of places drawn at random each next one
is above the last with probability 1/2; Darshan calls these steps "sequential" all the same."""

FEW_CONSECUTIVE = 0.2
"""Share of consecutive steps at most, for "random"."""

HOLES = 0.5
"""Share of the extent that must have been read, for steps forward with irregular gaps to be "sequential" with holes;
less is "mixed"."""

ONCE = 1.2
"""Times the extent: what was transferred at most, for backward steps to be reading backwards and not reading again."""

WHOLE_SHARE = 0.98
"""Share of the extent that must have been read, for "whole-file"; as in streams."""

WHOLE_REQUESTS = 32
"""Requests at most for "whole-file"; as in streams."""

MIXED = 0.6
"""Share that "mixed" is taken to rest on: that it is nothing else is known, but not of what it is a mixture."""
