"""The planner along orders of files, against a simulated storage."""

from __future__ import annotations

import random
from collections import Counter
from itertools import islice, zip_longest
from typing import Any

import pytest
from tests.unit.prefetch.simulation import (
    BLOCK,
    FILE,
    MIB,
    PAGE,
    Access,
    World,
    asked,
    names,
    status,
    with_client,
)  # fmt: skip

from stepwell.prefetch.learning import Learning
from stepwell.prefetch.mounted import Client, Mounted
from stepwell.prefetch.orders import Sequence
from stepwell.prefetch.planner import Planner
from stepwell.prefetch.protocol import (
    Budget,
    Close,
    Entry,
    Gap,
    Mode,
    Open,
    Order,
    Policy,
    Position,
    Root,
)  # fmt: skip


def test_files_of_several_blocks_in_an_order_come_by_blocks_and_others_do_not() -> None:
    world = with_client({"/d/large": 11 * MIB, "/d/small": 3 * MIB})
    world.tell(Order((Entry("/d/small"), Entry("/d/large"))))
    world.settle()
    # Until its size is known a file is asked for as any other.
    blocks = [(start, end) for start, end in asked(world, "/d/large") if end - start > BLOCK]
    assert blocks == [(BLOCK, 4 * MIB), (4 * MIB, 8 * MIB), (8 * MIB, 11 * MIB)]
    assert {end - start for start, end in asked(world, "/d/small")} == {BLOCK}


def test_of_files_that_the_mounts_client_streams_only_small_ones_come() -> None:
    world = with_client({"/d/large": 11 * MIB, "/d/small": BLOCK}, Client(streams=True))
    world.tell(Order((Entry("/d/large"), Entry("/d/small"), Entry("/d/large"))))
    world.settle()
    # What is larger is known when its first request has told.
    assert asked(world, "/d/large") == [(0, BLOCK)]
    assert asked(world, "/d/small") == [(0, BLOCK)]


@pytest.mark.parametrize("memory", [8 * MIB, 1 << 30])
def test_a_known_order_is_followed_file_by_file(memory: int) -> None:
    paths = names(307)
    random.Random(7).shuffle(paths)
    world = World(dict.fromkeys(paths, BLOCK), budget=Budget(memory_bytes=memory, in_flight=31))
    world.tell(Order(tuple(Entry(path) for path in paths), done=True))
    for path in paths:
        world.read_file(path)
    assert [one.path for one in world.requests] == paths
    assert world.waited_ns < 307 * world.latency_ns / 8
    assert status(world).totals.used_bytes + status(world).totals.late_bytes == 307 * BLOCK
    assert status(world).order_position == 307


def test_of_a_known_order_the_nearest_file_comes_whole_before_the_next() -> None:
    paths, blocks = names(23), 7
    world = World(dict.fromkeys(paths, blocks * BLOCK), budget=Budget(memory_bytes=4 * MIB))
    world.tell(Order(tuple(Entry(path) for path in paths), done=True))
    for path in paths:
        world.read_file(path)
    assert world.demand == 0
    assert world.waited_ns < 23 * blocks * world.latency_ns / 8
    behind = [one.path for one in world.requests if one.offset]
    assert behind == sorted(behind)


def test_a_known_order_of_several_epochs_is_followed_through_all_of_them() -> None:
    files, blocks, epochs = 23, 7, 3
    paths = names(files)
    orders = [random.Random(seed).sample(paths, files) for seed in range(epochs)]
    world = World(dict.fromkeys(paths, blocks * BLOCK), budget=Budget(memory_bytes=4 * MIB))
    world.tell(Order(tuple(Entry(path) for order in orders for path in order), done=True))
    for path in (path for order in orders for path in order):
        world.read_file(path)
        world.cache = {page for page in world.cache if page[0] != path}  # as of a set larger than the memory
        world.tell(Open(path, "1", world.now))
        world.tell(Close(path, "1", world.now))
    totals = status(world).totals
    assert world.demand == 0
    assert totals.used_bytes + totals.late_bytes == totals.brought_bytes == files * blocks * epochs * BLOCK
    assert status(world).order_position == files * epochs


