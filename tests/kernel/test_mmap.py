"""Memory mappings: page faults as file offsets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kernel.expected import AT_0, AT_64K
from tests.kernel.known import COUNT, FILE_BYTES, PAGE, SIZE, Recorded, Run, accesses_of, make_file, one, record, run
from tests.kernel.tool import Stepwell

pytestmark = pytest.mark.kernel

RUNS: dict[str, list[Run]] = {
    "mmap": [AT_0, AT_64K],
    "mmap_far": [run("mmap", 7, 2**33, 5 * 2**30, PAGE)],
    "mmap_store": [Run("read", 29, 0, PAGE, PAGE, PAGE, FILE_BYTES - 28 * PAGE), run("mmap", 7, 0, 3 * PAGE, PAGE)],
    "mmap_private": [run("mmap", 7, PAGE, 3 * PAGE, PAGE)],
    "mmap_populate": [AT_0, AT_64K],
    "mmap_willneed": [one("read", 0, 2**20, FILE_BYTES), AT_0, AT_64K],
    "mmap_buffer": [AT_0, AT_64K],
    "mmap_buffer.out": [one("write", 0, SIZE, SIZE)],
    "mmap_closed": [AT_64K, AT_0],
    "mmap_load_store": [AT_64K, one("mmap", 20 * PAGE, PAGE, PAGE)],
}


@pytest.fixture(scope="module")
def recorded(workload: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    directory = tmp_path_factory.mktemp("mmap")
    names = [*(name for name in RUNS if not name.endswith(".out")), "mmap_cold", "mmap_ahead"]
    for name in set(names) - {"mmap_far"}:
        make_file(directory / name)
    with (directory / "mmap_far").open("wb") as file:
        file.truncate(2**42)
    store = tmp_path_factory.mktemp("store") / "store.duckdb"
    with record(Stepwell(store), workload, directory, names) as recorded:
        yield recorded


@pytest.mark.parametrize("name", RUNS)
def test_faults_of(recorded: Recorded, name: str) -> None:
    assert recorded.runs(name) == RUNS[name]
    assert recorded.accesses(name) == accesses_of(RUNS[name])


def test_a_fault_that_waits_for_its_page_is_one_access_on_that_page(recorded: Recorded) -> None:
    expected = [("mmap", i * 5 % COUNT * PAGE, PAGE, PAGE) for i in range(COUNT)]
    assert recorded.accesses("mmap_cold") == expected
    columns = "sum(filled), sum(latency_ns) - sum(wait_ns), sum(waited)"
    sql = f"SELECT {columns} FROM runs JOIN files USING (trace, file) WHERE path = ?"
    ((filled, awake_ns, waited),) = recorded.rows(sql, "mmap_cold")
    assert filled == COUNT
    assert awake_ns >= 0
    assert 0 <= waited <= COUNT  # a page may arrive before the thread has gone to sleep


def test_faults_cover_what_came_along_by_reading_ahead(recorded: Recorded) -> None:
    accesses = recorded.accesses("mmap_ahead")
    covered = {page for _, offset, _, size in accesses for page in range(offset // PAGE, -(-(offset + size) // PAGE))}
    assert covered == set(range(29))
    assert len(accesses) <= 3
    sql = "SELECT sum(filled) FROM runs JOIN files USING (trace, file) WHERE path = ?"
    assert recorded.rows(sql, "mmap_ahead") == [(29,)]


def test_nothing_is_lost(recorded: Recorded) -> None:
    assert recorded.store.rows("SELECT lost, degraded FROM traces") == [(0, "{}")]
