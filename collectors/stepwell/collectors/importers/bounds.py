"""What numbers and texts a trace can hold, and what becomes of others."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

LARGEST = 2**63 - 1
"""Linux's largest file offset (loff_t); no access ends above it."""

LARGEST_SIZE = 2**62
"""Bytes of one access: more than any call transfers, and what sums are computed with exactly enough."""

LARGEST_TIME = 2**62 - 1
"""Nanoseconds; the year 2116 on a clock that counts from 1970."""


def outside(values: npt.NDArray[Any], largest: int) -> npt.NDArray[np.bool_]:
    """Tell which integers are below 0 or above `largest`."""
    if values.dtype.kind == "u":
        return values > np.uint64(largest)
    return (values < 0) | (values > min(largest, LARGEST))


def within(value: int, largest: int = LARGEST) -> int:
    """Return the number nearest to a value that is not below 0 and not above `largest`."""
    return max(0, min(value, largest))


def encoded(text: str) -> bytes:
    """Return text as bytes: surrogates are the bytes they stand for."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a pair of UTF-16, as JSON may have
        return text.encode("utf-8", "backslashreplace")
