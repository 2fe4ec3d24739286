"""The planner against a simulated storage: what it asks for, and when; the clock is the simulation's."""

from __future__ import annotations

import errno
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.prefetch.simulation import (
    BLOCK,
    FILE,
    KIB,
    MIB,
    MS,
    PAGE,
    ROOT,
    Access,
    World,
    asked,
    names,
    sequential,
    status,
    with_client,
)  # fmt: skip

from stepwell.prefetch.feedback import Feedback
from stepwell.prefetch.ledger import Account
from stepwell.prefetch.mounted import Client, Mounted
from stepwell.prefetch.protocol import (
    Budget,
    Close,
    Entry,
    Mode,
    Open,
    Order,
    Policy,
    Root,
)  # fmt: skip
from stepwell.prefetch.requests import BRINGING, Kind
from stepwell.prefetch.streams import Separator


def test_a_sequential_reader_waits_for_few_accesses_only() -> None:
    world = World({FILE: 211 * BLOCK})
    world.read_all(sequential(FILE, 211 * BLOCK))
    assert world.demand == 3  # until the head is believed
    assert world.waited_ns < 211 * world.latency_ns / 10
    ranges = asked(world)
    assert ranges == sorted(ranges)
    assert ranges[-1][1] == 211 * BLOCK
    totals = status(world).totals
    assert totals.brought_bytes == totals.used_bytes + totals.late_bytes == (211 - 3) * BLOCK
    assert totals.alone_ns == totals.requests * world.latency_ns // 2


@pytest.mark.parametrize("way", ["sequential", "backward", "strided", "files in a known order"])
def test_after_a_mount_was_set_otherwise_what_was_ahead_is_asked_for_again(way: str) -> None:
    paths = names(211)
    world = World({FILE: 211 * BLOCK} | dict.fromkeys(paths, BLOCK))
    accesses = list(sequential(FILE, 211 * BLOCK))
    if way == "backward":
        accesses.reverse()
    elif way == "strided":
        accesses = [Access(FILE, at * BLOCK, PAGE) for at in range(211)]
    elif way == "files in a known order":
        accesses = [Access(path, 0, BLOCK) for path in paths]
        world.tell(Order(tuple(Entry(path) for path in paths)))
    world.read_all(accesses[:101])
    before = world.demand
    world.settle()
    world.cache.clear()
    world.tell(Root(ROOT, remounted=True))
    world.read_all(accesses[101:])
    assert world.demand <= before + 1
    totals = status(world).totals
    assert totals.early_bytes > 0
    assert not status(world).stops


def test_a_backward_reader_likewise() -> None:
    world = World({FILE: 211 * BLOCK})
    world.read_all(reversed(list(sequential(FILE, 211 * BLOCK))))
    assert world.demand == 3
    ranges = asked(world)
    assert ranges == sorted(ranges, reverse=True)
    assert ranges[-1][0] == 0


@pytest.mark.parametrize("backwards", [False, True])
def test_ahead_of_a_head_come_whole_blocks_of_the_mounts_client(*, backwards: bool) -> None:
    size = 61 * MIB + 5 * KIB
    world = with_client({FILE: size})
    accesses = list(sequential(FILE, size))
    world.read_all(reversed(accesses) if backwards else accesses)
    ranges = asked(world)
    assert {one.kind for one in world.requests if one.kind in BRINGING} == {Kind.TOUCH}
    if backwards:  # the block in which the reader is has its beginning ahead of it
        assert ranges == sorted(ranges, reverse=True)
        assert ranges[-1] == (0, 4 * MIB)
        assert all(start % (4 * MIB) == 0 for start, _ in ranges)
    else:  # the block in which the reader is comes by itself
        assert ranges == [(start, min(start + 4 * MIB, size)) for start in range(ranges[0][0], size, 4 * MIB)]
        assert 0 < ranges[0][0] <= 8 * MIB
    assert world.most_in_flight <= 3
    assert status(world).totals.wasted_bytes == 0
    assert "whole blocks of its client, 4 MiB each, else" in status(world).mounts[0].mechanism


