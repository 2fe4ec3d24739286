"""Verdicts as rows of the view `verdicts`, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from stepwell.analysis.ask import Queryable
from stepwell.analysis.ask import rows as ask_rows
from stepwell.analysis.verdicts.model import Deeds, Verdict, Window

SCHEMA = pa.schema(
    [
        ("dataset", pa.string()), ("verdict", pa.string()), ("action", pa.string()), ("sentence", pa.string()),
        ("because", pa.string()), ("design", pa.string()), ("ratio", pa.float64()), ("low", pa.float64()),
        ("high", pa.float64()), ("pairs", pa.int64()), ("waited_ns", pa.int64()), ("expected_ns", pa.int64()),
        ("baseline", pa.int64()), ("files", pa.int64()), ("requests", pa.int64()), ("brought_bytes", pa.int64()),
        ("used_bytes", pa.int64()), ("late_bytes", pa.int64()), ("wasted_bytes", pa.int64()),
        ("stopped", pa.string()), ("windows", pa.string()),
    ]
)  # fmt: skip
"""The columns of the view `verdicts` but `trace`; `windows` as JSON text."""

_ROWS = f"""
SELECT {", ".join(SCHEMA.names[:-1])}, windows::VARCHAR AS windows FROM verdicts WHERE trace = $1
ORDER BY dataset
"""


def table(found: Iterable[Verdict]) -> pa.Table:
    """Return verdicts as rows."""
    return pa.Table.from_pylist([_row(one) for one in found], SCHEMA)


def _row(one: Verdict) -> dict[str, Any]:
    row = asdict(one)
    row |= row.pop("deeds")
    row["windows"] = json.dumps(row["windows"])
    return row


def verdicts(store: Queryable, trace: int) -> tuple[Verdict, ...]:
    """Return the verdicts on what was done during a trace."""
    return tuple(_verdict(row) for row in ask_rows(store, _ROWS, trace))


def _verdict(row: dict[str, Any]) -> Verdict:
    deeds = Deeds(**{name: row.pop(name) for name in Deeds.__dataclass_fields__})
    windows = tuple(Window(**window) for window in json.loads(row.pop("windows")))
    return Verdict(deeds=deeds, windows=windows, **row)
