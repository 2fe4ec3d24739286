"""Plans as rows of the view `plans`, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import pyarrow as pa

from stepwell.analysis.ask import Queryable
from stepwell.analysis.ask import rows as ask_rows
from stepwell.analysis.form import plain
from stepwell.analysis.plans.model import Plan

SCHEMA = pa.schema(
    [
        ("start_ns", pa.int64()), ("dataset", pa.string()), ("workload", pa.string()), ("mode", pa.string()),
        ("policy", pa.string()), ("block_bytes", pa.int64()), ("in_flight", pa.int64()), ("window_bytes", pa.int64()),
        ("stride_bytes", pa.int64()), ("gain_low_permille", pa.int64()), ("gain_high_permille", pa.int64()),
        ("reason", pa.string()), ("plan", pa.string()),
    ]
)  # fmt: skip
"""The columns of the view `plans` but `trace`; `plan` as JSON text."""

_ROWS = "SELECT DISTINCT start_ns, plan::VARCHAR AS plan FROM plans WHERE trace = $1 ORDER BY start_ns, plan"


@dataclass(frozen=True)
class Carried:
    """A plan that was carried out."""

    start_ns: Annotated[int, "from when on, in ns since the trace's start"]
    plan: Plan


def table(carried: Iterable[Carried]) -> pa.Table:
    """Return plans as rows, one for each of their targets."""
    return pa.Table.from_pylist([row for one in carried for row in _rows(one)], SCHEMA)


def _rows(one: Carried) -> list[dict[str, Any]]:
    document = json.dumps(plain(one.plan))
    return [
        {
            "start_ns": one.start_ns,
            "dataset": target.path,
            "workload": target.workload,
            "mode": one.plan.mode,
            "policy": target.policy,
            "block_bytes": target.block_bytes,
            "in_flight": target.in_flight,
            "window_bytes": target.window_bytes,
            "stride_bytes": target.stride_bytes,
            "gain_low_permille": target.gain and target.gain.low_permille,
            "gain_high_permille": target.gain and target.gain.high_permille,
            "reason": target.reason,
            "plan": document,
        }
        for target in one.plan.targets
    ]


def plans(store: Queryable, trace: int) -> tuple[Carried, ...]:
    """Return the plans that were carried out during a trace, in order of time.

    Raises:
        PlanError: the store holds one that this version cannot read.
    """
    from stepwell.analysis.plans.text import load  # which takes what reads YAML

    return tuple(Carried(row["start_ns"], load(row["plan"])) for row in ask_rows(store, _ROWS, trace))
