"""Texts of records of which many are alike: each is written once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

Records = np.ndarray[Any, np.dtype[np.void]]


def as_json(said: dict[str, Any]) -> str:
    """Return the text that stands in columns of evidence."""
    return json.dumps(said, separators=(",", ":"))


def texts(records: Records, say: Callable[[dict[str, Any]], dict[str, Any]]) -> pa.Array:
    """Return what is said of each record, as JSON; records whose bytes are the same are said once."""
    size = records.dtype.itemsize
    held = pa.py_buffer(np.ascontiguousarray(records))
    alike = pa.FixedSizeBinaryArray.from_buffers(pa.binary(size), len(records), [None, held]).dictionary_encode()
    distinct = np.frombuffer(b"".join(alike.dictionary.to_pylist()), records.dtype)
    names = records.dtype.names or ()
    said = [as_json(say(dict(zip(names, one, strict=True)))) for one in distinct.tolist()]
    return pa.array(said, pa.string()).take(alike.indices)
