"""In which directories an engine may read for a known order."""

from __future__ import annotations

import os.path
from pathlib import PurePath

from hypothesis import given
from hypothesis import strategies as st

from stepwell.steer.orders import MOST, directories, few

NAMES = st.text("ab-.", min_size=1, max_size=2).filter(lambda name: name not in {".", ".."})
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda names: "/" + "/".join(names))


def is_within(path: str, root: str) -> bool:
    return os.path.commonpath([path, root]) == root


@given(st.lists(PATHS, max_size=23))
def test_each_file_lies_in_one_directory_that_is_told(paths: list[str]) -> None:
    found = directories(paths)
    assert all(sum(is_within(str(PurePath(path).parent), root) for root in found) == 1 for path in paths)


@given(st.sets(PATHS, min_size=1, max_size=7))
def test_of_very_many_directories_some_that_contain_them_are_told(leaves: set[str]) -> None:
    parents = {f"/data{leaf}/{number}" for leaf in leaves for number in range(97)} | {f"/far{leaf}" for leaf in leaves}
    found = few(parents, {"/", "/far"})
    assert len(found) <= MOST
    assert all(sum(is_within(parent, root) for root in found) == 1 for parent in parents)
    assert "/" not in found


def test_the_deepest_directories_are_joined_first() -> None:
    parents = {f"/data/{number}/x" for number in range(MOST)} | {"/other"}
    assert few(parents, {"/"}) == ["/data", "/other"]
    assert few({f"/data/{number}" for number in range(MOST)}, {"/"}) == sorted(f"/data/{one}" for one in range(MOST))


def test_what_lies_above_a_mount_is_another_storage() -> None:
    points = {f"/mnt/{number}" for number in range(MOST + 1)}
    assert few({f"{point}/data" for point in points}, {"/"} | points) == sorted(points)
