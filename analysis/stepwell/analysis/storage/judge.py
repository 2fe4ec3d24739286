"""From single reads to a model of their storage."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stepwell.analysis.storage.model import Cell, Choice, Range
from stepwell.analysis.thresholds import storage as limits
from stepwell.analysis.waits.fit import Cells, Fit, fit
from stepwell.analysis.waits.model import Interval


@dataclass(frozen=True)
class Reads:
    """The reads of one combination that ended; each array has one element a read."""

    block_bytes: int
    in_flight: int
    begin_ns: NDArray[np.int64]
    end_ns: NDArray[np.int64]
    bytes: NDArray[np.int64]
    """What each brought; -1 where it failed."""
    repeated: NDArray[np.bool_]
    """Whether its place had been read before."""

    def cell(self) -> Cell:
        """Return their sums and quantiles."""
        good = self.bytes >= 0
        times = np.sort(self.end_ns[good] - self.begin_ns[good])
        wall = int(self.end_ns[good].max(initial=0) - self.begin_ns[good].min(initial=2**62)) if len(times) else 0
        return Cell(
            block_bytes=self.block_bytes,
            in_flight=self.in_flight,
            reads=len(good),
            failed=int((~good).sum()),
            repeated=int(self.repeated.sum()),
            bytes_s=int(self.bytes[good].sum()) * 10**9 // wall if wall else 0,
            median_ns=int(times[(len(times) - 1) // 2]) if len(times) else 0,
            p99_ns=int(times[math.ceil(0.99 * len(times)) - 1]) if len(times) else 0,
        )


def keeps(first_ns: NDArray[np.int64], again_ns: NDArray[np.int64]) -> bool | None:
    """Return whether somebody on the way keeps what was read; None when the storage is too fast to tell.

    Args:
        first_ns: times of first reads of some places.
        again_ns: times of second reads of the same places, some time later.
    """
    if not len(first_ns) or not len(again_ns) or (least := int(first_ns.min())) < limits.CACHED_FROM_NS:
        return None
    return bool((again_ns < limits.CACHED * least).mean() >= limits.KEPT)


@dataclass(frozen=True)
class Model:
    """What the reads say together; the fields are those of `Bench`."""

    most_bytes_s: int
    cells: tuple[Cell, ...]
    latency_ns: Range | None
    bytes_s: Range | None
    error_permille: int | None
    request_bytes: int | None
    knee_bytes: int | None
    choice: Choice | None


def judge(measured: list[Reads]) -> Model:
    """Return what a storage is like.

    The line comes from reads that were alone.  Where larger blocks take longer than any line through the smaller ones
    allows, the mount takes them apart into requests one after the other, and the line is that of a request.
    """
    cells = tuple(reads.cell() for reads in sorted(measured, key=lambda one: (one.block_bytes, one.in_flight)))
    alone = sorted((one for one in measured if one.in_flight == 1), key=lambda one: one.block_bytes)
    alone = [one for one in alone if (one.bytes > 0).sum() >= limits.LEAST_READS]
    found, used = _line(alone)
    latency, rate = _range(found.latency_ns), _range(found.bytes_s)
    request = None
    if latency and rate and used < len(alone):
        block = alone[used].block_bytes
        expected = latency.value + block * 1e9 / max(rate.value, 1)
        split = alone[used].cell().median_ns > (1 + limits.LINE_ERROR) * expected
        request = alone[used - 1].block_bytes if split else None
    return Model(
        most_bytes_s=max((cell.bytes_s for cell in cells), default=0),
        cells=cells,
        latency_ns=latency,
        bytes_s=rate,
        error_permille=round(1000 * float(np.mean(_errors(found)))) if latency else None,
        request_bytes=request,
        knee_bytes=latency.value * rate.value // 10**9 if latency and rate else None,
        choice=_choice(cells),
    )


def _line(alone: list[Reads]) -> tuple[Fit, int]:
    """Return the line through as many of the smallest sizes as lie on one, and how many these are."""
    whole = fit(_cells(alone))
    for used in range(len(alone), limits.LINE_SIZES - 1, -1):
        some = whole if used == len(alone) else fit(_cells(alone[:used]))
        if some.latency_ns is not None and max(_errors(some)) <= limits.LINE_ERROR:
            return some, used
    return whole, len(alone)


def _errors(line: Fit) -> list[float]:
    """Return the relative error of a line at each size; `Fit.error` counts a size as often as it was read."""
    if line.latency_ns is None or line.bytes_s is None:
        return []
    latency, slope = line.latency_ns.value, 1e9 / line.bytes_s.value
    return [abs(latency + slope * size.size - size.median_ns) / max(size.median_ns, 1) for size in line.sizes]


def _cells(alone: list[Reads]) -> Cells:
    """Return each read as a class of its own, sorted as `fit` wants them."""
    parts = []
    for number, one in enumerate(alone):
        good = one.bytes > 0
        times, octets = one.end_ns[good] - one.begin_ns[good], one.bytes[good]
        order = np.argsort(times, kind="stable")
        parts.append((np.full(len(times), number), times[order], octets[order]))
    sizes, times, octets = (np.concatenate(column) for column in zip(*parts, strict=True)) if parts else [_NONE] * 3
    return Cells(sizes, times, np.ones(len(times), np.int64), octets, times)


_NONE = np.empty(0, np.int64)


def _range(interval: Interval | None) -> Range | None:
    if interval is None:
        return None
    return Range(*(min(round(value), 1 << 62) for value in (interval.value, interval.low, interval.high)))


def _choice(cells: tuple[Cell, ...]) -> Choice | None:
    """Return the combination with the fewest bytes under way that gives nearly all; of equals, the fewest reads."""
    most = max((cell.bytes_s for cell in cells), default=0)
    if not most:
        return None
    good = [cell for cell in cells if cell.bytes_s >= limits.NEARLY_ALL * most]
    best = min(good, key=lambda cell: (cell.block_bytes * cell.in_flight, cell.in_flight))
    first = min((cell for cell in cells if cell.block_bytes == best.block_bytes), key=lambda cell: cell.in_flight)
    return Choice(
        block_bytes=best.block_bytes,
        in_flight=best.in_flight,
        little_in_flight=max(1, round(best.bytes_s * first.median_ns / 1e9 / best.block_bytes)),
        bytes_s=best.bytes_s,
    )
