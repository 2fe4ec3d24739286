"""What measuring a storage finds.  Integers only, with their units in the names: a plan's numbers are made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from stepwell.analysis.form import Limits
from stepwell.trace.errors import StepwellError

VERSION = 1
"""Raised when a field changes its meaning or goes away; optional fields may be added without."""

UNSURE = "not sure: "
"""Beginning of doubts that make the numbers uncertain."""

_COUNT = Limits(0, 1 << 62)
_TEXT = Limits(longest=4096)
_LIST = Limits(longest=1_000)


class BenchFileError(StepwellError):
    """A file is not what `stepwell bench -o json` writes; exit code 2."""

    exit_code = 2


@dataclass(frozen=True)
class Range:
    """A number and the bounds it lies in with 90 % confidence."""

    value: Annotated[int, "best estimate", _COUNT]
    low: Annotated[int, "lower bound", _COUNT]
    high: Annotated[int, "upper bound", _COUNT]


@dataclass(frozen=True)
class Cell:
    """Reads of one size, so many at once."""

    block_bytes: Annotated[int, "bytes of each read", _COUNT]
    in_flight: Annotated[int, "reads under way at once", _COUNT]
    reads: Annotated[int, "reads that ended", _COUNT]
    failed: Annotated[int, "of these, reads that failed", _COUNT]
    repeated: Annotated[int, "of these, reads of places that had been read before", _COUNT]
    bytes_s: Annotated[int, "bytes a second of all together", _COUNT]
    median_ns: Annotated[int, "time that half of the reads did not exceed", _COUNT]
    p99_ns: Annotated[int, "time that 99 % did not exceed", _COUNT]


@dataclass(frozen=True)
class Choice:
    """The cheapest way to nearly all that the storage gives."""

    block_bytes: Annotated[int, "bytes of each read", _COUNT]
    in_flight: Annotated[int, "reads under way at once, as measured", _COUNT]
    little_in_flight: Annotated[int, "the same by Little's law: rate x time of one read alone / block", _COUNT]
    bytes_s: Annotated[int, "what that gave, bytes a second", _COUNT]


@dataclass(frozen=True)
class Bench:
    """A mount's storage, as measured by reading from it."""

    version: Annotated[int, "version of this form", Limits(VERSION, VERSION)]
    path: Annotated[str, "what was measured", _TEXT]
    filesystem: Annotated[str, "type of its file system", _TEXT]
    method: Annotated[str, "direct: O_DIRECT; buffered: through the page cache", Limits(among=("direct", "buffered"))]
    certain: Annotated[bool, "whether it is sure that every read went to the storage"]
    doubts: Annotated[tuple[str, ...], "why not, and what else to know about the numbers", _LIST]
    status: Annotated[str, "whether all was measured", Limits(among=("complete", "interrupted", "hung"))]
    files: Annotated[int, "files that were read", _COUNT]
    data_bytes: Annotated[int, "their bytes", _COUNT]
    read_bytes: Annotated[int, "bytes that were read", _COUNT]
    elapsed_ns: Annotated[int, "time it took", _COUNT]
    most_bytes_s: Annotated[int, "highest rate of all combinations, bytes a second", _COUNT]
    cells: Annotated[tuple[Cell, ...], "what was measured, by block size and concurrency", _LIST]
    open_ns: Annotated[int | None, "median time to open a file for the first time", _COUNT] = None
    latency_ns: Annotated[Range | None, "time of a request of no bytes; left out: cannot be told"] = None
    bytes_s: Annotated[Range | None, "bytes a second of one request once it flows; left out: cannot be told"] = None
    error_permille: Annotated[int | None, "mean relative error of that line over block sizes", _COUNT] = None
    request_bytes: Annotated[
        int | None, "largest block on that line: larger ones are taken apart, or fetch more; left out: all are", _COUNT
    ] = None
    knee_bytes: Annotated[int | None, "block whose bytes take as long as its latency", _COUNT] = None
    choice: Annotated[Choice | None, "the cheapest way to nearly all that it gives"] = None

    def expected_ns(self, block_bytes: int) -> int | None:
        """Return the time of a lone read of so many bytes, by the fitted line; None where there is none."""
        if self.latency_ns is None or self.bytes_s is None:
            return None
        return self.latency_ns.value + block_bytes * 10**9 // max(self.bytes_s.value, 1)
