"""Verdicts: intervals that cover the truth, what is concluded from them, and the rows in the store."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.recordings import MS, Recording

from stepwell.analysis import plans
from stepwell.analysis.thresholds import verdicts as limits
from stepwell.analysis.verdicts import (
    Ahead,
    Deeds,
    Effect,
    Window,
    alternating,
    before_after,
    judge,
    recorded,
    table,
    verdicts,
)
from stepwell.analysis.verdicts.effect import _signed_rank, independent
from stepwell.analysis.verdicts.judge import conclude
from stepwell.analysis.verdicts.on_the_whole import _student
from stepwell.store import NoTraceError, Store

SECOND = 1_000_000_000
SERIES = 401
"""Simulated experiments behind each share; 401 tell 0.90 from 0.85 (three standard errors are 0.045)."""


def noise(rng: np.random.Generator, number: int, spread: float, correlation: float, tails: bool) -> Any:
    """Return logarithms that wander: an autoregressive series, of heavy tails if wanted."""
    shocks = rng.standard_t(3, number) / math.sqrt(3) if tails else rng.standard_normal(number)
    series = np.empty(number)
    last = 0.0
    for index, shock in enumerate(shocks):
        last = correlation * last + math.sqrt(1 - correlation**2) * shock
        series[index] = last
    return spread * series


def windows(rng: np.random.Generator, acting: list[bool], gain: float, **how: Any) -> list[Window]:
    """Return windows of a second whose work varies, `gain` times as much of it while acting."""
    logs = noise(rng, len(acting), **how)
    return [
        Window(index * SECOND, SECOND, act, round(1e8 * math.exp(log) * (gain if act else 1)), SECOND // 2)
        for index, (act, log) in enumerate(zip(acting, logs, strict=True))
    ]


@pytest.mark.parametrize("gain", [1.0, 1.5, 0.8, 7.0])
@pytest.mark.parametrize(("turns", "correlation"), [(5, 0.0), (7, 0.5), (23, 0.0), (47, 0.8)])
@pytest.mark.parametrize("tails", [False, True])
def test_intervals_of_turns_cover_the_truth(gain: float, turns: int, correlation: float, tails: bool) -> None:
    rng = np.random.default_rng(turns)
    acting = [False, True] * turns
    found = [
        alternating(windows(rng, acting, gain, spread=0.3, correlation=correlation, tails=tails)) for _ in range(SERIES)
    ]
    covered = np.mean([one is not None and one.low <= gain <= one.high for one in found])
    assert 0.85 <= covered <= 1
    if gain == 1:  # nothing is said to have helped or hurt more often than 1 in 10 times, whatever the interval is for
        said = [conclude(one) for one in found if one is not None]
        assert np.mean([word in {"helped", "hurt"} for word in said]) <= 0.15


@pytest.mark.parametrize(
    ("before", "after", "correlation"),
    [(3, 5, 0.0), (3, 11, 0.0), (3, 47, 0.0), (5, 5, 0.0), (11, 11, 0.0), (47, 47, 0.3), (101, 101, 0.5)],
)
def test_intervals_of_before_and_after_cover_the_truth(before: int, after: int, correlation: float) -> None:
    rng = np.random.default_rng(before)
    acting = [False] * before + [True] * after
    found = [
        before_after(windows(rng, acting, 2.0, spread=0.3, correlation=correlation, tails=False)) for _ in range(SERIES)
    ]
    least = 0.8 if correlation else 0.85  # that neighbours are alike is not always seen
    assert np.mean([one is not None and one.low <= 2 <= one.high for one in found]) >= least


def in_line(*sides: tuple[bool, int, float]) -> list[Window]:
    """Windows of a second, one after the other: whether acting, how many, and MB in each."""
    return [Window(0, SECOND, acting, round(each * 1e6), SECOND) for acting, count, each in sides for _ in range(count)]


def test_without_turns_no_more_is_gained_than_what_was_brought_in_can_have_saved() -> None:
    """A second epoch comes from memory: it is faster, whatever was done."""
    work = [*in_line((False, 3, 20), (True, 40, 20), (False, 4, 20), (True, 10, 350))]
    told = judge(work, replace(DEEDS, used_bytes=100_000_000))
    assert told.verdict == "unknown"
    assert told.ratio == pytest.approx(1 + 5 / 50)
    assert told.low == pytest.approx(1 / 1.1)
    assert told.expected_ns == pytest.approx(55 * SECOND, rel=1e-3)
    assert judge(work, replace(DEEDS, used_bytes=0)).verdict == "no effect"
    whole = judge(in_line((False, 4, 20), (True, 10, 100)), replace(DEEDS, used_bytes=1_000_000_000))
    assert whole.verdict == "helped"
    assert whole.ratio == pytest.approx(5)
    # What was used is brought in at most once: the rest took its time.
    half = judge(in_line((False, 4, 20), (True, 10, 100)), replace(DEEDS, used_bytes=500_000_000))
    assert half.verdict == "unknown"
    assert half.ratio == pytest.approx(1 + 25 / 10)


def test_rests_that_tell_different_things_tell_nothing() -> None:
    assert judge(in_line((False, 3, 20), (True, 40, 20), (False, 4, 350)), DEEDS).verdict == "unknown"
    assert judge(in_line((False, 3, 20), (True, 40, 20), (False, 4, 20.1)), DEEDS).verdict == "no effect"
    assert judge(in_line((False, 3, 20), (True, 40, 10), (False, 4, 20.1)), DEEDS).verdict == "hurt"


def test_an_interval_narrows_with_more_turns_and_widens_when_they_are_alike() -> None:
    rng = np.random.default_rng(1)

    def width(turns: int, correlation: float) -> float:
        widths = []
        for _ in range(31):
            logs = noise(rng, turns, 0.3, correlation, tails=False)
            found = alternating(
                [
                    Window(0, SECOND, act, round(1e8 * math.exp(log if act else 0)), 0)
                    for log in logs
                    for act in (False, True)
                ]
            )
            assert found is not None
            widths.append(math.log(found.high / found.low))
        return float(np.median(widths))

    assert width(128, 0.0) < width(8, 0.0) / 2
    assert width(128, 0.9) > 1.5 * width(128, 0.0)


@pytest.mark.parametrize("number", [5, 6, 8, 11])
def test_the_signed_rank_interval_is_the_narrowest_that_is_sure_enough(number: int) -> None:
    sums = [
        sum(rank for rank, positive in zip(range(1, number + 1), signs, strict=True) if positive)
        for signs in itertools.product((0, 1), repeat=number)
    ]
    outside = _signed_rank(number)
    assert np.mean(np.array(sums) <= outside) <= 0.05 < np.mean(np.array(sums) <= outside + 1)


@pytest.mark.parametrize(("freedom", "quantile"), [(2, 2.920), (3, 2.353), (7, 1.895), (23, 1.714), (101, 1.660)])
def test_students_quantile_is_that_of_the_tables(freedom: int, quantile: float) -> None:
    assert _student(freedom) == pytest.approx(quantile, rel=0.003)


def test_the_normal_law_takes_over_where_it_agrees() -> None:
    assert abs(_signed_rank(40) - _signed_rank(41)) <= 21  # the statistic grows by 20.5 a pair, on average


WORK = st.lists(
    st.tuples(st.integers(1, 10**10), st.integers(1, 10**10), st.integers(0, 10**10)), min_size=24, max_size=41
)


def in_turns(work: list[tuple[int, int, int]]) -> list[Window]:
    return [Window(0, length, bool(index % 2), done, waited) for index, (length, done, waited) in enumerate(work)]


def near(found: Effect | None, expected: Effect | None) -> bool:
    assert found is not None
    assert expected is not None
    return np.allclose(
        [found.ratio, found.low, found.high], [expected.ratio, expected.low, expected.high], rtol=1e-6
    ) and (found.pairs == expected.pairs)


@given(WORK, st.integers(2, 1000))
def test_the_unit_of_time_or_work_does_not_matter(work: list[tuple[int, int, int]], factor: int) -> None:
    found = in_turns(work)
    for measure in (alternating, before_after):
        longer = [replace(one, length_ns=one.length_ns * factor) for one in found]
        more = [replace(one, bytes=one.bytes * factor) for one in found]
        assert near(measure(longer), measure(found))
        assert near(measure(more), measure(found))


@given(WORK, st.integers(2, 1000))
def test_acting_that_takes_so_many_times_as_long_is_so_many_times_as_slow(
    work: list[tuple[int, int, int]], factor: int
) -> None:
    found = in_turns(work)
    for measure in (alternating, before_after):
        before = measure(found)
        assert before is not None
        slower = [replace(one, length_ns=one.length_ns * (factor if one.acting else 1)) for one in found]
        found_slower = measure(slower)
        assert found_slower is not None
        assert math.isclose(found_slower.ratio, before.ratio / factor, rel_tol=1e-6)
        if measure is alternating:
            expected = Effect(before.ratio / factor, before.low / factor, before.high / factor, before.pairs)
            assert near(found_slower, expected)


@given(WORK)
def test_what_helps_from_one_side_hurts_from_the_other(work: list[tuple[int, int, int]]) -> None:
    found = in_turns(work[: len(work) // 2 * 2])
    other = [replace(one, acting=not one.acting) for one in found]
    before = alternating(found)
    assert before is not None
    assert near(alternating(other), Effect(1 / before.ratio, 1 / before.high, 1 / before.low, before.pairs))


def test_without_turns_the_effect_is_that_on_the_whole_however_uneven() -> None:
    """A set that is brought in pays at its end: most windows show nothing of it, the time that it took does."""
    alone = [Window(0, SECOND // 40, False, done, 0) for done in (125_000, 122_000, 128_000)]
    helped = [Window(0, SECOND // 8, True, 625_000, 0)] * 23 + [Window(0, SECOND // 2, True, 75_000_000, 0)] * 2
    found = before_after([*alone, *helped])
    assert found is not None
    seconds, done = 23 / 8 + 1, 23 * 625_000 + 2 * 75_000_000
    assert found.ratio == pytest.approx(done / 5e6 / seconds)
    assert found.low / found.ratio == pytest.approx(found.ratio / found.high)
    assert 0.93 < found.low / found.ratio < 0.97
    assert found.pairs == 3
    assert before_after([*alone, replace(alone[0], bytes=0), *helped]) == found, "who rests is not slow"


def test_along_a_file_no_more_is_gained_than_the_requests_took() -> None:
    """The first reads of a file are slow: the kernel reads ahead of them ever further."""
    alone = [Window(0, SECOND // 40, False, done, SECOND // 40) for done in (8 << 10, 16 << 10, 296 << 10)]
    helped = [Window(0, SECOND // 10, True, 7 << 20, SECOND // 11)] * 5
    deeds = replace(DEEDS, files=1, brought_bytes=35 << 20, used_bytes=35 << 20)
    uncapped = before_after([*alone, *helped])
    assert uncapped is not None
    assert uncapped.ratio > 15
    along = judge([*alone, *helped], deeds, ahead=Ahead(35 << 20, 2 * SECOND))
    assert along.verdict == "unknown", "more than it can have been"
    assert along.ratio == pytest.approx(5)
    assert along.low is not None
    assert along.low < 1
    assert along.expected_ns == sum(one.waited_ns for one in helped) + 2 * SECOND


def test_reads_that_are_few_and_small_tell_no_effect_of_those_that_follow() -> None:
    """A file's header is read, a few bytes at a time, and then all of it: each byte of the header takes for ever."""
    alone = [Window(0, SECOND // 40, False, done, SECOND // 40) for done in (100, 9_000, 20)]
    helped = [Window(0, SECOND // 10, True, 7 << 20, SECOND // 11)] * 5
    deeds = replace(DEEDS, files=1, brought_bytes=35 << 20, used_bytes=35 << 20)
    found = judge([*alone, *helped], deeds, ahead=Ahead(35 << 20, 6 * SECOND))
    assert (found.verdict, found.design, found.ratio, found.expected_ns) == ("unknown", "none", None, None)
    assert found.because == "what was read without acting is too unlike the rest to tell the effect"
    assert found.sentence.endswith(f"reads waited 455 ms meanwhile; {found.because}")


def test_waiting_that_says_the_opposite_of_an_uncertain_effect_is_not_told() -> None:
    """Several threads waited less for each byte without acting, and yet less was read a second."""
    alone = [Window(0, SECOND // 40, False, done, 1 << 10) for done in (1 << 20, 2 << 20, 3 << 20)]
    helped = [Window(0, SECOND // 10, True, 16 << 20, SECOND // 11)] * 5
    found = judge([*alone, *helped], replace(DEEDS, used_bytes=80 << 20))
    assert found.ratio is not None
    assert found.expected_ns is not None
    assert found.verdict == "unknown"
    assert found.ratio > 1
    assert found.expected_ns < found.waited_ns
    assert "reads waited 455 ms meanwhile; not certain, " in found.sentence


def test_that_nothing_can_have_been_gained_does_not_mean_that_it_hurt() -> None:
    alone = [Window(0, SECOND // 40, False, done, 100) for done in (1 << 20, 8 << 10, 4 << 10)]
    acting = [Window(0, SECOND // 10, True, 1 << 20, SECOND // 20)] * 5
    found = judge([*alone, *acting], replace(DEEDS, files=1, brought_bytes=8 << 10, used_bytes=0, late_bytes=0))
    assert found.ratio is not None
    assert found.ratio < 0.8
    assert (found.verdict, found.high) == ("unknown", 1)
    steady = [Window(0, SECOND // 40, False, 1 << 20, 100)] * 3
    assert judge([*steady, *acting], replace(DEEDS, used_bytes=0)).verdict == "hurt"


def test_windows_in_which_all_was_in_memory_say_nothing_of_waiting() -> None:
    alone = [Window(0, SECOND // 40, False, 8 << 10, 0)] * 3
    helped = [Window(0, SECOND // 10, True, 7 << 20, SECOND // 11)] * 5
    found = judge([*alone, *helped], DEEDS)
    assert (found.design, found.ratio, found.expected_ns) == ("none", None, None)
    assert found.because.endswith("; nobody waited in those without, which say nothing of waiting, then")


@pytest.mark.parametrize("threads", [1, 4])
def test_windows_while_a_slow_read_is_under_way_are_part_of_it(threads: int) -> None:
    """Reads of 0.4 s each, which acting does not change: told of when they end, in windows of 0.1 s while acting."""
    slow = Window(0, 2 * SECOND // 5, False, 17 * threads, threads * 2 * SECOND // 5)
    part = Window(0, SECOND // 10, True, 0, 0)
    acting = [part, part, part, replace(part, bytes=slow.bytes, waited_ns=slow.waited_ns)]
    told = before_after([slow] * 3 + acting * 11)
    assert told is not None
    assert told.ratio == pytest.approx(1)
    rested = before_after([slow] * 3 + [part, *acting] * 11)
    assert rested is not None
    assert rested.ratio == pytest.approx(1 if threads == 1 else 4 / 5)


def test_who_waits_less_was_not_slowed_down() -> None:
    """A loader that computes between its bursts: windows while acting are longer, and have the pauses in them."""

    def told(waited: int) -> str:
        pauses = [replace(one, waited_ns=waited) for one in in_line((True, 10, 5))]
        return judge([*in_line((False, 4, 20)), *pauses], DEEDS).verdict

    assert told(SECOND // 8) == "unknown"
    assert told(SECOND) == "hurt"
    faster = [replace(one, waited_ns=9 * SECOND) for one in in_line((True, 10, 40))]
    assert judge([*in_line((False, 4, 20)), *faster], replace(DEEDS, used_bytes=1 << 40)).verdict == "unknown"


def test_where_nothing_was_done_there_is_no_effect_to_tell() -> None:
    told = judge(in_line((False, 4, 20), (True, 10, 5)), Deeds())
    assert (told.verdict, told.action, told.ratio) == ("unknown", "none", None)


@given(st.lists(st.floats(-9, 9), max_size=97))
def test_averaging_keeps_what_is_there(series: list[float]) -> None:
    apart = independent(np.array(series))
    assert len(apart) == len(series) or 5 <= len(apart) <= len(series) // 2
    if len(apart):
        assert min(series) - 1e-9 <= apart.min()
        assert apart.max() <= max(series) + 1e-9


def test_windows_in_which_nothing_was_read_join_the_next_turn() -> None:
    def turn(acting: bool, done: int, length: int = 1) -> Window:
        return Window(0, length * SECOND, acting, done, 0)

    quiet = [turn(False, 0), turn(True, 100), turn(False, 100), turn(True, 0), turn(True, 100)]
    found = alternating([*quiet, *[turn(False, 100, 2), turn(True, 200, 2)] * 4])
    assert found is not None
    assert found.pairs == 5
    assert found.low == pytest.approx(1.0)
    assert found.high == pytest.approx(2.0)


def test_too_few_windows_tell_nothing() -> None:
    rng = np.random.default_rng(3)
    how: dict[str, Any] = {"spread": 0.1, "correlation": 0.0, "tails": False}
    assert alternating(windows(rng, [False, True] * 4, 2.0, **how)) is None
    assert before_after(windows(rng, [False] * 2 + [True] * 47, 2.0, **how)) is None
    assert before_after(windows(rng, [False] * 3 + [True] * 4, 2.0, **how)) is None
    assert before_after(windows(rng, [False] * 4 + [True] * 4, 2.0, **how)) is not None
    assert before_after([]) is None
    assert alternating([]) is None


def test_a_recording_of_the_same_work_is_a_baseline() -> None:
    rng = np.random.default_rng(5)

    def run(gain: float) -> list[Window]:
        done, found = 0, []
        while done < 10**9:  # fast at first, slow later, with a pause without work in between
            speed = (3e7 if done < 4 * 10**8 else 1e7) * gain
            octets = min(round(speed * math.exp(0.05 * rng.standard_normal())), 10**9 - done)
            found.append(Window(0, SECOND // 10, gain > 1, octets, SECOND // 10))
            done += octets
        return [*found[:5], replace(found[0], bytes=0), *found[5:]]

    baseline, faster = run(1), run(3)
    found = recorded(baseline, faster)
    assert found is not None
    assert found.low <= 3 <= found.high
    assert found.high / found.low < 1.2 * limits.RUNS_DIFFER**2
    assert recorded(baseline, faster[: len(faster) // 2]) is None  # not the same work
    assert recorded([], faster) is None
    slower = recorded(baseline, [replace(one, length_ns=one.length_ns * 11 // 10) for one in run(1)])
    assert slower is not None
    assert conclude(slower) == "unknown", "two runs differ by as much"
    assert recorded(baseline, []) is None


@pytest.mark.parametrize(
    ("effect", "word"),
    [
        (Effect(6.9, 6.1, 7.4, 7), "helped"),
        (Effect(1.03, 1.001, 1.2, 7), "helped"),
        (Effect(1.01, 1.001, 1.04, 7), "no effect"),
        (Effect(1.01, 1.001, 1.2, 7), "unknown"),
        (Effect(1.0, 0.96, 1.04, 7), "no effect"),
        (Effect(1.2, 0.9, 1.5, 7), "unknown"),
        (Effect(0.9, 0.8, 0.99, 7), "hurt"),
        (Effect(0.99, 0.97, 0.999, 7), "no effect"),
        (Effect(0.5, 0.2, 1.1, 7), "unknown"),
    ],
)
def test_what_is_concluded(effect: Effect, word: str) -> None:
    assert conclude(effect) == word


DEEDS = Deeds(files=38_112, requests=40_009, brought_bytes=10_000, used_bytes=9_700, late_bytes=200, wasted_bytes=100)


def steady(turns: int, gain: float, waited: float) -> list[Window]:
    """Return turns of a second each; without acting, readers wait all the time."""
    one = [
        Window(0, SECOND, False, 10**8, SECOND),
        Window(SECOND, SECOND, True, round(10**8 * gain), round(waited * SECOND)),
    ]
    return [
        replace(window, start_ns=window.start_ns + turn * 2 * SECOND)
        for turn in range(turns)
        for window in one
    ]  # fmt: skip


def test_the_line_says_what_was_done_and_gained() -> None:
    found = judge(steady(7, 7.0, 0.95), DEEDS)
    assert found.sentence == (
        "prefetched 38,112 files ahead, 97 % used; reads waited 6.65 s instead of an expected 49 s; 7x [7, 7]"
    )
    assert (found.verdict, found.action, found.design, found.pairs) == ("helped", "kept", "alternating", 7)
    assert found.because == "7 turns without acting, each against the turn with it beside it"


def test_every_other_end_has_its_line() -> None:
    for gain, word, end in ((1.0, "no effect", "no effect, 1x [1, 1]"), (0.5, "hurt", "hurt, 0.5x [0.5, 0.5]")):
        found = judge(steady(7, gain, 1.0), replace(DEEDS, files=1, brought_bytes=3 << 20, used_bytes=1 << 20))
        assert (found.verdict, found.action) == (word, "rolled back")
        assert found.sentence.startswith("prefetched 3 MiB ahead, 33 % used; reads waited 7 s instead of an expected ")
        assert found.sentence.endswith(end)
    found = judge(steady(7, 0.5, 0.25), DEEDS)
    assert found.sentence.endswith(
        "reads waited 1.75 s instead of an expected 3.5 s; "
        "yet it hurt: with less waiting still less was read a second, 0.5x [0.5, 0.5]"
    )
    few = judge(steady(1, 7.0, 0.5), replace(DEEDS, stopped="it is cached"), given_up=True)
    assert (few.verdict, few.action, few.ratio, few.expected_ns) == ("unknown", "rolled back", None, None)
    assert few.sentence.endswith(
        "reads waited 500 ms meanwhile; too few windows to tell the effect; stopped: it is cached"
    )
    assert few.because.startswith("1 window without acting and 1 with it")
    nothing = judge([], Deeds(stopped="it is bound by computing"))
    assert nothing.sentence == "read nothing ahead: it is bound by computing"
    assert (nothing.verdict, nothing.action, nothing.design) == ("unknown", "none", "none")


def test_the_best_design_that_the_windows_allow_is_taken() -> None:
    off, on = (
        [one for one in steady(7, 7.0, 0.95) if not one.acting],
        [one for one in steady(7, 7.0, 0.95) if one.acting],
    )
    again = judge(on, DEEDS, baseline=off * 7, baseline_trace=3)
    assert (again.design, again.baseline, again.expected_ns) == ("recorded", 3, 49 * SECOND)
    assert "earlier recording" in again.because
    unpaired = replace(DEEDS, used_bytes=sum(one.bytes for one in on))
    assert judge(off + on, unpaired).design == "before and after"
    assert judge(off + on, unpaired).expected_ns == 49 * SECOND
    assert judge(steady(7, 7.0, 0.95), DEEDS, baseline=off * 8).design == "alternating"


def test_a_recording_over_a_faster_storage_does_not_make_a_help_a_harm() -> None:
    """The same work took half as long when it was recorded; alone it takes three times as long as with help today."""
    off, on = in_line((False, 5, 10)), in_line((True, 20, 30))
    then = in_line((False, 10, 65))
    helps = replace(DEEDS, used_bytes=sum(one.bytes for one in on))
    assert judge(on, helps, baseline=then).verdict == "hurt"
    told = judge([*off, *on], helps, baseline=then)
    assert (told.design, told.verdict) == ("recorded", "unknown")
    assert told.low is not None
    assert told.high is not None
    assert told.low < 0.6 < 3 <= told.high * (1 + 1e-9)


def test_the_end_of_a_run_is_part_of_the_work_that_a_recording_did_but_tells_no_speed() -> None:
    """The last 40 ms are far faster than the rest: the whole work is done with them, and none of it without."""
    off, on = (Window(0, SECOND // 10, acting, 10**7, SECOND // 10) for acting in (False, True))
    end = Window(0, SECOND // 25, True, 10**8, SECOND // 25)
    assert judge([on, on, end], DEEDS, baseline=[off] * 12).design == "recorded"
    assert judge([on, on], DEEDS, baseline=[off] * 12).design == "none"
    assert judge([off] * 5 + [on] * 5 + [end], DEEDS).ratio == pytest.approx(1.0)
    half = replace(end, length_ns=SECOND // 20)
    assert judge([off] * 5 + [on] * 5 + [half], replace(DEEDS, used_bytes=10**9)).ratio == pytest.approx(3 / 1.1)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    recording = Recording(tmp_path / "first.spool")
    recording.open(1, b"/data/a.bin", size=4096)
    recording.run(1)
    recording.end(31 * MS)
    return recording.stored()


def plan() -> plans.Plan:
    target = plans.Target("/data", "whole-file", "it waits", block_bytes=1 << 20, gain=plans.Gain(1_000, 7_000))
    return plans.Plan(1, "auto", plans.Budget(1 << 30, 32), (target, plans.Target("/other", "none", "cached")))


def test_acts_come_back_from_the_store(store: Path) -> None:
    carried = (plans.Carried(0, plan()), plans.Carried(7 * MS, replace(plan(), mode="observe")))
    found = (judge([], Deeds(), dataset=""), judge(steady(7, 7.0, 0.95), DEEDS, dataset="/data"))
    with Store.open(store, "w") as opened:
        for _ in range(2):  # the second time in place of the first
            opened.set_acts(1, plans.table(carried), table(found))
        with pytest.raises(NoTraceError):
            opened.set_acts(2, plans.table(carried), table(found))
    with Store.open(store, "r") as opened:
        assert plans.plans(opened, 1) == carried
        assert verdicts(opened, 1) == found
        rows = opened.query("select dataset, policy, gain_high_permille, mode from plans order by start_ns, dataset")
        assert [tuple(row.values()) for row in rows.read_all().to_pylist()] == [
            ("/data", "whole-file", 7000, "auto"), ("/other", "none", None, "auto"),
            ("/data", "whole-file", 7000, "observe"), ("/other", "none", None, "observe"),
        ]  # fmt: skip
        assert plans.plans(opened, 2) == ()
    with Store.open(store, "w") as opened:
        opened.set_acts(1, plans.table(()), table(()))
    with Store.open(store, "w") as opened:
        assert (plans.plans(opened, 1), verdicts(opened, 1)) == ((), ())


def test_acts_go_with_their_trace(store: Path) -> None:
    with Store.open(store, "w") as opened:
        opened.set_acts(1, plans.table((plans.Carried(0, plan()),)), table((judge([], Deeds()),)))
        opened.remove([1])
        for name in ("plan", "verdict"):
            assert opened.rows(f"SELECT count(*) FROM stored.{name}") == [(0,)]
