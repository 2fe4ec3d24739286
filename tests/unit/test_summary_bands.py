"""Which files share a row."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stepwell.analysis.bands import bands

names = st.text("ab", min_size=1, max_size=2)
paths = st.lists(names, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))


@given(found=st.dictionaries(paths, st.integers(0, 10**6), max_size=40), rows=st.integers(3, 30))
def test_every_file_is_in_one_row_and_rows_are_in_the_order_of_paths(found: dict[str, int], rows: int) -> None:
    made = bands(list(found), list(found.values()), rows)
    members = [i for band in made for i in band.files]
    assert sorted(members) == list(range(len(found)))
    assert len(made) <= max(rows, 1)
    firsts = [list(found)[band.files[0]] for band in made]
    assert firsts == sorted(firsts)
    for band in made:
        if len(band.files) > 1:
            directory = band.label.partition("/*")[0]
            assert all(list(found)[i].startswith(directory) for i in band.files)


def test_few_files_have_a_row_each() -> None:
    assert [band.label for band in bands(["/b", "/a"], [1, 2], 2)] == ["/a", "/b"]


def test_a_heavy_directory_is_split_and_a_light_one_is_not() -> None:
    small = [f"/small/{n}" for n in range(5)]
    files = [f"/large/{n:02}" for n in range(41)] + small
    for weight, rows in ((10**6, small), (1, ["/small/* (5 files)"])):
        made = bands(files, [1000] * 41 + [weight] * 5, 7)
        assert [band.label for band in made] == ["/large/* (41 files)", *rows]


def test_a_directory_of_very_many_files_is_cut_into_equal_shares() -> None:
    made = bands([f"/set/{n:05}" for n in range(10_007)], [1] * 10_007, 20)
    assert len(made) == 20
    assert made[0].label == "/set/* 1-500 of 10,007"
    assert {len(band.files) for band in made} == {500, 501}
    assert len(bands([f"/set/{n:05}" for n in range(103)], [1] * 103, 50)) == 5
