"""What the pattern is: verdicts on streams, files, datasets and workloads.

One pass over the runs (`scan`) feeds the native engine, which counts evidence; `decide` concludes on each stream,
`rollup` on what is made of streams, and `rows` puts it into words.
"""

from __future__ import annotations

from stepwell.analysis.streams.classify import ANALYSIS_VERSION, Patterns

__all__ = ["ANALYSIS_VERSION", "Patterns"]
