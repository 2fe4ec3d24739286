"""Programs that go through a tree of directories, against a simulated storage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pytest
from tests.unit.prefetch.simulation import BLOCK, World, status

from stepwell.prefetch.directory import Names
from stepwell.prefetch.protocol import Entry, Order
from stepwell.prefetch.tree import FORESEEN, LATEST, Tree

FILES = 7
"""In each directory."""


def tree(depth: int = 3, width: int = 5, at: str = "/d") -> dict[str, list[str]]:
    """Return what is in the directories of a tree; the root has files, too."""
    order = [number * 3 % width for number in range(width)]
    below = [f"{number}/" for number in order] if depth else []
    made = {at: [*(f"f{number * 3 % FILES}" for number in range(FILES)), *below]}
    for name in below:
        made |= tree(depth - 1, width, f"{at}/{name.rstrip('/')}")
    return made


def walk(listings: dict[str, list[str]], by: Callable[[list[str]], Iterable[str]], at: str = "/d") -> Iterator[str]:
    """Yield the files as tar, cp -r or grep -r come to them: those of a directory, then what is below."""
    names = [*by(listings[at])]
    yield from (f"{at}/{name}" for name in names if not name.endswith("/"))
    for name in names:
        if name.endswith("/"):
            yield from walk(listings, by, f"{at}/{name.rstrip('/')}")


def world_of(listings: dict[str, list[str]]) -> World:
    files = (f"{folder}/{name}" for folder, names in listings.items() for name in names if not name.endswith("/"))
    return World(dict.fromkeys(files, BLOCK), listings=listings)


@pytest.mark.parametrize("by", [list, sorted, reversed, lambda names: sorted(names, reverse=True)])
def test_directories_come_before_their_reader(by: Callable[[list[str]], Iterable[str]]) -> None:
    listings = tree()
    world = world_of(listings)
    for path in walk(listings, by):
        world.read_file(path)
    assert len(listings) == 156
    assert world.demand <= 3 * FILES, "no more than the first directory of each level"
    totals = status(world).totals
    assert totals.wasted_bytes == totals.ahead_bytes == 0


def test_two_readers_that_take_directories_by_turns_find_them_as_well() -> None:
    listings = tree()
    world, paths = world_of(listings), walk(listings, list)
    folders: dict[str, list[str]] = {}
    for path in paths:
        folders.setdefault(path.rpartition("/")[0], []).append(path)
    waiting = iter(folders.values())
    for one, other in zip(waiting, waiting, strict=False):
        for pair in zip(one, other, strict=True):
            for reader, path in enumerate(pair):
                world.read_file(path, reader=str(reader))
    assert world.demand <= 5 * FILES
    assert status(world).totals.wasted_bytes == 0


def test_directories_that_nobody_comes_to_are_given_up_and_cost_little() -> None:
    """Of a tree only every other directory is read."""
    listings = tree(1, 301)
    world = world_of(listings)
    paths = [path for path in walk(listings, sorted) if path.count("/") == 2 or int(path.split("/")[2]) % 2]
    for path in paths:
        world.read_file(path)
    totals = status(world).totals
    assert totals.wasted_bytes > 0
    assert totals.wasted_bytes + totals.ahead_bytes < (2 * FORESEEN + LATEST) * FILES * BLOCK


def test_what_a_given_order_does_not_name_is_not_brought_in() -> None:
    listings = tree(2)
    world, paths = world_of(listings), [*walk(tree(2), list)]
    named = [path for path in paths if not path.startswith("/d/4/")]
    world.tell(Order(tuple(Entry(path) for path in named), done=True))
    for path in named:
        world.read_file(path)
    assert {one.path for one in world.requests} <= {*named}


def test_only_what_is_below_a_root_or_below_what_readers_were_in_is_looked_at() -> None:
    found = Tree()
    for folder in ("/a/b/1", "/a/b/2"):
        for number in range(FILES):
            wanted = found.visit(folder, f"f{number}")
            if wanted:
                found.listed(folder, Names({f"f{number}": number for number in range(FILES)}))
    assert found.visit("/a/b/3", "f0") == ["/a/b/3"]
    assert found.way is not None
    assert found.ahead("/a/b/3") == ([], [])
    assert found.ahead("/a/b") == ([], ["/a/b"])
    assert found.ahead("/a/b") == ([], []), "each is asked for once"
    found.listed("/a/b", Names({}, {str(number): number for number in range(1, 6)}))
    assert found.ahead("/a/b") == ([], ["/a/b/4", "/a/b/5"])
    found.listed("/a/b/5", Names({"f": 3}))
    assert found.ahead("/a/b") == ([], []), "what is in the one before is not known yet"
    found.listed("/a/b/4", Names({"f": 3}))
    assert found.ahead("/a/b") == (["/a/b/4", "/a/b/5"], [])
    assert found.ahead("/a/b") == ([], [])


def test_where_the_latest_directory_is_not_in_its_listing_nothing_follows_it() -> None:
    """It came by a link, or was made later."""
    found = Tree()
    for folder in ("/a/1", "/a/2", "/a/9"):
        for number in range(FILES):
            if found.visit(folder, f"f{number}"):
                found.listed(folder, Names({f"f{number}": number for number in range(FILES)}))
    found.listed("/a", Names({}, {str(number): number for number in range(1, 6)}))
    assert found.ahead("/a") == ([], [])
    assert Tree().ahead("/a") == ([], [])
