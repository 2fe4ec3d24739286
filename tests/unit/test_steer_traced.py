"""A known order out of a trace: which of its runs are a step, and in what form."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.recordings import MS, Recording

from stepwell.prefetch.errors import OrderError
from stepwell.prefetch.order_file import read_order
from stepwell.prefetch.protocol import Entry
from stepwell.steer.traced import of_trace
from stepwell.store import Store

KIB = 1024


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    recording = Recording(tmp_path / "first.spool")
    recording.thread(1)
    return recording


def order(recording: Recording, tmp_path: Path) -> tuple[list[str], list[Entry]]:
    recording.end(97 * MS)
    with Store.open(recording.stored(), "r") as store, (tmp_path / "order.arrow").open("wb") as steps:
        roots = of_trace(store, 1, steps)
    return roots, [entry for batch in read_order(tmp_path / "order.arrow") for entry in batch]


def test_a_file_that_is_read_from_end_to_end_is_one_step_without_a_range(recording: Recording, tmp_path: Path) -> None:
    recording.open(1, b"/set/b/one", size=13 * KIB)
    recording.open(2, b"/set/a/two", size=7 * KIB)
    recording.open(3, b"/set/b/one", size=13 * KIB)
    recording.run(1, at=1 * MS, size=1 * KIB)  # a header, and what follows it
    recording.run(1, at=5 * MS, offset=1 * KIB, count=3, size=4 * KIB, stride=4 * KIB)
    recording.run(2, at=3 * MS, size=7 * KIB)
    recording.run(3, at=11 * MS, size=13 * KIB)
    whole = [Entry("/set/b/one"), Entry("/set/a/two"), Entry("/set/b/one")]
    assert order(recording, tmp_path) == (["/set/a", "/set/b"], whole)


def test_parts_and_repetitions_are_steps_of_their_own(recording: Recording, tmp_path: Path) -> None:
    recording.open(1, b"/set/most", size=13 * KIB)
    recording.open(2, b"/set/twice", size=4 * KIB)
    recording.open(3, b"/set/strides", size=64 * KIB)
    recording.run(1, at=1 * MS, size=12 * KIB)
    recording.run(2, at=2 * MS, count=2, size=4 * KIB, stride=0, span_ns=MS)
    recording.run(3, at=5 * MS, count=3, size=1 * KIB, stride=24 * KIB, tail=512, span_ns=4 * MS)
    assert order(recording, tmp_path)[1] == [
        Entry("/set/most", 0, 12 * KIB),
        Entry("/set/twice", 0, 4 * KIB),
        Entry("/set/twice", 0, 4 * KIB),
        Entry("/set/strides", 0, 1 * KIB),
        Entry("/set/strides", 24 * KIB, 1 * KIB),
        Entry("/set/strides", 48 * KIB, 512),
    ]


def test_a_trace_that_read_no_data_gives_no_order(recording: Recording, tmp_path: Path) -> None:
    recording.open(1, b"/usr/lib/libc.so.6", size=13 * KIB)
    recording.run(1, at=1 * MS, size=12 * KIB)
    with pytest.raises(OrderError, match=r"^trace 1 read no data files; `stepwell traces` lists others$"):
        order(recording, tmp_path)
