"""Known workloads, recorded together: a recording takes seconds to begin, a workload milliseconds."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kernel.tool import Stepwell

from stepwell.store import Store

COUNT = 23
SIZE = 4093
STRIDE = 5003
PAGE = 4096
FILE_BYTES = COUNT * STRIDE
"""As in workload.h; what files hold where a test does not say otherwise."""


@dataclass(frozen=True)
class Run:
    """What a test expects of a run."""

    op: str
    count: int
    offset: int
    stride: int
    requested: int
    size: int
    tail: int
    flags: int = 0


def run(op: str, count: int, offset: int, stride: int, requested: int = SIZE, flags: int = 0) -> Run:
    """Return a run whose accesses all transfer what they ask for."""
    return Run(op, count, offset, stride, requested, requested, requested, flags)


def one(op: str, offset: int, requested: int, size: int, flags: int = 0) -> Run:
    """Return a run of one access."""
    return Run(op, 1, offset, 0, requested, size, size, flags)


@dataclass
class Recorded:
    """What was recorded of the files in a directory."""

    store: Store
    directory: Path

    def runs(self, name: str) -> list[Run]:
        columns = 'op, count, "offset", stride, requested, r.size, tail, flags'
        order = "WHERE path = ? AND count > 0 ORDER BY op, thread, seq"
        return [
            Run(*row) for row in self.rows(f"SELECT {columns} FROM runs r JOIN files USING (trace, file) {order}", name)
        ]

    def accesses(self, name: str) -> list[tuple[Any, ...]]:
        """Return operation, offset, requested and transferred bytes of every access; each operation's in order."""
        return self.rows(
            'SELECT op, "offset", requested, size FROM accesses WHERE path = ? ORDER BY op, thread, seq', name
        )

    def errors(self, name: str) -> list[tuple[Any, ...]]:
        return self.rows("SELECT op, value FROM events WHERE event = 'error' AND path = ? ORDER BY start_ns", name)

    def rows(self, sql: str, name: str) -> list[tuple[Any, ...]]:
        return self.store.rows(sql, str(self.directory / name))


def accesses_of(runs: list[Run]) -> list[tuple[Any, ...]]:
    """Return what `Recorded.accesses` should, by the definition of a run."""
    return [
        (r.op, r.offset + i * r.stride, r.requested, r.tail if i == r.count - 1 else r.size)
        for r in runs
        for i in range(r.count)
    ]


def make_file(path: Path, size: int = FILE_BYTES) -> None:
    path.write_bytes(os.urandom(size))


@contextlib.contextmanager
def record(stepwell: Stepwell, workload: Path, directory: Path, names: Iterable[str]) -> Iterator[Recorded]:
    """Record the workloads one after the other in one process."""
    argv = [str(workload), str(directory), *names]
    done = stepwell.run("record", "--under", str(directory), "--", *argv)
    assert done.returncode == 0, done.stderr
    with Store.open(stepwell.store, "r") as store:
        yield Recorded(store, directory)
