"""Files whose fetches take longer than those of the rest of their dataset."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stepwell.analysis.thresholds import waits as limits
from stepwell.analysis.waits.model import SlowFile, Storage

LISTED = 20
"""Most slow files of a dataset."""


def slow_files(
    data: pa.Table, storages: dict[tuple[int, str], Storage], files: pa.Table
) -> dict[str, tuple[SlowFile, ...]]:
    """Return the slow files of each dataset, most time lost first.

    A file is slow when the mean of its fetches' log times lies far above that of all other files together (Welch's
    test), after the time that the storage's model gives for their size has been taken out.

    Args:
        data: the answer to `questions.PAIRS` without software.
        storages: the fitted models by number and direction.
        files: the answer to `questions.FILES`.
    """
    reads = data.filter(pc.and_(pc.equal(data["direction"], "read"), pc.greater(data["waited"], 0)))
    sums = reads.group_by(["file", "storage"]).aggregate(
        [(name, "sum") for name in ("waited", "asleep_ns", "filled", "bytes", "accesses", "log_ns", "log2_ns")]
    )
    paths = dict(zip(files["file"].to_pylist(), files["path"].to_pylist(), strict=True))
    found: dict[str, tuple[SlowFile, ...]] = {}
    for number in pc.unique(sums["storage"]).to_pylist():
        storage = storages.get((number, "read"))
        if storage is not None:
            mine = sums.filter(pc.equal(sums["storage"], number))
            found[storage.dataset] = _slow(mine, storage, paths)
    return found


def _slow(sums: pa.Table, storage: Storage, paths: dict[int, str]) -> tuple[SlowFile, ...]:
    column = {name: sums[name].to_numpy().astype(float) for name in sums.column_names}
    count, total, log, log2 = (column[f"{name}_sum"] for name in ("waited", "asleep_ns", "log_ns", "log2_ns"))
    own = column["bytes_sum"] / np.maximum(column["accesses_sum"], 1)
    size = np.where(column["filled_sum"] > 0, column["filled_sum"] * limits.PAGE / count, own)
    expected = _expected(storage, size)
    level = log - count * np.log(expected)
    squares = log2 - 2 * np.log(expected) * log + count * np.log(expected) ** 2
    found: dict[int, SlowFile] = {}
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
        file = int(column["file"][index])
        found[file] = SlowFile(
            file=file,
            path=paths.get(file, str(file)),
            factor=factor,
            fetches=int(count[index]),
            excess_ns=round(total[index] * (1 - 1 / factor)),
        )
    return tuple(sorted(found.values(), key=lambda slow: -slow.excess_ns)[:LISTED])


def _expected(storage: Storage, size: np.ndarray) -> np.ndarray:
    """Return the time that the model gives for a fetch of a size, in ns."""
    if storage.latency_ns is None or storage.bytes_s is None:
        return np.full(len(size), max(storage.mean_ns, 1.0))
    return np.maximum(storage.latency_ns.value + size * 1e9 / storage.bytes_s.value, 1.0)
