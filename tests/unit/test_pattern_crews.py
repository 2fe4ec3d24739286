"""Files that several threads share: what all of them read together decides, though none reads regularly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.truth.accesses import Series, disturbed
from tests.truth.crews import CREWS, LATER, Crew, shared
from tests.truth.judged import judge, judge_crew, names

FAMILIES = CREWS | LATER


def crew(name: str, seed: int) -> Crew:
    rng = np.random.default_rng([seed, 1009])
    return shared(rng, FAMILIES[name][1](rng))


@pytest.mark.parametrize("name", ["column", "column_of_odd_rows", "column_after_a_header", "column_twice"])
def test_a_column_is_strided_whoever_reads_which_part_of_it(name: str) -> None:
    for seed in range(23):
        read = crew(name, seed)
        found = judge_crew(read)
        assert found["pattern"] == "strided", seed
        column = np.unique(read.series.offset)[7:]  # after the header, if there is one
        assert found["stride"] % np.diff(column).min() == 0, seed


@pytest.mark.parametrize(
    "name", ["column_upwards", "whole", "members_of_an_archive", "records_at_random", "small_heads_of_large_pages"]
)
def test_what_is_no_column_keeps_its_name(name: str) -> None:
    for seed in range(23):
        found = judge_crew(crew(name, seed))
        assert found["pattern"] in FAMILIES[name][0], seed


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 1 << 20),
    st.integers(4, 64),
    st.integers(29, 499),
    st.integers(0, 1 << 30),
)
def test_what_rises_on_a_lattice_is_strided(seed: int, size: int, apart: int, number: int, start: int) -> None:
    """Whatever is left out: of eight threads, one has every eighth place on average, at distances that vary."""
    rng = np.random.default_rng(seed)
    places = np.cumsum(rng.geometric(1 / 8, number))
    evidence, verdicts = judge([Series.of(start + places * size * apart, size)])
    distance = size * apart * int(np.gcd.reduce(np.diff(places)))
    assert evidence["lattice"][0] % distance == 0
    assert evidence["on_lattice"][0] >= 0.8 * evidence["places"][0]
    assert names(verdicts) == ["strided"]
    assert verdicts["stride"][0] % distance == 0


def test_a_lattice_is_seen_among_foreign_accesses() -> None:
    rng = np.random.default_rng(1013)
    places = np.cumsum(rng.geometric(1 / 3, 997))
    evidence, _ = judge([disturbed(rng, Series.of(places * 65536, 4096), 0.1)])
    assert evidence["lattice"][0] == 65536
    assert evidence["on_lattice"][0] < evidence["places"][0]


def test_places_at_no_distance_have_no_lattice() -> None:
    rng = np.random.default_rng(1019)
    evidence, _ = judge([Series.of(np.sort(rng.choice(1 << 40, 499, replace=False)), 4096)])
    assert evidence["lattice"][0] in {0, 1}
