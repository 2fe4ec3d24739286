"""Verdicts from counters, which are counted here as Darshan counts them (darshan-posix.c), of known orders."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable

import pytest

from stepwell.analysis.darshan import Counted, CounterVerdict, verdicts_from_counters
from stepwell.analysis.thresholds.darshan import CEILING, SHARED


def counters(accesses: Iterable[tuple[int, int]], opens: int = 1) -> dict[str, float]:
    """What Darshan's POSIX module has counted after reads at (offset, size)."""
    found: Counter[str] = Counter()
    gaps: Counter[int] = Counter()
    sizes: Counter[int] = Counter()
    last = highest = 0
    for offset, size in accesses:
        found["POSIX_SEQ_READS"] += offset > last
        found["POSIX_CONSEC_READS"] += offset == last + 1
        gaps[offset - last - 1 if offset > last and last else 0] += 1
        sizes[size] += 1
        last = offset + size - 1
        highest = max(highest, last)
        found["POSIX_BYTES_READ"] += size
        found["POSIX_READS"] += 1
    found["POSIX_OPENS"], found["POSIX_MAX_BYTE_READ"] = opens, highest
    for i, (gap, count) in enumerate(gaps.most_common(4), 1):
        found[f"POSIX_STRIDE{i}_STRIDE"], found[f"POSIX_STRIDE{i}_COUNT"] = gap, count
    for i, (size, count) in enumerate(sizes.most_common(4), 1):
        found[f"POSIX_ACCESS{i}_ACCESS"], found[f"POSIX_ACCESS{i}_COUNT"] = size, count
    return dict(found)


def verdict(values: dict[str, float], module: str = "POSIX", *, shared: bool = False) -> CounterVerdict:
    (found,) = verdicts_from_counters([Counted(1, 2, "/d/a", module, shared, values)])
    return found


def shuffled(places: Iterable[int]) -> list[int]:
    found = list(places)
    random.Random(7).shuffle(found)
    return found


@pytest.mark.parametrize(
    ("pattern", "places"),
    [
        ("sequential", range(1009)),
        ("sequential", [i + i // 3 for i in range(1009)]),
        ("strided", range(0, 1009 * 13, 13)),
        ("random", shuffled(range(1009))),
        ("random", [random.Random(i).randrange(100_003) for i in range(1009)]),
        ("backward", range(1009, -1, -1)),
        ("mixed", [i * i for i in range(1009)]),
        ("mixed", [*range(503), *shuffled(range(503, 1009))]),
        ("whole-file", range(7)),
        ("unknown", [3, 1, 2]),
        ("unknown", [5] * 503),
    ],
)
def test_orders(pattern: str, places: Iterable[int]) -> None:
    found = verdict(counters((place * 4093, 4093) for place in places))
    assert found.pattern == pattern or (pattern == "unknown" and found.pattern == "mixed")
    assert found.confidence <= CEILING
    assert found.request_size == 4093
    assert found.stride == (13 * 4093 if pattern == "strided" else None)


def test_darshan_calls_random_half_sequential_and_we_do_not() -> None:
    values = counters((place * 4093, 4093) for place in shuffled(range(1009)))
    assert 0.45 < values["POSIX_SEQ_READS"] / values["POSIX_READS"] < 0.55
    assert verdict(values).pattern == "random"


def test_a_record_of_all_ranks_is_believed_less() -> None:
    values = counters((place * 4093, 4093) for place in range(1009))
    alone, together = verdict(values), verdict(values, shared=True)
    assert together.confidence == pytest.approx(alone.confidence * SHARED)
    assert together.pattern == "sequential"


def test_stdio_without_seeking_goes_forward() -> None:
    values: dict[str, float] = {"STDIO_WRITES": 101, "STDIO_BYTES_WRITTEN": 1010, "STDIO_MAX_BYTE_WRITTEN": 1009}
    assert verdict(values, "STDIO").pattern == "sequential"
    assert verdict(values | {"STDIO_SEEKS": 3}, "STDIO").pattern == "unknown"


def test_what_was_not_accessed_has_no_verdict_nor_have_layers_above() -> None:
    counted = [
        Counted(1, 2, "/a", "POSIX", False, {"POSIX_OPENS": 3}),
        Counted(1, 2, "/a", "MPI-IO", False, {"MPIIO_X": 1}),
    ]
    assert not list(verdicts_from_counters(counted))


@pytest.mark.parametrize("wrong", [-1, 2**63 - 1, 0])
def test_counters_of_damaged_logs_raise_nothing(wrong: float) -> None:
    values = counters((place * 4093, 4093) for place in range(101))
    for name in values:
        assert all(0 <= found.confidence <= CEILING for found in verdicts_from_counters(
            [Counted(1, 2, "/a", "POSIX", False, values | {name: wrong})]
        ))  # fmt: skip
