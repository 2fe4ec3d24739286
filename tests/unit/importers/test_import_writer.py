"""What an importer tells is what the store has."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.importers.bringing import told

from stepwell.collectors.importers import TraceWriter
from stepwell.store import Store
from stepwell.trace.definition import EventKind, Op

T0 = 1_700_000_000_000_000_000
"""A Unix time in nanoseconds."""


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "trace.import"


def test_threads_programs_and_times(store: Store, spool: Path) -> None:
    def tell(trace: TraceWriter) -> None:
        trace.epoch(0)
        trace.meta(command=["sh", "job x"], host="far")
        parent = trace.thread(7, command=["sh", "job x"], start_ns=T0, uid=1000)
        trace.thread(7, 8, comm="worker")
        child = trace.thread(11, ppid=7, start_ns=T0 + 23)
        file = trace.open(child, "/d/a", start_ns=T0 + 29, latency_ns=3, size=101, flags=2)
        trace.access(child, file, Op.READ, 0, 101, start_ns=T0 + 31, latency_ns=11)
        trace.close(child, file, start_ns=T0 + 53)
        trace.end_thread(child, T0 + 59, status=3 << 8, user_ns=5, system_ns=7)
        trace.end_thread(parent, T0 + 61, status=9)

    brought = told(store, spool, tell)
    assert brought.rows(
        """SELECT command, host, epoch_ns(started)::BIGINT, duration_ns, status::VARCHAR FROM traces
        WHERE trace = $trace"""
    ) == [("sh 'job x'", "far", T0, 61, "complete")]
    assert brought.rows(
        """SELECT pid, ppid, comm, command, uid, start_ns, end_ns, user_ns, system_ns, exit_code FROM readers
        WHERE trace = $trace ORDER BY pid"""
    ) == [
        (7, 0, "sh", "sh 'job x'", 1000, 0, 61, None, None, None),
        (11, 7, "", "sh 'job x'", None, 23, 59, 5, 7, 3),
    ]
    assert brought.rows("SELECT tid, start_ns FROM threads WHERE trace = $trace ORDER BY tid") == [
        (7, 0),
        (8, 0),
        (11, 23),
    ]
    assert brought.rows("SELECT flags, start_ns, latency_ns FROM opens WHERE trace = $trace") == [(2, 29, 3)]
    assert brought.accesses("path, start_ns, size") == [("/d/a", 31, 101)]
    assert brought.rows("SELECT event::VARCHAR, path, start_ns FROM events WHERE trace = $trace") == [
        ("close", "/d/a", 53)
    ]


@pytest.mark.parametrize(
    "path",
    ["/d/a", "relative/a", "a", "s3://bucket/key", "/", "/d/", "8:16", "/d//a", "/d/é\n\x01", "/d/\udcff"],
)
def test_paths_come_back(store: Store, spool: Path, path: str) -> None:
    def tell(trace: TraceWriter) -> None:
        thread = trace.thread()
        trace.access(thread, trace.opened(thread, path), Op.READ, 0, 1)
        trace.event(thread, EventKind.UNLINK, path=path)

    brought = told(store, spool, tell)
    expected = path.encode("utf-8", "backslashreplace").decode().replace("\\udcff", "\\xff")
    assert brought.accesses("path") == [(expected,)]
    assert brought.rows("SELECT path FROM events WHERE trace = $trace") == [(expected,)]


def test_half_a_pair_of_utf_16_is_no_crash(store: Store, spool: Path) -> None:
    def tell(trace: TraceWriter) -> None:
        trace.event(trace.thread(), EventKind.UNLINK, path="/d/\ud800")

    assert told(store, spool, tell).rows("SELECT path FROM events WHERE trace = $trace") == [("/d/\\ud800",)]


def test_files_without_a_path_are_told_apart(store: Store, spool: Path) -> None:
    def tell(trace: TraceWriter) -> None:
        thread = trace.thread()
        for _ in range(3):
            trace.access(thread, trace.open(thread, ""), Op.READ, 0, 1)

    assert told(store, spool, tell).accesses("path") == [("0:0:1",), ("0:0:2",), ("0:0:3",)]


def test_counters(store: Store, spool: Path) -> None:
    values = {"POSIX_OPENS": 3.0, "POSIX_F_READ_TIME": 0.1, "POSIX_BYTES_READ": 2.0**53 - 1, "é": -1.5}

    def tell(trace: TraceWriter) -> None:
        thread = trace.thread(5)
        trace.counters(thread, trace.opened(thread, "/d/a"), "POSIX", values)

    brought = told(store, spool, tell)
    rows = brought.rows("SELECT path, module, counter, value FROM counters WHERE trace = $trace")
    assert {name: value for _, _, name, value in rows} == values
    assert {row[:2] for row in rows} == {("/d/a", "POSIX")}


def test_what_was_left_out_is_told(store: Store, spool: Path) -> None:
    def tell(trace: TraceWriter) -> None:
        trace.skip("sockets", 3)
        trace.skip("sockets", 2)
        trace.skip("nothing", 0)
        trace.lose("drops", 7)
        trace.limit("no offsets")
        trace.limit("no offsets")

    brought = told(store, spool, tell)
    assert brought.rows("SELECT degraded, lost FROM traces WHERE trace = $trace") == [('{"skipped: sockets": 5}', 7)]
    assert brought.rows("SELECT coverage FROM traces WHERE trace = $trace") == [
        ('["no offsets", "times are not known: order alone is"]',)
    ]
    assert brought.rows("SELECT hop, count FROM losses WHERE trace = $trace") == [("drops", 7)]
