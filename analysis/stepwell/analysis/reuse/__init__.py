"""Reuse, as an axis of its own: once, looping, clustered or popularity-skewed; miss-ratio curves and cache sizes.

References are to blocks: each access counts each block that it touches, so that 4 KiB reads through blocks of 64 KiB
are 16 references of which 15 hit.  Reads by every way count.  Writes are not counted, but leave their blocks in the
cache, as the page cache does.  Verdicts rest on bytes instead: a block is used when one part of it is that a lot fell
on, so that records in one block are not taken for each other.
"""

from __future__ import annotations

from stepwell.analysis.reuse.classify import Reuse, Subjects
from stepwell.analysis.reuse.model import CacheCurve, CurvePoint, Simulated
from stepwell.analysis.reuse.rows import with_reuse

__all__ = ["CacheCurve", "CurvePoint", "Reuse", "Simulated", "Subjects", "with_reuse"]
