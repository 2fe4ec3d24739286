"""Files whose fetches take longer than those of the rest of their dataset."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stepwell.analysis.ask import Queryable, ask
from stepwell.analysis.thresholds import waits as limits
from stepwell.analysis.waits import questions
from stepwell.analysis.waits.model import SlowFile, Storage

LISTED = 20
"""Most slow files of a dataset."""


class Suspect(NamedTuple):
    """Fetches of a file that seem slow: how many, and their time."""

    fetches: int
    ns: int


def slow_files(
    store: Queryable, trace: int, duration_ns: int, data: pa.Table, storages: dict[tuple[int, str], Storage]
) -> dict[str, tuple[SlowFile, ...]]:
    """Return the slow files of each dataset, most time lost first.

    A file is suspected when the mean of its fetches' log times lies far above that of all other files together (Welch's
    test), after the time that the storage's model gives for their size has been taken out.  It is slow when that also
    holds against what was fetched from other files in the same moments: otherwise the moments may have been slow.

    Args:
        store: where the public views are.
        trace: number of the trace.
        duration_ns: its length.
        data: the answer to `questions.PAIRS` without software.
        storages: the fitted models by number and direction.
    """
    reads = data.filter(pc.and_(pc.equal(data["direction"], "read"), pc.greater(data["waited"], 0)))
    sums = reads.group_by(["file", "storage"]).aggregate(
        [(name, "sum") for name in ("waited", "asleep_ns", "filled", "bytes", "accesses", "log_ns", "log2_ns")]
    )
    suspects: dict[int, dict[int, Suspect]] = {}
    for number in pc.unique(sums["storage"]).to_pylist():
        storage = storages.get((number, "read"))
        if storage is not None and (found := _suspects(sums.filter(pc.equal(sums["storage"], number)), storage)):
            suspects[number] = found
    if not suspects:
        return {}
    files = ask(store, questions.FILES, trace)
    paths = dict(zip(files["file"].to_pylist(), files["path"].to_pylist(), strict=True))
    confirmed = {}
    for number, found in suspects.items():
        storage = storages[number, "read"]
        longest = max(slow.ns / slow.fetches for slow in found.values())
        window = max(1, math.ceil(limits.SLOW_FILE_MOMENT * longest), duration_ns // limits.SLOW_FILE_WINDOWS)
        latency, per_byte = _model(storage)
        values = (number, list(found), window, round(latency), round(per_byte * 2**20))
        moments = ask(store, questions.MOMENTS, trace, *values)
        confirmed[storage.dataset] = _confirmed(moments, found, paths)
    return confirmed


def _suspects(sums: pa.Table, storage: Storage) -> dict[int, Suspect]:
    """Return the files that are slower than the rest over the whole trace, most time in fetches first."""
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
        found[int(column["file"][index])] = Suspect(int(count[index]), int(total[index]))
    return dict(sorted(found.items(), key=lambda one: -one[1].ns)[:LISTED])


def _confirmed(table: pa.Table, suspects: dict[int, Suspect], paths: dict[int, str]) -> tuple[SlowFile, ...]:
    """Return the suspects that are slow when held against other files in the same moments.

    Each moment counts once in the error of the mean, as fetches of one moment are slow together.

    Args:
        table: the answer to `questions.MOMENTS`.
        suspects: the files in question.
        paths: of all files.
    """
    of_file, moment = table["file"].fill_null(0).to_numpy(), table["moment"].to_numpy()
    fetches, level = table["fetches"].to_numpy(), table["log_excess"].to_numpy() / table["fetches"].to_numpy()
    rest = table["file"].is_null().to_numpy()
    found = []
    for file, slow in suspects.items():
        mine = ~rest & (of_file == file)
        _, at, other = np.intersect1d(moment[mine], moment[rest], return_indices=True)
        if len(at) < limits.SLOW_FILE_MOMENTS or fetches[mine][at].sum() < limits.SLOW_FILE_FETCHES:
            continue
        beyond = level[mine][at] - level[rest][other]
        weight = fetches[mine][at] / fetches[mine][at].sum()
        mean = float(beyond @ weight)
        error = math.sqrt(float((beyond - mean) ** 2 @ weight**2))
        factor = math.exp(mean)
        if factor >= limits.SLOW_FILE and mean >= limits.SLOW_FILE_Z * error:
            excess = round(slow.ns * (1 - 1 / factor))
            found.append(SlowFile(file, paths.get(file, str(file)), factor, slow.fetches, excess))
    return tuple(sorted(found, key=lambda slow: -slow.excess_ns))


def _model(storage: Storage) -> tuple[float, float]:
    """Return the time that a fetch takes, in ns: of no bytes, and for each byte."""
    if storage.latency_ns is None or storage.bytes_s is None:
        return max(storage.mean_ns, 1.0), 0.0
    return storage.latency_ns.value, 1e9 / storage.bytes_s.value


def _expected(storage: Storage, size: np.ndarray) -> np.ndarray:
    """Return the time that the model gives for a fetch of a size, in ns."""
    latency, per_byte = _model(storage)
    return np.maximum(latency + size * per_byte, 1.0)
