"""Where a measurement reads, and how much."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stepwell.bench.engine import BLOCKS, CONCURRENCY, ENOUGH, _count
from stepwell.bench.places import GRANULE, MOST_GRANULES, PAGE, Places

MIB = 1 << 20
sizes = st.lists(st.integers(PAGE, 40 * MIB), min_size=1, max_size=7)
draws = st.lists(st.tuples(st.sampled_from([*BLOCKS, 64 * MIB]), st.integers(1, 23)), min_size=1, max_size=5)


@given(sizes, draws)
def test_places_are_whole_aligned_and_fresh_as_long_as_there_are_any(
    sizes: list[int], draws: list[tuple[int, int]]
) -> None:
    places, seen = Places(sizes, 3), set[tuple[int, int]]()
    for block, count in draws:
        drawn = places.draw(block, count)
        assert len(drawn.file) == (count if max(sizes) >= block else 0)
        touched = []
        for file, offset in zip(drawn.file.tolist(), drawn.offset.tolist(), strict=True):
            assert offset % PAGE == 0
            assert 0 <= offset <= sizes[file] - block
            granules = {(file, one) for one in range(offset // GRANULE, (offset + block - 1) // GRANULE + 1)}
            assert len(granules) == max(1, block // GRANULE)
            touched.append(granules)
        for granules, repeated in zip(touched, drawn.repeated.tolist(), strict=True):
            assert repeated == bool(granules & seen)
            seen |= granules
        places.mark(block, drawn.granule)


@given(sizes)
def test_what_was_not_read_stays_fresh(sizes: list[int]) -> None:
    places = Places(sizes, 3)
    drawn = places.draw(PAGE, 5)
    places.mark(PAGE, drawn.granule[:1])
    again = places.draw(PAGE, len(places.draw(PAGE, 1_000).granule))
    assert int((~again.repeated).sum()) == len(np.unique(again.granule)) - 1


def test_of_huge_files_places_are_drawn_all_over_them_and_no_more_than_are_needed() -> None:
    huge = (1 << 63) - 1
    places = Places([huge, 5 * MIB, huge], 3)
    for block in (PAGE, 64 * MIB):
        drawn = places.draw(block, 1_009)
        assert len(np.unique(drawn.granule)) == 1_009
        assert not drawn.repeated.any()
        assert drawn.granule.max() < MOST_GRANULES
        offsets = drawn.offset[drawn.file == 2]
        assert offsets.min() < huge // 10
        assert huge // 10 * 9 < offsets.max() <= huge - block
        places.mark(block, drawn.granule)


@given(st.integers(0, 1 << 34))
def test_bytes_are_never_more_than_allowed_and_suffice_for_all_if_they_can(octets: int) -> None:
    cells = [(block, threads) for threads in CONCURRENCY for block in BLOCKS]
    enough = octets >= sum(block * threads for block, threads in cells)
    left = octets
    for number, (block, threads) in enumerate(cells):
        count = _count(cells[number:], left)
        assert count == 0 or threads <= count <= max(ENOUGH, 3 * threads)
        assert count or not enough
        left -= count * block
        assert left >= 0
