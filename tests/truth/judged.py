"""Verdicts on series: from accesses through the coalescer and the engine to the decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tests.truth.accesses import Series
from tests.unit.coalescing import ACCESS

from stepwell.analysis.native.streams import Evidence, Streams
from stepwell.analysis.streams.decide import PATTERNS, Circumstances, Verdicts, decide
from stepwell.analysis.thresholds.streams import HeadLimits
from stepwell.collectors.native.library import library
from stepwell.trace.definition import RUN
from stepwell.trace.layout import DTYPES

Records = np.ndarray[Any, np.dtype[np.void]]


def runs_of(series: Series, *, flags: int = 0, starts: Any = None) -> Records:
    """Return the runs of a series, from the code that runs in the kernel; accesses begin every microsecond."""
    given = np.zeros(len(series), ACCESS)
    given["seq"] = np.arange(len(series))
    given["start_ns"] = given["seq"] * np.uint64(1009) if starts is None else starts
    given["offset"], given["size"], given["requested"] = series.offset, series.size, series.requested
    given["flags"] = flags
    runs = np.zeros(len(series), DTYPES[RUN.kind])
    return runs[: library().sw_coalesce(given.ctypes.data, len(given), runs.ctypes.data)]


def columns_of(runs: Records, stream: int, op: int) -> dict[str, np.ndarray[Any, Any]]:
    """Return runs as `scan` shows them, of a thread, open file and file with this number."""
    numbers = dict.fromkeys(("thread", "reader", "open", "file"), np.full(len(runs), stream, np.int64))
    made = {name: runs[name].astype(np.int64) for name in ("offset", "stride", "size", "tail", "start_ns", "span_ns")}
    plain = {"op": np.full(len(runs), op, np.uint8), "flags": runs["flags"], "count": runs["count"]}
    return numbers | made | plain | {"requested": runs["requested"]}


def evidence_of(batches: Sequence[dict[str, np.ndarray[Any, Any]]], limits: HeadLimits | None = None) -> Evidence:
    """Return the evidence of streams (without lanes) in the order of their number."""
    with Streams(limits or HeadLimits()) as engine:
        found = [part for batch in batches for part in engine.feed(batch)]
        every: Evidence = np.concatenate([*found, *engine.finish()])
    evidence: Evidence = every[every["is_lane"] == 0]
    evidence.sort(order="open", kind="stable")
    return evidence


def judge(many: Sequence[Series], *, seen: float = 1.0) -> tuple[Evidence, Verdicts]:
    """Return evidence of and verdict on each series."""
    evidence = evidence_of([columns_of(runs_of(series), number, series.op) for number, series in enumerate(many)])
    size = np.array([series.file_size for series in many])
    return evidence, decide(evidence, Circumstances(size, np.ones(len(many), bool), np.zeros(len(many), bool), seen))


def names(verdicts: Verdicts) -> list[str]:
    """Return the patterns by name."""
    return [PATTERNS[number] for number in verdicts["pattern"]]
