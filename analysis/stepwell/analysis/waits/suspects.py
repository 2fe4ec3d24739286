"""Files whose fetches seem to take longer than those of the rest of their storage, over the whole trace."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from stepwell.analysis.thresholds import waits as limits
from stepwell.analysis.waits.model import Storage

LISTED = 20
"""Most slow files of a storage."""


class Suspect(NamedTuple):
    """Fetches of a file that seem slow."""

    fetches: int
    ns: int
    """Their time."""
    usual_ns: float
    """What one would take if it were as fast as the rest."""
    factor: float
    """How many times longer it takes, in the mean of logarithms."""


def suspects(sums: pa.Table, storage: Storage) -> dict[int, Suspect]:
    """Return the files that are slower than the rest over the whole trace, most time in fetches first.

    Args:
        sums: a row a file, with `file` and the sums of `questions.PAIRS` over its reads that waited.
        storage: where they are.
    """
    column = {name: sums[name].to_numpy().astype(float) for name in sums.column_names}
    count, total, log, log2 = (column[f"{name}_sum"] for name in ("waited", "asleep_ns", "log_ns", "log2_ns"))
    own = column["bytes_sum"] / np.maximum(column["accesses_sum"], 1)
    size = np.where(column["filled_sum"] > 0, column["filled_sum"] * limits.PAGE / count, own)
    expected = _expected(storage, size)
    level = log - count * np.log(expected)
    squares = log2 - 2 * np.log(expected) * log + count * np.log(expected) ** 2
    found: dict[int, Suspect] = {}
    others, others_level, others_squares = count.sum(), level.sum(), squares.sum()
    # The slowest first: it leaves the rest before the next one is held against it.
    candidates = np.flatnonzero(count >= limits.SLOW_FILE_FETCHES)
    for index in candidates[np.argsort(-level[candidates] / count[candidates])]:
        others, others_level = others - count[index], others_level - level[index]
        others_squares -= squares[index]
        if others < limits.FEW:
            break
        mean, base = level[index] / count[index], others_level / others
        variance = max(squares[index] / count[index] - mean**2, 0.0) / count[index]
        variance += max(others_squares / others - base**2, 0.0) / others
        factor = float(np.exp(mean - base))
        if factor < limits.SLOW_FILE or mean - base < limits.SLOW_FILE_Z * np.sqrt(variance):
            break
        found[int(column["file"][index])] = Suspect(
            int(count[index]), int(total[index]), math.exp(log[index] / count[index]) / factor, factor
        )
    return dict(sorted(found.items(), key=lambda one: -one[1].ns)[:LISTED])


def slow_all_along(times: pa.Table, found: dict[int, Suspect]) -> set[int]:
    """Return the suspects of which nearly no fetch was as fast as others are.

    Args:
        times: the answer to `questions.TIMES`.
        found: the suspects.
    """
    return {file for file, suspect in found.items() if _fast(times, file, suspect) <= limits.SLOW_FILE_FAST}


def _fast(times: pa.Table, file: int, suspect: Suspect) -> float:
    """Return the share of a file's fetches that took others' time rather than its own.

    That is by less than half the distance of both in logarithms; what takes far less than others was no fetch.
    """
    mine = times.filter(times["file"].to_numpy() == file)
    waited = mine["waited"].to_numpy().sum()
    classes = mine.drop_null().sort_by([("time_class", "descending")])
    # Those that waited are the longest.
    within = np.diff(np.minimum(np.cumsum(classes["accesses"].to_numpy()), waited), prepend=0)
    level = classes["time_class"].to_numpy() / limits.CLASSES * math.log(2)
    usual = np.abs(level - math.log(suspect.usual_ns)) < math.log(suspect.factor) / 2
    return float(within[usual].sum() / waited)


def fetch_model(storage: Storage) -> tuple[float, float]:
    """Return the time that a fetch takes, in ns: of no bytes, and for each byte."""
    if storage.latency_ns is None or storage.bytes_s is None:
        return max(storage.mean_ns, 1.0), 0.0
    return storage.latency_ns.value, 1e9 / storage.bytes_s.value


def _expected(storage: Storage, size: np.ndarray) -> np.ndarray:
    """Return the time that the model gives for a fetch of a size, in ns."""
    latency, per_byte = fetch_model(storage)
    return np.maximum(latency + size * per_byte, 1.0)
