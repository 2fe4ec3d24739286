"""What a warm-up reads, and what it remembers."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.warm import File, Journal, WarmError
from stepwell.warm.work import Known, Piece, Work, merged

BLOCK = 7
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
    about = {number: (files[number][0], 2 if files[number][2] else 1) for number in told if number < len(files)}
    work, read, count = Work(len(files), BLOCK, known, about), Counter[tuple[int, int]](), 0
    flying: list[Piece] = []
    given: list[int] = []
    failed: set[int] = set()
    while not work.finished:
        while len(flying) < concurrency and (piece := work.next()):
            flying.append(piece)
            given.append(piece.file)
        assert flying or work.finished, "nothing is under way and nothing is finished"
        if not flying:
            break
        piece = flying.pop(random.randrange(len(flying)))
        size, _, changed = files[piece.file]
        assert piece.offset % BLOCK == 0
        if count in failing:
            failed.add(piece.file)
            work.done(piece, 0, 0, 5)
        else:
            read.update((piece.file, byte) for byte in range(piece.offset, min(piece.offset + BLOCK, size)))
            work.done(piece, size, 2 if changed else 1, 0)
        count += 1
    for number, (size, _, changed) in enumerate(files):
        if number in failed:
            continue
        before = known.get(number, Known(size, 1, ()))
        # A file that is known as a whole is not looked at, unless its size and inode came for nothing.
        whole = before.covers(0, size) and number in known and number not in about
        for offset in range(0, size, BLOCK):
            end = min(offset + BLOCK, size)
            wanted = not whole and (not before.covers(offset, end) or changed)
            assert {read[number, byte] for byte in range(offset, end)} == {int(wanted)}
    assert work.tally.files == len(files)
    assert set(work.tally.failed) == failed
    assert not flying
    # A file is begun when all pieces of those before it have been given, as far as their sizes were known.
    assert list(dict.fromkeys(given)) == sorted(set(given))


def test_a_large_file_is_read_in_parallel_before_the_next_one() -> None:
    work = Work(2, 10, {})
    assert work.next() == Piece(0, 0, 10)
    assert work.next() == Piece(1, 0, 10)
    work.done(Piece(0, 0, 10), 35, 1, 0)
    assert [work.next() for _ in range(4)] == [Piece(0, 10, 10), Piece(0, 20, 10), Piece(0, 30, 10), None]


@given(ranges)
def test_ranges_are_put_together(ranges: tuple[tuple[int, int], ...]) -> None:
    assert merged(ranges) == ranges
    assert all(one[1] < other[0] for one, other in pairwise(ranges))


FILES = [File("/data", "a"), File("/data", "b/\udcff"), File("/data", "c")]


def test_a_journal_remembers_across_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "journal"
    with Journal(path) as journal:
        assert journal.known(FILES) == {}
        journal.add(FILES[1], 100, 7, 0, 50)
        journal.add(FILES[1], 100, 7, 50, 25)
        journal.add(FILES[0], 10, 8, 0, 10)
        journal.add(File("/data", "gone"), 10, 9, 0, 10)
    with path.open("a") as file:
        file.write('["/data/c", 10, 1')
    for _ in range(2):
        with Journal(path) as journal:
            assert journal.known(FILES) == {0: Known(10, 8, ((0, 10),)), 1: Known(100, 7, ((0, 75),))}
            journal.add(FILES[0], 10, 8, 0, 10)
    with Journal(path) as journal:
        journal.known(FILES)
        for offset in (1, 4, 0, 2, 3):  # what changed counts anew; pieces that follow on are one line
            journal.add(FILES[0], 11, 8, offset, 1)
        journal.add(FILES[2], 0, 9, 0, 0)
    assert path.read_text().endswith('["/data/a", 11, 8, 0, 5]\n["/data/c", 0, 9, 0, 0]\n')
    with Journal(path) as journal:
        assert journal.known(FILES)[0] == Known(11, 8, ((0, 5),))
        journal.remove()
    assert not path.exists()


def test_a_journal_of_another_boot_or_with_damage_is_no_danger(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path) as journal:
        journal.known(FILES)
        journal.add(FILES[0], 10, 8, 0, 10)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "nonsense", '{"a": 1}', '["/data/a", "x", 1, 2, 3]', lines[1], ""]))
    with Journal(path) as journal:
        assert journal.known(FILES) == {0: Known(10, 8, ((0, 10),))}
    path.write_text("\n".join(["another boot", lines[1], ""]))
    with Journal(path) as journal:
        assert journal.known(FILES) == {}


def test_the_same_is_not_warmed_twice_at_once(tmp_path: Path) -> None:
    with Journal.of(tmp_path, (tmp_path, Path("/data"))), Journal.of(tmp_path, (tmp_path,)) as other:
        other.save()  # of other targets
        with pytest.raises(WarmError, match="another stepwell; wait"):
            Journal.of(tmp_path, (Path("/data"), tmp_path))


def test_files_of_several_blocks_of_the_mounts_client_are_read_by_these() -> None:
    work = Work(2, BLOCK, {}, client_block=31)
    assert (work.next(), work.next(), work.next()) == (Piece(0, 0, BLOCK), Piece(1, 0, BLOCK), None)
    work.done(Piece(0, 0, BLOCK), 67, 1, 0)
    work.done(Piece(1, 0, BLOCK), 31, 1, 0)
    pieces = [work.next() for _ in range(7)]
    assert pieces == [
        *(Piece(1, offset, BLOCK) for offset in (7, 14, 21, 28)),
        *(Piece(0, offset, 31, whole=True) for offset in (0, 31, 62)),
    ]
    assert work.next() is None
