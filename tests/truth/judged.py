"""Verdicts on series: from accesses through the coalescer and the engine to the decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from tests.truth.accesses import Series
from tests.truth.crews import Crew
from tests.unit.coalescing import ACCESS

from stepwell.analysis.native.streams import Evidence, Streams
from stepwell.analysis.streams.classify import Patterns
from stepwell.analysis.streams.decide import PATTERNS, Circumstances, Verdicts, decide
from stepwell.analysis.streams.facts import Facts
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


def judge_crew(crew: Crew, *, seen: float = 1.0) -> dict[str, Any]:
    """Return the verdict on the file that the threads of a process share: its row of the view `patterns`."""
    parts, ended = [], []
    for thread in np.unique(crew.thread).tolist():
        mine = np.flatnonzero(crew.thread == thread)
        own = runs_of(crew.series.take(mine), starts=crew.start_ns[mine].astype(np.uint64))
        parts.append(columns_of(own, 1, crew.series.op) | {"thread": np.full(len(own), 1 + thread)})
        # A run comes when its thread begins the next one, which does not go on with it.
        ended.append(np.append(parts[-1]["start_ns"][1:], 2**62))
    order = np.argsort(np.concatenate(ended), kind="stable")
    runs = {name: np.concatenate([part[name] for part in parts])[order] for name in parts[0]}
    none = 2**62
    facts = Facts(
        files=pa.table(
            {"file": [1, none], "path": ["/data/shared", ""], "size": [crew.series.file_size, -1],
             "dataset": ["/data", ""], "software": [False, False]}
        ),
        readers=pa.table({"reader": [1, none], "workload": ["read", ""]}),
        appending=np.zeros(0, np.int64),
        exact=True,
        seen=seen,
    )  # fmt: skip
    with Patterns(facts) as engine:
        engine.feed(runs)
        rows: list[dict[str, Any]] = engine.finish().to_pylist()
    (row,) = (row for row in rows if row["scope"] == "file")
    return row
