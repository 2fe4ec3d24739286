"""Whether readers wait, from what is seen of them now and then."""

from __future__ import annotations

from stepwell.steer.meter import Waits

MS = 1_000_000


def seen(*looks: tuple[int, int, int]) -> list[bool]:
    """Return what is believed after each look: its time and the time waited up to then, in ms, and the bytes."""
    waits = Waits()
    found = []
    for now, octets, waited in looks:
        waits.see(now * MS, octets, waited * MS)
        found.append(waits.now)
    return found


def test_readers_who_have_not_begun_are_looked_at_closely() -> None:
    assert seen((503, 0, 0), (1009, 0, 0)) == [True, True]


def test_between_two_bursts_of_a_slow_storage_readers_wait_on() -> None:
    assert seen((25, 4096, 23), (50, 4096, 23), (103, 4096, 23), (251, 8192, 211), (499, 8192, 211)) == 5 * [True]


def test_readers_of_what_is_in_memory_do_not_wait() -> None:
    assert seen((25, 4096, 0), (251, 8192, 1), (307, 16384, 1)) == [True, False, False]


def test_readers_who_begin_to_wait_are_noticed_at_once() -> None:
    assert seen((307, 4096, 0), (409, 8192, 2)) == [False, True]
