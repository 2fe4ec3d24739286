"""What a warm-up reads, and what it remembers."""

from __future__ import annotations

import errno
import fcntl
import os
from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.warm import File, Journal, WarmError
from stepwell.warm.work import MOST_NAMED, Known, Piece, Work, merged

BLOCK = 7
NAMED = [File("/data", "one"), File("/data", "other")]
ranges = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=5).map(merged)
files = st.lists(st.tuples(st.integers(0, 60), ranges, st.booleans()), max_size=7)


@given(
    files, st.integers(1, 5), st.randoms(use_true_random=False), st.sets(st.integers(0, 20)), st.sets(st.integers(0, 6))
)
def test_every_byte_that_is_not_known_is_read_once(
    files: list[tuple[int, tuple[tuple[int, int], ...], bool]],
    concurrency: int,
    random: Random,
    failing: set[int],
    told: set[int],
) -> None:
    """Each file: its size, the ranges that a journal has, and whether it has changed since."""
    known = {
        number: Known(size, 1, merged((begin, min(end, size)) for begin, end in read))
        for number, (size, read, _) in enumerate(files)
        if read
    }
    about = {number: (size, 2 if changed else 1) for number, (size, _, changed) in enumerate(files)}
    given = [File("/data", f"{number}", about[number] if number in told else None) for number in range(len(files))]
    work, read, count = Work(BLOCK), Counter[tuple[File, int]](), 0
    for number, file in enumerate(given):
        work.add(file, known.get(number))
    flying: list[Piece] = []
    begun: list[File] = []
    failed: set[File] = set()
    while not work.finished:
        while len(flying) < concurrency and (piece := work.next()):
            flying.append(piece)
            begun.append(piece.file)
        assert flying or work.finished, "nothing is under way and nothing is finished"
        if not flying:
            break
        piece = flying.pop(random.randrange(len(flying)))
        size, inode = about[given.index(piece.file)]
        assert piece.offset % BLOCK == 0
        if count in failing:
            failed.add(piece.file)
            work.done(piece, 0, 0, 5)
        else:
            read.update((piece.file, byte) for byte in range(piece.offset, min(piece.offset + piece.size, size)))
            work.done(piece, size, inode, 0)
        count += 1
    for number, (size, _, changed) in enumerate(files):
        if given[number] in failed:
            continue
        before = known.get(number, Known(size, 1, ()))
        for offset in range(0, size, BLOCK):
            end = min(offset + BLOCK, size)
            wanted = changed or not before.covers(offset, end)
            assert {read[given[number], byte] for byte in range(offset, end)} == {int(wanted)}
    assert work.tally.files == len(files)
    assert work.tally.failed == len(failed)
    assert {file for file, _ in work.tally.failures} == failed
    assert not flying
    # A file is begun when all pieces of those before it have been given, as far as their sizes were known.
    assert list(dict.fromkeys(begun)) == [file for file in given if file in begun]


def test_a_large_file_is_read_in_parallel_before_the_next_one() -> None:
    work = Work(10)
    one, other = NAMED
    work.add(one)
    work.add(other)
    assert work.next() == Piece(one, 0, 10)
    assert work.next() == Piece(other, 0, 10)
    work.done(Piece(one, 0, 10), 35, 1, 0)
    assert [work.next() for _ in range(4)] == [Piece(one, 10, 10), Piece(one, 20, 10), Piece(one, 30, 10), None]


def test_a_file_of_very_many_pieces_takes_no_longer_to_begin() -> None:
    work = Work(10)
    work.add(NAMED[0])
    work.next()
    work.done(Piece(NAMED[0], 0, 10), 1 << 60, 1, 0)
    assert [work.next() for _ in range(2)] == [Piece(NAMED[0], 10, 10), Piece(NAMED[0], 20, 10)]


def test_files_that_fail_are_counted_and_the_first_ones_named() -> None:
    work = Work(10)
    for number in range(MOST_NAMED + 3):
        work.add(File("/data", f"{number}"))
        piece = work.next()
        assert piece
        work.done(piece, 0, 0, errno.EIO if number % 2 else errno.ENOENT)
    assert (work.tally.files, work.tally.failed, work.tally.gone) == (103, 51, 52)
    for number in range(MOST_NAMED):
        file = File("/more", f"{number}")
        work.add(file)
        work.next()
        work.done(Piece(file, 0, 10), 30, 1, 0)
        for piece, error in ((Piece(file, 10, 10), errno.EACCES), (Piece(file, 20, 10), errno.EIO)):
            assert work.next() == piece
            work.done(piece, 30, 1, error)
    assert work.tally.failed == 151
    assert len(work.tally.failures) == MOST_NAMED
    assert work.tally.failures[50:52] == [(File("/data", "101"), errno.EIO), (File("/more", "0"), errno.EACCES)]


