"""Which earlier recording a run is held against, and what its windows hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.recordings import MS, Recording

from stepwell.analysis.plans import table as plan_rows
from stepwell.analysis.verdicts import Deeds, baseline, judge, table
from stepwell.store import Store
from stepwell.trace.definition import Op

DURATION = 997 * MS


def recorded(directory: Path, name: str, *, ended: dict[str, Any] | None = None, **meta: Any) -> Path:
    """Record 13 reads of 4,099 bytes, one each 70 ms from 5 ms on, and one long run; each read waits 2 ms."""
    recording = Recording(directory / f"{name}.spool", **{"cwd": "/w"} | meta)
    recording.thread(1)
    recording.open(1, b"/data/f")
    recording.open(2, b"/usr/lib/libc.so.6")
    single = {"size": 4099, "requested": 4099, "wait_ns": 2 * MS, "latency_ns": 3 * MS}
    recording.run(1, at=5 * MS + np.arange(13) * 70 * MS, filled=2, **single)
    recording.run(1, count=101, size=1000, tail=900, span_ns=900 * MS, wait_ns=505 * MS, latency_ns=101)
    recording.run(2, count=1, size=1 << 20)
    recording.run(1, op=Op.WRITE, size=1 << 20)
    recording.end(DURATION, **ended or {})
    return recording.stored()


def test_the_baseline_has_what_readers_of_data_got_and_waited_for(tmp_path: Path) -> None:
    for name in ("one", "two"):
        path = recorded(tmp_path, name)
    with Store.open(path, "r") as store:
        assert baseline(store, 1) is None
        found = baseline(store, 2)
    assert found is not None
    assert (found.trace, found.fetched) == (1, 13 * 2 * 4096)
    assert len(found.windows) == 100
    assert all(window.length_ns == -(-DURATION // 100) and not window.acting for window in found.windows)
    assert sum(window.bytes for window in found.windows) == pytest.approx(13 * 4099 + 100_900, abs=100)
    assert sum(window.waited_ns for window in found.windows) == pytest.approx(13 * 2 * MS + 505 * MS, abs=100)
    # A window without a single read has its share of the long run alone.
    (alone,) = (window for window in found.windows if window.start_ns == 3 * window.length_ns)
    assert alone.bytes == pytest.approx(100_900 * alone.length_ns / (900 * MS + 2), rel=0.01)


@pytest.mark.parametrize(
    ("meta", "ended"),
    [
        ({"command": ["cat", "y"]}, {}),
        ({"cwd": "/elsewhere"}, {}),
        ({}, {"exit_code": 1}),
        ({}, {"interrupted": True}),
    ],
)
def test_another_command_place_or_end_is_no_baseline(
    tmp_path: Path, meta: dict[str, Any], ended: dict[str, Any]
) -> None:
    recorded(tmp_path, "one", ended=ended, **meta)
    path = recorded(tmp_path, "two")
    with Store.open(path, "r") as store:
        assert baseline(store, 2) is None


@pytest.mark.parametrize("tuned", ["none", "kept", "rolled back"])
@pytest.mark.parametrize("requests", [0, 7])
def test_a_trace_in_which_something_was_done_is_no_baseline(tmp_path: Path, requests: int, tuned: str) -> None:
    for name in ("one", "two", "three"):
        path = recorded(tmp_path, name, acts=name == "two")
    with Store.open(path, "w") as store:
        store.set_acts(2, plan_rows([]), table([judge([], Deeds(requests=requests), tuned=tuned)]))
        found = baseline(store, 3)
    assert found is not None
    assert found.trace == (1 if requests or tuned != "none" else 2)


def test_a_trace_of_which_nobody_knows_whether_something_was_done_is_no_baseline(tmp_path: Path) -> None:
    for name in ("one", "killed", "too", "three"):
        path = recorded(tmp_path, name, acts=name in {"killed", "too"})
    with Store.open(path, "r") as store:
        found = baseline(store, 4)
    assert found is not None
    assert found.trace == 1
