"""Files of directories that come in an order, against a simulated storage."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.unit.prefetch.simulation import BLOCK, MIB, PAGE, Access, World, names, status

from stepwell.prefetch.protocol import Close, Open
from stepwell.prefetch.requests import Kind


def test_files_of_a_directory_are_foreseen_by_name() -> None:
    paths = names(101)
    world = World(dict.fromkeys(paths, BLOCK), listings={"/d": sorted((path[3:] for path in paths), reverse=True)})
    for path in paths:
        world.read_file(path)
    assert world.demand == 4
    assert [one.path for one in world.requests if one.kind is not Kind.LOOK] == paths[4:]


def test_every_third_file_is_foreseen_as_such() -> None:
    paths = names(101)
    world = World(dict.fromkeys(paths, BLOCK), listings={"/d": [path[3:] for path in paths]})
    for path in paths[::3]:
        world.read_file(path)
    assert [one.path for one in world.requests] == paths[12::3]


def in_folders(ways: list[str], **settings: Any) -> tuple[World, list[list[str]]]:
    """A world of directories that are to be read one after the other, each by a way of its own."""
    listings = {f"/d/{number}": random.Random(number).sample(names(43), 43) for number in range(len(ways))}
    listings = {folder: [path[3:] for path in paths] for folder, paths in listings.items()}
    files = {f"{folder}/{name}": BLOCK for folder, found in listings.items() for name in found}
    by: dict[str, Callable[[list[str]], list[str]]] = {
        "name": sorted,
        "directory": list,
        "backwards": lambda found: sorted(found, reverse=True),
    }
    orders = zip(listings.items(), ways, strict=True)
    return (
        World(files, listings=listings, **settings),
        [[f"{folder}/{name}" for name in by[way](found)] for (folder, found), way in orders],
    )


def waited_for(world: World, paths: list[str]) -> int:
    before = world.demand
    for path in paths:
        world.read_file(path)
    return world.demand - before


@pytest.mark.parametrize("way", ["name", "directory", "backwards"])
def test_a_directory_is_expected_to_be_read_in_the_way_of_the_one_before(way: str) -> None:
    world, folders = in_folders([way] * 5)
    assert [waited_for(world, paths) for paths in folders] == [4, 2, 2, 2, 2]
    totals = status(world).totals
    assert totals.wasted_bytes == 0


def test_where_a_directory_begins_otherwise_its_order_is_seen_first() -> None:
    world, folders = in_folders(["name", "backwards", "directory", "directory", "directory"])
    assert [waited_for(world, paths) for paths in folders] == [4, 4, 4, 2, 2]
    assert status(world).totals.wasted_bytes == 0


def test_readers_in_directories_of_their_own_tell_the_way_of_the_next_ones() -> None:
    """Three threads of one process, each in the middle of its directory when another begins one."""
    world, folders = in_folders(["backwards"] * 15)
    waiting = iter(folders)
    threads: list[Iterator[str]] = [iter(())] * 3
    demands: list[int] = []
    for number in range(15 * 43 * 2):
        path = next(threads[number % 3], None)
        if path is None:
            demands.append(world.demand)
            threads[number % 3] = (path for path in next(waiting, []))
        else:
            world.read_file(path)
    assert demands[15] <= 3 * 4 + 12 * 3
    assert status(world).totals.wasted_bytes == 0


def test_where_no_directory_is_read_to_its_end_none_is_expected_to_be() -> None:
    world, folders = in_folders(["name"] * 9)
    for path in [*folders[0], *(path for paths in folders[1:] for path in paths[:2])]:
        world.read_file(path)
    asked = {one.path.rpartition("/")[0] for one in world.requests}
    assert asked == {"/d/0", "/d/1"}


def test_of_a_directory_that_is_expected_to_be_read_as_the_one_before_no_more_is_read() -> None:
    world, folders = in_folders(["name"] * 3)
    for paths in folders:
        for path in paths:
            world.tell(Open(path, "1", world.now))
            world.read(path, Access(path, 0, 2 * PAGE))
            world.tell(Close(path, "1", world.now))
    assert {(one.offset, one.size) for one in world.requests} == {(0, 2 * PAGE)}


def test_headers_alone_are_foreseen_where_only_headers_are_read() -> None:
    paths = names(53)
    world = World(dict.fromkeys(paths, 4 * MIB), listings={"/d": [path[3:] for path in paths]})
    for path in paths:
        world.tell(Open(path, "1", world.now))
        world.read(path, Access(path, 0, 2 * PAGE))
        world.tell(Close(path, "1", world.now))
    assert {(one.offset, one.size) for one in world.requests} == {(0, 2 * PAGE)}
    assert world.demand <= 5