def test_a_known_order_of_ranges_in_one_file() -> None:
    places = random.Random(3).sample(range(4099), 211)
    world = World({FILE: 4099 * PAGE})
    world.tell(Order(tuple(Entry("file", place * PAGE, PAGE) for place in places)))
    world.read_all(Access(FILE, place * PAGE, PAGE) for place in places)
    assert world.demand <= 1
    assert asked(world) == [(place * PAGE, (place + 1) * PAGE) for place in places]


def test_with_positions_alone_memory_is_given_back() -> None:
    paths = names(101)
    world = World(dict.fromkeys(paths, BLOCK), budget=Budget(memory_bytes=11 * BLOCK))
    world.tell(Order(tuple(Entry(path) for path in paths)))
    world.settle()
    assert len(world.requests) == 11
    world.tell(Position(7))
    world.settle()
    assert len(world.requests) == 18
    assert status(world).totals.used_bytes == 7 * BLOCK


def test_an_epoch_that_repeats_the_last_one_is_followed() -> None:
    paths = names(211)
    random.Random(5).shuffle(paths)
    world = World(dict.fromkeys(paths, BLOCK), budget=Budget(memory_bytes=4 * MIB))
    for path in paths:
        world.read_file(path)
    assert world.requests == []  # no order is seen in the first epoch, and no directory is listed
    world.cache.clear()
    world.demand = 0
    for path in paths:
        world.read_file(path)
    assert world.demand <= 8
    assert any(head.policy is Policy.EPOCH for head in status(world).heads)


def test_an_epoch_in_another_order_is_given_up() -> None:
    paths = names(307)
    world = World(dict.fromkeys(paths, BLOCK), budget=Budget(memory_bytes=MIB))
    for seed in (5, 6):
        random.Random(seed).shuffle(paths)
        for path in paths:
            world.read_file(path)
        world.cache.clear()
    totals = status(world).totals
    assert totals.brought_bytes <= 307 * BLOCK // 8
    assert totals.wasted_bytes <= totals.brought_bytes // 10


