"""Reading ahead over JuiceFS itself: by the blocks that it fetches whole."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from tests.bench.backends.juicefs import JuiceFS
from tests.kernel.tool import Stepwell
from tests.storage.slow import Control, Settings, Slow

from stepwell.prefetch.mounted import Client, describe

SIZE = (127 << 20) + 4093

READER = """
import hashlib, sys
digest = hashlib.sha256()
with open(sys.argv[1], "rb", buffering=0) as file:
    while part := file.read(131072):
        digest.update(part)
print(digest.hexdigest())
"""


@pytest.fixture(scope="module")
def content() -> bytes:
    return np.random.default_rng(7).bytes(SIZE)


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> Iterator[JuiceFS]:
    work = tmp_path_factory.mktemp("juicefs")
    yield JuiceFS.made(work / "volume", lambda directory: (directory / "large").write_bytes(content))
    shutil.rmtree(work)


@contextmanager
def mounted(program: Path, volume: JuiceFS, bytes_s: int, *flags: str) -> Iterator[tuple[Path, Control]]:
    """Mount it with nothing in its cache, over objects that come at so many bytes a second each."""
    slow = Slow(program, volume.objects, volume.slow, Settings(open_us=20_000, bytes_s=bytes_s, direct=1))
    with slow.mounted() as storage, volume.mounted(storage, *flags) as point:
        yield point, storage


@contextmanager
def all_processors_busy() -> Iterator[None]:
    """Leave them no time to idle, as some other program may do at any time."""
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for one in spinning:
            one.kill()
            one.wait()


def test_its_blocks_are_known_and_what_it_takes_of_them(slow_program: Path, volume: JuiceFS) -> None:
    with mounted(slow_program, volume, 64 << 20) as (point, _):
        assert describe(str(point)).client == Client(4 << 20, 15, 8)
        assert describe(str(point.parent)).client == Client()


def test_what_was_warmed_is_not_fetched_again(
    slow_program: Path, volume: JuiceFS, stepwell: Stepwell, content: bytes
) -> None:
    with mounted(slow_program, volume, 64 << 20) as (point, storage):
        done = stepwell.run("warm", str(point / "large"))
        assert done.returncode == 0, done.stderr
        fetched = storage.counters["bytes"]
        assert (point / "large").read_bytes() == content
        assert storage.counters["bytes"] == fetched >= SIZE


@pytest.mark.kernel
def test_a_reader_along_a_file_is_read_ahead_of_by_whole_blocks(
    slow_program: Path, volume: JuiceFS, stepwell: Stepwell, content: bytes
) -> None:
    # Of less than a block ahead nothing comes by itself: whether processors idle is not asked.
    with mounted(slow_program, volume, 4 << 20, "--max-readahead", "1") as (point, _):
        done = stepwell.run("run", "--under", str(point), "--", sys.executable, "-c", READER, str(point / "large"))
    assert (done.returncode, done.stdout) == (0, hashlib.sha256(content).hexdigest() + "\n"), done.stderr
    ((brought, requests),) = stepwell.rows("select brought_bytes, requests from verdicts where trace = 1")
    assert brought > 8 << 20, done.stderr
    # A block of which the reader has some pages already brings less.
    assert brought / requests > 1 << 20


@pytest.mark.kernel
def test_where_processors_are_busy_its_own_read_ahead_is_left_alone(
    slow_program: Path, volume: JuiceFS, stepwell: Stepwell, content: bytes
) -> None:
    with mounted(slow_program, volume, 4 << 20) as (point, _), all_processors_busy():
        done = stepwell.run("run", "--under", str(point), "--", sys.executable, "-c", READER, str(point / "large"))
    assert (done.returncode, done.stdout) == (0, hashlib.sha256(content).hexdigest() + "\n"), done.stderr
    assert stepwell.rows("select brought_bytes, requests from verdicts where trace = 1") == [(0, 0)]
    assert "reads ahead by itself" in done.stderr
