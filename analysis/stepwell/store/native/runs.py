"""Columns of runs, out of their records: `runs.c`."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stepwell.trace.definition import HISTOGRAM_BUCKETS

COLUMNS = {
    "op": "u1", "flags": "u1", "thread": "u4", "count": "u4", "open": "i8", "seq": "i8", "seq_span": "i8",
    "start_ns": "i8", "span_ns": "i8", "offset": "i8", "stride": "i8", "requested": "u8", "size": "i8",
    "size_minus_tail": "i8", "latency_ns": "i8", "latency_minus_max_ns": "i8", "wait_ns": "i8", "waited": "u4",
    "filled": "u4",
}  # fmt: skip
"""By name, in the order of `struct sw_run_columns`: their numpy types. All but `requested` are signed in Linux."""

_HISTOGRAMS = ("has_histogram", "first_bucket", "buckets")


class _Columns(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_void_p) for name in (*COLUMNS, *_HISTOGRAMS))


class Columns(NamedTuple):
    """Runs by column; run i has buckets[first_bucket[i]:first_bucket[i + 1]], up to its last that is not 0."""

    columns: dict[str, np.ndarray[Any, Any]]
    has_histogram: np.ndarray[Any, np.dtype[np.bool_]]
    first_bucket: np.ndarray[Any, np.dtype[np.int32]]
    buckets: np.ndarray[Any, np.dtype[np.uint32]]


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(Path(__file__).parent / "libstore.so"))
    library.sw_run_columns.restype = ctypes.c_size_t
    library.sw_run_columns.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint64, ctypes.c_void_p]
    return library


def run_columns(addresses: np.ndarray[Any, np.dtype[np.uint64]], origin_ns: int) -> Columns:
    """Return the runs whose records lie at these addresses, in this order, without those that no kernel can have meant.

    Those have an operation that does not exist, or numbers, ends or a sum of bytes of 2^63 or more.

    Args:
        addresses: of records of kind RUN or RUN_SHORT, which somebody holds meanwhile.
        origin_ns: what `start_ns` is counted from.

    Raises:
        OSError: the native library is missing: `make native` compiles it.
    """
    number = len(addresses)
    addresses = np.ascontiguousarray(addresses, np.uint64)
    columns = {name: np.empty(number, dtype) for name, dtype in COLUMNS.items()}
    has = np.empty(number, np.bool_)
    first = np.empty(number + 1, np.int32)
    buckets = np.empty(number * HISTOGRAM_BUCKETS, np.uint32)
    to = _Columns(*(array.ctypes.data for array in (*columns.values(), has, first, buckets)))
    found = _library().sw_run_columns(addresses.ctypes.data, number, origin_ns, ctypes.byref(to))
    columns = {name: column[:found] for name, column in columns.items()}
    return Columns(columns, has[:found], first[: found + 1], buckets[: first[found]])
