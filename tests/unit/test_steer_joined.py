"""Runs of a reader whose sizes vary, told as one."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.recordings import MS, T0, Recording
from tests.unit.test_steer_feed import told

from stepwell.prefetch.protocol import Close, Run
from stepwell.steer.feed import MOST_JOINED, MOST_RUNS
from stepwell.steer.joined import Records, joined
from stepwell.trace.definition import EVENT, RUN, EventKind
from stepwell.trace.layout import DTYPES

NONE_TOLD = np.zeros(0, np.uint64)

READS = st.lists(
    st.tuples(
        st.integers(1, 3),  # open file
        st.integers(0, 2),  # pages left out before it
        st.integers(1, 5),  # accesses
        st.integers(1, 70_000),  # bytes of each
        st.integers(1, 70_000),  # of the last at most
    ),
    min_size=1,
)


def runs(reads: list[tuple[int, int, int, int, int]]) -> Records:
    """Return runs of readers that each go along a file, now and then with a gap."""
    made = np.zeros(len(reads), DTYPES[RUN.kind])
    ends: dict[int, int] = defaultdict(int)
    for number, (file, gap, count, size, most) in enumerate(reads):
        tail = min(size, most)
        begin = ends[file] + gap * 4096
        ends[file] = begin + (count - 1) * size + tail
        stride = size if count > 1 else 0
        one = made[number]
        one["open"], one["thread"], one["offset"], one["count"], one["size"], one["tail"], one["stride"] = (
            file, 7, begin, count, size, tail, stride,
        )  # fmt: skip
        one["start_ns"], one["span_ns"], one["latency_ns"], one["wait_ns"] = number * 10 + 5, 3, number + 1, number
    return made


def parts(reads: Records) -> dict[int, list[tuple[int, int]]]:
    """Return what was read of each file, as ranges that do not touch, in order of time."""
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for one in reads:
        begin = int(one["offset"])
        end = begin + (int(one["count"]) - 1) * int(one["stride"]) + int(one["tail"])
        of_file = found[int(one["open"])]
        if of_file and of_file[-1][1] == begin:
            of_file[-1] = of_file[-1][0], end
        else:
            of_file.append((begin, end))
    return dict(found)


@given(READS)
def test_the_same_bytes_accesses_and_times_are_in_one_run_for_each_range(
    reads: list[tuple[int, int, int, int, int]],
) -> None:
    before = runs(reads)
    found = joined(before, NONE_TOLD)
    assert parts(found) == parts(before)
    assert len(found) == sum(map(len, parts(before).values())), "none is left that goes on where another ended"
    for name in ("count", "latency_ns", "wait_ns"):
        assert found[name].sum() == before[name].sum()
    assert (found["start_ns"][1:] > found["start_ns"][:-1]).all()
    many = found["count"] > 1
    assert (found["stride"][many] <= found["size"][many]).all(), "no byte between two accesses is left out"
    assert (found["start_ns"] + found["span_ns"]).max() == (before["start_ns"] + before["span_ns"]).max()


def test_what_was_told_already_other_threads_other_ways_and_strides_stay_apart() -> None:
    along = runs([(1, 0, 1, 4096, 4096), (1, 0, 1, 16384, 16384)])
    assert len(joined(along, NONE_TOLD)) == 1
    assert len(joined(along, along["start_ns"][:1])) == 2
    for name, value in (("thread", 8), ("op", 1), ("open", 2), ("tail", 0)):
        apart = along.copy()
        apart[name][1] = value
        assert len(joined(apart, NONE_TOLD)) == 2
    strided = runs([(1, 0, 3, 4096, 4096), (1, 0, 1, 16384, 16384)])
    strided["stride"][0] = 8192
    strided["offset"][1] = 3 * 8192 - 4096
    assert len(joined(strided, NONE_TOLD)) == 2


def test_of_files_of_records_that_are_read_by_turns_all_is_told(tmp_path: Path) -> None:
    """A record takes a small read and a larger one: eight readers make more runs than are told, and none is alike."""
    recording = Recording(tmp_path / "one.spool")
    recording.thread(1)
    size, files = np.array([4096, 16384]), 8
    number = np.arange(1009)
    for file in range(1, files + 1):
        recording.open(file, b"/d/%d" % file)
        ends = np.cumsum(size[number % 2])
        recording.run(file, at=MS + number * 8000 + file, offset=ends - size[number % 2], size=size[number % 2])
    found = [message for message in told(recording) if isinstance(message, Run)]
    assert len(found) == files < MOST_RUNS
    total = int(size[number % 2].sum())
    for run in found:
        assert (run.offset, run.count) == (0, 1009)
        assert (run.count - 1) * run.stride + run.size == total
        assert run.latency_ns == 1009 * 1000


def test_of_very_many_runs_the_latest_are_looked_at_and_files_of_the_others_are_not_told_of_whole(
    tmp_path: Path,
) -> None:
    recording = Recording(tmp_path / "one.spool")
    recording.thread(1)
    of = np.repeat([1, 2, 3], [31, MOST_JOINED, MOST_RUNS])
    number = np.arange(len(of))
    for file in (1, 2, 3):
        recording.open(file, b"/d/%d" % file)
    recording.run(of, at=number * 8000 + MS, offset=number * 8192, count=np.ones_like(of))  # type: ignore[arg-type]
    for file in (1, 2, 3):
        recording.add(EVENT, b"", thread=1, event=EventKind.CLOSE, open=file, start_ns=T0 + 997 * MS)
    found = told(recording)
    assert {message.path for message in found if isinstance(message, Run)} == {"/d/3"}
    assert {message.path: message.untold for message in found if isinstance(message, Close)} == {
        "/d/1": True, "/d/2": True, "/d/3": False,
    }  # fmt: skip