@pytest.mark.parametrize(("ahead", "kinds_within"), [(2, {Kind.BLOCK}), (0, {Kind.READ, Kind.WILLNEED})])
def test_where_the_mounts_client_reads_ahead_parts_of_files_of_several_blocks_are_read_by_an_open_file_each(
    ahead: int, kinds_within: set[Kind]
) -> None:
    """Its client follows positions in each open file."""
    small = names(31)
    world = with_client({FILE: 211 * MIB, **dict.fromkeys(small, BLOCK)}, Client(4 * MIB, 3, ahead))
    world.read_all(Access(FILE, at * MIB, PAGE) for at in range(4, 211))
    world.tell(Order(tuple(Entry(path) for path in small)))
    world.settle()
    kinds = {path: {one.kind for one in world.requests if one.path == path} & BRINGING for path in (FILE, *small)}
    assert kinds.pop(FILE) == kinds_within
    assert set.union(*kinds.values()) <= {Kind.READ, Kind.WILLNEED}
    assert world.demand <= 13


def test_where_the_mounts_client_reads_enough_ahead_by_itself_it_is_left_alone() -> None:
    world = with_client({FILE: 61 * MIB, "/d/other": 61 * MIB})
    for one, other in zip(sequential(FILE, 61 * MIB), sequential("/d/other", 61 * MIB), strict=True):
        world.read("s", one)
        world.read("t", other)
    assert asked(world) == asked(world, "/d/other") == []
    for head in status(world).heads:
        assert (head.policy, "reads 2 blocks ahead of each reader by itself" in head.why) == (Policy.NONE, True)


def test_a_client_that_is_set_otherwise_meanwhile_is_known_anew() -> None:
    world = with_client({FILE: 211 * MIB})
    accesses = list(sequential(FILE, 211 * MIB))
    world.read_all(accesses[:307])
    before = asked(world)
    assert before
    world.planner.described("/d", Mounted(1, BLOCK, Client(4 * MIB, 3, 3)))
    world.read_all(accesses[307:])
    assert asked(world) == before


@pytest.mark.parametrize("backwards", [False, True])
def test_where_the_mounts_client_streams_each_open_file_it_is_left_alone(*, backwards: bool) -> None:
    world = with_client({FILE: 211 * MIB}, Client(streams=True))
    accesses = list(sequential(FILE, 61 * MIB))
    world.read_all(reversed(accesses) if backwards else accesses)
    assert asked(world) == []
    ((policy, why),) = {(head.policy, head.why) for head in status(world).heads}
    assert policy is Policy.NONE
    assert "streams each open file" in why
    world.tell(Close(FILE, "1", world.now))
    assert status(world).why == why


