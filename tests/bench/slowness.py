"""Slow files among others, and slow spells of the storage instead: which files are named.

One reader reads files one after the other, in a random order, for one to three epochs.  In half of the traces a file is
slow by a random factor, in the others one to three spells of the storage are, which cover a fifth of a file to five.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tests.bench.figures import Figure, Table
from tests.unit.recordings import MS, Recording

from stepwell.analysis.waits import waits
from stepwell.store import Store
from stepwell.trace.definition import HISTOGRAM_BUCKETS, HISTOGRAM_SHIFT

FETCH = 131_072


@dataclass(frozen=True)
class Scene:
    """What is read, how long a fetch takes, and what is slow."""

    files: int
    each: int
    """Fetches of a file."""
    epochs: int
    mean_ns: float
    spread: float
    """Of the logarithm of a fetch's time."""
    factor: float
    slow: int | None
    """The slow file; None: the storage has slow spells."""
    spells: tuple[tuple[float, float], ...] = ()


def scene(rng: np.random.Generator, *, file: bool) -> Scene:
    """Return a random one, in which a file is slow or the storage is at times."""
    files, each, epochs = int(rng.integers(7, 60)), int(rng.integers(5, 120)), int(rng.choice([1, 1, 2, 3]))
    mean_ns, spread = rng.uniform(1, 8) * MS, rng.uniform(0.05, 0.6)
    factor = float(np.exp(rng.uniform(np.log(3.5), np.log(40))))
    if file:
        return Scene(files, each, epochs, mean_ns, spread, factor, int(rng.integers(1, files - 1)))
    begins = rng.uniform(0, files * each * epochs * mean_ns, int(rng.integers(1, 4)))
    lengths = each * mean_ns * factor * np.exp(rng.uniform(np.log(0.2), np.log(5), len(begins)))
    return Scene(
        files, each, epochs, mean_ns, spread, factor, None, tuple(zip(begins, begins + lengths, strict=True))
    )  # fmt: skip


def recorded(work: Path, given: Scene, rng: np.random.Generator, *, joined: bool) -> list[str]:
    """Write a trace of it, each reading as one run or each fetch, and return the names of the slow files found."""
    recording, at, number = Recording(work / "one.spool"), 0, 0
    for file in range(given.files):
        recording.open(file + 1, b"/data/set/%d" % file, size=given.each * FETCH)
    for _ in range(given.epochs):
        for file in rng.permutation(given.files).tolist():
            begins, took = [], []
            for noise in rng.normal(0, given.spread, given.each):
                slow = file == given.slow or any(begin <= at < end for begin, end in given.spells)
                begins.append(at)
                took.append(int(given.mean_ns * (given.factor if slow else 1) * np.exp(noise)))
                at += took[-1]
            _write(recording, file + 1, number, np.array(begins), np.array(took), joined=joined)
            number += given.each
    recording.thread(1, end=at)
    recording.end(at)
    with Store.open(recording.stored(), "r") as store:
        found = waits(store, store.latest_trace())
    return [slow.path.rsplit("/", 1)[-1] for slow in found.datasets[0].slow]


def _write(recording: Recording, file: int, number: int, begins: np.ndarray, took: np.ndarray, *, joined: bool) -> None:
    each = len(took)
    if joined:
        buckets = np.log2(took).astype(int) - HISTOGRAM_SHIFT
        recording.run(
            file, at=int(begins[0]), count=each, size=FETCH, requested=FETCH, stride=FETCH, seq=number,
            latency_ns=took.sum(), latency_max_ns=took.max(), wait_ns=took.sum(), waited=each, filled=32 * each,
            span_ns=begins[-1] - begins[0], histogram=np.bincount(buckets, minlength=HISTOGRAM_BUCKETS)[np.newaxis],
        )  # fmt: skip
    else:
        recording.run(
            file, at=begins, size=FETCH, requested=FETCH, offset=np.arange(each) * FETCH, seq=number + np.arange(each),
            latency_ns=took, latency_max_ns=took, wait_ns=took, waited=1, filled=32,
        )  # fmt: skip


def slowness(work: Path, *, quick: bool) -> list[Table]:
    """Count what is named."""
    traces = 3 if quick else 97
    table = Table(f"slow files that are read alone, {traces} traces a row")
    for joined in (False, True):
        for file in (True, False):
            missed = wrong = 0
            for seed in range(traces):
                rng = np.random.default_rng(seed)
                given, place = scene(rng, file=file), work / "trace"
                place.mkdir()
                names = set(recorded(place, given, rng, joined=joined))
                shutil.rmtree(place)
                true = {str(given.slow)} if file else set()
                missed += not true <= names
                wrong += bool(names - true)
            row: dict[str, Figure] = {"not named": missed, "with files named wrongly": wrong}
            what = "a slow file" if file else "slow spells of the storage"
            table.rows[f"{what}, {'runs of a whole reading' if joined else 'each fetch known'}"] = row
    return [table]
