"""Files whose fetches take longer than those of the rest of their dataset."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stepwell.analysis.ask import Queryable, ask
from stepwell.analysis.thresholds import waits as limits
from stepwell.analysis.waits import questions
from stepwell.analysis.waits.alone import slower_alone
from stepwell.analysis.waits.model import SlowFile, Storage
from stepwell.analysis.waits.moments import Moments
from stepwell.analysis.waits.suspects import Suspect, fetch_model, slow_all_along, suspects


def slow_files(
    store: Queryable, trace: int, duration_ns: int, data: pa.Table, storages: dict[tuple[int, str], Storage]
) -> dict[str, tuple[SlowFile, ...]]:
    """Return the slow files of each dataset, most time lost first.

    A file is suspected when the mean of its fetches' log times lies far above that of all other files together (Welch's
    test), after the time that the storage's model gives for their size has been taken out.  It is slow when that also
    holds against what was fetched from other files in the same moments: otherwise the moments may have been slow.
    Where it was read alone, they were not if it was slow from its first fetch to its last, and others just before and
    after were not.

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
    suspected: dict[int, dict[int, Suspect]] = {}
    for number in pc.unique(sums["storage"]).to_pylist():
        storage = storages.get((number, "read"))
        if storage is not None and (found := suspects(sums.filter(pc.equal(sums["storage"], number)), storage)):
            suspected[number] = found
    if not suspected:
        return {}
    files = ask(store, questions.FILES, trace)
    paths = dict(zip(files["file"].to_pylist(), files["path"].to_pylist(), strict=True))
    confirmed = {}
    for number, found in suspected.items():
        storage = storages[number, "read"]
        shortest = min(suspect.ns / suspect.fetches for suspect in found.values())
        window = max(1, math.ceil(limits.SLOW_FILE_MOMENT * shortest), duration_ns // limits.SLOW_FILE_WINDOWS)
        latency, per_byte = fetch_model(storage)
        values = (number, list(found), window, round(latency), round(per_byte * 2**20))
        moments = Moments.of(ask(store, questions.MOMENTS, trace, *values))
        steady = slow_all_along(ask(store, questions.TIMES, trace, list(found)), found)
        slow = []
        for file, suspect in found.items():
            own = moments.wider(max(1, round(limits.SLOW_FILE_MOMENT * suspect.ns / suspect.fetches / window)))
            factor = _slower_beside(own, file, steady)
            if factor is None and file in steady:
                factor = slower_alone(own, file, steady)
            if factor is not None:
                excess = round(suspect.ns * (1 - 1 / factor))
                slow.append(SlowFile(file, paths.get(file, str(file)), factor, suspect.fetches, excess))
        confirmed[storage.dataset] = tuple(sorted(slow, key=lambda one: -one.excess_ns))
    return confirmed


def _slower_beside(moments: Moments, file: int, steady: set[int]) -> float | None:
    """Return how many times slower a file is than others in the same moments; None where it need not be slow.

    Each moment counts once in the error of the mean, as fetches of one moment are slow together.

    Args:
        moments: fetches in windows of time.
        file: the file in question.
        steady: the files that were slow all along.
    """
    mine, rest = moments.series(moments.file == file), moments.series(moments.file == 0)
    _, at, other = np.intersect1d(mine.moment, rest.moment, return_indices=True)
    fetches = mine.fetches[at]
    needed = limits.SLOW_FILE_STEADY_MOMENTS if file in steady else limits.SLOW_FILE_MOMENTS
    if len(at) < needed or fetches.sum() < limits.SLOW_FILE_FETCHES:
        return None
    beyond = mine.level[at] - rest.level[other]
    weight = fetches / fetches.sum()
    mean = float(beyond @ weight)
    error = math.sqrt(float((beyond - mean) ** 2 @ weight**2))
    return math.exp(mean) if mean >= max(math.log(limits.SLOW_FILE), limits.SLOW_FILE_Z * error) else None
