"""What the order of files adds to the rows of the view `patterns`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stepwell.analysis.orders.conclude import Directories
from stepwell.analysis.thresholds import orders as limits


def with_directories(rows: pa.Table, found: Mapping[str, Directories]) -> pa.Table:
    """Return the rows, with datasets called directory-ordered whose files are read whole in directory order.

    Args:
        rows: columns of the view `patterns`.
        found: what is known of each dataset, by its directory.
    """
    is_dataset = pc.equal(rows["scope"], "dataset")
    datasets = [_ordered(row, found.get(row["subject"])) for row in rows.filter(is_dataset).to_pylist()]
    others = rows.filter(pc.invert(is_dataset))
    return pa.concat_tables([others, pa.Table.from_pylist(datasets, schema=rows.schema)])


def _ordered(row: dict[str, Any], known: Directories | None) -> dict[str, Any]:
    if known is None or not known.ordered or known.confidence < limits.SURE or row["pattern"] != "whole-file":
        return row
    evidence = json.loads(row["evidence"]) | {"in_order_of": known.by, "files_read": known.visits}
    return row | {
        "pattern": "directory-ordered",
        "confidence": min(row["confidence"], round(known.confidence, 3)),
        "evidence": json.dumps(evidence, separators=(",", ":")),
    }
