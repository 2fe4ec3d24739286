"""Names as the kernel has them, which may be any bytes, as text, which must be UTF-8."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa


def decode(text: bytes) -> str:
    r"""Return text; a byte that is not UTF-8 becomes \xHH, so that nothing is lost or refused."""
    return text.decode("utf-8", "backslashreplace")


def text_array(texts: pa.LargeBinaryArray) -> pa.LargeStringArray:
    """Return the texts of an array, decoded as `decode` does; fast when all of them are UTF-8."""
    try:
        return texts.cast(pa.large_string())
    except pa.ArrowInvalid:
        return pa.array([decode(text) for text in texts.to_pylist()], pa.large_string())


def cut(
    texts: pa.LargeBinaryArray, lengths: np.ndarray[Any, np.dtype[np.uint32]]
) -> tuple[pa.LargeBinaryArray, pa.LargeBinaryArray]:
    """Return the first `lengths[i]` bytes of each text, and the rest of each."""
    offsets = np.frombuffer(texts.buffers()[1], np.int64, len(texts) + 1)
    both = np.empty(2 * len(texts) + 1, np.int64)
    both[0::2] = offsets
    both[1::2] = np.minimum(offsets[:-1] + lengths, offsets[1:])
    halves = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), 2 * len(texts), [None, pa.py_buffer(both), texts.buffers()[2]]
    )
    return halves.take(pa.array(np.arange(0, 2 * len(texts), 2))), halves.take(
        pa.array(np.arange(1, 2 * len(texts), 2))
    )
