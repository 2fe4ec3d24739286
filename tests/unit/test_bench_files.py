"""Which files a measurement finds."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

import pytest

from stepwell.bench import BenchError, find, opened


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for number in range(7):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "file").write_bytes(b"x" * (4096 + number))
    (tmp_path / "small").write_bytes(b"x" * 4095)
    (tmp_path / "round").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def test_regular_files_are_found_once_the_largest_first(tree: Path) -> None:
    found = find(tree, math.inf)
    assert found == [(tree / str(number) / "file", 4096 + number) for number in reversed(range(7))]


def test_a_directory_is_left_as_soon_as_the_time_is_over(tree: Path) -> None:
    large = tree / "large"
    large.mkdir()
    for number in range(13):
        (large / str(number)).write_bytes(b"x" * 4096)
    assert len(find(large, time.monotonic())) == 1


def test_what_is_no_file_is_not_waited_for(tree: Path) -> None:
    with pytest.raises(BenchError, match="neither a file nor a directory"):
        find(tree / "pipe", math.inf)


def test_what_vanished_is_left_out(tree: Path) -> None:
    found = find(tree, math.inf)
    for path, _ in found[:3]:
        path.unlink()
    with opened(found, math.inf) as files:
        assert files.sizes == [4099, 4098, 4097, 4096]
        assert files.sparse == 0
    for path, _ in found[3:]:
        path.unlink()
    with pytest.raises(BenchError, match="No such file"), opened(found, math.inf):
        pass


def test_files_with_holes_are_counted(tree: Path) -> None:
    os.truncate(tree / "0" / "file", 1 << 40)
    with opened(find(tree, math.inf), math.inf) as files:
        assert files.sparse == 1
