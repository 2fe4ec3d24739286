"""Heads of streams: found as they are, and the same whether accesses come one by one or as runs."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.prefetch.protocol import Policy
from stepwell.prefetch.streams import Separator
from stepwell.prefetch.tracks import LONG, PAGE, ROW, Nest

KIB = 1 << 10


def fed(accesses: list[tuple[int, int]]) -> Separator:
    separator = Separator()
    for offset, size in accesses:
        separator.access(offset, size)
    return separator


@given(st.integers(2**30, 2**40), st.integers(1, 2**22), st.integers(-(2**24), 2**24), st.integers(1, 300), st.data())
def test_runs_are_the_same_as_their_accesses(
    first: int, size: int, stride: int, count: int, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, count), max_size=5)) | {0, count})
    one, many = Separator(), Separator()
    for offset in range(count):
        one.access(first + offset * stride, size)
    for begin, end in pairwise(cuts):
        many.accesses(first + begin * stride, size, stride, end - begin)
    assert one.tracks == many.tracks
    assert one.seen == many.seen == count


@given(st.lists(st.integers(1, 2**20), min_size=5, max_size=50), st.integers(0, 4095))
def test_a_sequential_head_may_vary_its_sizes_and_skip_less_than_a_page(sizes: list[int], gap: int) -> None:
    separator, offset = Separator(), 0
    for size in sizes:
        separator.access(offset, size)
        offset += size + gap
    (track,) = separator.tracks
    assert (track.policy, track.count) == (Policy.SEQUENTIAL, len(sizes))
    assert track.position == offset - gap


@pytest.mark.parametrize("heads", [2, 3, 5])
def test_heads_that_take_turns_are_found_within_8_turns(heads: int) -> None:
    separator = fed(
        [((head << 34) + turn * 8 * (head + 1) << 20, 64 * KIB) for turn in range(8) for head in range(heads)]
    )
    long = [track for track in separator.tracks if track.count == 8]
    assert sorted(track.stride >> 23 for track in long) == list(range(1, heads + 1))
    assert {track.policy for track in long} == {Policy.STRIDED}


@pytest.mark.parametrize("seed", range(7))
def test_random_accesses_are_random_and_hardly_ever_a_head(seed: int) -> None:
    numbers = random.Random(seed)
    separator, believed = Separator(), 0
    for _ in range(2003):
        track = separator.access(numbers.randrange(1000) * 4096, 4096)
        believed += track is not None and track.policy is not Policy.NONE
    assert separator.is_random
    assert believed < 11


def test_a_stride_survives_accesses_that_are_missing() -> None:
    separator = fed([(number << 20, 4096) for number in range(42) if number not in {11, 17, 19, 28, 37}])
    (track,) = separator.tracks
    assert (track.count, track.next_offset) == (42, 42 << 20)


def test_what_is_read_again_moves_nothing() -> None:
    separator = fed([(number * 4096, 4096) for number in range(11)])
    assert separator.access(10 * 4096, 100) is None
    assert separator.tracks[0].position == 11 * 4096


SIZE = 64 * KIB


@given(
    st.integers(ROW, 101),
    st.sampled_from([-(1 << 20), -SIZE, SIZE, SIZE + PAGE - 1, SIZE + PAGE, 1 << 20]),
    st.sampled_from([-(1 << 30), (1 << 30) - 4096, 1 << 30]),
    st.integers(2, 7),
    st.booleans(),
)
def test_rows_of_a_grid_are_one_head_from_the_third_one_on(
    pieces: int, stride: int, outer: int, rows: int, as_runs: bool
) -> None:
    separator = Separator()
    for row in range(rows):
        first = (1 << 40) + row * outer
        if as_runs:
            separator.accesses(first, SIZE, stride, pieces)
        else:
            for piece in range(pieces):
                separator.access(first + piece * stride, SIZE)
    separator.access((1 << 40) + rows * outer, SIZE)
    (nest,) = separator.tracks
    assert isinstance(nest, Nest)
    assert nest.policy is Policy.STRIDED
    touching = abs(stride) < SIZE + PAGE
    coming = [nest.place(nest.count + number) for number in range(2 * pieces)]
    if touching:
        low = min(0, (pieces - 1) * stride)
        assert coming == [(1 << 40) + (rows + 1 + number) * outer + low for number in range(2 * pieces)]
        assert nest.size == (pieces - 1) * abs(stride) + SIZE
    else:
        places = [(1 << 40) + row * outer + piece * stride for row in range(rows, rows + 3) for piece in range(pieces)]
        assert coming == places[1 : 2 * pieces + 1]
        assert nest.size == SIZE
    assert nest.bytes == (rows * pieces + 1) * SIZE


@pytest.mark.parametrize("heads", [3, 5, 7])
def test_heads_that_take_turns_at_equal_distances_stay_heads(heads: int) -> None:
    separator = fed([((head << 30) + turn * SIZE, SIZE) for turn in range(11) for head in range(heads)])
    assert len([track for track in separator.tracks if track.count >= LONG]) == heads
    assert {track.policy for track in separator.tracks if track.count >= LONG} == {Policy.SEQUENTIAL}
    assert not any(isinstance(track, Nest) for track in separator.tracks)
