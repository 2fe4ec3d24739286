from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stepwell.prefetch.machine import measure, room

GIB = 1 << 30


def test_a_twentieth_is_left_alone() -> None:
    assert room(10 * GIB, 20 * GIB, 0.0) == (9 * GIB, "")
    assert room(GIB, 20 * GIB, 0.0) == (0, "memory is short: 1024 MiB of 20480 MiB are left")


def test_nothing_comes_in_while_tasks_wait_for_memory() -> None:
    assert room(10 * GIB, 20 * GIB, 9.9)[0] > 0
    assert room(10 * GIB, 20 * GIB, 10.0) == (0, "memory is short: tasks waited for it 10 % of the last 10 s")


@given(st.integers(-GIB, GIB), st.integers(1, GIB), st.floats(0, 100))
def test_a_reason_is_given_exactly_when_there_is_no_room(available: int, total: int, stalled: float) -> None:
    left, why = room(available, total, stalled)
    assert (left == 0) == bool(why)
    assert 0 <= left <= max(available, 0)


def test_this_machine_is_measured() -> None:
    left, why = measure()
    assert 0 <= left < 1 << 62
    assert (left == 0) == bool(why)
