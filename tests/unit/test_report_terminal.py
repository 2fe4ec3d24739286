"""The report in the terminal: readable at every width, harmless, and true in its words."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.recordings import MS, T0, Recording

from stepwell.trace.definition import THREAD_END, Op

SCREEN = 24


def report(store: Path, *arguments: str, columns: int = 80, **environment: str) -> str:
    command = [sys.executable, "-c", "from stepwell.cli.main import main; main()", "--store", str(store), "report"]
    paths = os.pathsep.join(path for path in sys.path if path)
    variables = os.environ | {"PYTHONPATH": paths, "COLUMNS": str(columns)} | environment
    done = subprocess.run([*command, *arguments], capture_output=True, check=True, timeout=120, env=variables)
    assert done.stderr == b""
    return done.stdout.decode(variables.get("PYTHONIOENCODING", "utf-8"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trace of everything a report draws, with names that would steer a terminal."""
    recording = Recording(
        tmp_path_factory.mktemp("terminal") / "first.spool", cwd="/work", command=["x\x1b[2J", "y\nz"]
    )
    recording.thread(1, b"strided\x07", end=900 * MS, cpu=90 * MS)
    recording.thread(2, b"random", end=900 * MS)
    recording.open(1, b"/data/\x1b[31mred\n", size=1 << 20)
    recording.run(
        1,
        at=MS,
        count=23,
        stride=40_009,
        size=4093,
        requested=4093,
        span_ns=500 * MS,
        latency_ns=6 * MS,
        latency_max_ns=MS,
        wait_ns=5 * MS,
        waited=7,
    )
    recording.open(2, "/work/\u202ewide 中文 中文.bin".encode(), size=1 << 20, thread=2)
    scattered = np.arange(101) * 7919 % 251 * 4096
    recording.run(2, 2, at=np.arange(101) * 8 * MS, offset=scattered, seq=np.arange(101))
    recording.run(2, 2, at=850 * MS, op=Op.WRITE, size=8191, requested=8191, seq=101)
    recording.open(3, b"/usr/lib/libc.so.6", size=2 << 20)
    recording.run(3, op=Op.MMAP, size=65_536, requested=65_536, flags=4, seq=200)
    recording.end(1000 * MS)
    return recording.stored()


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_lines_fit_the_width_and_hold_nothing_that_steers_a_terminal(store: Path, columns: int) -> None:
    shown = report(store, columns=columns)
    lines = shown.splitlines()
    assert max(map(cells, lines)) <= columns
    assert all(line.isprintable() for line in lines)
    assert r"x\x1b[2J" in lines[0]
    for part in (
        "Over time",
        "Files over time",
        "Offsets over time",
        "Processes",
        "Files",
        "Request sizes",
        "Run shapes",
    ):
        assert any(line.startswith(f"{part} ") for line in lines), part


def cells(line: str) -> int:
    """Return the width of a line; Chinese characters take two columns."""
    return len(line) + len(re.findall("[一-鿿]", line))


def test_every_number_that_was_recorded_is_said(store: Path) -> None:
    shown = " ".join(report(store, columns=200).split())
    for words in (
        "560 KiB read at 560 KiB/s and 8 KiB written, in 126 accesses to 3 files by 2 processes; 564 KiB unique.",
        "64 KiB of it, in 1 file, are programs and libraries: one row below.",
        "Time of 2 threads, 1.8 s: 0.34 % in accesses (0.28 % asleep there), 5 % on a processor, 94.7 % waiting for",
        "7 accesses (5.56 %) waited for storage or a lock; the others were served from memory.",
        "read 4 KiB every 39.1 KiB: 23 accesses",
        "programs and libraries: 1 file, 1 access, 64 KiB (see --software)",
    ):
        assert words in shown


def test_without_utf8_all_is_ascii(store: Path) -> None:
    shown = report(store, PYTHONIOENCODING="ascii")
    assert shown.isascii()
    assert "****" in shown
    assert "#" in shown
    assert re.search(r"^Over time .*-----", shown, re.MULTILINE)


def test_colours_are_for_terminals(store: Path) -> None:
    assert "\x1b[" not in report(store)
    assert "\x1b[" in report(store, FORCE_COLOR="1")
    assert "\x1b[3" not in report(store, FORCE_COLOR="1", NO_COLOR="1")


def test_software_on_request(store: Path) -> None:
    assert "/usr/lib/libc.so.6" not in report(store)
    shown = report(store, "--software")
    assert shown.count("/usr/lib/libc.so.6") == 3
    assert "programs and libraries" not in shown


def test_losses_come_first_and_what_was_seen_less_exactly(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "first.spool")
    recording.thread(1)
    recording.open(1, b"/data/a")
    recording.run(1)
    recording.end(MS, losses={"ring": 3, "drain": 1}, degraded={"heads": 7})
    lines = report(recording.stored()).splitlines()
    assert lines[2:5] == [
        "LOST: 1 record at hop drain; all numbers below are too low.",
        "LOST: 3 records at hop ring; all numbers below are too low.",
        "degraded: heads, 7 times",
    ]


def test_no_accesses_are_no_error(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "first.spool")
    recording.end(MS, coverage=["the moon"])
    shown = report(recording.stored())
    assert "No access to a regular file was seen." in shown
    assert "Files" not in shown
    assert "- the moon" in shown


def test_ranges_around_page_faults_are_not_sold_as_bytes_used(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "first.spool")
    recording.thread(1)
    recording.open(1, b"/data/a", size=1 << 20)
    recording.run(1, size=4096)
    recording.run(1, seq=1, op=Op.MMAP, flags=4, size=12_288)
    recording.end(MS)
    told = "12 KiB (75 % of the data) are ranges that the kernel mapped around page faults of mapped files"
    assert told in " ".join(report(recording.stored()).split())


def test_sleeping_until_asynchronous_accesses_are_done_is_told(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "first.spool")
    recording.thread(1)
    recording.open(1, b"/data/a")
    recording.run(1, flags=1, latency_ns=0, latency_max_ns=0)
    recording.add(THREAD_END, thread=1, end_ns=T0 + 100 * MS, async_wait_ns=23 * MS)
    recording.end(100 * MS)
    shown = report(recording.stored())
    assert "Threads slept for 23 ms until asynchronous accesses were done." in shown
    assert "No access waited" not in shown


def test_ten_thousand_files_and_a_hundred_processes_stay_readable(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "first.spool")
    files, processes = 10_007, 101
    for number in range(1, processes + 1):
        recording.thread(number, b"worker", end=900 * MS)
    numbers = np.arange(1, files + 1)
    for number in numbers.tolist():
        recording.open(number, b"/data/class-%d/%05d.jpg" % (number % 7, number), size=4096)
    values: dict[str, Any] = {"seq": numbers, "at": numbers * 80_000}
    recording.run(numbers, numbers % processes + 1, **values)  # type: ignore[arg-type]  # arrays make many runs
    recording.end(900 * MS)
    lines = report(recording.stored()).splitlines()
    assert len(lines) < 6 * SCREEN
    assert "… and 9,995 more files, 39 MiB" in lines
    assert "… and 89 more processes, 34.4 MiB" in lines
    assert sum("/* (1,4" in line for line in lines) == 7
