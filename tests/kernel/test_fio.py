"""fio as an outside witness: what it logs to have done is what is recorded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kernel.known import PAGE, Recorded, make_file
from tests.kernel.tool import Stepwell

from stepwell.store import Store

pytestmark = pytest.mark.kernel

SIZE = 1009 * 1024
"""Of a file that is not read directly, in bytes: no multiple of any block size used but the smallest."""

DIRECT_SIZE = 257 * PAGE

PATTERNS = {
    "sequential": "rw=read",
    "strided": "rw=read:12k",
    "random": "rw=randread",
    "writes": "rw=write",
    "mixed": "rw=randrw",
    "mixed_in_order": "rw=rw",
}
JOBS: dict[str, list[str]] = {
    f"{engine}-{pattern}": [f"ioengine={engine}", options, "bs=3k"]
    for engine in ("sync", "psync", "pvsync2")
    for pattern, options in PATTERNS.items()
}
JOBS |= {
    f"{engine}-{pattern}-{depth}-{direct}": [
        f"ioengine={engine}",
        options,
        f"iodepth={depth}",
        f"direct={direct}",
        "bs=4k" if direct else "bs=3k",
    ]
    for engine in ("libaio", "io_uring")
    for pattern, options in PATTERNS.items()
    for depth, direct in ((1, 0), (7, 0), (7, 1))
}
JOBS |= {
    "psync-direct": ["ioengine=psync", "rw=randread", "bs=4k", "direct=1"],
    "psync-sizes": ["ioengine=psync", "rw=randread", "bsrange=1k-31k", "bs_unaligned=1"],
    "io_uring-fixed": ["ioengine=io_uring", "rw=randread", "bs=4k", "iodepth=7", "fixedbufs=1", "registerfiles=1"],
    "io_uring-polled": ["ioengine=io_uring", "rw=randread", "bs=4k", "iodepth=7", "sqthread_poll=1"],
    "io_uring-vectors": ["ioengine=io_uring", "rw=randrw", "bs=4k", "iodepth=7", "nonvectored=0"],
    "libaio-batches": ["ioengine=libaio", "rw=randread", "bs=4k", "iodepth=13", "iodepth_batch=5", "direct=1"],
}
MAPPED = {
    "mmap-sequential": ["ioengine=mmap", "rw=read", "bs=4k"],
    "mmap-strided": ["ioengine=mmap", "rw=read:60k", "bs=4k"],
    "mmap-random": ["ioengine=mmap", "rw=randread", "bs=4k", "io_size=200k"],
    "mmap-writes": ["ioengine=mmap", "rw=randwrite", "bs=4k", "io_size=200k"],
}

Access = tuple[str, int, int]


def job_file(directory: Path) -> str:
    """Return the jobs as fio reads them; all run at once, each on a file of its own."""
    lines = ["[global]", "allrandrepeat=1", "fallocate=none", "overwrite=1"]
    for name, options in (JOBS | MAPPED).items():
        lines += [f"[{name}]", f"filename={directory}/{name}", f"write_iolog={directory}/{name}.log", *options]
    return "\n".join(lines) + "\n"


def logged(directory: Path, name: str) -> list[Access]:
    """Return what fio's log (version 2 or 3) says to have been read and written, in order."""
    first, *lines = (directory / f"{name}.log").read_text().splitlines()
    skip = {"fio version 2 iolog": 1, "fio version 3 iolog": 2}[first]
    rows = [line.split()[skip:] for line in lines]
    return [(action, int(rest[0]), int(rest[1])) for action, *rest in rows if action in {"read", "write"}]


def drop(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file)
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    directory = tmp_path_factory.mktemp("fio")
    stepwell = Stepwell(tmp_path_factory.mktemp("store") / "store.duckdb")
    for name, options in (JOBS | MAPPED).items():
        make_file(directory / name, DIRECT_SIZE if "direct=1" in options else SIZE)
        drop(directory / name)  # what was written at once would be mapped at once
    (directory / "jobs").write_text(job_file(directory))
    done = stepwell.run(
        "record", "--under", str(directory), "--", "fio", "--output-format=terse", str(directory / "jobs")
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with Store.open(stepwell.store, "r") as store:
        yield Recorded(store, directory)


@pytest.mark.parametrize("name", JOBS)
def test_every_access_in_order(recorded: Recorded, name: str) -> None:
    expected = logged(recorded.directory, name)
    found = recorded.accesses(name)  # reads among reads, writes among writes: between them numbers are interpolated
    assert len(expected) > 40
    assert [access[:3] for access in found] == sorted(expected, key=lambda access: access[0])
    assert all(size == requested for _, _, requested, size in found)


@pytest.mark.parametrize("name", MAPPED)
def test_faults_lie_where_memory_was_touched_and_cover_what_was_read(recorded: Recorded, name: str) -> None:
    touched = {
        page for _, at, size in logged(recorded.directory, name) for page in range(at // PAGE, (at + size) // PAGE)
    }
    sql = 'SELECT op, "offset", size FROM accesses WHERE path = ?'
    faults = [
        set(range(at // PAGE, -(-(at + size) // PAGE))) for op, at, size in recorded.rows(sql, name) if op == "mmap"
    ]
    assert all(fault & touched for fault in faults)
    assert all(len(fault) <= 16 for fault in faults)
    if name != "mmap-writes":  # a store may map more than the page it goes to
        assert touched <= set().union(*faults)
    assert faults


def test_nothing_is_lost(recorded: Recorded) -> None:
    assert recorded.store.rows("SELECT lost, degraded FROM traces") == [(0, "{}")]
