"""A change of a mount stays only if it is measured to pay."""

from __future__ import annotations

import pytest

from stepwell.steer.trial import Moment, Trial

STEP = 100_000_000
"""0.1 s in ns, as often as readers are looked at."""


def tried(rates: list[float], fetched: tuple[float, float] | None = None) -> tuple[Trial, list[bool]]:
    """Return a trial that has ended, and what was wanted by turns; rates are bytes a step, of each turn."""
    now_ns, octets, got = 10 * STEP, 0.0, 0.0
    trial = Trial(Moment(0, 0, 0) if fetched else None)
    if fetched:
        octets, got = 10.0 * rates[0], 10.0 * rates[0] * fetched[0]
    turns = [False]
    while trial.kept is None:
        trial.step(Moment(now_ns, int(octets), int(got) if fetched else None))
        if trial.wanted is not turns[-1]:
            turns.append(trial.wanted)
        rate = rates[min(len(turns), len(rates)) - 1]
        now_ns, octets = now_ns + STEP, octets + rate
        got += rate * fetched[trial.wanted] if fetched else 0
    return trial, turns


def test_what_saves_time_stays() -> None:
    trial, turns = tried([1000, 1300, 1000, 1300])
    assert trial.kept
    assert turns == [False, True, False, True]
    assert "instead of" in trial.why


def test_what_saves_much_time_is_tried_once() -> None:
    trial, turns = tried([1000, 1510])
    assert trial.kept
    assert turns == [False, True]


@pytest.mark.parametrize("rates", [[1000, 1030, 1000, 1030], [1000, 1200, 1250, 1100], [1000, 1490, 1500, 1100]])
def test_what_saves_no_time_is_set_back(rates: list[float]) -> None:
    trial, turns = tried(rates)
    assert trial.kept is False
    assert turns == [False, True, False, True, False]


def test_what_does_harm_is_set_back_at_once() -> None:
    trial, turns = tried([1000, 800])
    assert trial.kept is False
    assert turns == [False, True, False]


def test_what_saves_bytes_is_tried_once() -> None:
    trial, turns = tried([1000, 900], (257.0, 1.0))
    assert trial.kept
    assert turns == [False, True]
    assert "1 bytes are fetched a byte asked for instead of" in trial.why


@pytest.mark.parametrize(("rates", "fetched"), [([1000, 1000], (9.0, 7.0)), ([1000, 400], (257.0, 1.0))])
def test_what_saves_few_bytes_or_costs_much_time_is_set_back(rates: list[float], fetched: tuple[float, float]) -> None:
    assert tried(rates, fetched)[0].kept is False


def test_readers_that_rest_end_a_trial() -> None:
    trial = Trial()
    for step in range(250):
        trial.step(Moment(step * STEP, 17))
    assert trial.kept is False
    assert "rest" in trial.why
