"""Live tuning on simulated storages: it converges in time, finds most there is, never ends below its start."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.prefetch.tuning import MOST_WINDOWS, REST, TURNS, Knobs, Range, Tuner

WITHIN = Range(1 << 16, 1 << 24, 64, 1 << 30)
START = Knobs(1 << 20, 4)
SEEDS = 101


def storage(
    latency: float, flow: float, total: float = math.inf, crowd: int = 10**6, demand: float = math.inf
) -> Callable[[Knobs], float]:
    """Return the bytes a second that a storage gives: a latency, a rate for each request and one for all together.

    More than `crowd` requests at once get in each other's way; a reader takes no more than `demand`.
    """

    def rate(knobs: Knobs) -> float:
        one = knobs.block_bytes / (latency + knobs.block_bytes / flow)
        busy = min(knobs.in_flight * one, total) * min(1.0, math.sqrt(crowd / knobs.in_flight))
        return min(busy, demand)

    return rate


STORAGES = {
    "near": storage(0.001, 1e9, 2e9),
    "20 ms": storage(0.02, 1e8, 1.2e9),
    "100 ms": storage(0.1, 9e7, 2e9),
    "throttled": storage(0.02, 1e8, 6e7),
    "crowded": storage(0.02, 1e8, 1e9, crowd=6),
    "crowded by one": storage(0.005, 2e8, crowd=1),
    "slow reader": storage(0.02, 1e8, 1e9, demand=9e7),
}


def best(rate: Callable[[Knobs], float]) -> float:
    grid = [Knobs(1 << block, 1 << many) for block in range(16, 25) for many in range(7)]
    return max(rate(one) for one in grid if WITHIN.holds(one))


def tuned(rate: Callable[[Knobs], float], noise: float, seed: int, windows: int = MOST_WINDOWS) -> Tuner:
    rng = np.random.default_rng(seed)
    tuner = Tuner(START, WITHIN)
    for _ in range(windows):
        tuner.measured(rate(tuner.knobs) * math.exp(noise * rng.standard_normal()), 0.5)
    return tuner


@pytest.mark.parametrize("name", STORAGES)
def test_it_finds_the_best_setting_of_a_steady_storage_in_time(name: str) -> None:
    tuner = tuned(STORAGES[name], 0.0, 1)
    assert tuner.state == "holding"
    assert STORAGES[name](tuner.knobs) >= 0.95 * best(STORAGES[name])


@pytest.mark.parametrize("noise", [0.05, 0.15])
@pytest.mark.parametrize("name", STORAGES)
def test_noise_costs_little_and_never_ends_below_the_start(name: str, noise: float) -> None:
    rate = STORAGES[name]
    ends = [tuned(rate, noise, seed) for seed in range(SEEDS)]
    assert all(tuner.state == "holding" for tuner in ends)
    reached = [rate(tuner.knobs) for tuner in ends]
    assert np.median(reached) >= 0.95 * best(rate)
    assert np.mean([one < 0.95 * rate(START) for one in reached]) <= (0.01 if noise < 0.1 else 0.05)


SCORES = st.lists(st.floats(0, 1e12, allow_nan=False), min_size=MOST_WINDOWS, max_size=MOST_WINDOWS)
BLOCKS = st.integers(12, 26).map(lambda power: 1 << power)


@given(SCORES, BLOCKS, st.integers(1, 64), BLOCKS, BLOCKS, st.integers(1, 256), st.integers(0, 7))
def test_whatever_is_measured_it_stays_within_bounds_and_ends(
    scores: list[float], block: int, in_flight: int, one: int, other: int, most: int, more: int
) -> None:
    start = Knobs(block, in_flight)
    within = Range(min(one, other, block), max(one, other, block), max(most, in_flight), block * in_flight << more)
    tuner, again = Tuner(start, within), Tuner(start, within)
    seen: dict[Knobs, list[float]] = {}
    for score in scores:
        assert within.holds(tuner.knobs)
        if tuner.state == "holding":
            break
        seen.setdefault(tuner.knobs, []).append(score)
        assert tuner.measured(score, 0.5) == again.measured(score, 0.5)
    assert tuner.state == "holding"
    if tuner.knobs != start:  # measured in turns with the start, and better
        assert len(seen[tuner.knobs]) >= 2 + TURNS
        assert median(seen[tuner.knobs]) >= median(seen[start])


@given(st.integers(1, 1 << 40))
def test_the_unit_of_the_score_does_not_matter(factor: int) -> None:
    rate = STORAGES["20 ms"]
    one, other = Tuner(START, WITHIN), Tuner(START, WITHIN)
    for _ in range(MOST_WINDOWS):
        assert one.measured(rate(one.knobs), 0.5) == other.measured(factor * rate(other.knobs), 0.5)


def test_a_reader_that_never_waits_is_left_as_it_is() -> None:
    tuner = Tuner(START, WITHIN)
    for _ in range(47):
        assert tuner.measured(1.0, 0.0) == START
    assert tuner.state == "idle"
    tuner.measured(1.0, 0.5)
    assert tuner.state == "searching"


def test_it_searches_again_when_the_storage_has_changed() -> None:
    tuner = tuned(STORAGES["throttled"], 0.0, 1)
    assert tuner.knobs == START
    faster = STORAGES["20 ms"]
    for _ in range(REST + MOST_WINDOWS + 10):
        tuner.measured(faster(tuner.knobs), 0.5)
    assert tuner.state == "holding"
    assert faster(tuner.knobs) >= 0.9 * best(faster)


def test_a_setting_that_stays_as_good_is_kept() -> None:
    tuner = tuned(STORAGES["20 ms"], 0.0, 1)
    held = tuner.knobs
    rng = np.random.default_rng(1)
    for _ in range(5 * REST):
        assert tuner.measured(STORAGES["20 ms"](held) * math.exp(0.1 * rng.standard_normal()), 0.5) == held
