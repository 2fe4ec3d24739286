"""Measuring a mount: latency and bandwidth by block size and concurrency, by reading from it.

Here belong the files that are read (`files`), or made for it (`making`, and the process `maker`), where in them
(`places`, pure), reading (`reading`, and in C `native`), what was found (`findings`), and carrying it out (`engine`).
What the reads say together is decided in `stepwell.analysis.storage`.
"""

from __future__ import annotations

from stepwell.bench.engine import BLOCKS, CONCURRENCY, Limits, measure
from stepwell.bench.errors import BenchError
from stepwell.bench.files import Files, find, opened
from stepwell.bench.making import made

__all__ = ["BLOCKS", "CONCURRENCY", "BenchError", "Files", "Limits", "find", "made", "measure", "opened"]
