"""The HTML report in a real Chromium: drawn, right, harmless, and without any network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser
from tests.browser.pages import show
from tests.unit.acts import acted
from tests.unit.recordings import MS, Recording

from stepwell.cli.format import count, size
from stepwell.cli.main import cli
from stepwell.store import Store
from stepwell.trace.definition import Op

HOSTILE = [
    b"</script><img src=x onerror=alert(1)>.bin",
    b"{{ 7 * 7 }}<!--<script>alert(1)//.bin",
    b"line\nbreak\ttab\x1b[31m.bin",
    b"not utf-8 \xff\xfe.bin",
    "right \u202eto\u2066 left.bin".encode(),
    b"x" * 255,
    b"&lt;b&gt; \"quoted\" 'too'.bin",
]


def report(store: Path, *arguments: str) -> str:
    done = CliRunner().invoke(cli, ["--store", str(store), "report", *arguments], catch_exceptions=False)
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two processes, one reading a strided file and one at random, files of every hostile name, and a library."""
    recording = Recording(tmp_path_factory.mktemp("page") / "first.spool", command=["python", "</script><b>x"])
    recording.thread(1, b"<i>reader", end=1009 * MS, cpu=7 * MS)
    recording.thread(2, b"random", end=1009 * MS)
    recording.open(1, b"/data/a.bin", size=1 << 20)
    recording.run(1, at=MS, count=23, stride=40_009, size=4093, requested=4093, span_ns=900 * MS)
    recording.open(2, b"/data/b.bin", size=1 << 20, thread=2)
    scattered = np.arange(101) * 7919 % 251 * 4096
    recording.run(2, 2, at=np.arange(101) * 9 * MS, offset=scattered, seq=np.arange(101))
    recording.run(2, 2, at=950 * MS, op=Op.WRITE, size=8191, requested=8191, seq=101)
    directory = b"/".join([b"d" * 250] * 15)
    for number, name in enumerate(HOSTILE, 3):
        path = b"/data/" + (directory + b"/" if name == b"x" * 255 else b"") + name
        recording.open(number, path, size=64 << 10)
        recording.run(number, at=number * MS, size=65_521, requested=65_521, seq=100 + number)
    recording.open(40, b"/usr/lib/libc.so.6", size=2 << 20)
    recording.run(40, at=0, op=Op.MMAP, size=65_536, requested=65_536, flags=4, seq=200)
    recording.end(1013 * MS, losses={"ring": 3})
    stored = recording.stored()
    with Store.open(stored, "w") as opened:
        opened.set_acts(1, *acted("/data/<b>&"))
    return stored


@pytest.fixture(scope="module")
def page(store: Path) -> Path:
    path = store.with_name("report.html")
    report(store, "-o", "html", "--file", str(path))
    return path


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 400])
def test_charts_are_drawn_in_both_schemes_and_widths(browser: Browser, page: Path, dark: bool, width: int) -> None:
    seen = show(browser, page, dark=dark, width=width)
    assert seen.drawn() == 8 + 2 + len(HOSTILE) + 2 + 2  # the last: order of files, caches, two of acts
    assert min(seen.colours()) > 8
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    ground = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(20, 23, 27)" if dark else "rgb(255, 255, 255)")
    assert seen.wrong == []


def test_findings_open_to_their_evidence_by_keyboard(browser: Browser, page: Path) -> None:
    seen = show(browser, page)
    finding = seen.page.locator("details.finding").first
    assert not finding.locator("table").is_visible()
    finding.locator("summary").focus()
    seen.page.keyboard.press("Enter")
    finding.locator("table").first.wait_for(state="visible")
    assert "Model:" in finding.inner_text()
    assert "elapsed" in finding.inner_text()
    why = seen.page.locator("#patterns details").first
    why.locator("summary").focus()
    seen.page.keyboard.press("Enter")
    why.locator("li").first.wait_for(state="visible")
    assert seen.wrong == []


