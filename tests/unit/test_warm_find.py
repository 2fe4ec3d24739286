"""Which files a warm-up finds, and that it reads them while it still looks for others."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.kernel.tool import SECONDS

from stepwell.warm import File, Journal, Limits, Warmed, WarmError, engine, find, targets, warm
from stepwell.warm.engine import Progress
from stepwell.warm.find import BATCH, Failure
from stepwell.warm.listing import Listing


def found(*paths: Path) -> list[str]:
    unlisted: list[Failure] = []
    names = [file.name for target in targets(paths) for batch in find(target, unlisted.append) for file in batch]
    assert not unlisted
    return names


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    for name in ("a/z", "a.b", "a/b/c", "b", "d/d/d", os.fsdecode(b"bad\xff"), "new\nline"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(bytes(3))
    (top / "loop").symlink_to(".")
    (top / "link").symlink_to("b")
    os.mkfifo(top / "pipe")
    return top


NAMES = ["a.b", "a/b/c", "a/z", "b", os.fsdecode(b"bad\xff"), "d/d/d", "new\nline"]


def test_each_file_comes_once_by_name(tree: Path) -> None:
    names = [f"{tree}/{name}" for name in NAMES]
    assert found(tree) == names
    assert found(tree / "b", tree / "a" / "b", tree, tree / "a", tree / "loop" / "a") == names
    assert found(tree / "a", tree / "a.b", tree / "link", tree / "b") == names[:4]


def test_files_come_in_batches_and_before_the_next_directory_is_listed(tmp_path: Path) -> None:
    for number in range(BATCH + 3):
        (tmp_path / f"{number:04}").touch()
    (tmp_path / "z").mkdir()
    (tmp_path / "z" / "last").touch()
    (target,) = targets((tmp_path,))
    unlisted: list[Failure] = []
    batches = find(target, unlisted.append)
    assert [len(next(batches)) for _ in range(3)] == [0, BATCH, 3]  # at first a sign of life
    (tmp_path / "z" / "last").unlink()
    (tmp_path / "z").rmdir()
    assert next(batches, None) is None
    assert not unlisted  # what was removed meanwhile is no failure


def test_a_tree_as_deep_as_paths_can_be_is_gone_through(tmp_path: Path) -> None:
    deep = [str(tmp_path)]
    while len(deep[-1]) < 4000:
        deep.append(f"{deep[-1]}/d")
        os.mkdir(deep[-1])  # noqa: PTH102 - a Path cannot be that deep
    name = f"{deep[-1]}/file"
    os.mknod(name)
    try:
        assert found(tmp_path) == [name]
    finally:  # what removes a test's files is not as patient
        os.unlink(name)  # noqa: PTH108
        for directory in reversed(deep[1:]):
            os.rmdir(directory)  # noqa: PTH106


def test_what_is_neither_file_nor_directory_is_refused(tree: Path) -> None:
    for path in (tree / "pipe", Path("/dev/null")):
        with pytest.raises(WarmError, match="neither a file nor a directory"):
            targets((tree, path))
    with pytest.raises(WarmError, match="No such file"):
        targets((tree / "none",))


Warm = Callable[[Iterator[list[File]], Callable[[Progress], None]], Warmed]


@pytest.fixture
def warm_tree(tree: Path, tmp_path: Path) -> Warm:
    def run(batches: Iterator[list[File]], progress: Callable[[Progress], None]) -> Warmed:
        with Journal(tmp_path / "journal") as journal:
            return warm(batches, [str(tree)], Limits(), journal, progress, [])

    return run


def test_files_are_read_while_others_are_looked_for(tree: Path, warm_tree: Warm) -> None:
    first = threading.Event()

    def batches() -> Iterator[list[File]]:
        yield [File(str(tree), "b"), File(str(tree), "gone")]
        assert first.wait(SECONDS), "nothing is read before all is found"
        yield [File(str(tree), "a/z"), File(str(tree), "pipe")]

    def progress(now: Progress) -> None:
        if now.done == 2 and not now.listed:
            first.set()

    result = warm_tree(batches(), progress)
    assert (result.status, result.files, result.done, result.gone, result.failed) == ("complete", 4, 4, 1, 1)
    assert result.failures == (Failure(f"{tree}/pipe", "EINVAL"),)
    assert result.brought_bytes + result.resident_bytes == 6


def test_a_listing_that_hangs_is_told(tree: Path, warm_tree: Warm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "HUNG_S", 0.3)
    over = threading.Event()

    def batches() -> Iterator[list[File]]:
        yield [File(str(tree), "b")]
        over.wait(SECONDS)

    result = warm_tree(batches(), lambda _: None)
    over.set()
    assert (result.status, result.files, result.done) == ("hung", 1, 1)


def test_a_sign_of_life_is_no_file(tree: Path) -> None:
    over = threading.Event()

    def batches() -> Iterator[list[File]]:
        yield []
        over.wait(SECONDS)
        yield [File(str(tree), "b")]

    listing = Listing(batches())
    assert select.select([listing.event], [], [], SECONDS)[0]
    assert (listing.take(), listing.found, listing.over) == ([], 0, False)
    over.set()
    assert select.select([listing.event], [], [], SECONDS)[0]
    assert (listing.take(), listing.found) == ([File(str(tree), "b")], 1)


def test_what_goes_wrong_in_looking_is_not_lost(tree: Path, warm_tree: Warm) -> None:
    def batches() -> Iterator[list[File]]:
        yield [File(str(tree), "b")]
        raise RuntimeError("looking went wrong")

    with pytest.raises(RuntimeError, match="looking went wrong"):
        warm_tree(batches(), lambda _: None)
