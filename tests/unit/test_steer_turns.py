"""When acting goes on and off: readers simulated, time told."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.analysis.thresholds import steer as limits
from stepwell.analysis.verdicts import Deeds, judge
from stepwell.steer.progress import Progress
from stepwell.steer.turns import Turns

TICK = limits.SECOND_NS // 10
MB = 1_000_000
DEEDS = Deeds(requests=1, brought_bytes=1 << 60, used_bytes=1 << 60)
"""All that was read had been brought in."""


def steered(seconds: int, slow: float, fast: float) -> tuple[Turns, float]:
    """Return turns over a reader of `slow` MB a tick alone and `fast` with help, and for which share it was helped."""
    turns, octets, helped = Turns(), 0, 0
    for tick in range(1, 10 * seconds + 1):
        octets += int((fast if turns.acting else slow) * (1 + 0.1 * (tick % 3)) * MB)
        helped += turns.acting
        turns.step(Progress(tick * TICK, octets, tick * TICK // 2, helped))
    turns.end(Progress(10 * seconds * TICK, octets, 0, helped))
    return turns, helped / (10 * seconds)


def test_help_goes_on_ever_longer_and_its_effect_is_found() -> None:
    turns, share = steered(600, 1, 7)
    assert share > 0.93
    verdict = judge(turns.windows, DEEDS)
    assert verdict.verdict == "helped"
    assert verdict.low is not None
    assert verdict.high is not None
    assert verdict.low < 7 < verdict.high * 1.05
    assert len(turns.windows) < 500


def test_great_harm_is_tried_twice_and_not_again() -> None:
    turns, share = steered(61, 7, 1)
    assert turns.reason == "its readers got less than 1/2 of what they got alone, in two turns"
    assert not turns.acting
    assert share < 0.02


def test_what_pays_is_known_after_the_first_rest_and_not_cut_short_while_its_window_fills() -> None:
    turns, octets, since = Turns(), 0, 0
    began: list[tuple[int, bool]] = []
    for tick in range(1, 301):
        since = since + 1 if turns.acting else 0
        # What is brought in comes to its reader after 0.7 s; until then that costs a third, but not in the first turn.
        filling = 3 if len(began) < 2 else 2
        octets += (6 if since >= 7 else filling if turns.acting else 3) * MB
        acting = turns.acting
        turns.step(Progress(tick * TICK, octets, 0, tick))
        if turns.acting and not acting:
            began.append((tick, turns.pays))
    assert [pays for _, pays in began] == [False, *[True] * (len(began) - 1)]
    assert all(later - earlier >= limits.ACTING_NS // TICK for (earlier, _), (later, _) in pairwise(began[1:]))
    assert judge(turns.windows, DEEDS).verdict == "helped"


@pytest.mark.parametrize(("gain", "seconds"), [(7, [4, 8, 16, 32]), (1.5, [4, 4, 4, 4])])
def test_where_it_helps_very_much_rests_become_rare_at_once(gain: float, seconds: list[int]) -> None:
    turns, octets, began, lengths = Turns(), 0, 0, []
    for tick in range(1, 901):
        octets += round((gain if turns.acting else 1) * MB)
        acted = turns.acting
        turns.step(Progress(tick * TICK, octets, 0, tick))
        if turns.acting and not acted:
            began = tick
        if acted and not turns.acting:
            lengths.append((tick - began) * TICK // limits.SECOND_NS)
    assert lengths[:4] == seconds


def test_what_is_measured_under_one_setting_of_mounts_is_not_held_against_another() -> None:
    turns, octets, settings = Turns(), 0, (1, 5)
    for tick in range(1, 701):
        octets += settings[tick > 100] * (2 if turns.acting else 1) * MB
        now = Progress(tick * TICK, octets, 0, tick)
        if tick in {100, 101}:
            turns.skip(now)
        else:
            turns.step(now)
        if tick == 101:
            assert {one.acting for one in turns.measured} == {False, True}
            turns.restart(now)
            assert not turns.acting
            assert turns.measured[-1].start_ns < 101 * TICK
    assert {one.start_ns > 101 * TICK for one in turns.measured} == {True}
    verdict = judge(turns.measured, DEEDS)
    assert verdict.ratio is not None
    assert 1.9 < verdict.ratio < 2.1
    turns.restart(now)
    assert turns.measured[0].start_ns > 101 * TICK


def test_the_first_window_has_only_what_was_waited_in_it() -> None:
    """Two readers wait for 0.4 s; a look comes 0.1 s before their first bytes."""
    turns = Turns()
    for tick, octets, waited in ((1, 0, 0), (4, 0, 0), (5, MB, 8 * TICK), (6, 2 * MB, 9 * TICK)):
        turns.step(Progress(tick * TICK, octets, waited, began_ns=TICK))
    assert [(one.length_ns, one.waited_ns) for one in turns.windows] == [(TICK, 2 * TICK), (TICK, TICK)]


def test_before_anything_is_done_three_windows_are_enough_and_each_has_something_read() -> None:
    turns, look = Turns(), limits.FIRST_WINDOW_NS
    for number in range(1, 13):
        assert not turns.acting
        turns.step(Progress(number * look, number // 4 * MB, 0))
    assert turns.acting
    assert [(one.length_ns, one.bytes) for one in turns.windows] == [(look, MB), *[(4 * look, MB)] * 2]


def test_moments_in_which_something_else_is_tried_are_in_no_window() -> None:
    turns = Turns()
    for tick in range(1, 7):
        turns.step(Progress(tick * TICK, tick * MB, 0))
    before = list(turns.windows)
    assert turns.acting
    for tick in range(7, 207):
        turns.skip(Progress(tick * TICK, tick * 101 * MB, 0))
        assert turns.acting, "however long that takes"
    turns.step(Progress(207 * TICK, (206 * 101 + 1) * MB, 0, 1))
    assert turns.windows[: len(before)] == before
    assert sum(window.bytes for window in turns.windows[len(before) :]) == MB
    assert sum(window.length_ns for window in turns.windows[len(before) :]) == TICK


def test_what_comes_in_bursts_is_not_worse_before_the_next_one_is_due() -> None:
    turns, octets = Turns(), 0
    for tick in range(1, 101):  # a burst every second
        octets += 7 * MB if tick % 10 == 0 else 0
        before = turns.acting
        turns.step(Progress(tick * TICK, octets, 0, tick))
        if before and not turns.acting:
            break
    assert sum(window.length_ns for window in turns.windows if window.acting) >= limits.ACTING_NS


def test_where_it_is_known_what_will_be_read_acting_begins_at_once() -> None:
    turns = Turns(known=True)
    assert turns.acting
    turns.step(Progress(TICK, MB, 0, 1))
    turns.step(Progress(2 * TICK, 2 * MB, 0, 2))
    assert [(window.acting, window.bytes) for window in turns.windows] == [(True, MB), (True, MB)]
    for tick in range(3, 100):
        turns.step(Progress(tick * TICK, tick * MB, 0, tick, gap=limits.GAP))
    assert {window.acting for window in turns.windows} == {True, False}


def test_of_a_known_order_some_steps_are_left_to_readers_who_live_on_what_is_ahead() -> None:
    """Ten seconds are ahead of readers: a rest would show nothing, and steps that are left are come to as late."""
    turns, octets, used, gaps = Turns(known=True), 0, 0, [(0, 0)]
    for tick in range(1, 3001):
        if turns.gap:
            gaps.append((tick + 100, turns.gap // 8))
            turns.gap = 0
        alone = gaps[-1][0] <= tick < sum(gaps[-1])
        octets += (1 if alone else 7) * MB
        used += 0 if alone else 7 * MB
        left = gaps[-1][1] if tick < sum(gaps[-1]) else 0
        turns.step(Progress(tick * TICK, octets, 0, tick, used, gap=left, alone=alone))
    assert [length for _, length in gaps[1:5]] == [2, 4, 8, 8], "so many that there are four windows"
    apart = [one for one in turns.windows if not one.acting]
    assert {one.bytes for one in apart} == {MB}
    verdict = judge(turns.windows, DEEDS)
    assert verdict.verdict == "helped"
    assert verdict.low is not None
    assert verdict.high is not None
    assert verdict.low <= 7 * (1 + 1e-9)
    assert verdict.high >= 7 * (1 - 1e-9)
    assert verdict.low > 6


def test_a_gap_that_is_forgotten_as_a_mount_is_set_otherwise_is_asked_for_again() -> None:
    turns, asked = Turns(known=True), 0
    for tick in range(1, 201):
        asked, turns.gap = asked + (turns.gap > 0), 0
        now = Progress(tick * TICK, 7 * tick * MB, 0, tick, 7 * tick * MB, gap=limits.GAP)
        turns.step(now)
        if tick == 60:
            assert asked == 1
            turns.restart(now)
    assert asked == 2


def test_a_gap_that_readers_pass_between_two_looks_is_left_again_and_wider() -> None:
    turns, gaps = Turns(known=True), []
    for tick in range(1, 301):
        turns.step(Progress(tick * TICK, 7 * tick * MB, 0, tick, 7 * tick * MB))
        if turns.gap:
            gaps.append(turns.gap)
            turns.gap = 0
    assert gaps[:7] == [16, 32, 64, 128, 256, 256, 256]


def test_great_harm_ends_a_turn_with_a_known_order_too() -> None:
    turns, octets, acted = Turns(known=True), 0, 0
    for tick in range(1, 401):
        octets += 3 * MB if not turns.acting else MB
        acted += turns.acting
        turns.step(Progress(tick * TICK, octets, 0, tick, 0, gap=limits.GAP))
    assert "1/2 of what they got alone" in turns.reason
    assert acted * TICK < 3 * limits.ACTING_NS


def test_readers_who_rest_while_they_are_left_alone_do_not_show_that_nothing_pays() -> None:
    turns, octets, paid = Turns(), 0, 0
    for tick in range(1, 401):
        without = 0 if paid else MB  # from then on they rest whenever it does
        octets += 7 * MB if turns.acting else without
        turns.step(Progress(tick * TICK, octets, 0, tick))
        assert turns.pays >= (paid > 0)
        paid += turns.pays
    assert paid > 300
    assert {one.acting for one in turns.windows[-97:]} == {True, False}


def test_a_short_run_is_told_its_effect_too() -> None:
    turns, _ = steered(2, 1, 7)
    verdict = judge(turns.windows, DEEDS)
    assert (verdict.design, verdict.verdict) == ("before and after", "helped")


def test_what_makes_no_difference_ends() -> None:
    turns, share = steered(600, 5, 5)
    assert share < 0.1
    assert not turns.acting
    assert turns.reason.startswith("it made no difference in ")


def test_harm_is_short() -> None:
    turns, share = steered(600, 5, 4)
    acting = sum(window.length_ns for window in turns.windows if window.acting)
    assert acting <= 5 * limits.SECOND_NS
    assert share * 600 <= 5


def test_what_hurts_ends() -> None:
    turns, share = steered(600, 5, 4)
    assert share < 0.1
    assert turns.reason.startswith("it slowed its readers down in ")


def test_nothing_begins_before_something_is_read() -> None:
    turns, share = steered(60, 0, 0)
    assert (share, turns.windows) == (0, [])


def test_while_the_engine_finds_nothing_to_do_readers_are_alone_and_that_takes_no_memory() -> None:
    turns = Turns()
    for tick in range(1, 10_001):
        turns.step(Progress(tick * TICK, tick * MB, 0))
    assert turns.acting
    assert not turns.reason
    assert len(turns.windows) < limits.WINDOWS_ALONE + 5
    last = turns.windows[-1]
    assert last.start_ns + last.length_ns == 10_000 * TICK


def test_what_it_does_in_the_end_is_held_against_the_time_before() -> None:
    turns, octets = Turns(), 0
    for tick in range(1, 401):
        did = max(0, tick - 301)
        octets += 7 * MB if did and turns.acting else MB
        turns.step(Progress(tick * TICK, octets, 0, did))
    helped = [one for one in turns.windows if one.acting]
    assert min(one.start_ns for one in helped) in range(298 * TICK, 303 * TICK)
    assert judge(turns.windows, DEEDS).verdict == "helped"
    assert not turns.reason


def of_a_set(cost: float) -> Turns:
    """Return turns over a reader of 1 MB a tick, of whose 5,000 MB ever more is there; bringing it in costs time."""
    turns, octets, used, brought = Turns(), 0, 0.0, 0
    for tick in range(1, 1201):
        brings = turns.acting and tick > 100 and brought < 5000
        brought += 37 * brings
        hits = brought / 5500
        got = MB / (1 - hits) / (cost if brings else 1)
        octets, used = octets + int(got), used + got * hits
        turns.step(Progress(tick * TICK, octets, 0, brought, int(used), invests=brought > 0))
    return turns


def test_what_costs_now_and_pays_later_is_held_against_the_time_before() -> None:
    turns = of_a_set(1.2)
    assert turns.acting
    assert not any(one.start_ns > 101 * TICK for one in turns.windows if not one.acting)
    verdict = judge(turns.windows, DEEDS)
    assert verdict.design == "before and after"
    assert verdict.ratio is not None
    assert verdict.ratio > 1


def test_what_costs_too_much_now_is_ended_however_it_would_pay_later() -> None:
    assert of_a_set(3).reason == "its readers got less than 1/2 of what they got alone, in two turns"


def test_readers_who_live_on_what_is_ahead_are_not_without_it() -> None:
    """What is brought in lasts for a second after acting has ended."""
    turns, octets, used, ahead = Turns(), 0, 0, 0
    for tick in range(1, 1201):
        ahead = 10 if turns.acting else max(0, ahead - 1)
        octets, used = octets + (7 if ahead else 1) * MB, used + (7 * MB if ahead else 0)
        turns.step(Progress(tick * TICK, octets, 0, tick, used))
    assert {round(one.bytes * TICK / one.length_ns / MB) for one in turns.windows[3:] if not one.acting} <= {1, 2}
    assert judge(turns.windows, DEEDS).verdict == "helped"


@given(st.lists(st.tuples(*[st.integers(0, 3 * limits.SECOND_NS)] * 3, st.integers(0, 1), st.integers(0, 10**9))))
def test_windows_are_apart_and_hold_no_more_than_was_read(steps: list[tuple[int, int, int, int, int]]) -> None:
    turns = Turns()
    now = Progress(0, 0, 0)
    for length, more, longer, made, used in steps:
        now = Progress(
            now.now_ns + length + 1, now.octets + more, now.waited_ns + longer, now.requests + made, now.used + used
        )
        turns.step(now)
    turns.end(now)
    octets, waited = now.octets, now.waited_ns
    assert sum(window.bytes for window in turns.windows) <= octets
    assert sum(window.waited_ns for window in turns.windows) <= waited
    assert all(window.length_ns > 0 and window.bytes >= 0 for window in turns.windows)
    for one, other in pairwise(turns.windows):
        assert one.start_ns + one.length_ns <= other.start_ns