def test_tables_say_what_the_json_says(browser: Browser, store: Path, page: Path) -> None:
    seen = show(browser, page)
    found = json.loads(report(store, "-o", "json"))
    files = seen.table("Files")
    assert len(files) == 2 + len(HOSTILE)
    assert len(seen.table("Programs and libraries")) == 1
    by_path = {file["path"]: file for file in found["files"]}
    for path in ("/data/a.bin", "/data/b.bin"):
        file = by_path[path]
        assert files[path][:5] == [
            size(file["size"]), count(file["readers"]), count(file["opens"]), count(file["accesses"]),
            size(file["bytes"]),
        ]  # fmt: skip
    assert files["/data/a.bin"] == ["1 MiB", "1", "1", "23", "91.9 KiB", "8.98 %", "23 us"]
    processes = seen.table("Processes")
    assert [row[5] for row in processes.values()] == [count(reader["accesses"]) for reader in found["readers"]]
    assert seen.table("Strides") == {"read": ["40,009 B", "4,093 B", "1", "23", "91.9 KiB"]}
    latency = seen.table("Latency")
    assert {op: row[:2] for op, row in latency.items()} == {
        row["op"]: [count(row["untimed"] + sum(row["counts"])), count(sum(row["counts"]))] for row in found["latencies"]
    }
    assert (
        seen.page.locator("[role=alert]").inner_text() == "LOST: 3 records at hop ring; all numbers below are too low."
    )


def test_what_was_done_and_gained_is_told(browser: Browser, page: Path) -> None:
    seen = show(browser, page)
    section = seen.page.locator("#acts")
    assert "97 % used" in section.locator(".headline").inner_text()
    assert "Verdict: helped." in section.inner_text()
    assert list(seen.table("Plans").values()) == [
        ["/data/<b>&", "whole-file", "1 MiB", "7", "", "1x to 7x", "it waits"],
        ["/data/<b>&", "none", "", "", "", "", "it is <i>cached</i>"],
    ]
    assert seen.wrong == []


def test_hostile_names_are_shown_and_do_nothing(browser: Browser, page: Path) -> None:
    seen = show(browser, page)
    seen.drawn()
    files = "\n".join(seen.table("Files"))
    for shown in (
        "</script><img src=x onerror=alert(1)>.bin",
        "{{ 7 * 7 }}<!--<script>alert(1)//.bin",
        r"line\nbreak\ttab\x1b[31m.bin",
        r"not utf-8 \xff\xfe.bin",
        r"right \u202eto\u2066 left.bin",
        "/" + "x" * 255,
        "&lt;b&gt; \"quoted\" 'too'.bin",
    ):
        assert shown in files
    assert seen.page.locator("h1").inner_text() == "python '</script><b>x'"
    assert seen.page.locator("img, b, i").count() == 0
    assert seen.page.locator("script").count() == 4
    assert seen.wrong == []


def test_a_trace_without_accesses_has_a_page_too(browser: Browser, tmp_path: Path) -> None:
    recording = Recording(tmp_path / "first.spool")
    recording.end(23 * MS)
    page = tmp_path / "report.html"
    report(recording.stored(), "-o", "html", "--file", str(page))
    seen = show(browser, page)
    assert "No access to a regular file was seen." in seen.page.locator("header").inner_text()
    assert (seen.drawn(), seen.wrong) == (0, [])


def test_the_page_prints_whole_and_dark_on_white(browser: Browser, page: Path) -> None:
    seen = show(browser, page, dark=True)
    seen.drawn()
    seen.page.emulate_media(media="print")
    regions = seen.page.evaluate(
        """[...document.querySelectorAll(".scroll")].map((region) => region.scrollHeight - region.clientHeight)"""
    )
    assert max(regions) <= 0
    colours = seen.page.evaluate(
        "(({color, backgroundColor}) => [color, backgroundColor])(getComputedStyle(document.body))"
    )
    assert colours == ["rgb(27, 31, 36)", "rgb(255, 255, 255)"]
    assert len(seen.page.pdf()) > 50_000
    assert seen.wrong == []


def test_tables_are_reached_by_keyboard(browser: Browser, page: Path) -> None:
    seen = show(browser, page)
    reached = set()
    for _ in range(40):
        seen.page.keyboard.press("Tab")
        reached.add(
            seen.page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent.slice(0, 22)")
        )
    assert {"Processes", "Threads", "Files", "Programs and libraries", "Latency"} <= reached