def test_cached_files_of_a_known_order_are_soon_only_sampled() -> None:
    paths = names(997)
    world = World(dict.fromkeys(paths, BLOCK))
    world.cache.update((path, page) for path in paths for page in range(BLOCK // PAGE))
    world.tell(Order(tuple(Entry(path) for path in paths)))
    world.settle()
    assert len(world.requests) < 100
    assert status(world).totals.brought_bytes == 0


def test_a_step_that_comes_again_is_taken_by_accesses_that_were_not_told() -> None:
    paths = names(7)
    world = World(dict.fromkeys(paths, BLOCK))
    world.tell(Order(tuple(Entry(path) for path in 2 * paths), done=True))
    world.read_file(paths[0])
    for path in paths[1:]:
        world.tell(Open(path, "1", world.now))
        world.tell(Close(path, "1", world.now, untold=True))
    assert status(world).order_position == 7


def test_an_epoch_goes_over_the_datasets_of_one_storage() -> None:
    """As where every directory in which a file is opened becomes a root of its own."""
    paths = [f"/e/{folder}/{number:03d}" for folder in range(23) for number in range(11)]
    random.Random(5).shuffle(paths)
    world = World(dict.fromkeys(paths, BLOCK), budget=Budget(memory_bytes=4 * MIB))
    for _ in range(2):
        for path in paths:
            root = path.rpartition("/")[0]
            world.tell(Root(root))
            world.planner.described(root, Mounted(7, BLOCK))
            world.read_file(path)
        world.cache.clear()
    found = status(world)
    assert world.demand <= len(paths) + 8
    assert [mount.root for mount in found.mounts] == ["/d", paths[0].rpartition("/")[0]]
    assert [head.why for head in found.heads if head.policy is Policy.EPOCH] == [
        "epoch 2 repeats the order of the last one"
    ]


def test_files_that_readers_leave_out_keep_no_memory() -> None:
    paths = names(503)
    world = World(dict.fromkeys(paths, BLOCK), budget=Budget(memory_bytes=31 * BLOCK))
    world.tell(Order(tuple(Entry(path) for path in paths)))
    visited = [path for number, path in enumerate(paths) if number % 5]
    for path in visited:
        world.read_file(path)
    world.settle()
    assert world.demand < len(visited) // 3
    assert status(world).order_position > 400


@pytest.mark.parametrize(("behind", "memory", "wasted"), [(20, 400, 0), (100, 400, 0), (300, 400, 0), (300, 100, 151)])
def test_a_worker_that_is_behind_the_others_is_waited_for_as_long_as_that_leaves_memory(
    behind: int, memory: int, wasted: int
) -> None:
    """Four workers share a known order; one of them begins after the others took so many steps together."""
    paths = names(601)
    world = World(dict.fromkeys(paths, BLOCK), budget=Budget(memory_bytes=memory * BLOCK, in_flight=31))
    world.tell(Order(tuple(Entry(path) for path in paths)))
    world.settle()
    shares = [iter(paths[first::4]) for first in range(4)]
    for path in (next(shares[1 + number % 3]) for number in range(behind)):
        world.read_file(path)
    for _ in range(len(paths) // 4 + 1):
        for reader, share in enumerate(shares):
            for path in islice(share, 1):
                world.read_file(path, reader=str(reader))
    totals = status(world).totals
    assert totals.used_bytes + totals.late_bytes >= (len(paths) - wasted) * BLOCK
    assert world.demand <= wasted


def test_a_worker_that_gets_far_ahead_takes_nothing_from_those_that_go_on_behind_it() -> None:
    """Beyond the memory it waits for each of its files, until the others have come as far."""
    paths = names(607)
    world = World(dict.fromkeys(paths, BLOCK), budget=Budget(memory_bytes=101 * BLOCK, in_flight=31))
    world.tell(Order(tuple(Entry(path) for path in paths)))
    world.settle()
    shares = [iter(paths[first::4]) for first in range(4)]
    late: Counter[int] = Counter()
    for _ in range(len(paths)):
        for reader, share in enumerate(shares):
            for path in islice(share, 1 if reader else 7):
                before = world.demand
                world.read_file(path, reader=str(reader))
                late[reader] += world.demand - before
    assert status(world).totals.wasted_bytes == 0
    assert late[0] > 101
    assert late[1] + late[2] + late[3] == 0


def test_files_that_are_read_here_and_there_are_not_brought_in_as_a_whole() -> None:
    paths = names(53)
    world = World(dict.fromkeys(paths, 4 * MIB), listings={"/d": [path[3:] for path in paths]})
    for path in paths:
        world.tell(Open(path, "1", world.now))
        world.read(path, Access(path, 0, 2 * PAGE))
        world.read(path, Access(path, 4 * MIB - PAGE, PAGE))
        world.tell(Close(path, "1", world.now))
    assert status(world).totals.brought_bytes == 0


def in_no_order(files: int, **how: Any) -> tuple[World, list[str]]:
    paths = names(files)
    world = World(dict.fromkeys(paths, BLOCK), listings={"/d": [path[3:] for path in paths]}, **how)
    return world, random.Random(19).sample(paths, files)


def test_the_rest_of_a_directory_comes_once_none_of_its_files_comes_again_where_some_would_by_chance() -> None:
    world, order = in_no_order(4099)
    for path in order[:156]:  # 156 * 155 / 2 / 4099 = 2.95
        world.read_file(path)
    assert world.requests == []
    for number, path in enumerate(order[156:], 157):
        world.read_file(path)
        assert len({one.path for one in world.requests}) <= 5 * number
    assert world.demand < 1009
    assert status(world).totals.wasted_bytes == 0


def test_the_rest_of_a_few_large_files_comes_once_a_fifth_of_them_was_read() -> None:
    paths = names(23)
    world = World(dict.fromkeys(paths, 31 * BLOCK), listings={"/d": [path[3:] for path in paths]})
    order = random.Random(19).sample(paths, 23)
    for path in order[:5]:
        world.read_file(path)
    assert {one.path for one in world.requests} <= {*order[:5]}
    before = world.demand
    for path in order[5:]:
        world.read_file(path)
    assert world.demand <= before + 3


@pytest.mark.parametrize(("blocks", "demand"), [(600, 300), (400, 450), (200, 700), (100, 1009)])
def test_of_a_set_beyond_the_memory_a_part_is_brought_in(blocks: int, demand: int) -> None:
    world, order = in_no_order(1009, budget=Budget(memory_bytes=blocks * BLOCK, in_flight=31))
    for path in order[:400]:
        world.read_file(path)
        assert world.planner.ledger.charge <= blocks * BLOCK * 3 // 4
    for path in order[400:]:
        world.read_file(path)
    assert world.demand <= demand
    totals = status(world).totals
    assert totals.wasted_bytes == totals.ahead_bytes == 0


def test_workers_that_open_each_file_twice_begin_no_epoch() -> None:
    """While one of four waits between its two opens, the others come to many files."""
    learning, files = Learning(), iter(names(1009))
    for _ in range(13):
        slow = next(files)
        learning.visit(slow, "slow")
        learning.read(slow, 0, BLOCK, BLOCK)
        learning.closed(slow)
        for number, path in enumerate(islice(files, 61)):
            learning.visit(path, str(number % 3))
            learning.read(path, 0, BLOCK, BLOCK)
            learning.closed(path)
            learning.visit(path, str(number % 3))
        learning.visit(slow, "slow")
    assert learning.epoch == 1
    for path in names(17):
        learning.visit(path, "next")
    assert learning.epoch == 2


def test_a_favourite_among_new_files_begins_no_epoch() -> None:
    learning, files = Learning(), iter(names(101))
    for _ in range(11):
        for path in [*islice(files, 9), "/d/favourite"]:
            learning.visit(path, "1")
    assert learning.epoch == 1


def test_files_in_a_directory_for_each_class_are_one_set() -> None:
    folders = {f"/d/{number}": [f"{file:03}" for file in range(103)] for number in range(11)}
    paths = [f"{folder}/{name}" for folder, names_ in folders.items() for name in names_]
    world = World(dict.fromkeys(paths, BLOCK), listings=folders)
    for path in random.Random(31).sample(paths, len(paths)):
        world.read_file(path)
    assert world.demand < len(paths) // 3
    assert status(world).totals.wasted_bytes == 0


def test_of_a_set_those_come_first_that_were_opened_most() -> None:
    learning, paths = Learning(), names(307)
    for path in [*paths, paths[3]]:
        learning.visit(path, "1")
    for path in (paths[5], *paths[20:22]):  # the second that comes again begins the next epoch
        learning.visit(path, "1")
    assert (learning.epoch, learning.before[paths[3]].visits) == (2, 2)
    for path in paths[100:200]:
        learning.visit(path, "1")
    rest = learning.rest_of_set(paths[199], {}, 1 << 40)
    assert rest is not None
    assert [entry.path for entry in rest.entries[:3]] == [paths[3], paths[0], paths[1]]


def test_where_a_file_came_again_the_rest_of_a_directory_comes_once_a_fifth_of_it_was_read() -> None:
    world, order = in_no_order(67)
    visits = [*order[:11], order[0], *order[11:]]
    for path in visits[:15]:
        world.read_file(path)
    assert world.requests == []
    for path in visits[15:]:
        world.read_file(path)
    assert world.demand <= 19


def test_files_that_are_drawn_again_and_again_are_no_set_of_which_each_comes_once() -> None:
    paths, draws = names(2003), random.Random(29)
    world = World(dict.fromkeys(paths, BLOCK), listings={"/d": [path[3:] for path in paths]})
    for _ in range(307):
        world.read_file(draws.choice(paths))
    assert world.requests == []


def test_steps_that_a_gap_leaves_to_readers_are_not_brought_in_before_it_ends() -> None:
    paths = names(101)
    world = World(dict.fromkeys(paths, BLOCK), budget=Budget(memory_bytes=11 * BLOCK))
    world.tell(Order(tuple(Entry(path) for path in paths)))
    world.settle()
    world.tell(Gap(17))  # 11 to 27
    for path in paths[:11]:
        world.read_file(path)
    assert (world.demand, status(world).alone) == (0, False)
    assert {one.path for one in world.requests} == {*paths[:11], *paths[28:39]}
    world.tell(Mode(act=True))
    for number, path in enumerate(paths[11:19], 1):
        world.read_file(path)
        assert (world.demand, status(world).alone) == (number, True)
    # Readers had not come to it when it was told to act before.  As there is no memory left, it stays as it is now.
    world.tell(Mode(act=True))
    assert not status(world).alone
    world.tell(Budget(memory_bytes=31 * BLOCK))
    world.settle()
    for path in paths[19:]:
        world.read_file(path)
    assert world.demand == 8
    assert status(world).order_position == 101


def test_several_workers_are_alone_when_all_of_them_are_and_no_step_of_a_gap_is_lost() -> None:
    """Batches of 16 for two workers in turns; of the gap the first batch is the one's, the next the other's."""
    paths = names(307)
    world = World(dict.fromkeys(paths, BLOCK), budget=Budget(memory_bytes=101 * BLOCK))
    world.tell(Order(tuple(Entry(path) for path in paths)))
    world.settle()
    world.tell(Gap(27))  # 101 to 127
    batches = [paths[at : at + 16] for at in range(0, len(paths), 16)]
    seen, none = [], list[str]()
    for both in zip_longest(batches[::2], batches[1::2], fillvalue=none):
        for pair in zip_longest(*both):
            for reader, path in zip("ab", pair, strict=True):
                if path is not None:
                    world.read_file(path, reader=reader)
                    told = status(world)
                    seen.append((told.gap, told.alone))
                    if path == paths[120]:  # both are still in it
                        world.tell(Mode(act=True))
                        world.tell(Budget(memory_bytes=131 * BLOCK))
                        world.settle()
    alone = [gap for gap, is_alone in seen if is_alone]
    assert (seen[0], seen[-1]) == ((27, False), (0, False))
    assert alone == [21, 20, 19, 18, 17, 16, 15, 14]
    assert world.demand == 13
    assert {one.path for one in world.requests} == {*paths[:101], *paths[105:112], *paths[121:]}
    assert status(world).totals.wasted_bytes == 0


@pytest.mark.parametrize("behind", [1, 63, 65, 301])
def test_a_worker_that_is_behind_takes_a_step_of_its_own_epoch(behind: int) -> None:
    sequence = Sequence(Policy.ORDER, "", trusted=True)
    paths = names(503)
    sequence.extend(Entry(path) for path in paths * 3)
    assert [sequence.visit(path, "1", 0) for path in paths[1 : behind + 1]] == list(range(1, behind + 1))
    assert (sequence.visit(paths[0], "1", 0), sequence.position) == (0, behind + 1)
    assert sequence.visit(paths[behind + 1], "1", 0) == behind + 1


def test_a_step_that_is_read_in_several_accesses_is_one_of_each_epoch() -> None:
    """As in the order of a trace, which tells what of each file was read."""
    paths, size = names(101), 7 * BLOCK
    world = World(dict.fromkeys(paths, size), budget=Budget(memory_bytes=23 * size))
    epochs = [random.Random(seed).sample(paths, len(paths)) for seed in range(3)]
    world.tell(Order(tuple(Entry(path, 0, size) for epoch in epochs for path in epoch)))
    for epoch in epochs:
        world.settle()
        for path in epoch:
            world.read_file(path)
            assert status(world).heads[-1].policy is Policy.ORDER
            world.cache = {page for page in world.cache if page[0] != path}
    found = status(world)
    assert (found.order_position, found.totals.wasted_bytes) == (303, 0)
    assert world.demand < 31


def test_a_part_of_a_file_that_was_read_whole_before_is_a_step_of_its_own() -> None:
    sequence = Sequence(Policy.ORDER, "", trusted=True)
    sequence.extend([Entry("/a"), Entry("/b"), Entry("/a", 8192, 4096)])
    accesses = [("/a", 0), ("/a", 4096), ("/b", 0), ("/a", 8192), ("/a", 10_240)]
    assert [sequence.visit(path, "1", 0, start, start + 2048) for path, start in accesses] == [0, None, 1, 2, None]


def test_a_step_that_others_went_past_leaves_what_a_later_one_needs() -> None:
    paths = names(307)
    world = World(dict.fromkeys(paths, BLOCK), budget=Budget(memory_bytes=311 * BLOCK))
    again = [*paths[:200], paths[3], *paths[200:]]
    world.tell(Order(tuple(Entry(path) for path in again)))
    world.settle()
    for path in [path for path in again[:150] if path != paths[3]]:
        world.read_file(path)
        world.now += 31_000_000
    assert status(world).order_position > 60
    for path in again[150:]:
        world.read_file(path)
    assert (world.demand, status(world).totals.wasted_bytes) == (0, 0)


def test_several_readers_that_each_follow_all_of_an_order_do_not_say_that_it_is_not_followed() -> None:
    paths = names(701)
    sequence = Sequence(Policy.ORDER, "", trusted=True)
    sequence.extend(Entry(path) for path in paths)
    for step in range(500):
        sequence.visit(paths[step], "first", step)
        for behind in (100, 200):
            if step >= behind:
                assert sequence.visit(paths[step - behind], str(behind), step) is None
        assert sequence.follows


def test_an_order_that_was_asked_for_as_a_whole_says_where_and_one_without_steps_nothing() -> None:
    world = World({FILE: BLOCK})
    world.tell(Order(()))
    assert [head.path for head in status(world).heads] == [""]
    world.tell(Order((Entry(FILE),)))
    world.settle()
    assert [head.path for head in status(world).heads] == [FILE]


def test_an_order_may_be_told_before_its_root() -> None:
    planner = Planner(0)
    planner.observe(Order((Entry("/d/file", 0, BLOCK),)), 0)
    assert planner.plan(0) == []
    planner.observe(Root("/d"), 0)
    assert [(one.path, one.size) for one in planner.plan(0)] == [("/d/file", BLOCK)]


@pytest.mark.parametrize("every", [23, None])
def test_in_an_order_that_is_guessed_a_worker_is_held_against_its_own_last_step(every: int | None) -> None:
    """One of four takes a step where the others take `every` together, or comes only when they are through."""
    sequence = Sequence(Policy.EPOCH, "", trusted=False)
    paths = names(1013)
    sequence.extend(Entry(path) for path in paths)
    slow, took = iter(range(0, len(paths), 4)), []
    for number, step in enumerate(step for step in range(len(paths)) if step % 4):
        if every and number % every == 0:
            took.append(sequence.visit(paths[next(slow)], "slow", number * 1_000_000))
        assert sequence.visit(paths[step], str(step % 4), number * 1_000_000) == step
    took += [sequence.visit(paths[step], "slow", 1_000_000_000) for step in islice(slow, 101)]
    assert took == ([4 * number for number in range(len(took))] if every else [None] * 101)
    assert sequence.follows is (every is not None)


def test_a_gap_at_the_end_of_an_order_leaves_what_there_is() -> None:
    paths = names(13)
    world = World(dict.fromkeys(paths, BLOCK))
    world.tell(Gap(3))  # no order is known yet
    world.tell(Order(tuple(Entry(path) for path in paths)))
    world.settle()
    world.tell(Gap(3))
    for path in paths:
        world.read_file(path)
    assert world.demand == 0
    assert not status(world).alone


def test_other_files_and_second_opens_do_not_lead_away_from_a_known_order() -> None:
    paths = names(101)
    world = World(dict.fromkeys(paths, BLOCK) | {f"/d/label-{number}": PAGE for number in range(101)})
    world.tell(Order(tuple(Entry(path) for path in paths)))
    for number, path in enumerate(paths):
        world.read_file(f"/d/label-{number}")
        world.read_file(path)
        world.read_file(path)
    assert [one.path for one in world.requests if one.path in paths] == paths
    assert status(world).order_position == 101


def test_a_known_order_that_nobody_follows_is_given_up() -> None:
    numbers = random.Random(23)
    places = numbers.sample(range(40_009), 10_007)
    world = World({FILE: 40_009 * PAGE}, budget=Budget(memory_bytes=MIB))
    world.tell(Order(tuple(Entry("file", place * PAGE, PAGE) for place in places)))
    world.read_all(Access(FILE, numbers.randrange(40_009) * PAGE, PAGE) for _ in range(503))
    (found,) = [head for head in status(world).heads if head.stream == "order"]
    assert (found.policy, "were not the next ones of this order" in found.why) == (Policy.NONE, True)
    assert status(world).totals.brought_bytes < 2 * MIB
