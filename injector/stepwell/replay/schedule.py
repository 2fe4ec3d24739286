"""From the runs in the store to what the native threads carry out."""

from __future__ import annotations

import mmap
import os
import tempfile
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stepwell.analysis.ask import Queryable, ask, rows
from stepwell.replay.errors import ReplayError
from stepwell.replay.native.library import READER, STEP, TARGET
from stepwell.replay.selection import Selection
from stepwell.replay.times import Times
from stepwell.trace.definition import Op, RunFlag

IN_MEMORY = 256 << 20
"""Bytes of runs kept in memory; more are kept in a temporary file without a name."""

MOST_WORKERS = 64
"""Most asynchronous accesses of one recorded thread under way at once."""

_OPS = [op.name.lower() for op in Op]
_COPIED = ("seq", "seq_span", "span_ns", "offset", "stride", "requested", "size", "tail", "count", "op", "async")

_SIZE = "SELECT count(*) FILTER (count > 0) AS runs, min(start_ns)::BIGINT AS begin FROM runs WHERE {chosen}"

_OPENS = """
SELECT used.open, file, "left", written, coalesce(flags, 0)::BIGINT AS flags
FROM (SELECT open, any_value(file) AS file, sum(count)::BIGINT AS "left", bool_or(op = 'write') AS written
    FROM runs WHERE count > 0 AND {chosen} GROUP BY open) used
LEFT JOIN (SELECT open, flags FROM opens WHERE trace = {trace}) USING (open) ORDER BY used.open
"""

_ASYNC = """
SELECT thread, sum(count)::BIGINT AS accesses, sum(latency_ns)::DOUBLE AS latency_ns,
    (max(start_ns + span_ns) FILTER (count > 0) - min(start_ns) FILTER (count > 0))::DOUBLE AS span_ns
FROM runs WHERE flags & {flag} <> 0 AND {chosen} GROUP BY thread HAVING sum(count) > 0
"""

_RUNS = """
SELECT thread, open, list_position({ops}, op::VARCHAR) - 1 AS op, seq, seq_span, count, "offset", stride, requested,
    flags & {flag} AS async, size, tail, start_ns, span_ns, latency_ns, latency_max_ns, histogram
FROM runs WHERE {chosen} ORDER BY thread, seq
"""


@dataclass(frozen=True)
class Schedule:
    """All that is to be issued."""

    steps: np.ndarray
    """Runs, by `STEP`; those of one thread together, in order."""
    targets: np.ndarray
    """Open files, by `TARGET`."""
    paths: bytes
    """Their paths, each ended by NUL."""
    readers: np.ndarray
    """Threads, by `READER`."""
    accesses: int
    recorded: Times


def schedule(store: Queryable, selection: Selection) -> Schedule:
    """Read the chosen runs; takes 88 bytes a run, in a temporary file from `IN_MEMORY` on.

    Raises:
        OSError: there is no room for the temporary file.
    """
    ops = "" if selection.writes else " AND op <> 'write'"
    chosen = f"trace = {selection.trace:d} AND file IN ({', '.join(map(str, selection.places))}){ops}"
    (size,) = rows(store, _SIZE.format(chosen=chosen))
    if not size["runs"]:
        raise ReplayError(f"trace {selection.trace} has no access to replay; choose another trace")
    opens, targets, paths = _targets(store, selection, chosen)
    steps = np.frombuffer(_room(size["runs"] * STEP.itemsize), STEP)
    recorded = Times()
    threads = _Threads()
    at = 0
    for batch in store.query(_RUNS.format(ops=_OPS, flag=RunFlag.ASYNC.value, chosen=chosen)):
        columns = {name: _column(batch, name) for name in batch.schema.names if name != "histogram"}
        recorded.add(columns, batch.column("histogram"))
        here = columns["count"] > 0
        kept = {name: column[here] for name, column in columns.items()}
        end = at + int(here.sum())
        part = steps[at:end]
        for name in _COPIED:
            part[name] = kept[name]
        part["start_ns"] = kept["start_ns"] - size["begin"]
        part["target"] = np.searchsorted(opens, kept["open"])
        threads.add(kept["thread"], part)
        at = end
    return Schedule(
        steps=steps,
        targets=targets,
        paths=paths,
        readers=threads.readers(_workers(store, chosen)),
        accesses=int(targets["left"].sum()),
        recorded=recorded,
    )


