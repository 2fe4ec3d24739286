"""Accesses whose results arrive later: io_uring and libaio."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kernel.known import (
    COUNT,
    FILE_BYTES,
    PAGE,
    SIZE,
    STRIDE,
    Recorded,
    Run,
    accesses_of,
    make_file,
    one,
    record,
    run,
)
from tests.kernel.tool import Stepwell

from stepwell.trace.definition import RunFlag

pytestmark = pytest.mark.kernel

ASYNC = RunFlag.ASYNC
ESTIMATED = RunFlag.ASYNC | RunFlag.ESTIMATED_OFFSET

RUNS: dict[str, list[Run]] = {
    "uring_read": [run("read", COUNT, 0, STRIDE, flags=ASYNC)],
    "uring_readv": [run("read", COUNT, 22 * STRIDE, -STRIDE, flags=ASYNC)],
    "uring_fixed": [run("read", COUNT, 0, STRIDE, flags=ASYNC), run("write", COUNT, 0, STRIDE, flags=ASYNC)],
    "uring_vector_fixed": [run("read", COUNT, 0, STRIDE, flags=ASYNC), run("write", COUNT, 0, STRIDE, flags=ASYNC)],
    "uring_registered": [run("read", COUNT, 0, STRIDE, flags=ASYNC)],
    "uring_write": [run("write", COUNT, 0, STRIDE, flags=ASYNC)],
    "uring_writev": [run("write", COUNT, 0, STRIDE, flags=ASYNC)],
    "uring_position": [run("read", COUNT, 0, SIZE, flags=ESTIMATED)],
    "uring_append": [run("write", COUNT, FILE_BYTES, SIZE, flags=ESTIMATED)],
    "uring_linked": [run("read", 2, 0, STRIDE, flags=ASYNC), one("read", 4 * STRIDE, SIZE, SIZE, ASYNC)],
    "uring_polled": [run("read", COUNT, 0, STRIDE, flags=ASYNC)],
    "uring_async": [run("read", COUNT, 0, STRIDE, flags=ASYNC)],
    "uring_direct": [
        run("read", 5, 0, PAGE, PAGE, ASYNC),
        run("read", 10, 6 * PAGE, PAGE, PAGE, ASYNC),
        run("read", 6, 17 * PAGE, PAGE, PAGE, ASYNC),
    ],
    "uring_end_of_file": [
        Run("read", 2, FILE_BYTES - 7 - SIZE, SIZE, SIZE, SIZE, 7, ASYNC),
        Run("read", 2, FILE_BYTES, 2**62 + 19 - FILE_BYTES, SIZE, 0, 0, ASYNC),
    ],
    "uring_multishot": [one("read", STRIDE, SIZE, SIZE, ASYNC)],
    "aio_pread": [
        run("read", 5, 0, 5 * PAGE, PAGE, ASYNC),
        run("read", 5, 2 * PAGE, 5 * PAGE, PAGE, ASYNC),
        run("read", 4, 4 * PAGE, 5 * PAGE, PAGE, ASYNC),
        run("read", 5, PAGE, 5 * PAGE, PAGE, ASYNC),
        run("read", 4, 3 * PAGE, 5 * PAGE, PAGE, ASYNC),
    ],
    "aio_preadv": [run("read", COUNT, 0, STRIDE, flags=ASYNC)],
    "aio_pwrite": [run("write", COUNT, 0, STRIDE, flags=ASYNC)],
    "aio_pwritev": [run("write", COUNT, 0, STRIDE, flags=ASYNC)],
    "aio_end_of_file": [Run("read", 2, FILE_BYTES - 7, 7, SIZE, 7, 0, ASYNC)],
    "aio_sync": [one("read", STRIDE, SIZE, SIZE, ASYNC)],
    "aio_refused": [run("read", 2, 0, STRIDE, flags=ASYNC), one("read", 2 * STRIDE, SIZE, SIZE, ASYNC)],
    "aio_threads": [run("read", 1009, 0, 0, PAGE, ASYNC)],
}
"""By file: the runs that its workload makes."""

ERRORS = {
    "uring_linked": [("read", errno.ECANCELED), ("read", errno.EBADF)],
    "uring_direct": [("read", errno.EINVAL)] * 2,
    "uring_multishot": [("read", errno.EBADFD)],
    "aio_refused": [("read", errno.EINVAL)],
}
"""By file: accesses that failed, and so were none."""

EMPTY = {"uring_write", "uring_writev", "aio_pwrite", "aio_pwritev"}
"""Workloads that make their file themselves."""


@pytest.fixture(scope="module")
def recorded(workload: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    directory = tmp_path_factory.mktemp("async")
    for name in RUNS.keys() - EMPTY:
        make_file(directory / name)
    store = tmp_path_factory.mktemp("store") / "store.duckdb"
    with record(Stepwell(store), workload, directory, list(RUNS)) as recorded:
        yield recorded


@pytest.mark.parametrize("name", RUNS)
def test_runs_accesses_and_errors_of(recorded: Recorded, name: str) -> None:
    assert recorded.runs(name) == RUNS[name]
    assert recorded.accesses(name) == accesses_of(RUNS[name])
    assert sorted(recorded.errors(name)) == sorted(ERRORS.get(name, []))


@pytest.mark.parametrize("name", RUNS)
def test_every_access_that_succeeded_has_a_latency(recorded: Recorded, name: str) -> None:
    columns = "sum(list_sum(histogram)), sum(latency_ns) > 0, max(latency_max_ns) <= sum(latency_ns)"
    sql = f"SELECT {columns} FROM runs JOIN files USING (trace, file) WHERE path = ? AND count = 0"
    assert recorded.rows(sql, name) == [(sum(run.count for run in RUNS[name]), True, True)]


def test_nothing_is_lost_and_estimates_are_counted(recorded: Recorded) -> None:
    estimated = sum(run.count for runs in RUNS.values() for run in runs if run.flags == ESTIMATED) + 1
    assert recorded.store.rows("SELECT lost, degraded::VARCHAR FROM traces") == [
        (0, f'{{"estimated_offset": {estimated}}}')
    ]
