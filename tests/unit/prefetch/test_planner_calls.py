"""Calls that ask for much and are under way: what is read ahead within them, and when that ends."""

from __future__ import annotations

import pytest
from tests.unit.prefetch.simulation import BLOCK, FILE, MIB, MS, World, asked, status, with_client

from stepwell.prefetch.mounted import Client
from stepwell.prefetch.protocol import Asked, Budget, Close, Open, Run
from stepwell.prefetch.requests import Kind

COUNT = 211
SIZE = COUNT * BLOCK - 1009


def ended(world: World, offset: int, size: int, stream: str = "s") -> Run:
    return Run(stream, FILE, offset, size, 0, 1, 0, world.now, world.now, reader="1")


def test_all_of_it_is_brought_in_at_once_in_order_and_used_when_it_ends() -> None:
    world = World({FILE: SIZE})
    world.tell(Open(FILE, "1", 0))
    for _ in range(3):  # it is told again while it lasts
        world.tell(Asked(FILE, 0, 1 << 40, "1"))
        world.pass_to(world.now + 100 * MS)
    assert asked(world) == [(number * BLOCK, min((number + 1) * BLOCK, SIZE)) for number in range(COUNT)]
    assert world.most_in_flight == 32
    (head,) = status(world).heads
    assert (head.policy, head.why) == ("sequential", "a call that asks for it is under way")
    world.tell(ended(world, 0, SIZE))
    totals = status(world).totals
    assert (totals.used_bytes, totals.ahead_bytes, status(world).heads[1:]) == (SIZE, 0, ())
    assert not world.planner.board.sources.keys() & {f"calls {FILE}"}


def test_only_what_it_asks_for_comes_within_the_memory() -> None:
    world = World({FILE: SIZE}, budget=Budget(memory_bytes=31 * BLOCK))
    world.tell(Open(FILE, "1", 0))
    world.tell(Asked(FILE, 5 * BLOCK + 17, 101 * BLOCK, "1"))
    world.settle()
    assert asked(world)[0][0] == 5 * BLOCK
    assert len(asked(world)) == 31
    world.tell(Close(FILE, "1", world.now))
    assert status(world).totals.ahead_bytes == 0


def test_calls_of_several_threads_are_all_served_until_each_has_ended() -> None:
    world = World({FILE: SIZE})
    world.tell(Open(FILE, "1", 0))
    halves = [(0, 101 * BLOCK), (101 * BLOCK, 110 * BLOCK)]
    for offset, size in halves:
        world.tell(Asked(FILE, offset, size, "1"))
    world.settle()
    assert len(asked(world)) == COUNT
    world.tell(ended(world, *halves[1], "t"))
    assert status(world).totals.ahead_bytes == 101 * BLOCK
    world.tell(ended(world, *halves[0]))
    assert status(world).totals.used_bytes == SIZE


def test_a_call_that_ends_early_leaves_nothing_behind() -> None:
    world = World({FILE: SIZE})
    world.tell(Open(FILE, "1", 0))
    world.tell(Asked(FILE, 0, SIZE, "1"))
    world.settle()
    world.tell(ended(world, 0, 53 * BLOCK))
    totals = status(world).totals
    assert (totals.used_bytes, totals.wasted_bytes, totals.ahead_bytes) == (53 * BLOCK, SIZE - 53 * BLOCK, 0)


@pytest.mark.parametrize(("idle_percent", "helped"), [(90, True), (30, False)])
def test_a_client_that_reads_ahead_is_made_to_fetch_more_if_the_processors_have_time(
    idle_percent: int, helped: bool
) -> None:
    world = with_client({FILE: 64 * MIB}, Client(4 * MIB, 12, 3))
    world.tell(Open(FILE, "1", 0))
    for step in range(31):
        world.planner.processors(idle_percent * step, 100 * step, world.now)
        world.tell(Asked(FILE, 0, 64 * MIB, "1"))
        world.pass_to(world.now + 50 * MS)
    assert (len([one for one in world.requests if one.kind is Kind.TOUCH]) == 16) == helped


def test_a_client_that_fetches_blocks_is_asked_for_blocks_and_one_that_streams_for_nothing() -> None:
    blocks = with_client({FILE: 64 * MIB})
    streams = with_client({FILE: 64 * MIB}, Client(streams=True))
    for world in (blocks, streams):
        world.tell(Open(FILE, "1", 0))
        world.tell(Asked(FILE, 0, 64 * MIB, "1"))
        world.settle()
    # The first request is an ordinary one, which tells the file's size.
    touched = [one.offset for one in blocks.requests if one.kind is Kind.TOUCH]
    assert touched == [BLOCK, *(number * 4 * MIB for number in range(1, 16))]
    assert asked(streams) == []
