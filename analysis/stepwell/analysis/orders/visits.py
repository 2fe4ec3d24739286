"""Visits to files, as columns: what the analyses of order work on."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stepwell.analysis import ask
from stepwell.analysis.orders import queries
from stepwell.analysis.thresholds import orders as limits

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Files:
    """The files of one dataset; arrays by the file's number here, from 0."""

    dataset: str
    filesystem: str
    ids: Ints
    paths: pa.Array
    size: Ints
    inode: Ints
    mtime: Ints | None
    """None when unknown of any."""

    def __len__(self) -> int:
        return len(self.ids)

    def names(self, numbers: Ints) -> list[str]:
        """Return the paths of some of the files, relative to the dataset."""
        found: list[str] = self.paths.take(pa.array(numbers)).to_pylist()
        skip = len(self.dataset.rstrip("/")) + 1
        return [path[skip:] for path in found]


@dataclass(frozen=True)
class Visits:
    """Visits in the order of their start; `file` is the number in `Files`, times are in ns."""

    reader: Ints
    thread: Ints
    file: Ints
    start: Ints
    end: Ints
    bytes: Ints

    def __len__(self) -> int:
        return len(self.file)

    def where(self, chosen: Flags | Ints) -> Visits:
        """Return some of the visits."""
        return Visits(*(getattr(self, field.name)[chosen] for field in fields(self)))


def load_files(store: ask.Queryable, trace: int) -> list[Files]:
    """Return the datasets with enough files, without the software in them unless there is nothing else."""
    table = ask.ask(store, queries.FILES, trace, limits.FILES)
    software = table["software"].to_numpy().astype(bool)
    if not software.all():
        table = table.filter(pa.array(~software))
    names = table["dataset"].combine_chunks().dictionary_encode()
    if not len(names):
        return []
    numbers = names.indices.to_numpy(zero_copy_only=False)
    found = []
    for number, dataset in enumerate(names.dictionary.to_pylist()):
        part = table.filter(pa.array(numbers == number))
        if len(part) < limits.FILES:
            continue
        found.append(
            Files(
                dataset=dataset,
                filesystem=part["filesystem"][0].as_py(),
                ids=part["file"].to_numpy().astype(np.int64),
                paths=part["path"].combine_chunks(),
                size=part["size"].to_numpy().astype(np.int64),
                inode=part["ino"].to_numpy().astype(np.int64),
                mtime=None if part["mtime_ns"].null_count else part["mtime_ns"].to_numpy().astype(np.int64),
            )
        )
    return found


def load_visits(store: ask.Queryable, trace: int) -> Visits:
    """Return all visits to files of datasets with enough of them; `file` is the file's id in the trace."""
    table = ask.ask(store, queries.OPENED, trace, limits.FILES)
    runs = table["runs"].to_numpy()
    table = table.drop(["runs"])
    if ((runs > 1) & (runs <= limits.RUNS)).any():  # those may be several passes, which takes another look at all runs
        table = ask.ask(store, queries.VISITS, trace, limits.FILES, limits.RUNS)
    columns = {name: table[name].to_numpy().astype(np.int64) for name in table.column_names}
    alike = columns.pop("alike")
    if len(alike) and alike.max() > 1:
        columns = _apart(columns, alike)
    order = np.lexsort((columns["file"], columns["reader"], columns["start_ns"]))
    names = ("reader", "thread", "file", "start_ns", "end_ns", "bytes")
    return Visits(*(columns[name][order] for name in names))


def _apart(columns: dict[str, Ints], alike: Ints) -> dict[str, Ints]:
    """Return the visits with those of equal accesses taken apart, evenly in time."""
    number = np.arange(alike.sum()) - np.repeat(np.cumsum(alike) - alike, alike)
    columns = {name: np.repeat(values, alike) for name, values in columns.items()}
    each = np.repeat(alike, alike)
    span = columns["end_ns"] - columns["start_ns"]
    apart = each > 1
    at = columns["start_ns"] + np.where(apart, np.rint(number * (span / np.maximum(each - 1, 1))), 0).astype(np.int64)
    columns["end_ns"] = np.where(apart, at, columns["end_ns"])
    columns["start_ns"] = at
    columns["bytes"] = columns["bytes"] // each
    return columns


def one_reading(visits: Visits) -> tuple[Visits, float]:
    """Return the visits with those taken as one that a thread pays to a file without another file in between.

    Opening a file to look at its header, closing and opening it again is one reading of it.

    Returns:
        The visits, and the share of them that was put to the one before.
    """
    if not len(visits):
        return visits, 0.0
    order = np.lexsort((np.arange(len(visits)), visits.thread, visits.reader))
    mine = visits.where(order)
    first = np.ones(len(mine), bool)
    first[1:] = (np.diff(mine.reader) != 0) | (np.diff(mine.thread) != 0) | (np.diff(mine.file) != 0)
    starts = np.flatnonzero(first)
    if len(starts) == len(mine):
        return visits, 0.0
    joined = Visits(
        reader=mine.reader[starts],
        thread=mine.thread[starts],
        file=mine.file[starts],
        start=mine.start[starts],
        end=np.maximum.reduceat(mine.end, starts),
        bytes=np.add.reduceat(mine.bytes, starts),
    )
    return joined.where(np.lexsort((joined.file, joined.reader, joined.start))), 1 - len(starts) / len(mine)