def _column(batch: pa.RecordBatch, name: str) -> np.ndarray:
    column: np.ndarray = batch.column(name).to_numpy(zero_copy_only=False)
    return column


def _room(size: int) -> mmap.mmap:
    """Return memory that is given back with its last user; large amounts may go to disk."""
    if size <= IN_MEMORY:
        return mmap.mmap(-1, size)
    with tempfile.TemporaryFile(prefix="stepwell-replay-") as file:
        os.posix_fallocate(file.fileno(), 0, size)  # a full disk is an error now, not a signal later
        return mmap.mmap(file.fileno(), size)


def _targets(store: Queryable, selection: Selection, chosen: str) -> tuple[np.ndarray, np.ndarray, bytes]:
    """Return the ids of open files in order, what to open for each, and the paths."""
    found = ask(store, _OPENS.format(chosen=chosen, trace=selection.trace))
    opens, files = found["open"].to_numpy(), found["file"].to_numpy()
    paths = bytearray()
    starts = {}
    for place in selection.sizes:
        starts[place] = len(paths)
        paths += os.fsencode(place) + b"\0"
    targets = np.zeros(len(opens), TARGET)
    targets["left"] = found["left"].to_numpy()
    targets["path"] = [starts[selection.places[file]] for file in files.tolist()]
    written = found["written"].to_numpy(zero_copy_only=False)
    targets["flags"] = np.where(written, os.O_RDWR, os.O_RDONLY) | (found["flags"].to_numpy() & os.O_DIRECT)
    targets["fd"] = -1
    return opens, targets, bytes(paths)


def _workers(store: Queryable, chosen: str) -> dict[int, int]:
    """Return how many asynchronous accesses each thread that made some had under way at once.

    On average that is their latencies over the time in which they were issued (Little 1961, "A proof for the queuing
    formula L = lambda W").
    """
    return {
        row["thread"]: int(min(max(1, -(-row["latency_ns"] // max(row["span_ns"], 1))), row["accesses"], MOST_WORKERS))
        for row in rows(store, _ASYNC.format(flag=RunFlag.ASYNC.value, chosen=chosen))
    }


class _Threads:
    """Collects what is to be known of each thread, out of steps that come thread by thread."""

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._rows: list[list[int]] = []  # first step, steps, buffer, first start, last start

    def add(self, threads: np.ndarray, steps: np.ndarray) -> None:
        """Take the next steps, and the thread of each."""
        edges = np.flatnonzero(np.diff(threads)) + 1
        for part, ids in zip(np.split(steps, edges), np.split(threads, edges), strict=True):
            if not len(part):
                continue
            if not self._ids or self._ids[-1] != int(ids[0]):
                first = self._rows[-1][0] + self._rows[-1][1] if self._rows else 0
                self._ids.append(int(ids[0]))
                self._rows.append([first, 0, 1, int(part["start_ns"].min()), 0])
            row = self._rows[-1]
            through_buffer = part["requested"][part["op"] <= Op.WRITE]
            row[1] += len(part)
            row[2] = max(row[2], int(through_buffer.max(initial=1)))
            row[3] = min(row[3], int(part["start_ns"].min()))
            row[4] = max(row[4], int((part["start_ns"] + part["span_ns"]).max()))

    def readers(self, workers: dict[int, int]) -> np.ndarray:
        """Return the threads, by `READER`."""
        rows = np.array(self._rows, dtype=object)
        readers = np.zeros(len(rows), READER)
        readers["first"], readers["steps"], readers["buffer"] = rows[:, 0], rows[:, 1], rows[:, 2]
        readers["workers"] = [1 + workers.get(thread, 0) for thread in self._ids]
        starts, ends = rows[:, 3].astype(np.int64), rows[:, 4].astype(np.int64)
        order = np.argsort(ends, kind="stable")
        readers["rank"][order] = np.arange(len(rows))
        readers["after"] = np.searchsorted(ends[order], starts, side="left")
        return readers