@given(ranges)
def test_ranges_are_put_together(ranges: tuple[tuple[int, int], ...]) -> None:
    assert merged(ranges) == ranges
    assert all(one[1] < other[0] for one, other in pairwise(ranges))


FILES = [File("/data", "a"), File("/data", "b/\udcff"), File("/data", "c")]


def known(journal: Journal) -> list[Known | None]:
    return [journal.known(file) for file in FILES]


def test_a_journal_remembers_across_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "journal"
    with Journal(path) as journal:
        assert known(journal) == [None, None, None]
        journal.add(FILES[1], 100, 7, 0, 50)
        journal.add(FILES[1], 100, 7, 50, 25)
        journal.add(FILES[0], 10, 8, 0, 10)
        journal.add(File("/data", "gone"), 10, 9, 0, 10)
    with path.open("a") as file:
        file.write('["/data/c", 10, 1')
    for _ in range(2):
        with Journal(path) as journal:
            assert known(journal) == [Known(10, 8, ((0, 10),)), Known(100, 7, ((0, 75),)), None]
            journal.add(FILES[0], 10, 8, 0, 10)
    with Journal(path) as journal:
        for offset in (1, 4, 0, 2, 3):  # what changed counts anew; pieces that follow on are one line
            journal.add(FILES[0], 11, 8, offset, 1)
        journal.add(FILES[2], 0, 9, 0, 0)
    assert path.read_text().endswith('["/data/a", 11, 8, 0, 5]\n["/data/c", 0, 9, 0, 0]\n')
    with Journal(path) as journal:
        assert known(journal)[::2] == [Known(11, 8, ((0, 5),)), Known(0, 9, ())]
        journal.remove()
    assert not path.exists()


def test_a_journal_with_damage_is_no_danger_and_is_forgotten_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path) as journal:
        journal.add(FILES[0], 10, 8, 0, 10)
    line = path.read_bytes()
    path.write_bytes(b'nonsense\n{"a": 1}\n["/data/a", "x", 1, 2, 3]\n\xff\n' + line + bytes(11))
    with Journal(path) as journal:
        assert known(journal) == [Known(10, 8, ((0, 10),)), None, None]
    with Journal(path, restart=True) as journal:
        assert known(journal) == [None, None, None]
    assert path.read_bytes() == b""


def test_the_same_is_not_warmed_twice_at_once(tmp_path: Path) -> None:
    with Journal.of(tmp_path, ["/a", "/b"]) as journal, Journal.of(tmp_path, ["/a"]) as other:
        other.save()  # of other targets
        with pytest.raises(WarmError, match="another stepwell; wait"):
            Journal.of(tmp_path, ["/a", "/b"])
        journal.remove()
        with Journal.of(tmp_path, ["/a", "/b"]) as next_one:
            assert next_one.path == journal.path


def test_a_journal_that_its_owner_removed_at_that_moment_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal"
    lock, locks = fcntl.flock, 0

    def ended(file: BinaryIO, how: int) -> None:
        nonlocal locks
        locks += 1
        if locks == 1:
            path.unlink()
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", ended)
    with Journal(path) as journal:
        journal.add(FILES[0], 10, 8, 0, 10)
    assert locks == 2
    assert path.read_text() == '["/data/a", 10, 8, 0, 10]\n'


def test_a_journal_that_nobody_goes_on_with_is_removed(tmp_path: Path) -> None:
    for name, days in (("old", 31), ("young", 29)):
        journal = tmp_path / f"{name}.journal"
        journal.touch()
        then = journal.stat().st_mtime - days * 86_400
        os.utime(journal, (then, then))
    with Journal.of(tmp_path, ["/a"]) as journal_of_a:
        assert set(tmp_path.iterdir()) == {tmp_path / "young.journal", journal_of_a.path}


def test_what_cannot_be_noted_is_told_and_known_by_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Journal.of(tmp_path / "file" / "state", ["/a"]) as journal:
        assert journal.broken.endswith(": Not a directory")
        journal.add(FILES[0], 10, 8, 0, 10)
        journal.save()
        assert known(journal) == [None, None, None]


def test_files_of_several_blocks_of_the_mounts_client_are_read_by_these() -> None:
    work = Work(BLOCK, client_block=31)
    one, other = NAMED
    work.add(one)
    work.add(other)
    assert (work.next(), work.next(), work.next()) == (Piece(one, 0, BLOCK), Piece(other, 0, BLOCK), None)
    work.done(Piece(one, 0, BLOCK), 67, 1, 0)
    work.done(Piece(other, 0, BLOCK), 31, 1, 0)
    pieces = [work.next() for _ in range(7)]
    assert pieces == [
        *(Piece(other, offset, BLOCK) for offset in (7, 14, 21, 28)),
        *(Piece(one, offset, 31, whole=True) for offset in (0, 31, 62)),
    ]
    assert work.next() is None
