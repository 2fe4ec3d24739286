"""Every system call that reads or writes: exact runs, and what is no access."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kernel.expected import CALLS, ERRORS
from tests.kernel.known import COUNT, SIZE, Recorded, accesses_of, make_file, one, record
from tests.kernel.tool import Stepwell

pytestmark = pytest.mark.kernel

EMPTY = {"write", "pwrite64", "writev", "pwritev", "pwritev2", "direct_write", "hole"}
"""Workloads that make their file themselves."""


@pytest.fixture(scope="module")
def recorded(workload: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    directory = tmp_path_factory.mktemp("calls")
    names = [name for name in CALLS if not name.endswith(".out")]
    for name in set(names) - EMPTY - {"sparse"}:
        make_file(directory / name)
    with (directory / "sparse").open("wb") as file:
        file.truncate(2**34)
    store = tmp_path_factory.mktemp("store") / "store.duckdb"
    with record(Stepwell(store), workload, directory, names) as recorded:
        yield recorded


@pytest.mark.parametrize("name", CALLS)
def test_runs_and_accesses_of(recorded: Recorded, name: str) -> None:
    assert recorded.runs(name) == CALLS[name]
    assert recorded.accesses(name) == accesses_of(CALLS[name])


@pytest.mark.parametrize("name", CALLS)
def test_errors_of(recorded: Recorded, name: str) -> None:
    assert recorded.errors(name) == ERRORS.get(name, [])


def test_nothing_is_lost_and_every_access_counted(recorded: Recorded) -> None:
    accesses = sum(run.count for runs in CALLS.values() for run in runs)
    size = sum(access[3] for runs in CALLS.values() for access in accesses_of(runs))
    assert recorded.store.rows("SELECT accesses, bytes, lost, degraded FROM traces") == [(accesses, size, 0, "{}")]
    assert recorded.store.rows("SELECT count(*) FROM readers JOIN accesses USING (trace, reader)") == [(accesses,)]


def test_what_is_no_file_with_data_is_not_recorded(stepwell: Stepwell, workload: Path, tmp_path: Path) -> None:
    make_file(tmp_path / "pread64")
    done = stepwell.run("record", "--", str(workload), str(tmp_path), "irregular", "pread64")
    assert done.returncode == 0, done.stderr
    filesystems = "SELECT count(*) FROM files WHERE regexp_matches(path, '^/(proc|sys|dev)/')"
    assert stepwell.rows(filesystems) == [(0,)]
    accesses = "SELECT count(*) FROM accesses JOIN readers USING (trace, reader) WHERE comm = 'workload' AND path = ?"
    assert stepwell.rows(accesses, str(tmp_path / "pread64")) == [(COUNT,)]


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="x86 has a table of 32-bit system calls")
def test_32_bit_calls_are_counted_as_lost_and_said_to_be(stepwell: Stepwell, workload: Path, tmp_path: Path) -> None:
    make_file(tmp_path / "compat")
    with record(stepwell, workload, tmp_path, ["compat"]) as recorded:
        assert recorded.runs("compat") == [one("read", 0, SIZE, SIZE)]
    assert stepwell.rows("SELECT hop, count FROM losses") == [("compat", COUNT)]
    ((coverage,),) = stepwell.rows("SELECT coverage FROM traces")
    assert "system calls of 32-bit programs are counted, not recorded" in json.loads(coverage)
    report = stepwell.run("report", "--trace", "1")
    assert "compat" in report.stdout, report.stdout
