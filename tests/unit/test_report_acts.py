"""What was done and what it gained, in each form of the report."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from tests.unit.acts import acted, carried, verdict
from tests.unit.recordings import MS, Recording
from tests.unit.test_report_command import report, schema
from tests.unit.test_report_terminal import cells
from tests.unit.test_report_terminal import report as shown

from stepwell.analysis import plans
from stepwell.analysis.verdicts import Deeds, table
from stepwell.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Path:
    recording = Recording(tmp_path / "first.spool")
    recording.thread(1, end=980 * MS, cpu=7 * MS)
    recording.open(1, b"/data/a.bin", size=23 * 4093)
    recording.run(1, at=2 * MS, count=23, stride=4093, size=4093, requested=4093, span_ns=900 * MS)
    recording.end(980 * MS)
    path = recording.stored()
    with Store.open(path, "w") as opened:
        opened.set_acts(1, *acted("/data/\x1b[31m"))
    return path


def test_json_has_plans_and_verdicts_as_its_schema_says(store: Path) -> None:
    found = json.loads(report(store, "-o", "json"))
    jsonschema.validate(found, schema())
    (told,) = found["verdicts"]
    assert (told["verdict"], told["action"], told["design"], told["pairs"]) == ("helped", "kept", "alternating", 7)
    assert told["ratio"] == pytest.approx(7)
    assert (told["waited_ns"], told["expected_ns"]) == (7 * 61 * MS, 7 * 7 * 70 * MS)
    assert told["deeds"]["used_bytes"] == 9_700
    assert len(told["windows"]) == 14
    assert [one["start_ns"] for one in found["plans"]] == [0, 500 * MS]
    assert [one["plan"]["targets"][0]["policy"] for one in found["plans"]] == ["whole-file", "none"]


@pytest.mark.parametrize("columns", [60, 80, 140])
def test_the_terminal_shows_the_line_the_picture_and_the_plans(store: Path, columns: int) -> None:
    lines = shown(store, columns=columns).splitlines()
    assert max(map(cells, lines)) <= columns
    assert all(line.isprintable() for line in lines)
    start = next(n for n, line in enumerate(lines) if line.startswith("What was done and what it gained"))
    part = lines[start : next(n for n, line in enumerate(lines) if line.startswith("What would help"))]
    text = " ".join(" ".join(part).split())
    assert "reads waited 427 ms instead of an expected 3.43 s; 7x [7, 7] (kept)" in text
    assert "7 turns without acting" in text
    rows = {line[:22].strip(): line for line in part}
    for name in ("waiting", "expected without it", "acting"):
        assert any(row.startswith(name) for row in rows), name
    assert "waited up to then: 917 ms in all, without it 3.92 s (upper line)" in text
    assert any("⠤" in line or "⣀" in line or "⠒" in line for line in part)
    assert "whole-file 1 MiB 7 1x to 7x" in text or columns == 60


def test_a_run_that_did_nothing_says_why_and_has_no_picture(store: Path) -> None:
    with Store.open(store, "w") as opened:
        opened.set_acts(1, plans.table(()), table([verdict(deeds=Deeds(stopped="it is cached"), windows=[])]))
    text = shown(store)
    assert "read nothing ahead: it is cached (none)" in text
    assert "waited up to then" not in text
    assert 'id="acts"' in report(store, "-o", "html")


def test_a_recording_without_acts_has_no_such_section(store: Path) -> None:
    with Store.open(store, "w") as opened:
        opened.set_acts(1, plans.table(()), table(()))
    assert "What was done" not in shown(store)
    assert 'id="acts"' not in report(store, "-o", "html")


def test_waiting_that_would_have_been_adds_up() -> None:
    found = verdict()
    acting = [found.expected(one) or 0 for one in found.windows if one.acting]
    assert sum(acting) == pytest.approx(found.expected_ns)
    assert [found.expected(one) for one in found.windows if not one.acting] == [70 * MS] * 7
    unknown = verdict(windows=list(found.windows[:2]))
    assert unknown.expected(unknown.windows[1]) is None
    assert len(carried("/data")) == 2
