"""What a prefetch engine is told of a recording, from its spool file."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from tests.unit.recordings import MS, T0, Recording

from stepwell.prefetch.protocol import Asked, Close, Message, Open, Root, Run
from stepwell.steer.feed import CALL_NS, FEW_RUNS, KINDS, LARGE, MOST_RUNS, Feed
from stepwell.trace.definition import EVENT, OPEN, RUN, THREAD, THREAD_END, EventKind, Op, OpenFlag
from stepwell.trace.layout import DTYPES
from stepwell.trace.spool import Spool

NONE_OPEN = np.zeros(0, DTYPES[RUN.kind])


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    made = Recording(tmp_path / "one.spool")
    made.thread(1)
    return made


def told(recording: Recording, feed: Feed | None = None, *, waiting: bool = True) -> list[Message]:
    recording.end(0)
    with Spool(recording.path) as spool:
        return (feed or Feed(0)).tell(list(spool.follow(KINDS)), NONE_OPEN, NONE_OPEN, 0, waiting=waiting)


def text(path: str) -> bytes:
    return b"".join(part.encode() + b"\0" for part in reversed(path.strip("/").split("/")))


def test_what_a_reader_does_is_told_in_order_of_time(recording: Recording) -> None:
    recording.run(1, at=2 * MS, count=3, size=5, requested=5, stride=7, offset=11, span_ns=8, latency_ns=30)
    recording.add(EVENT, b"", thread=1, event=EventKind.CLOSE, open=1, start_ns=T0 + 5 * MS)
    recording.add(OPEN, text("/d/é\x01"), thread=1, open=1, start_ns=T0 + MS)
    recording.add(OPEN, text("/d/f"), thread=1, open=2, start_ns=T0 + 3 * MS)
    start = T0 + 2 * MS
    assert told(recording) == [
        Root("/d"),
        Open("/d/é\x01", "1001", T0 + MS),
        Run("1:1:0", "/d/é\x01", 11, 5, 7, 3, start, start + 8 + 10, 30, "read", "1001"),
        Open("/d/f", "1001", T0 + 3 * MS),
        Close("/d/é\x01", "1001", T0 + 5 * MS),
    ]


def test_only_data_files_are_told(recording: Recording) -> None:
    recording.add(THREAD, thread=2, pid=7, mount_namespace=4)
    opened: dict[str, dict[str, int]] = {
        "/usr/lib/x.so": {},
        "/d/module.pyc": {},
        "/d/written": {"flags": os.O_WRONLY},
        "/d/both": {"flags": os.O_RDWR},
        "/d/deleted": {"state": OpenFlag.DELETED},
        "/d/cut": {"state": OpenFlag.TRUNCATED_PATH},
        "/d/container": {"thread": 2},
        "/dev/shm/tmpfs": {"magic": 0x01021994},
        "/d/unknown": {"thread": 3},
    }
    for number, (path, values) in enumerate(opened.items()):
        recording.add(OPEN, text(path), **{"thread": 1, "open": number, "start_ns": T0} | values)
        recording.run(number)
    assert told(recording) == []


def test_writes_and_runs_without_bytes_are_not_told(recording: Recording) -> None:
    recording.open(1, b"/d/f")
    recording.run(1, op=Op.WRITE)
    recording.run(1, size=0, tail=0)
    recording.run(1, count=0, tail=0, span_ns=0, seq_span=0)
    assert [type(message) for message in told(recording)] == [Root, Open]


def test_with_datasets_given_nothing_beside_them_is_told(recording: Recording) -> None:
    for number, path in enumerate((b"/data/a/f", b"/database/f", b"/data"), 1):
        recording.open(number, path)
    assert told(recording, Feed(0, ("/data",))) == [Open("/data/a/f", "1001", T0)]


@pytest.mark.parametrize(("waiting", "number"), [(True, MOST_RUNS), (False, FEW_RUNS)])
def test_of_very_many_runs_the_last_are_told(recording: Recording, waiting: bool, number: int) -> None:
    recording.open(1, b"/d/f")
    recording.run(1, at=np.arange(997) + 1, offset=np.arange(997) * 8192)
    recording.add(EVENT, b"", thread=1, event=EventKind.CLOSE, open=1, start_ns=T0 + MS)
    *others, close = told(recording, waiting=waiting)
    runs = [message for message in others if isinstance(message, Run)]
    assert [run.offset // 8192 for run in runs] == list(range(997 - number, 997))
    assert close == Close("/d/f", "1001", T0 + MS, untold=True)


def test_files_are_closed_when_the_last_thread_of_their_process_ends(recording: Recording) -> None:
    recording.add(THREAD, thread=2, pid=1001, start_ns=T0)
    recording.open(1, b"/d/f")
    recording.add(THREAD_END, thread=1, end_ns=T0 + MS, exited=1)
    feed = Feed(0)
    assert [type(message) for message in told(recording, feed)] == [Root, Open]
    later = Recording(recording.path.with_name("two.spool"))
    later.add(THREAD_END, thread=2, end_ns=T0 + 2 * MS, exited=1)
    assert told(later, feed) == [Close("/d/f", "1001", T0 + 2 * MS)]


def test_open_runs_are_told_as_they_grow_and_add_to_what_was_read(recording: Recording) -> None:
    recording.open(1, b"/d/f")
    recording.run(1, count=3, tail=100, wait_ns=17)
    recording.run(1, op=Op.WRITE)
    recording.end(0)
    growing = np.zeros(1, DTYPES[RUN.kind])
    for name, value in {
        "thread": 1,
        "open": 1,
        "count": 2,
        "size": 10,
        "tail": 7,
        "start_ns": T0 + 1,
        "wait_ns": 5,
    }.items():
        growing[name] = value
    feed = Feed(0)
    with Spool(recording.path) as spool:
        blocks = list(spool.follow(KINDS))
        assert list(spool.follow(KINDS)) == []
    runs = [one for one in feed.tell(blocks, growing, NONE_OPEN, 0, waiting=True) if isinstance(one, Run)]
    assert [(run.count, run.size) for run in runs] == [(3, 4096), (2, 10)]
    assert (feed.meter.octets, feed.meter.waited_ns) == (2 * 4096 + 100 + 17, 22)
    assert feed.tell([], growing, NONE_OPEN, 0, waiting=True) == [], "nothing happened"
    grown = np.concatenate([growing, growing])
    grown["start_ns"][1] += 5
    grown["count"][0] += 1
    assert [one.count for one in feed.tell([], grown, NONE_OPEN, 0, waiting=True) if isinstance(one, Run)] == [3, 2]
    assert (feed.meter.octets, feed.meter.waited_ns) == (2 * 4096 + 100 + 17 + 10 + 17, 27)
    assert feed.tell([], NONE_OPEN, NONE_OPEN, 0, waiting=True) == []
    assert (feed.meter.octets, feed.meter.waited_ns) == (2 * 4096 + 100 + 17 + 10 + 17, 27), (
        "a run ends: for a moment in neither"
    )


def test_a_call_under_way_is_told_when_it_takes_longer_than_memory_does(recording: Recording) -> None:
    recording.open(1, b"/d/f")
    recording.run(1, at=3 * MS)
    feed, now_ns = Feed(0), T0 + 997 * MS
    calls = np.zeros(4, [(name, "u8") for name in ("start_ns", "open", "offset", "bytes")])
    calls["open"] = 1, 1, 7, 1
    calls["start_ns"] = now_ns - CALL_NS, now_ns - CALL_NS + 1, T0, T0 + 2 * MS
    calls["offset"], calls["bytes"] = 4096, LARGE - 1
    recording.end(0)
    with Spool(recording.path) as spool:
        first = feed.tell(spool.follow(KINDS), NONE_OPEN, calls, now_ns, waiting=True)
    asked = Asked("/d/f", 4096, LARGE - 1, "1001")
    run = next(message for message in first if isinstance(message, Run))
    assert first == [Root("/d"), Open("/d/f", "1001", T0), asked, run, asked]
    assert not feed.long_calls
    calls["bytes"] = LARGE
    feed.tell([], NONE_OPEN, calls[:1], now_ns, waiting=True)
    assert not feed.long_calls
    feed.tell([], NONE_OPEN, calls[3:], now_ns, waiting=True)
    assert feed.long_calls
    feed.tell([], NONE_OPEN, calls[:0], now_ns, waiting=True)
    assert not feed.long_calls


@pytest.mark.parametrize(("count", "tail", "told_count"), [(3, 4096, 3), (3, 1, 3), (3, 0, 2), (1, 0, 1)])
def test_a_read_that_finds_the_end_of_its_file_asks_for_nothing(
    recording: Recording, count: int, tail: int, told_count: int
) -> None:
    recording.open(1, b"/d/f")
    recording.run(1, count=count, stride=4096, tail=tail)
    assert [one.count for one in told(recording, Feed(0)) if isinstance(one, Run)] == [told_count]


def test_a_run_that_ends_meanwhile_is_told_as_it_was_and_as_it_ended_and_counted_once(recording: Recording) -> None:
    recording.open(1, b"/d/f")
    recording.run(1, at=MS, count=5, size=10, tail=10, span_ns=4 * MS, wait_ns=9)
    recording.run(1, at=6 * MS, offset=4096, size=10, tail=10)
    recording.end(0)
    growing = np.zeros(1, DTYPES[RUN.kind])
    values = {
        "thread": 1,
        "open": 1,
        "count": 2,
        "size": 10,
        "tail": 10,
        "start_ns": T0 + MS,
        "span_ns": MS,
        "wait_ns": 5,
    }
    for name, value in values.items():
        growing[name] = value
    feed = Feed(0)
    with Spool(recording.path) as spool:
        told = feed.tell(spool.follow(KINDS), growing, NONE_OPEN, 0, waiting=True)
    assert [(run.offset, run.count) for run in told if isinstance(run, Run)] == [(0, 2), (0, 5), (4096, 1)]
    assert (feed.meter.octets, feed.meter.waited_ns) == (60, 9)
