"""Loaders whose order over files is known, as the visits that they would have left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stepwell.analysis.orders.visits import Files, Ints, Visits

STEP_NS = 1_000_003
"""Time that a visit takes on average, compute after it included."""


@dataclass(frozen=True)
class Loader:
    """What the loader does; the truth.

    Attributes:
        order: name, size, mtime, inode, shuffled or window (by name, within a buffer of a tenth of the files).
        epochs: passes; 0 draws three times as many visits as there are files, with replacement.
        reshuffled: whether a shuffle differs from the last epoch's.
        sharing: dealt (a batch of 3 to each worker in turn), stride, blocks (by name) or all.
        anew: whether workers are made anew for each epoch.
        jitter: standard deviation of a visit's time, as a share.
        waits: whether workers wait for each other at an epoch's end; otherwise some are ahead.
        foreign: share of visits to random files in between.
        lost: share of visits that were not recorded.
        folders: directories that hold the files, as classes do.
    """

    files: int = 61
    order: str = "name"
    backward: bool = False
    epochs: int = 3
    reshuffled: bool = True
    workers: int = 1
    sharing: str = "dealt"
    anew: bool = False
    jitter: float = 0.3
    waits: bool = True
    foreign: float = 0.0
    lost: float = 0.0
    folders: int = 1
    seed: int = 7

    @property
    def across(self) -> str:
        """How epochs relate, as `Across` has it."""
        if self.epochs < 2:
            return "unknown"
        if self.order in {"shuffled", "window"} and self.reshuffled:
            return "reshuffled" if self.order == "shuffled" else "window"
        return "same"

    @property
    def kind(self) -> str:
        """How processes share, as `Sharing` has it."""
        if self.workers == 1:
            return "in turn" if self.anew and self.epochs > 1 else "alone"
        return "all read all" if self.sharing == "all" else "partitioned"


def dataset(loader: Loader, rng: np.random.Generator) -> tuple[Files, dict[str, Ints]]:
    """Return the files, whose facts are unrelated, and the sequences of files by each."""
    number = loader.files
    folder = np.arange(number) * loader.folders // number
    names = [f"/data/c{folder[i]}/f_{i}.bin" if loader.folders > 1 else f"/data/f_{i}.bin" for i in range(number)]
    facts = {name: rng.permutation(number) for name in ("size", "mtime", "inode")}
    files = Files(
        "/data", "ext4", np.arange(number), pa.array(names), 1000 + facts["size"], facts["inode"] + 5, facts["mtime"]
    )
    return files, {"name": np.arange(number)} | {name: np.argsort(fact) for name, fact in facts.items()}


def buffered(sequence: Ints, size: int, rng: np.random.Generator) -> Ints:
    """Return a sequence as it leaves a buffer of `size`, from which a random element is drawn each time."""
    buffer, drawn = list(sequence[:size]), []
    for new in [*sequence[size:], *[None] * size]:
        place = int(rng.integers(len(buffer)))
        drawn.append(buffer[place])
        if new is None:
            buffer.pop(place)
        else:
            buffer[place] = new
    return np.array(drawn)


def visits(loader: Loader) -> tuple[Files, Visits]:
    """Return the dataset and the loader's visits."""
    rng = np.random.default_rng(loader.seed)
    files, sorted_by = dataset(loader, rng)
    once = rng.permutation(loader.files)
    clock = np.zeros(loader.workers)
    columns: list[tuple[Ints, Ints, Ints]] = []
    for epoch in range(max(loader.epochs, 1)):
        if loader.waits:
            clock[:] = clock.max()
        shared = _sequence(loader, sorted_by, once, rng)
        for worker in range(loader.workers):
            if loader.sharing == "all" and loader.order == "shuffled":
                shared = _sequence(loader, sorted_by, once, rng)
            own = shared[_share(loader, shared) == worker] if loader.sharing != "all" else shared
            steps = STEP_NS * np.maximum(rng.normal(1, loader.jitter, len(own)), 0.01)
            starts = clock[worker] + np.cumsum(steps) - steps
            clock[worker] += steps.sum()
            number = 100 + worker + (epoch * loader.workers if loader.anew else 0)
            columns.append((np.full(len(own), number), own, starts.astype(np.int64)))
    reader, file, start = (np.concatenate([column[k] for column in columns]) for k in range(3))
    beside = rng.choice(len(file), int(len(file) * loader.foreign))
    reader = np.concatenate([reader, reader[beside]])
    file = np.concatenate([file, rng.integers(0, loader.files, len(beside))])
    start = np.concatenate([start, start[beside] + STEP_NS // 3])
    order = np.argsort(start, kind="stable")
    order = order[rng.random(len(file)) >= loader.lost]
    reader, file, start = reader[order], file[order], start[order]
    return files, Visits(reader, reader, file, start, start + STEP_NS // 50, files.size[file])


def _sequence(loader: Loader, sorted_by: dict[str, Ints], once: Ints, rng: np.random.Generator) -> Ints:
    """Return the files of one epoch in the order of the loader."""
    if loader.epochs == 0:
        return rng.integers(0, loader.files, 3 * loader.files)
    if loader.order == "shuffled":
        return rng.permutation(loader.files) if loader.reshuffled else once
    if loader.order == "window":
        return buffered(np.arange(loader.files), max(2, loader.files // 10), rng)
    return sorted_by[loader.order][:: -1 if loader.backward else 1]


def _share(loader: Loader, sequence: Ints) -> Ints:
    """Return the worker that each file of a sequence is for."""
    if loader.sharing == "dealt":
        return np.arange(len(sequence)) // 3 % loader.workers
    return sequence % loader.workers if loader.sharing == "stride" else sequence * loader.workers // loader.files
