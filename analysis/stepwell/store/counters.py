"""Counters of other tools from the spool as Arrow batches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from stepwell.store.texts import cut, text_array
from stepwell.trace.definition import COUNTER
from stepwell.trace.spool import Spool

SCHEMA = pa.schema(
    [
        ("thread", pa.uint32()), ("open", pa.int64()), ("value", pa.float64()), ("module", pa.large_string()),
        ("counter", pa.large_string()),
    ]
)  # fmt: skip


def counter_batches(spool: Spool) -> Iterator[pa.RecordBatch]:
    """Yield the COUNTER records."""
    for block in spool.blocks({COUNTER.kind}):
        records = block.records
        assert block.texts is not None
        module, counter = cut(block.texts, records["module_bytes"])
        columns = {
            "thread": np.ascontiguousarray(records["thread"]),
            "open": np.ascontiguousarray(records["open"]).view(np.int64),
            "value": np.ascontiguousarray(records["value"]).view(np.float64),
            "module": text_array(module),
            "counter": text_array(counter),
        }
        yield pa.RecordBatch.from_pydict(columns, schema=SCHEMA)
