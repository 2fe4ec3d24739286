"""Pictures out of characters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.cli.format import printable
from stepwell.cli.report.plots import SHADES, bar, braille, fit, level, resample

sizes = st.integers(0, 2**60)


@given(cells=st.lists(sizes, min_size=1, max_size=200), columns=st.integers(1, 200))
def test_resampling_keeps_the_sum(cells: list[int], columns: int) -> None:
    found = resample(cells, columns)
    assert len(found) == columns
    assert sum(found) == pytest.approx(sum(cells), rel=1e-6, abs=1e-6)
    assert min(found) >= -1e-6 * sum(cells)


def test_resampling_shares_out_by_overlap() -> None:
    assert resample([4, 8], 4) == pytest.approx([2, 2, 4, 4])
    assert resample([1, 2, 3, 4], 2) == pytest.approx([3, 7])
    assert resample([3, 6, 9], 2) == pytest.approx([6, 12])


@given(value=sizes, other=sizes)
def test_shades_grow_with_the_value(value: int, other: int) -> None:
    low, high = sorted((value, other))
    assert 0 <= level(low, high) <= level(high, high) < len(SHADES)
    assert (level(low, high) == 0) == (low == 0)


@pytest.mark.parametrize(
    ("lines", "picture"),
    [
        ([(0, 0, 9, 9)], ["⠀⠀⡠⠊", "⡠⠊⠀⠀"]),
        ([(0, 0, 9, 0)], ["⠀⠀⠀⠀", "⣀⣀⣀⣀"]),
        ([(9, 0, 9, 9)], ["⠀⠀⠀⢸", "⠀⠀⠀⢸"]),
        ([(0, 9, 0, 9), (99, -5, 99, -5)], ["⠁⠀⠀⠀", "⠀⠀⠀⢀"]),
        ([], ["⠀⠀⠀⠀", "⠀⠀⠀⠀"]),
    ],
)
def test_lines_in_braille(lines: list[tuple[float, float, float, float]], picture: list[str]) -> None:
    assert braille(lines, (9, 9), 4, 2) == picture


@given(value=sizes, highest=sizes, columns=st.integers(1, 80))
def test_bars_fit_and_show_what_there_is(value: int, highest: int, columns: int) -> None:
    found = bar(min(value, highest), highest, columns)
    assert len(found) <= columns
    assert bool(found) == (min(value, highest) > 0)


@given(text=st.text(max_size=50), columns=st.integers(2, 30))
def test_text_fits_and_is_printable(text: str, columns: int) -> None:
    assert printable(text).isprintable()
    found = fit(text, columns)
    assert len(found) <= columns
    assert found == printable(text) or (found[0] == "…" and printable(text).endswith(found[1:]))
