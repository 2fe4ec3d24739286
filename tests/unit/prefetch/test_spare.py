"""Clients that read ahead by themselves are made to do more only where the processors have time for it."""

from __future__ import annotations

from itertools import islice

import pytest
from tests.unit.prefetch.simulation import FILE, MIB, MS, asked, sequential, status, with_client

from stepwell.prefetch import machine
from stepwell.prefetch.mounted import Client
from stepwell.prefetch.protocol import Mode
from stepwell.prefetch.spare import FIRST_WATCHED_NS, WATCHED_NS, Spare


def test_it_takes_a_moment_of_reading_to_know() -> None:
    spare = Spare()
    assert spare.why_not() == ""
    spare.see(0, 0, 0, moving=False)
    assert spare.why_not() == "reads ahead by itself, and whether the processors have time for more is not known yet"
    spare.see(FIRST_WATCHED_NS, 100, 100, moving=False)  # nothing was read meanwhile
    spare.see(2 * FIRST_WATCHED_NS - 1, 150, 200, moving=True)
    assert spare.idle_permille is None
    spare.see(2 * FIRST_WATCHED_NS, 150, 201, moving=True)
    assert spare.idle_permille == 495
    assert spare.why_not() == "reads ahead by itself, and the processors idle 50 % of the time only"
    # The client has warmed up: as much is enough now, seen for longer.
    spare.see(2 * FIRST_WATCHED_NS + WATCHED_NS - 1, 190, 300, moving=True)
    assert spare.why_not()
    spare.see(2 * FIRST_WATCHED_NS + WATCHED_NS, 200, 302, moving=True)
    assert spare.idle_permille == 495
    assert spare.why_not() == ""


def test_while_a_client_warms_up_more_must_be_left() -> None:
    spare = Spare()
    spare.see(0, 0, 0, moving=True)
    spare.see(WATCHED_NS, 67, 100, moving=True)
    assert spare.why_not() == ""


def test_what_was_watched_while_more_was_fetched_does_not_count() -> None:
    spare = Spare()
    spare.see(0, 0, 0, moving=True)
    spare.see(WATCHED_NS, 10, 100, moving=True)
    assert spare.why_not() == "reads ahead by itself, and the processors idle 10 % of the time only"
    spare.see(WATCHED_NS + 1, 10, 100, moving=True)
    spare.disturb()
    spare.see(2 * WATCHED_NS, 100, 200, moving=True)
    assert spare.idle_permille == 100
    spare.see(3 * WATCHED_NS, 190, 300, moving=True)
    assert spare.idle_permille == 900


@pytest.mark.parametrize(("idle_permille", "ahead", "helped"), [(200, 2, False), (500, 2, True), (200, 0, True)])
def test_a_reader_whose_client_reads_ahead_is_helped_where_the_processors_idle(
    idle_permille: int, ahead: int, helped: bool
) -> None:
    world = with_client({FILE: 211 * MIB}, Client(4 * MIB, 15, ahead))
    for number, access in enumerate(sequential(FILE, 211 * MIB)):
        world.read("s", access)
        world.planner.processors(idle_permille * world.now // MS, 1000 * world.now // MS, world.now)
        if number == 5 and ahead:
            assert asked(world) == []
    assert bool(asked(world)) == helped
    if not helped:
        assert {head.why for head in status(world).heads} == {
            "/d's client reads ahead by itself, and the processors idle 20 % of the time only"
        }


def test_a_client_is_not_left_alone_for_busy_processors_once_that_was_measured_to_pay() -> None:
    world = with_client({FILE: 211 * MIB}, Client(4 * MIB, 15, 2))
    accesses = sequential(FILE, 211 * MIB)
    for pays in (False, True):
        world.tell(Mode(act=True, pays=pays))
        for access in islice(accesses, 97):
            world.read("s", access)
            world.planner.processors(0, world.now // MS, world.now)
        assert bool(asked(world)) == pays
    # Its blocks have a size of their own: no other is to be tried.
    assert not status(world).mounts[0].parts


def test_the_machine_tells_how_long_its_processors_idle() -> None:
    ticks = machine.processors()
    assert ticks is not None
    assert 0 < ticks[0] < ticks[1]
