"""What changed between two traces, and what of it is more than noise.

Counts are exact: any difference between them is real.  Times vary from run to run.  What two traces tell of that lies
within each: a trace is cut into slices of time, blocks of neighbouring slices (which resemble each other) are drawn
anew 2,000 times, and 95 % of the ratios so obtained give an interval (moving-block bootstrap: Kuensch 1989).  That
shows how unsteady each run was; it cannot show how runs differ as a whole.  So a difference must also exceed 15 %, or,
when the store has further traces of the same command, the spread between those.
"""

from __future__ import annotations

from stepwell.analysis.compare.changes import compare
from stepwell.analysis.compare.model import Comparison

__all__ = ["Comparison", "compare"]
