"""Every system call that reads or writes: exact runs, and what is no access."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from tests.kernel.known import COUNT, FILE_BYTES, SIZE, STRIDE, Recorded, Run, accesses_of, make_file, one, record, run
from tests.kernel.tool import Stepwell

pytestmark = pytest.mark.kernel

PAGE = 4096

RUNS: dict[str, list[Run]] = {
    "read": [run("read", COUNT, 0, SIZE)],
    "read_to_end": [Run("read", 15, 0, 8191, 8191, 8191, 395), one("read", FILE_BYTES, 8191, 0)],
    "lseek": [run("read", COUNT, 22 * STRIDE, -STRIDE)],
    "pread64": [run("read", COUNT, 0, STRIDE)],
    "readv": [run("read", COUNT, 0, SIZE)],
    "preadv": [run("read", COUNT, 0, STRIDE)],
    "preadv2": [run("read", COUNT, 0, STRIDE)],
    "preadv2_position": [run("read", COUNT, 0, SIZE)],
    "preadv2_nowait": [run("read", 2, STRIDE, 0)],
    "write": [run("write", COUNT, 0, SIZE)],
    "pwrite64": [run("write", COUNT, 0, STRIDE)],
    "writev": [run("write", COUNT, 0, SIZE)],
    "pwritev": [run("write", COUNT, 0, STRIDE)],
    "pwritev2": [run("write", COUNT, 0, STRIDE)],
    "append": [run("write", COUNT, FILE_BYTES, SIZE)],
    "append_pwrite": [run("write", COUNT, FILE_BYTES, SIZE)],
    "update": [run("read", COUNT, 0, SIZE + 11), run("write", COUNT, SIZE, SIZE + 11, 11)],
    "direct": [
        run("read", 8, 0, 3 * PAGE, PAGE),
        run("read", 8, PAGE, 3 * PAGE, PAGE),
        run("read", 7, 2 * PAGE, 3 * PAGE, PAGE),
        one("read", 28 * PAGE, 2 * PAGE, FILE_BYTES - 28 * PAGE),
    ],
    "direct_write": [run("write", COUNT, 0, PAGE, PAGE)],
    "end_of_file": [
        Run("read", 2, FILE_BYTES - 7, 7, SIZE, 7, 0),
        one("read", FILE_BYTES + 13, SIZE, 0),
        one("read", 17, 0, 0),
        Run("read", 2, 2**62 + 19, 2**62 - 20 - SIZE, SIZE, 0, 0),
    ],
    "hole": [
        run("read", COUNT, 2**32 - 7, STRIDE),
        one("read", 2**42, SIZE, 1),
        one("write", 2**41 + 3, SIZE, SIZE),
    ],
    "sparse": [run("read", COUNT, 2**33, SIZE)],
    "failing": [one("read", 29, SIZE, 11)],
    "sendfile_socket": [run("sendfile", COUNT, 0, SIZE)],
    "sendfile_pipe": [run("sendfile", COUNT, 0, STRIDE)],
    "sendfile_file": [
        Run("sendfile", 3, 0, 50021, 50021, 50021, FILE_BYTES - 2 * 50021),
        one("sendfile", FILE_BYTES, 50021, 0),
    ],
    "sendfile_file.out": [
        Run("write", 3, 0, 50021, 50021, 50021, FILE_BYTES - 2 * 50021),
        one("write", FILE_BYTES, 50021, 0),
    ],
    "splice": [run("splice", COUNT, 0, SIZE)],
    "splice.out": [run("write", COUNT, 0, SIZE)],
    "splice_offset": [one("splice", 7, 100003, 65536 - 7)],
    "splice_offset.out": [one("write", 13, 100003, 65536 - 7)],
    "copy": [run("copy", COUNT, 0, SIZE)],
    "copy.out": [run("write", COUNT, 0, SIZE)],
    "copy_offset": [run("copy", COUNT, 0, STRIDE)],
    "copy_offset.out": [run("write", COUNT, 22 * SIZE, -SIZE)],
    "tee": [one("read", 0, SIZE, SIZE)],
    "copy_failing": [],
    "copy_failing.out": [],
}
"""By file: the runs that its workload makes."""

ERRORS = {
    "failing": [("read", errno.EFAULT), ("read", errno.EINVAL), ("write", errno.EBADF), ("read", errno.EBADF)],
    "copy_failing": [("copy", errno.EBADF), ("sendfile", errno.EINVAL)],
}
"""By file: the calls that fail. EAGAIN is none: the caller asked not to wait."""

EMPTY = {"write", "pwrite64", "writev", "pwritev", "pwritev2", "direct_write", "hole"}
"""Workloads that make their file themselves."""


@pytest.fixture(scope="module")
def recorded(workload: Path, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    directory = tmp_path_factory.mktemp("calls")
    names = [name for name in RUNS if not name.endswith(".out")]
    for name in set(names) - EMPTY - {"sparse"}:
        make_file(directory / name)
    with (directory / "sparse").open("wb") as file:
        file.truncate(2**34)
    store = tmp_path_factory.mktemp("store") / "store.duckdb"
    return record(Stepwell(store), workload, directory, names)


@pytest.mark.parametrize("name", RUNS)
def test_runs_and_accesses_of(recorded: Recorded, name: str) -> None:
    assert recorded.runs(name) == RUNS[name]
    assert recorded.accesses(name) == accesses_of(RUNS[name])


@pytest.mark.parametrize("name", RUNS)
def test_errors_of(recorded: Recorded, name: str) -> None:
    assert recorded.errors(name) == ERRORS.get(name, [])


def test_nothing_is_lost_and_every_access_counted(recorded: Recorded) -> None:
    accesses = sum(run.count for runs in RUNS.values() for run in runs)
    size = sum(access[3] for runs in RUNS.values() for access in accesses_of(runs))
    assert recorded.stepwell.rows("SELECT accesses, bytes, lost, degraded FROM traces") == [(accesses, size, 0, "{}")]
    assert recorded.stepwell.rows("SELECT count(*) FROM readers JOIN accesses USING (trace, reader)") == [(accesses,)]
