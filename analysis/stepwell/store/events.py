"""Events from the spool as Arrow batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from stepwell.store.results import AsyncError
from stepwell.store.texts import cut, text_array
from stepwell.trace.definition import EVENT, EventKind
from stepwell.trace.spool import Spool

SCHEMA = pa.schema(
    [
        ("thread", pa.uint32()), ("event", pa.uint32()), ("op", pa.uint32()), ("open", pa.int64()),
        ("start_ns", pa.int64()), ("latency_ns", pa.int64()), ("value", pa.int64()),
        ("state", pa.uint32()), ("argument", pa.large_string()), ("directory", pa.large_string()),
    ]
)  # fmt: skip

PATH = """CASE
    WHEN argument = '' THEN n.path
    WHEN starts_with(argument, '/') OR (directory = '' AND state = 0) THEN argument
    WHEN directory = chr(0) THEN '/' || argument
    ELSE concat(CASE WHEN state <> 0 THEN '...' END,
        array_to_string(list_reverse(string_split(directory, chr(0))), '/'), '/', argument)
END"""
"""SQL: the path an event names, after ... where its start is missing; the root is one empty component."""


def event_batches(spool: Spool, errors: Sequence[AsyncError], origin_ns: int) -> Iterator[pa.RecordBatch]:
    """Yield the EVENT records, then the errors of asynchronous accesses as if they had been recorded as events."""
    for block in spool.blocks({EVENT.kind}):
        records = block.records
        columns = {name: np.ascontiguousarray(records[name]) for name in ("thread", "event", "op", "value", "state")}
        columns |= {
            name: np.ascontiguousarray(records[name]).view(np.int64) for name in ("open", "start_ns", "latency_ns")
        }
        columns["start_ns"] = columns["start_ns"] - origin_ns
        assert block.texts is not None
        argument, directory = cut(block.texts, records["argument_bytes"])
        texts = {"argument": text_array(argument), "directory": text_array(directory)}
        yield pa.RecordBatch.from_pydict(columns | texts, schema=SCHEMA)
    yield pa.RecordBatch.from_pylist(
        [
            {
                "thread": error.thread, "event": EventKind.ERROR, "op": error.op, "open": error.open,
                "start_ns": error.start_ns - origin_ns, "latency_ns": 0, "value": error.errno, "state": 0,
                "argument": "", "directory": "",
            }
            for error in errors
        ],
        schema=SCHEMA,
    )  # fmt: skip
