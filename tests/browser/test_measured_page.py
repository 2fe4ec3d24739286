"""The page of `stepwell bench` in a real Chromium: the curves that were measured, and the model drawn with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.browser.pages import show

from stepwell.analysis.storage import Bench, Cell, Choice, Range
from stepwell.cli.measured_page import page

MS, MIB = 1_000_000, 1 << 20
LATENCY, RATE = 20 * MS, 50_000_000
HOSTILE = "/mnt/</script><img src=x onerror=alert(1)>{{ 7 * 7 }}"


def cell(block: int, at_once: int) -> Cell:
    """Return what a storage of known latency and rate gives, 150 MB/s at most."""
    each = LATENCY + block * 10**9 // RATE
    rate = min(at_once * block * 10**9 // each, 150_000_000)
    return Cell(block, at_once, 23, 1, 2, rate, each, 3 * each)


BENCH = Bench(
    version=1,
    path=HOSTILE,
    filesystem="fuse.slow",
    method="direct",
    certain=False,
    doubts=("3 combinations <b>are left out</b>",),
    status="complete",
    files=7,
    data_bytes=101 * MIB,
    read_bytes=97 * MIB,
    elapsed_ns=7_000 * MS,
    most_bytes_s=150_000_000,
    cells=tuple(cell(block, at_once) for block in (4096, 65_536, 4 * MIB) for at_once in (1, 7, 31)),
    open_ns=MS,
    latency_ns=Range(LATENCY, LATENCY - MS, LATENCY + MS),
    bytes_s=Range(RATE, RATE - 1_000_000, RATE + 1_000_000),
    error_permille=7,
    knee_bytes=MIB,
    choice=Choice(4 * MIB, 7, 7, 150_000_000),
)


def shown(tmp_path: Path, bench: Bench) -> Path:
    path = tmp_path / "bench.html"
    path.write_text(page(bench), encoding="utf-8")
    return path


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 400])
def test_curves_are_drawn_in_both_schemes_and_widths(browser: Browser, tmp_path: Path, dark: bool, width: int) -> None:
    seen = show(browser, shown(tmp_path, BENCH), dark=dark, width=width)
    assert seen.drawn() == 4
    assert min(seen.colours()) > 8
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    assert seen.wrong == []


def test_the_model_is_drawn_where_it_says(browser: Browser, tmp_path: Path) -> None:
    seen = show(browser, shown(tmp_path, BENCH))
    data = seen.page.evaluate("frame.data")
    assert [row["block"] for row in data["line"]] == [4096 << power for power in range(11)]
    assert data["line"][8] == {
        "block": MIB,
        "expected": LATENCY + MIB * 10**9 // RATE,
        "low": LATENCY - MS + MIB * 10**9 // (RATE + 1_000_000),
        "high": LATENCY + MS + MIB * 10**9 // (RATE - 1_000_000),
    }
    # What was measured lies on the model here, so that the two curves are one.
    assert data["model"] == [{name: row[name] for name in ("block", "at_once", "rate")} for row in data["cells"]]
    assert [(row["block"], row["p99"] // row["median"]) for row in data["alone"]] == [
        (4096, 3), (65_536, 3), (4 * MIB, 3),
    ]  # fmt: skip
    assert (data["knee"], data["choice"]) == (MIB, [4 * MIB, 7])


def test_words_and_numbers_stand_beside_and_no_name_is_markup(browser: Browser, tmp_path: Path) -> None:
    seen = show(browser, shown(tmp_path, BENCH))
    seen.drawn()
    assert seen.page.locator("h1").inner_text() == HOSTILE
    assert seen.page.locator("[role=alert]").all_inner_texts() == list(BENCH.doubts)
    assert "A request takes 20 ms [19 ms, 21 ms]" in seen.page.locator(".headline").inner_text()
    rows = seen.page.locator("#cells tbody tr")
    assert rows.count() == len(BENCH.cells)
    assert rows.last.locator("th, td").all_inner_texts() == [
        "4 MiB", "31", "23", "1", "2", "143 MiB/s", "104 ms", "312 ms",
    ]  # fmt: skip
    assert seen.page.locator("img, b").count() == 0
    assert seen.wrong == []


def test_without_a_line_the_curves_stand_alone(browser: Browser, tmp_path: Path) -> None:
    failed = Cell(MIB, 1, 5, 5, 0, 0, 0, 0)
    bench = replace(BENCH, latency_ns=None, bytes_s=None, knee_bytes=None, cells=(*BENCH.cells[:2], failed))
    seen = show(browser, shown(tmp_path, bench))
    assert seen.drawn() == 4
    assert min(seen.colours()) > 8
    data = seen.page.evaluate("frame.data")
    assert (data["line"], data["model"], len(data["cells"])) == ([], [], 2)
    assert "dashed" not in seen.page.locator("main").inner_text()
    assert seen.wrong == []


def test_where_nothing_was_measured_there_is_a_page_that_says_so(browser: Browser, tmp_path: Path) -> None:
    bench = replace(BENCH, cells=(), latency_ns=None, bytes_s=None, knee_bytes=None, choice=None, status="hung")
    seen = show(browser, shown(tmp_path, bench))
    assert "then reads hung" in seen.page.locator("header").inner_text()
    assert (seen.drawn(), seen.wrong) == (0, [])
