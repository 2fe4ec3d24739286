from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.cli import format as human


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (999, "999 B"),
        (1000, "0.98 KiB"),
        (1024, "1 KiB"),
        (4093, "4 KiB"),
        (1536, "1.5 KiB"),
        (-4096, "-4 KiB"),
        (1_300_000_000, "1.21 GiB"),
        (2**64 - 1, "16 EiB"),
    ],
)
def test_size(octets: int, text: str) -> None:
    assert human.size(octets) == text


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0 ns"),
        (850, "850 ns"),
        (999.6, "1 us"),
        (12_400, "12.4 us"),
        (999_600, "1 ms"),
        (3_200_000_000, "3.2 s"),
        (59_400_000_000, "59.4 s"),
        (59_700_000_000, "1 min"),
        (125_000_000_000, "2 min 5 s"),
        (3_600_000_000_000, "1 h"),
        (10_920_000_000_000, "3 h 2 min"),
        (90_000_000_000_000, "1 d 1 h"),
        (-1_500, "-1.5 us"),
    ],
)
def test_duration(nanoseconds: float, text: str) -> None:
    assert human.duration(nanoseconds) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (1, "100 %"), (0.125, "12.5 %"), (0.0001, "<0.1 %"), (0.99999, ">99.9 %"), (0.5, "50 %")],
)
def test_percent(share: float, text: str) -> None:
    assert human.percent(share) == text


def test_counts_and_rates() -> None:
    assert human.count(40_960) == "40,960"
    assert human.plural(1, "file") == "1 file"
    assert human.plural(23, "access", "accesses") == "23 accesses"
    assert human.rate(940) == "940/s"
    assert human.rate(52_310) == "52.3k/s"
    assert human.rate(1_200_000) == "1.2M/s"
    assert human.throughput(3 << 29) == "1.5 GiB/s"


_SIZE = re.compile(r"(\d+(?:\.\d+)?) ([KMGTPE]i)?B")
_SCALE = {None: 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}


@given(st.integers(min_value=0, max_value=2**64 - 1))
def test_size_keeps_two_digits_and_stays_short(octets: int) -> None:
    text = human.size(octets)
    match = _SIZE.fullmatch(text)
    assert match is not None
    assert abs(float(match[1]) * _SCALE[match[2]] - octets) <= octets * 0.006
    assert len(text) <= 8
