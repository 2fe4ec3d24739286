"""Many of DFTracer's lines at once, as columns; only where they say the same as each line would by itself.

Arrow's reader of JSON takes a sixth of the time of Python's.  What it reads differently, or not at all, is no block:
its lines are then read one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from stepwell.collectors.importers.bounds import LARGEST_TIME

_INT, _TEXT = pa.int64(), pa.string()
_ARGS = {
    **dict.fromkeys(("hhash", "fhash", "fname"), _TEXT),
    **dict.fromkeys(("ret", "count", "offset", "size", "flags"), _INT),
}
_SCHEMA = pa.schema(
    {
        **dict.fromkeys(("name", "cat"), _TEXT),
        **dict.fromkeys(("pid", "tid", "ts", "dur"), _INT),
        "args": pa.struct(_ARGS),
    }
)
_OPTIONS = pa.json.ParseOptions(explicit_schema=_SCHEMA, unexpected_field_behavior="ignore")

_MOST = {"ret": 1 << 46, "count": 1 << 46, "size": 1 << 16}
"""Larger numbers of bytes and items are looked at one by one: products of these fit into 64 bits."""

CALLS = ("POSIX", "STDIO")
"""Categories of calls on files."""


@dataclass(frozen=True)
class Block:
    """Events as columns, with one element each; numbers that are missing are 0, where nothing else is said.

    Attributes:
        calls: the different (category, name) that there are.
        call: which of them.
        threads: the different (hash of the host's name, pid, tid) that there are.
        thread: which of them.
        file: hash of the file's path, or the path; None where there is none.
        ret: what the call returned, -1 where it is missing.
        offset: None where it is missing.
        has_modes: whether some say how they open a file in words, which are not among the columns.
    """

    calls: list[tuple[str | None, str | None]]
    call: list[int]
    threads: list[tuple[str | None, int | None, int | None]]
    thread: list[int]
    file: list[str | None]
    ret: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]
    size: npt.NDArray[np.int64]
    offset: list[int | None]
    flags: list[int]
    ts: npt.NDArray[np.int64]
    dur: npt.NDArray[np.int64]
    has_modes: bool


def parsed(text: bytes, unit_ns: int) -> Block | None:
    r"""Return lines as a block, or None where some of them must be looked at one by one.

    Args:
        text: whole lines with \n at their ends.
        unit_ns: nanoseconds of a unit of their times.
    """
    text = text.replace(b"},\n", b"}\n")
    count = text.count(b"\n")
    if not _are_objects(text, count):
        return None
    reading = pa.json.ReadOptions(use_threads=False, block_size=len(text) + 1)
    try:
        table = pa.json.read_json(pa.BufferReader(text), reading, _OPTIONS).combine_chunks()
    except pa.ArrowInvalid:
        return None
    if len(table) != count:
        return None
    column = dict(zip(table.column_names, table.columns, strict=True))
    column |= dict(zip(_ARGS, table["args"].chunk(0).flatten(), strict=True))
    latest = LARGEST_TIME // unit_ns
    for name, most in (*_MOST.items(), ("ts", latest), ("dur", latest)):
        of = pc.min_max(column[name]).as_py()
        if not -most <= (of["min"] or 0) <= (of["max"] or 0) <= most:
            return None
    calls, call = _told_apart([column["cat"], column["name"]])
    if ("dftracer", "CM") in calls:  # the unit of the times that follow
        return None
    if pc.any(pc.and_(pc.is_in(column["cat"], pa.array(CALLS)), pc.is_null(column["ts"]))).as_py():
        return None
    threads, thread = _told_apart([column["hhash"], column["pid"], column["tid"]])

    def numbers(name: str, missing: int = 0) -> npt.NDArray[np.int64]:
        found: npt.NDArray[np.int64] = column[name].fill_null(missing).to_numpy()
        return found

    return Block(
        calls,
        call,
        threads,
        thread,
        pc.coalesce(column["fhash"], column["fname"]).to_pylist(),
        numbers("ret", -1),
        numbers("count"),
        numbers("size"),
        column["offset"].to_pylist(),
        numbers("flags").tolist(),
        numbers("ts"),
        numbers("dur"),
        b'"mode"' in text,
    )


def _are_objects(text: bytes, count: int) -> bool:
    r"""Tell whether so many objects, if there are as many in a text, can only be one on each line.

    No comma stands at }\n{, so that can only be where one object ends and another begins.  Arrow takes `Inf`, which
    Python does not, and text that is no UTF-8.
    """
    return (
        text.startswith(b"{")
        and text.endswith(b"}\n")
        and text.count(b"}\n{") == count - 1
        and text.isascii()
        and b"Inf" not in text
    )


def _told_apart(columns: list[pa.ChunkedArray | pa.Array]) -> tuple[list[Any], list[int]]:
    """Return the different rows of some columns, as tuples, and which of them each row is."""
    code = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        plain = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        encoded = plain.dictionary_encode("encode")
        code = code * len(encoded.dictionary) + encoded.indices.to_numpy()
    _, first, codes = np.unique(code, return_index=True, return_inverse=True)
    return list(zip(*(column.take(pa.array(first)).to_pylist() for column in columns), strict=True)), codes.tolist()
