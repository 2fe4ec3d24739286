"""What the filter does not match leaves no record at all."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.kernel.known import make_file
from tests.kernel.tool import SECONDS, Stepwell, cgroup_hierarchies, ended

pytestmark = pytest.mark.kernel

NAMES = ["pread64", "write", "mmap", "uring_read", "aio_preadv", "copy"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    directory.mkdir()
    for name in set(NAMES) - {"write"}:
        make_file(directory / name)
    return directory


@pytest.fixture
def work(workload: Path, data: Path) -> list[str]:
    return [str(workload), str(data), *NAMES]


@contextmanager
def recording(stepwell: Stepwell, *scope: str) -> Iterator[None]:
    """Record until the end of the block."""
    with ended(stepwell.start("record", *scope)) as recorder:
        assert recorder.stderr is not None
        assert recorder.stderr.readline().startswith("stepwell: recording ")
        yield
        recorder.terminate()
        assert recorder.wait(SECONDS) == 0


def seen(stepwell: Stepwell) -> list[tuple[int, ...]]:
    """Return how many accesses, files, opens, events and losses are in the trace."""
    views = ("accesses", "files", "opens", "events", "losses")
    return stepwell.rows("SELECT " + ", ".join(f"(SELECT count(*) FROM {view})" for view in views))


def test_files_that_are_not_below_the_directory(stepwell: Stepwell, work: list[str], tmp_path: Path) -> None:
    (tmp_path / "data2").mkdir()
    done = stepwell.run("record", "--under", str(tmp_path / "data2"), "--", *work)
    assert done.returncode == 0, done.stderr
    assert seen(stepwell) == [(0, 0, 0, 0, 0)]


def test_processes_other_than_the_one(stepwell: Stepwell, work: list[str]) -> None:
    with ended(subprocess.Popen(["cat"], stdin=subprocess.PIPE, text=True)) as other:
        with recording(stepwell, "--pid", str(other.pid)):
            subprocess.run(work, check=True, timeout=SECONDS)
        assert seen(stepwell) == [(0, 0, 0, 0, 0)]
        assert stepwell.rows("SELECT pid FROM readers") == [(other.pid,)]


@pytest.mark.parametrize("hierarchy", cgroup_hierarchies())
def test_processes_outside_the_cgroup(stepwell: Stepwell, work: list[str], hierarchy: str) -> None:
    group = Path(hierarchy) / f"stepwell-test-outside-{os.getpid()}"
    group.mkdir()
    try:
        with recording(stepwell, "--cgroup", f"/{group.name}"):
            subprocess.run(work, check=True, timeout=SECONDS)
    finally:
        group.rmdir()
    assert seen(stepwell) == [(0, 0, 0, 0, 0)]
    assert stepwell.rows("SELECT count(*) FROM readers") == [(0,)]


def test_the_recorder_itself(stepwell: Stepwell, work: list[str], data: Path) -> None:
    with recording(stepwell, "--all", "--under", str(stepwell.store.parent)):
        subprocess.run(work, check=True, timeout=SECONDS)
    assert stepwell.rows("SELECT count(*) > 0 FROM accesses WHERE starts_with(path, ?)", f"{data}/") == [(True,)]
    assert stepwell.rows("SELECT count(*) FROM accesses WHERE NOT starts_with(path, ?)", f"{data}/") == [(0,)]
