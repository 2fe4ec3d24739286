"""What the study of waiting says of storages whose latency, bandwidth, concurrency and limits are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepwell.analysis.thresholds import waits as limits
from stepwell.analysis.waits.fit import Cells, Fit, fit
from stepwell.analysis.waits.flow import by_depth, concurrency, most, scales, throttle
from stepwell.analysis.waits.model import Depth

SIZES = (4096, 16_384, 65_536, 131_072)
SLICE_NS = 10_000_000


def cells(sizes: np.ndarray, times: np.ndarray) -> Cells:
    """Return fetches as `questions.FETCHES` puts them together."""
    classes = [np.floor(np.log2(values) * limits.CLASSES).astype(np.int64) for values in (sizes, times)]
    keys, index = np.unique(np.stack(classes, 1), axis=0, return_inverse=True)
    return Cells(
        keys[:, 0],
        keys[:, 1],
        np.bincount(index),
        np.bincount(index, sizes).astype(np.int64),
        np.bincount(index, times).astype(np.int64),
    )


def fitted(latency_ns: float, bytes_s: float, jitter: float, seed: int = 1, count: int = 1009) -> Fit:
    rng = np.random.default_rng(seed)
    sizes = rng.choice(SIZES, count)
    times = (latency_ns + sizes * 1e9 / bytes_s) * rng.lognormal(0.0, jitter, count)
    return fit(cells(sizes, times))


@pytest.mark.parametrize(("jitter", "within"), [(0.0, 0.05), (0.2, 0.15)])
@pytest.mark.parametrize(("latency_ns", "bytes_s"), [(5e6, 50e6), (200e3, 1e9), (20e6, 30e6)])
def test_latency_and_bandwidth_are_recovered(latency_ns: float, bytes_s: float, jitter: float, within: float) -> None:
    found = fitted(latency_ns, bytes_s, jitter)
    assert found.latency_ns is not None
    assert found.bytes_s is not None
    assert found.latency_ns.value == pytest.approx(latency_ns, rel=within)
    assert found.bytes_s.value == pytest.approx(bytes_s, rel=within)
    assert found.latency_ns.low <= latency_ns * (1 + within / 3)
    assert found.latency_ns.high >= latency_ns * (1 - within / 3)


def test_a_tenth_of_the_fetches_may_be_anything() -> None:
    rng = np.random.default_rng(3)
    sizes = rng.choice(SIZES, 1009)
    times = 5e6 + sizes * 1e9 / 50e6
    times[rng.random(1009) < 0.1] = 400e6
    found = fit(cells(sizes, times))
    assert found.latency_ns is not None
    assert found.latency_ns.value == pytest.approx(5e6, rel=0.05)
    assert found.tail > 0.5


def test_one_size_does_not_tell_latency_from_bandwidth() -> None:
    found = fit(cells(np.full(1009, 65_536), np.full(1009, 3e6)))
    assert (found.latency_ns, found.bytes_s) == (None, None)
    assert [(one.size, one.fetches, one.median_ns) for one in found.sizes] == [(65_536, 1009, 3_000_000)]


def test_few_fetches_tell_nothing() -> None:
    assert fitted(5e6, 50e6, 0.0, count=limits.FEW - 1).latency_ns is None


@settings(max_examples=20)
@given(scale=st.sampled_from([2.0, 8.0, 64.0]), seed=st.integers(0, 99))
def test_time_scales_the_model(scale: float, seed: int) -> None:
    one, other = fitted(1e6, 100e6, 0.1, seed, 97), fitted(1e6 * scale, 100e6 / scale, 0.1, seed, 97)
    assert one.latency_ns is not None
    assert other.latency_ns is not None
    assert other.latency_ns.value == pytest.approx(one.latency_ns.value * scale, rel=1e-3)
    assert other.error == pytest.approx(one.error, rel=1e-2, abs=1e-4)


def test_concurrency_counts_only_while_something_is_under_way() -> None:
    low, high = np.array([0, 0, 100, 100, 100]), np.array([10, 10, 110, 110, 110])
    assert concurrency(low, high, high - low) == pytest.approx(2.5)
    assert concurrency(low[:0], high[:0], high[:0]) == 0
    assert concurrency(np.array([0]), np.array([100]), np.array([37])) == pytest.approx(1.0)


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 100)), min_size=1, max_size=50), st.integers(1, 1000))
def test_concurrency_is_at_least_one_at_most_all_and_knows_no_clock(spans: list[tuple[int, int]], scale: int) -> None:
    low = np.array([start for start, _ in spans])
    length = np.array([lasting for _, lasting in spans])
    found = concurrency(low, low + length, length)
    assert 1 - 1e-9 <= found <= len(spans) + 1e-9
    assert concurrency(low * scale + 7, (low + length) * scale + 7, length * scale) == pytest.approx(found)


def test_more_at_once_brings_more_or_it_does_not() -> None:
    depth = np.repeat([1.0, 8.0], 64)
    for fetches, expected in ((depth * 50, True), (np.full(128, 50.0), False)):
        found = by_depth(fetches, fetches * 65_536, depth * SLICE_NS, SLICE_NS)
        assert [round(one.depth) for one in found] == [1, 8]
        assert scales(found) is expected
    assert scales(by_depth(fetches, fetches, np.full(128, 1.0 * SLICE_NS), SLICE_NS)) is None


def test_fetches_of_other_sizes_do_not_tell_whether_a_storage_scales() -> None:
    small, large = Depth(4.0, 97, 3_000_000, 5e6), Depth(1.0, 97, 3_000_000, 20e6)
    assert scales((large, small)) is None  # 4 KiB beside 60 KiB
    assert scales((replace(large, bytes_s=5e6), replace(small, latency_ns=12_000_000))) is False


def test_the_highest_rate_is_one_that_was_held() -> None:
    """Of slices that hold three fetches on average, the best holds far more by chance."""
    fetches = np.random.default_rng(7).poisson(3, 256).astype(float)
    octets, true = fetches * 106_496, 3 * 106_496 * 1e9 / SLICE_NS
    assert octets.max() * 1e9 / SLICE_NS > 2.5 * true
    assert true < most(fetches, octets, SLICE_NS) < 1.75 * true
    steady = np.full(256, 3.0)
    assert most(steady, steady * 106_496, SLICE_NS) == pytest.approx(true)
    few = np.zeros(256)
    few[100:107] = 1
    assert most(few, few * 4096, SLICE_NS) == pytest.approx(4096 * 1e9 / SLICE_NS)
    assert most(np.zeros(256), np.zeros(256), SLICE_NS) == 0.0


def test_a_burst_and_then_one_rate_is_a_quota() -> None:
    rng = np.random.default_rng(5)
    octets = np.full(256, 1e6) * rng.normal(1, 0.01, 256)
    octets[:10] = 5e6
    busy = np.full(256, 1.0 * SLICE_NS)
    fetches = np.full(256, 40.0)
    found = throttle(fetches, octets, busy, SLICE_NS)
    assert found is not None
    assert found.unit == "bytes"
    assert found.rate == pytest.approx(1e8, rel=0.05)
    assert found.burst == pytest.approx(5e8, rel=0.05)
    assert throttle(fetches, octets[10:].repeat(2)[:256], busy, SLICE_NS) is None
    assert throttle(fetches, octets * rng.lognormal(0, 0.5, 256), busy, SLICE_NS) is None
    assert throttle(fetches, octets, busy * 0.1, SLICE_NS) is None
    assert throttle(fetches, octets, busy / 3, SLICE_NS // 3) is None  # less than a second tells no quota