def test_a_file_that_the_mounts_client_streams_and_that_is_read_at_random_is_left_alone() -> None:
    world = with_client({FILE: MIB}, Client(streams=True))
    rng = random.Random(3)
    world.read_all(Access(FILE, rng.randrange(MIB // PAGE) * PAGE, PAGE) for _ in range(211))
    assert asked(world) == []
    (whole,) = (head for head in status(world).heads if head.stream == f"file {FILE}")
    assert whole.policy is Policy.NONE
    assert "streams each open file" in whole.why


def test_whole_blocks_are_of_no_use_to_strides_nor_to_a_small_memory() -> None:
    world = with_client({FILE: 211 * MIB})
    world.read_all(Access(FILE, at, 64 * KIB) for at in range(0, 211 * MIB, 8 * MIB))
    assert {end - start for start, end in asked(world)} == {64 * KIB}
    world = with_client({FILE: 31 * MIB}, budget=Budget(memory_bytes=15 * MIB))
    world.read_all(sequential(FILE, 31 * MIB))
    assert max(end - start for start, end in asked(world)) == BLOCK


@pytest.mark.parametrize("stride", [8 * MIB, -8 * MIB, 1_000_003])
def test_of_a_strided_reader_only_the_strides_are_asked_for(stride: int) -> None:
    size, count = 64 * KIB, 61
    first = 0 if stride > 0 else 60 * -stride
    wanted = [Access(FILE, first + step * stride, size) for step in range(count)]
    world = World({FILE: 61 * abs(stride)})
    world.read_all(wanted)
    assert world.demand <= 8
    pages = {page for one in wanted for page in range(one.offset // PAGE, -(-(one.offset + size) // PAGE))}
    for start, end in asked(world):
        assert set(range(start // PAGE, -(-end // PAGE))) <= pages
    assert status(world).heads[0].policy is Policy.STRIDED


@pytest.mark.parametrize("stride", [BLOCK, MIB])
def test_of_rows_of_a_grid_only_the_rows_are_asked_for(stride: int) -> None:
    rows, pieces, outer = 43, 17, 64 * MIB
    world = World({FILE: rows * outer})
    world.read_all(Access(FILE, row * outer + piece * stride, BLOCK) for row in range(rows) for piece in range(pieces))
    grid = {row * outer + piece * stride for row in range(rows) for piece in range(pieces)}
    found = [start for start, _ in asked(world) if start >= 2 * outer + pieces * stride]
    assert set(found) == {one for one in grid if one >= 3 * outer}
    assert len(found) == len(set(found))
    totals = status(world).totals
    assert world.demand <= 23  # two rows, and the beginning of the third
    assert totals.wasted_bytes <= totals.brought_bytes // 10


def test_heads_that_take_turns_in_one_stream_are_found_each() -> None:
    far = 64 * MIB
    world = World({FILE: 128 * MIB})
    for number in range(101):
        world.read("s", Access(FILE, number * 64 * KIB, 64 * KIB))
        world.read("s", Access(FILE, far + number * MIB // 2, 16 * KIB))
        world.read("s", Access(FILE, far - (number + 1) * 32 * KIB, 32 * KIB))
    assert {head.policy for head in status(world).heads} == {Policy.SEQUENTIAL, Policy.BACKWARD, Policy.STRIDED}
    assert world.demand <= 3 * 5


def test_a_policy_changes_with_the_pattern() -> None:
    world = World({FILE: 1 << 30})
    world.read_all(sequential(FILE, 31 * BLOCK))
    before = world.demand
    world.read_all(Access(FILE, (512 << 20) + number * 4 * MIB, 64 * KIB) for number in range(31))
    assert world.demand - before <= 8
    assert [head.policy for head in status(world).heads][-1] is Policy.STRIDED


def test_the_rest_of_a_file_read_at_random_comes_in_if_it_fits() -> None:
    pages, numbers = 1009, random.Random(11)
    world = World({FILE: pages * PAGE})
    world.read_all(Access(FILE, numbers.randrange(pages) * PAGE, PAGE) for _ in range(2003))
    assert world.demand < 2 * pages // 5
    assert sum(end - start for start, end in asked(world)) >= pages * PAGE // 2
    assert status(world).totals.brought_bytes <= pages * PAGE


def test_a_file_that_is_opened_anew_for_every_few_accesses_is_read_at_random_all_the_same() -> None:
    """As numpy.memmap in each step of a training: the next one is opened before the last one is closed."""
    pages, numbers = 1009, random.Random(11)
    world = World({FILE: pages * PAGE})
    for number in range(67):
        world.tell(Open(FILE, "1", world.now))
        accesses = (Access(FILE, numbers.randrange(pages) * PAGE, PAGE) for _ in range(13))
        world.read_all(accesses, stream=str(number))
        if number:
            world.tell(Close(FILE, "1", world.now))
    assert world.demand < 300
    assert status(world).totals.early_bytes == 0


def test_nothing_comes_in_of_a_file_read_at_random_that_does_not_fit() -> None:
    numbers = random.Random(13)
    world = World({FILE: 1 << 30}, budget=Budget(memory_bytes=64 * MIB))
    world.read_all(Access(FILE, numbers.randrange(1 << 18) * PAGE, PAGE) for _ in range(2003))
    assert sum(end - start for start, end in asked(world)) <= 5 * 2003 * PAGE


def test_a_reader_that_computes_is_left_alone() -> None:
    world = World({FILE: 101 * BLOCK}, think_ns=2000 * MS)
    world.read_all(sequential(FILE, 101 * BLOCK))
    assert world.requests == []
    assert "never waits: accesses are 1.0 % of its time" in status(world).heads[0].why


def test_what_is_cached_is_left_alone() -> None:
    world = World({FILE: 101 * BLOCK})
    world.cache.update((FILE, page) for page in range(101 * BLOCK // PAGE))
    world.read_all(sequential(FILE, 101 * BLOCK))
    assert world.requests == []
    assert "already in memory" in status(world).heads[0].why


def test_a_reader_that_stops_is_not_run_away_from() -> None:
    world = World({FILE: 1 << 30}, budget=Budget(in_flight=31))
    world.read_all(sequential(FILE, 101 * BLOCK))
    world.pass_to(world.now + 60_000 * MS)
    furthest = max(end for _, end in asked(world))
    assert furthest - 101 * BLOCK <= 2 * 31 * BLOCK + BLOCK
    assert [one for one in world.requests[-1:] if one.kind is Kind.LOOK]


def test_a_stopped_reader_gives_its_memory_to_one_that_reads() -> None:
    world = World({FILE: 1 << 30, "/d/other": 1 << 30}, budget=Budget(memory_bytes=4 * BLOCK))
    world.read_all(sequential(FILE, 31 * BLOCK))
    world.settle()
    world.think_ns = 100 * MS
    world.read_all(sequential("/d/other", 211 * BLOCK), stream="t")
    assert max(end for _, end in asked(world, "/d/other")) > 200 * BLOCK
    assert status(world).totals.wasted_bytes > 0


def test_what_was_not_reached_when_the_file_is_closed_is_wasted() -> None:
    world = World({FILE: 1 << 30})
    world.tell(Open(FILE, "1", world.now))
    world.read_all(sequential(FILE, 53 * BLOCK))
    world.settle()
    before = status(world).totals
    world.tell(Close(FILE, "1", world.now))
    closed = status(world)
    after = closed.totals
    assert [(head.path, head.policy) for head in closed.ended] == [(FILE, Policy.SEQUENTIAL)]
    assert (closed.heads, status(world).ended) == ((), ())
    assert (before.wasted_bytes, after.wasted_bytes) == (0, before.ahead_bytes)
    assert after.ahead_bytes == 0


def test_of_a_file_whose_accesses_were_not_all_told_the_rest_counts_as_used() -> None:
    world = World({FILE: 211 * BLOCK})
    world.tell(Order((Entry(FILE),), done=True))
    world.tell(Open(FILE, "1", world.now))
    world.settle()
    world.read(FILE, Access(FILE, 0, BLOCK))
    world.tell(Close(FILE, "1", world.now, untold=True))
    totals = status(world).totals
    assert (totals.used_bytes, totals.wasted_bytes) == (211 * BLOCK, 0)


def test_what_a_stopped_policy_loses_of_what_came_before_lengthens_no_stop() -> None:
    feedback, accounts = Feedback(), {Policy.STRIDED: Account(used=64 * MIB, early=8 * MIB)}
    second = 1_000_000_000
    feedback.judge(accounts, second)
    for now in range(2, 11):
        accounts[Policy.STRIDED].early += 8 * MIB
        feedback.judge(accounts, now * second)
    assert (feedback.due_ns(), feedback.resumes(11 * second - 1)) == (11 * second, False)
    assert feedback.resumes(11 * second)
    assert (feedback.due_ns(), feedback.stopped(Policy.STRIDED, 11 * second)) == (None, False)


def test_an_order_without_readers_goes_on_by_itself_when_its_stop_has_ended() -> None:
    world = World({f"/d/{number}": BLOCK for number in range(401)}, budget=Budget(memory_bytes=1009 * BLOCK))
    world.tell(Order(tuple(Entry(path) for path in world.files)))
    world.settle()
    world.cache.clear()  # the machine has no such memory
    world.pass_to(17_000_000_000)
    assert status(world).stops
    world.files |= {f"/d/{number}": BLOCK for number in range(401, 503)}
    world.tell(Order(tuple(Entry(f"/d/{number}") for number in range(401, 503))))
    assert not asked(world, "/d/450")
    world.pass_to(29_000_000_000)
    assert asked(world, "/d/450")


def test_a_file_that_one_process_has_open_twice_is_read_on_when_it_closes_one_of_them() -> None:
    world = World({FILE: 101 * BLOCK})
    world.tell(Open(FILE, "1", world.now))
    world.tell(Open(FILE, "1", world.now))
    world.read_all(list(sequential(FILE, 101 * BLOCK))[:53])
    world.tell(Close(FILE, "1", world.now))
    assert status(world).totals.wasted_bytes == 0
    world.read_all(list(sequential(FILE, 101 * BLOCK))[53:])
    assert (status(world).totals.seen_accesses, world.demand) == (101, 3)


def test_a_place_that_is_read_again_and_again_is_taken_in_at_once() -> None:
    separator = Separator()
    assert separator.accesses(PAGE, PAGE, 0, 1 << 60) == []
    assert separator.seen == 1 << 60


def test_a_policy_that_does_not_pay_is_stopped_with_its_reason() -> None:
    world = World({f"/d/{number}": 1 << 30 for number in range(211)})
    for number in range(211):
        path = f"/d/{number}"
        world.tell(Open(path, "1", world.now))
        world.read_all(sequential(path, 11 * BLOCK), stream=path)
        world.tell(Close(path, "1", world.now))
    found = status(world)
    assert found.state == "stopped"
    assert "sequential: stopped for" in found.stops[0]
    assert "for nothing" in found.stops[0]
    # What it cost until then, and when it was tried again, is little.
    assert found.totals.wasted_bytes < found.totals.brought_bytes // 8


def test_where_an_open_forgets_what_is_in_memory_it_is_not_brought_in_for_long() -> None:
    paths = names(401)
    world = World(dict.fromkeys(paths, BLOCK), budget=Budget(memory_bytes=4 * MIB), forgets=True)
    world.tell(Order(tuple(Entry(path) for path in paths), done=True))
    world.settle()
    for path in paths:
        world.read_file(path)
    found = status(world)
    assert found.totals.used_bytes <= BLOCK
    assert found.totals.early_bytes >= 12 * MIB
    assert found.totals.brought_bytes <= 17 * MIB  # of 50: what is judged each second, and what may be ahead
    assert "brought in for nothing" in found.stops[0]


def test_early_bytes_are_seen_where_they_were_evicted() -> None:
    world = World({FILE: 1 << 30})
    world.read_all(sequential(FILE, 53 * BLOCK))
    world.settle()
    ahead = status(world).totals.ahead_bytes
    world.cache.clear()
    world.pass_to(world.now + 60_000 * MS)
    world.tell(Mode(act=True))
    totals = status(world).totals
    assert totals.early_bytes > 0
    assert totals.early_bytes + totals.ahead_bytes == ahead


def test_nothing_is_issued_while_told_to_watch() -> None:
    world = World({FILE: 1 << 30})
    world.tell(Mode(act=False))
    world.read_all(sequential(FILE, 31 * BLOCK))
    assert world.requests == []
    assert status(world).state == "watching"
    world.tell(Mode(act=True))
    assert asked(world)[0][0] == 31 * BLOCK


def test_a_plan_forbids_policies_and_sets_block_requests_and_window() -> None:
    world = World({FILE: 1 << 30})
    world.tell(Root("/d", policies=(Policy.STRIDED,)))
    world.read_all(sequential(FILE, 31 * BLOCK))
    assert world.requests == []
    world.tell(Root("/d", block_bytes=32 * KIB, in_flight=3, window_bytes=256 * KIB))
    world.read_all(Access(FILE, (31 + number) * BLOCK, BLOCK) for number in range(31))
    assert {one.size for one in world.requests} == {32 * KIB}
    assert world.most_in_flight == 3


def test_another_dataset_and_what_lies_beside_it_are_not_touched() -> None:
    world = World({"/dd/file": 1 << 30})
    world.read_all(sequential("/dd/file", 31 * BLOCK))
    assert world.requests == []


def test_a_broken_file_is_left_until_it_is_opened_again() -> None:
    paths = names(11)
    world = World(dict.fromkeys(paths, BLOCK), broken={paths[3]: errno.EIO})
    world.tell(Order(tuple(Entry(path) for path in paths * 2)))
    world.settle()
    assert [one.path for one in world.requests].count(paths[3]) == 1
    assert status(world).errors == {"EIO": 1}
    assert status(world).totals.ahead_bytes == 10 * BLOCK


def test_a_file_that_grows_is_read_ahead_of_further() -> None:
    world = World({FILE: 53 * BLOCK})
    world.read_all(sequential(FILE, 53 * BLOCK))
    assert max(end for _, end in asked(world)) == 53 * BLOCK
    world.files[FILE] = 211 * BLOCK
    world.read_all(list(sequential(FILE, 211 * BLOCK))[53:])
    assert max(end for _, end in asked(world)) == 211 * BLOCK


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from(["forward", "backward", "stride", "random", "files"]), st.integers(1, 40),
                  st.integers(1, 300_000)),
        max_size=6,
    ),
    st.integers(1, 64), st.integers(0, 8 * MIB), st.sampled_from([0, MIB, 64 * MIB]), st.integers(1, 8 * MIB),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_whatever_readers_do_the_budgets_hold(
    phases: list[tuple[str, int, int]], in_flight: int, memory: int, bandwidth: int, size: int, numbers: random.Random
) -> None:
    """The simulation asserts memory and requests in flight at every step; here is what holds over all requests."""
    files = dict.fromkeys(names(13), size) | {FILE: size}
    budget = Budget(memory_bytes=memory, bandwidth_bytes_s=bandwidth, in_flight=in_flight)
    world = World(files, budget=budget, listings={"/d": [path[3:] for path in files]})
    for kind, count, step in phases:
        if kind == "files":
            for path in names(13)[: count % 14]:
                world.read_file(path)
            continue
        offset = 0 if kind != "backward" else size
        for _ in range(count):
            length = min(step, 64 * KIB) if kind == "stride" else step
            offset = {"backward": offset - step, "random": numbers.randrange(size)}.get(kind, offset)
            if 0 <= offset < size:
                world.read("s", Access(FILE, offset, min(length, size - offset)))
            offset += 0 if kind == "backward" else 2 * step if kind == "stride" else step
    world.settle()
    told = status(world)
    totals = told.totals
    fates = totals.used_bytes + totals.late_bytes + totals.early_bytes + totals.wasted_bytes + totals.ahead_bytes
    assert totals.brought_bytes == fates
    assert told.most_ahead_bytes <= memory
    assert world.most_in_flight <= in_flight
    assert all(one.path in files and one.size > 0 for one in world.requests)
    known: set[str] = set()
    for one in world.requests:
        # Before the size is known, one request a file may reach beyond its end; the worker cuts it off.
        assert one.offset + one.size <= size or one.path not in known
        if one.offset + one.size > size:
            known.add(one.path)
    if bandwidth:
        assert totals.brought_bytes <= bandwidth * (world.now / 1e9 + 0.02) + in_flight * BLOCK


@given(st.integers(1, 2**40), st.integers(1, 8), st.integers(2, 200), st.integers(1, 2**20))
def test_a_head_asks_for_no_range_twice(first: int, apart: int, count: int, size: int) -> None:
    world = World({FILE: 1 << 62}, latency_ns=MS)
    world.read_all(Access(FILE, first + step * apart * size, size) for step in range(count))
    seen: set[int] = set()
    for start, end in asked(world):
        pages = set(range(start // PAGE, -(-end // PAGE)))
        assert not pages & seen
        seen |= pages


def test_a_storage_that_hangs_is_asked_nothing_new_and_others_are() -> None:
    paths = names(31)
    world = World(dict.fromkeys(paths, BLOCK) | {"/e/other": 1 << 30}, hanging={paths[2]}, budget=Budget(in_flight=5))
    world.tell(Root("/e"))
    world.planner.described("/d", Mounted(1, BLOCK))
    world.planner.described("/e", Mounted(2, BLOCK))
    world.tell(Order(tuple(Entry(path) for path in paths[:11])))
    world.settle()
    assert len(world.requests) == 11
    world.pass_to(world.now + 11_000 * MS)
    world.tell(Order(tuple(Entry(path) for path in paths[11:])))
    world.pass_to(world.now + 1000 * MS)
    found = status(world)
    assert len([one for one in world.requests if one.kind is not Kind.LOOK]) == 11
    assert (found.in_flight, found.mounts[0].hung, found.mounts[1].hung) == (1, 1, 0)
    assert found.why == "1 requests to /d hang"
    world.read_all(sequential("/e/other", 31 * BLOCK))
    assert world.demand == 3


def test_what_lies_ready_of_a_file_that_was_replaced_is_wasted() -> None:
    world = World({FILE: 1 << 30})
    world.read_all(sequential(FILE, 31 * BLOCK))
    world.settle()
    ahead = status(world).totals.ahead_bytes
    world.inodes[FILE] = 7
    world.read_all(list(sequential(FILE, 32 * BLOCK))[31:])
    world.settle()
    assert status(world).totals.wasted_bytes == ahead - BLOCK


def test_a_reader_in_bursts_gets_a_window_for_its_bursts() -> None:
    world = World({FILE: 1 << 30})
    accesses = list(sequential(FILE, 20 * 16 * BLOCK))
    for burst in range(20):
        before = world.waited_ns
        world.read_all(accesses[burst * 16 : (burst + 1) * 16])
        waited = world.waited_ns - before
        world.pass_to(world.now + 150 * MS)
    assert waited <= 2 * world.latency_ns
