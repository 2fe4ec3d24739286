from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stepwell.prefetch.windows import EARLY, HALF_LIFE_NS, Waits, Window, least, most

MS = 1_000_000


def test_a_window_doubles_when_late_once_a_request_and_up_to_a_limit() -> None:
    window = Window(100)
    window.late(20 * MS, 20 * MS, 350)
    window.late(21 * MS, 20 * MS, 350)
    assert window.target == 200
    window.late(40 * MS, 20 * MS, 350)
    assert window.target == 350
    window.late(60 * MS, 20 * MS, 300)
    assert window.target == 350


def test_a_window_shrinks_when_bytes_lie_ready_for_long_and_not_below_what_is_needed() -> None:
    window = Window(1000)
    window.used(1000 * MS, EARLY * 20 * MS, 20 * MS, 700)
    assert window.target == 1000
    window.used(1000 * MS, EARLY * 20 * MS + 1, 20 * MS, 700)
    assert window.target == 750
    window.used(2000 * MS, EARLY * 20 * MS + 1, 20 * MS, 700)
    assert window.target == 700


def test_the_smallest_window_is_twice_what_is_consumed_meanwhile() -> None:
    assert least(1e9, 20 * MS, 10 * MS, 4096) == 60_000_000 + 4096
    assert most(32, 4096, 1e9, 10 * MS) == 2 * (32 * 4096 + 10_000_000)


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(1, 10 * HALF_LIFE_NS)), min_size=1, max_size=50))
def test_what_was_long_ago_is_forgotten(told: list[tuple[int, int]]) -> None:
    waits = Waits()
    for accesses, span_ns in told:
        waits.add(accesses, 4096, span_ns, span_ns // 3)
    assert 0 < waits.span_ns <= 2 * HALF_LIFE_NS
    assert waits.latency_ns <= waits.span_ns
    assert waits.bytes == waits.accesses * 4096


def test_without_a_measured_latency_nothing_is_held_against_a_reader() -> None:
    waits = Waits()
    waits.add(1000, 4096, HALF_LIFE_NS, None)
    assert waits.why_not() == ""
    waits.add(1000, 4096, HALF_LIFE_NS, 1000 * MS)
    assert waits.why_not() == ""
