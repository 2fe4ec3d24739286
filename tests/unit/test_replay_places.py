"""Where recorded files stand below another directory."""

from __future__ import annotations

import posixpath

from hypothesis import example, given
from hypothesis import strategies as st

from stepwell.replay.places import MANIFEST, Recorded, below, known, places, root_of


def placed(*paths: str, devices: tuple[int, ...] = ()) -> list[str]:
    files = [Recorded(i, devices[i] if devices else 1, path) for i, path in enumerate(paths)]
    return list(places(files, root_of(paths)).values())


def test_files_keep_their_paths_below_what_they_have_in_common() -> None:
    assert root_of(["/data/a/x", "/data/b/y"]) == "/data"
    assert placed("/data/a/x", "/data/b/y") == ["a/x", "b/y"]
    assert placed("/data/only") == ["only"]
    assert root_of(["/x", "/data/y"]) == "/"


def test_the_same_path_on_another_device_is_another_file() -> None:
    assert placed("/d/x", "/d/x", "/d/x", devices=(1, 2, 1)) == ["x", "x~2", "x"]
    assert placed("/d/x", "/d/x", "/d/x~2", devices=(1, 2, 1)) == ["x", "x~3", "x~2"]


def test_a_path_that_was_a_directory_at_another_time_gets_another_name() -> None:
    assert placed("/d/x", "/d/x/y") == ["x~2", "x/y"]


def test_nothing_stands_where_the_manifest_does() -> None:
    assert placed(f"/d/{MANIFEST}", "/d/y") == [f"{MANIFEST}~2", "y"]


def test_paths_that_are_not_known() -> None:
    assert [known(path) for path in ("8:1:17", ".../a/b", "", "/a\0b", "/8:1:17", "/a/...b")] == [
        False, False, False, False, True, True,
    ]  # fmt: skip


def test_below() -> None:
    assert below("/data/a", "/data")
    assert below("/data/a", "/data/")
    assert below("/a", "/")
    assert not below("/data2/a", "/data")
    assert not below("/data/../etc/a", "/data")


names = st.sampled_from(["a", "b", "a~2", "..", ".", MANIFEST])
paths = st.lists(names, min_size=1, max_size=5).map(lambda parts: "/" + "/".join(parts) + "/x")


@given(st.lists(st.tuples(st.one_of(paths, paths.map(posixpath.dirname)), st.integers(1, 3)), min_size=1, max_size=11))
@example([("/../../etc/x", 1), ("/etc/x", 2)])
def test_no_two_files_meet_and_none_stands_outside(given_files: list[tuple[str, int]]) -> None:
    files = [Recorded(i, dev, path) for i, (path, dev) in enumerate(given_files)]
    files = [file for file in files if posixpath.normpath(file.path) != "/"]
    if not files:
        return
    root = root_of(file.path for file in files)
    found = places(files, root)
    same: dict[str, set[tuple[str, int]]] = {}
    for file in files:
        same.setdefault(found[file.file], set()).add((posixpath.normpath(file.path), file.dev))
    assert all(len(meaning) == 1 for meaning in same.values())
    for place in same:
        assert not place.startswith(("/", "../"))
        assert posixpath.normpath(place) == place
        assert not any(other.startswith(f"{place}/") for other in same)
