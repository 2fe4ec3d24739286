"""Accesses in columns, whatever file they come from: the columns of the view `accesses` and a few more."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stepwell.collectors.importers.source import Input, printable
from stepwell.collectors.importers.writer import TraceWriter
from stepwell.collectors.native.joiner import Place
from stepwell.trace.definition import Op

Numbers = npt.NDArray[Any]

REQUIRED = {"path": pa.string(), "op": pa.string(), "offset": pa.int64(), "size": pa.int64()}

OPTIONAL = {
    "requested": pa.uint64(), "start_ns": pa.int64(), "latency_ns": pa.int64(), "seq": pa.int64(),
    "reader": pa.int64(), "pid": pa.int64(), "thread": pa.int64(), "tid": pa.int64(), "comm": pa.string(),
    "open": pa.int64(), "file_size": pa.int64(), "interpolated": pa.bool_(), "trace": pa.int64(), "file": pa.int64(),
}  # fmt: skip

COLUMNS = REQUIRED | OPTIONAL
"""The columns that are read, with their types."""

OPS = pa.array([op.name.lower() for op in Op])
"""Index is the number of the operation."""

LIMITS = (
    "a file's size is the largest end of an access seen, unless column file_size tells it",
    "processor time, page cache hits and whether a thread slept are not in such a file",
)


class Rows:
    """Tells a trace what batches of rows say, in their order.

    Raises:
        InputError: a column is missing.
    """

    def __init__(self, source: Input, trace: TraceWriter, names: list[str]) -> None:
        self._source = source
        self._trace = trace
        self._done = 0
        self._threads: dict[tuple[int, ...], int] = {}
        self._last_seq: dict[int, int] = {}
        self._only_trace: int | None = None
        if missing := [name for name in REQUIRED if name not in names]:
            raise source.fail(
                f"no column {' and no column '.join(missing)}; needed are {', '.join(REQUIRED)}, "
                f"and {', '.join(OPTIONAL)} are read if there"
            )
        if twice := next((name for name in names if names.count(name) > 1 and name in COLUMNS), None):
            raise source.fail(f"two columns called {twice}; leave one out")
        for sentence in LIMITS:
            trace.limit(sentence)
        if "latency_ns" not in names:
            trace.limit("latencies are not known")
        if ignored := [printable(name) for name in names if name not in COLUMNS]:
            trace.limit(f"columns that mean nothing here were not read: {', '.join(ignored[:20])}")
        self._identity = [name for name in ("reader", "pid", "thread", "tid") if name in names]
        if "start_ns" in names:
            trace.origin(0)

    def add(self, batch: pa.RecordBatch) -> None:
        """Add rows; the columns have the types of `COLUMNS`.

        Raises:
            InputError: a value is missing, or no such thing; or the rows are not in order.
        """
        if not len(batch):
            return
        columns = {name: batch.column(name) for name in batch.schema.names}
        for name, column in columns.items():
            if column.null_count:
                self._fail(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False)), f"{name} is empty")
        damaged = pc.match_substring(columns["path"], "\0").to_numpy(zero_copy_only=False)
        if damaged.any():
            self._fail(np.flatnonzero(damaged), "path holds a NUL byte; no path can, so the file was damaged")
        op = pc.index_in(columns["op"], value_set=OPS)
        if op.null_count:
            rows = np.flatnonzero(op.is_null().to_numpy(zero_copy_only=False))
            wrong = printable(columns["op"][int(rows[0])].as_py())
            self._fail(rows, f"no operation is called '{wrong}'; they are {', '.join(OPS.to_pylist())}")
        numbers = {
            name: column.to_numpy(zero_copy_only=False)
            for name, column in columns.items()
            if name not in {"path", "op", "comm"}
        }
        self._check_trace(numbers)
        thread = self._thread(numbers, columns.get("comm"))
        if "seq" in numbers and "interpolated" not in numbers:
            self._check_order(thread, numbers["seq"])
        place: Numbers | int = Place.ANYWHERE
        if "interpolated" in numbers:
            place = np.where(numbers["interpolated"], Place.INSIDE, Place.EDGE)
        self._trace.accesses(
            thread,
            self._open(thread, columns["path"], numbers),
            op.to_numpy(zero_copy_only=False),
            numbers["offset"],
            numbers["size"],
            requested=numbers.get("requested"),
            start_ns=numbers.get("start_ns"),
            latency_ns=numbers.get("latency_ns", 0),
            seq=numbers.get("seq"),
            place=place,
        )
        self._done += len(batch)

    def _fail(self, rows: Numbers, what: str) -> None:
        raise self._source.fail(what + "; correct it and import again", row=self._done + int(rows[0]) + 1)

    def _check_trace(self, numbers: dict[str, Numbers]) -> None:
        if "trace" in numbers:
            if self._only_trace is None:
                self._only_trace = int(numbers["trace"][0])
            if len(others := np.flatnonzero(numbers["trace"] != self._only_trace)):
                self._fail(others, f"a row of another trace than {self._only_trace}: one file is one trace")

    def _thread(self, numbers: dict[str, Numbers], comms: pa.Array | None) -> Numbers:
        """Return each row's thread; without columns that tell, there is one."""
        if not self._identity:
            if not self._threads:
                self._threads[()] = self._trace.thread(comm="" if comms is None else comms[0].as_py())
            return np.full(len(next(iter(numbers.values()))), self._threads[()])
        keys, first, inverse = _distinct([numbers[name] for name in self._identity])
        ids = np.empty(len(keys), np.int64)
        for index, (key, row) in enumerate(zip(keys, first.tolist(), strict=True)):
            if key not in self._threads:
                named = dict(zip(self._identity, key, strict=True))
                process = named.get("reader", named.get("pid", 0))
                self._threads[key] = self._trace.thread(
                    named.get("pid", process),
                    named.get("tid", named.get("thread", 0)),
                    process=process,
                    comm="" if comms is None else comms[row].as_py(),
                )
            ids[index] = self._threads[key]
        return ids[inverse]

    def _open(self, thread: Numbers, paths: pa.Array, numbers: dict[str, Numbers]) -> Numbers:
        encoded = paths.dictionary_encode()
        names = encoded.dictionary.to_pylist()
        if "" in names:
            self._fail(np.flatnonzero(encoded.indices.to_numpy() == names.index("")), "path is empty")
        parts = [thread, encoded.indices.to_numpy(), *([numbers["open"]] if "open" in numbers else [])]
        keys, first, inverse = _distinct(parts)
        starts, sizes = numbers.get("start_ns"), numbers.get("file_size")
        ids = np.empty(len(keys), np.int64)
        for index in np.argsort(first).tolist():
            row = int(first[index])
            ids[index] = self._trace.opened(
                keys[index][0],
                names[keys[index][1]],
                *keys[index][2:],
                start_ns=None if starts is None else int(starts[row]),
                size=0 if sizes is None else int(sizes[row]),
            )
        return ids[inverse]

    def _check_order(self, thread: Numbers, seq: Numbers) -> None:
        """Numbers of accesses must grow within a thread, or order and runs would come out wrong."""
        order = np.argsort(thread, kind="stable")
        sorted_thread, sorted_seq = thread[order], seq[order]
        found, firsts = np.unique(sorted_thread, return_index=True)
        before = np.empty(len(seq), np.int64)
        before[1:] = sorted_seq[:-1]
        before[firsts] = [self._last_seq.get(number, -1) for number in found.tolist()]
        if len(wrong := order[sorted_seq <= before]):
            self._fail(np.sort(wrong), "seq does not grow within its thread; sort the rows by seq")
        lasts = np.append(firsts[1:], len(seq)) - 1
        self._last_seq |= dict(zip(found.tolist(), sorted_seq[lasts].tolist(), strict=True))


def _distinct(columns: list[Numbers]) -> tuple[list[tuple[int, ...]], Numbers, Numbers]:
    """Return the distinct rows of some integer columns, the first row of each, and which of them each row is."""
    code = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        values, inverse = np.unique(column, return_inverse=True)
        code = np.unique(code * len(values) + inverse, return_inverse=True)[1]
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    return [tuple(int(column[row]) for column in columns) for row in first], first, inverse
