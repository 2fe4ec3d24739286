"""A replay that is recorded shows the accesses of the recording it replays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.kernel.known import make_file
from tests.kernel.tool import STEPWELL, Stepwell

from stepwell.store import Store

pytestmark = pytest.mark.kernel

NAMES = (
    "read",
    "read_to_end",
    "lseek",
    "pread64",
    "readv",
    "preadv2",
    "end_of_file",
    "direct",
    "mmap_far",
    "uring_read",
)

THREADS = """
import mmap, os, random, sys, threading

def interleaved(path):
    files = [os.open(path, os.O_RDONLY) for _ in range(3)]
    for i in range(997):
        os.pread(files[i % 3], 811, i * 4099)
        os.pread(files[0], 4093, (997 - i) * 4093)
    while os.read(files[1], 65536):
        pass

def at_random(path):
    file, some = os.open(path, os.O_RDONLY), random.Random(7)
    for _ in range(1009):
        os.pread(file, some.choice((1, 17, 4096, 131072)), some.randrange(5_100_000))

def copied(path):
    file, nowhere = os.open(path, os.O_RDONLY), os.open("/dev/null", os.O_WRONLY)
    for i in range(23):
        os.sendfile(nowhere, file, i * 8191, 4093)

path = sys.argv[1]
threads = [threading.Thread(target=work, args=(path,)) for work in (interleaved, at_random, at_random, copied)]
for thread in threads:
    thread.start()
if os.fork() == 0:
    at_random(path)
    os._exit(0)
for thread in threads:
    thread.join()
os.wait()
"""


def streams(store: Store, trace: int, directory: Path) -> dict[str, list[list[tuple[Any, ...]]]]:
    """Return the accesses of each thread to each file in order."""
    found: dict[tuple[str, int], list[tuple[Any, ...]]] = {}
    sql = """
        SELECT a.path, a.thread, a.op::VARCHAR, a."offset", a.requested, a.size FROM accesses a
        WHERE trace = ? AND op <> 'write' AND starts_with(path, ?) ORDER BY path, thread, seq"""
    for path, thread, *access in store.rows(sql, trace, f"{directory}/"):
        found.setdefault((path.removeprefix(f"{directory}/"), thread), []).append(tuple(access))
    by_file: dict[str, list[list[tuple[Any, ...]]]] = {}
    for (path, _), accesses in found.items():
        by_file.setdefault(path, []).append(accesses)
    return {path: sorted(each) for path, each in by_file.items()}


@pytest.fixture(scope="module")
def pair(workload: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Path, Path]]:
    work = tmp_path_factory.mktemp("replay")
    data, copy = work / "data", work / "copy"
    data.mkdir()
    for name in set(NAMES) - {"mmap_far"}:
        make_file(data / name)
    with (data / "mmap_far").open("wb") as file:
        file.truncate(2**42)
    make_file(data / "threads", 5_000_011)
    subprocess.run(["cp", "-r", "--sparse=always", data, copy], check=True)
    stepwell = Stepwell(work / "store.duckdb")
    command = f'{workload} {data} {" ".join(NAMES)} && {sys.executable} -c "$THREADS" {data}/threads'
    done = stepwell.run(
        "record", "--under", str(data), "--", "sh", "-c", command, env=os.environ | {"THREADS": THREADS}
    )
    assert done.returncode == 0, done.stderr
    again = [*STEPWELL, "--store", str(stepwell.store), "replay", "1", "--on", str(copy), "-o", "json"]
    done = stepwell.run("record", "--under", str(copy), "--", *again)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["errors"] == {}
    with Store.open(stepwell.store, "r") as store:
        yield store, data, copy


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("uring")])
def test_offsets_sizes_and_order_are_exactly_those_recorded(pair: tuple[Store, Path, Path], name: str) -> None:
    store, data, copy = pair
    recorded = streams(store, 1, data)[name]
    assert sum(map(len, recorded)) in (6, 7, 16, 23, 24)
    assert streams(store, 2, copy)[name] == recorded


def test_the_same_of_several_threads_at_once(pair: tuple[Store, Path, Path]) -> None:
    store, data, copy = pair
    recorded = streams(store, 1, data)["threads"]
    assert len(recorded) == 1 + 2 + 1 + 1
    assert streams(store, 2, copy)["threads"] == recorded


def test_asynchronous_accesses_are_all_there(pair: tuple[Store, Path, Path]) -> None:
    store, data, copy = pair
    sql = 'SELECT "offset", requested, size FROM accesses WHERE trace = ? AND path = ? ORDER BY ALL'
    recorded = store.rows(sql, 1, str(data / "uring_read"))
    assert len(recorded) == 23
    assert store.rows(sql, 2, str(copy / "uring_read")) == recorded


def test_nothing_is_lost(pair: tuple[Store, Path, Path]) -> None:
    assert pair[0].rows("SELECT lost FROM traces ORDER BY trace") == [(0,), (0,)]
