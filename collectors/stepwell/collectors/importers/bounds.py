"""What numbers and texts a trace can hold, and what becomes of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

LARGEST = 2**63 - 1
"""Linux's largest file offset (loff_t); no access ends above it."""

LARGEST_SIZE = 2**62
"""Bytes of one access: more than any call transfers, and what sums are computed with exactly enough."""

LARGEST_TIME = 2**62 - 1
"""Nanoseconds; the year 2116 on a clock that counts from 1970."""


MEMORY_NS = 50_000
"""Nanoseconds that an access served from memory takes at most, without its bytes.  Default 50 us: the call and a
tracer's own stops take up to 40 us under strace, a read from NVMe 60 us at least."""

MEMORY_BYTES_S = 1_000_000_000
"""Bytes a second at which memory is copied at least.  Default 1 GB/s: a busy processor of a small virtual machine."""


@dataclass(slots=True)
class Span:
    """From the earliest time seen, None as long as there is none, to the latest."""

    first_ns: int | None = None
    last_ns: int = 0

    def seen(self, first_ns: int, last_ns: int) -> None:
        """Widen it."""
        if self.first_ns is None or first_ns < self.first_ns:
            self.first_ns = first_ns
        if last_ns > self.last_ns:
            self.last_ns = last_ns


def longer_than_memory(latency_ns: npt.NDArray[Any], octets: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Tell which accesses took longer than memory would, and so must have waited for something."""
    return latency_ns > MEMORY_NS + octets / MEMORY_BYTES_S * 1e9


def outside(values: npt.NDArray[Any], largest: int) -> npt.NDArray[np.bool_]:
    """Tell which integers are below 0 or above `largest`."""
    if values.dtype.kind == "u":
        return values > np.uint64(largest)
    return (values < 0) | (values > (min(largest, LARGEST) if values.dtype.kind == "i" else largest))


def within(value: int, largest: int = LARGEST) -> int:
    """Return the number nearest to a value that is not below 0 and not above `largest`."""
    return value if 0 <= value <= largest else 0 if value < 0 else largest


def encoded(text: str) -> bytes:
    """Return text as bytes: surrogates are the bytes they stand for."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a pair of UTF-16, as JSON may have
        return text.encode("utf-8", "backslashreplace")
