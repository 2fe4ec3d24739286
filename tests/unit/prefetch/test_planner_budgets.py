"""The budgets of bandwidth and memory, and memory that is short, against a simulated storage."""

from __future__ import annotations

import pytest
from tests.unit.prefetch.simulation import BLOCK, FILE, MIB, MS, PAGE, World, names, sequential, status

from stepwell.prefetch.mounted import Mounted
from stepwell.prefetch.protocol import Budget, Close, Entry, Mode, Open, Order
from stepwell.prefetch.requests import Kind


def test_bandwidth_is_kept_within_5_percent_and_changes_at_once() -> None:
    paths = names(2003)
    world = World(dict.fromkeys(paths, BLOCK), latency_ns=MS, budget=Budget(bandwidth_bytes_s=8 * MIB))
    world.tell(Order(tuple(Entry(path) for path in paths)))
    for rate in (8 * MIB, 32 * MIB, 4 * MIB):
        world.tell(Budget(bandwidth_bytes_s=rate))
        before = status(world).totals.brought_bytes
        world.pass_to(world.now + 4000 * MS)
        assert status(world).totals.brought_bytes - before == pytest.approx(4 * rate, rel=0.05)


@pytest.mark.parametrize("latency_ms", [1, 20, 100])
@pytest.mark.parametrize("block", [BLOCK, 4 * MIB])
@pytest.mark.parametrize("rate", [1 * MIB, 16 * MIB])
def test_bandwidth_is_kept_to_where_files_turn_out_to_be_smaller_than_a_request(
    latency_ms: int, block: int, rate: int
) -> None:
    paths = names(11 * rate // 70_001 * 2)
    sizes = {path: 70_001 if number % 5 else 5 * PAGE for number, path in enumerate(paths)}
    world = World(sizes, latency_ns=latency_ms * MS, budget=Budget(bandwidth_bytes_s=rate))
    world.planner.described("/d", Mounted(1, block))
    world.tell(Order(tuple(Entry(path) for path in paths)))
    world.pass_to(1000 * MS)
    before = status(world).totals.brought_bytes
    world.pass_to(6_000 * MS)
    assert status(world).totals.brought_bytes - before == pytest.approx(5 * rate, rel=0.05)


def test_while_memory_is_short_nothing_comes_in_and_what_is_useless_goes() -> None:
    world = World({FILE: 1 << 30})
    world.tell(Open(FILE, "1", world.now))
    world.read_all(sequential(FILE, 31 * BLOCK))
    world.settle()
    before, ahead = len(world.requests), status(world).totals.ahead_bytes
    world.planner.pressure(0, "memory is short")
    world.read_all(list(sequential(FILE, 33 * BLOCK))[31:])
    # What is read makes room for as much, not for more.
    assert status(world).totals.ahead_bytes <= ahead
    world.tell(Close(FILE, "1", world.now))
    world.pass_to(world.now + 2000 * MS)
    world.tell(Mode(act=True))
    world.settle()
    dropped = [one for one in world.requests[before:] if one.kind is Kind.DROP]
    assert sum(one.size for one in dropped) == status(world).totals.wasted_bytes > 0
    assert not any(page >= 33 * BLOCK // PAGE for _, page in world.cache)
    assert status(world).why == "memory is short"


def test_an_order_that_found_no_memory_begins_by_itself_when_there_is_some() -> None:
    world = World(dict.fromkeys(names(31), BLOCK))
    world.planner.pressure(0, "memory is short")
    world.tell(Order(tuple(Entry(path) for path in names(31))))
    world.pass_to(5003 * MS)
    assert not world.requests
    due = world.planner.due_ns(world.now)
    assert due is not None
    assert due <= world.now + 1000 * MS
    world.planner.pressure(11 * BLOCK, "")
    world.pass_to(due)
    assert len(world.requests) == 11


def test_what_is_in_memory_costs_no_bandwidth() -> None:
    paths = names(61)
    world = World(dict.fromkeys(paths, BLOCK), budget=Budget(bandwidth_bytes_s=8 * MIB))
    # Never sixteen in a row, so that each is looked at.
    cached = [path for number, path in enumerate(paths) if number % 7]
    world.cache.update((path, page) for path in cached for page in range(BLOCK // PAGE))
    world.tell(Order(tuple(Entry(path) for path in paths)))
    world.pass_to(600 * MS)
    assert len(world.requests) == 61
    assert status(world).totals.brought_bytes == 9 * BLOCK
