"""From spool to store: every record arrives exactly once, under the right names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stepwell.store import NoTraceError, Store, ingest, ingest_leftovers
from stepwell.trace.definition import (
    EVENT,
    EXEC,
    OPEN,
    RESULT,
    RUN,
    RUN_SHORT,
    THREAD,
    THREAD_END,
    EventKind,
    Op,
    Record,
    RunFlag,
)
from stepwell.trace.errors import SpoolError
from stepwell.trace.layout import DTYPES
from stepwell.trace.spool import SpoolWriter

T0 = 7_000_000_000_000


def record(kind: Record, **values: Any) -> np.ndarray[Any, np.dtype[np.void]]:
    made = np.zeros(1, DTYPES[kind.kind])
    made["kind"] = kind.kind
    for name, value in values.items():
        made[name] = value
    return made


class Recording:
    """A spool file with one process, one thread and one file to begin with."""

    def __init__(self, path: Path, **meta: Any) -> None:
        self.writer = SpoolWriter(path)
        self.writer.meta(uuid=path.stem, start_monotonic_ns=T0, start_realtime_ns=1_700_000_000_123_456_789, **meta)
        self.add(THREAD, thread=1, pid=41, tid=41, ppid=1, uid=1009, start_ns=T0, process_start_ns=3, comm=b"main")
        self.open(7, b"a.bin\0set\0data\0", ino=23, dev=259 << 20 | 1, size=11)

    def add(self, kind: Record, text: bytes | None = None, **values: Any) -> None:
        self.writer.write(kind.kind, record(kind, **values), [] if text is None else [text])

    def open(self, number: int, text: bytes, **values: Any) -> None:
        self.add(OPEN, text, **{"thread": 1, "open": number, "start_ns": T0 + 5} | values)

    def read(self, **values: Any) -> None:
        self.add(RUN_SHORT, **{"thread": 1, "open": 7, "count": 1, "requested": 13, "size": 13, "tail": 13} | values)

    def end(self, **meta: Any) -> None:
        self.writer.meta(end_monotonic_ns=T0 + 1_000_003, **meta)
        self.writer.__exit__(None, None, None)


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(tmp_path / "first.spool")


def ask(tmp_path: Path, sql: str) -> list[dict[str, Any]]:
    with Store.open(tmp_path / "store.duckdb", "r") as store:
        rows: list[dict[str, Any]] = store.query(sql).read_all().to_pylist()
        return rows


def take(tmp_path: Path, name: str = "first") -> Any:
    with Store.open(tmp_path / "store.duckdb", "w") as store:
        return ingest(store, tmp_path / f"{name}.spool")


def column(tmp_path: Path, sql: str) -> list[Any]:
    return [value for row in ask(tmp_path, sql) for value in row.values()]


def test_a_trace_has_what_the_recorder_said(tmp_path: Path) -> None:
    recording = Recording(
        tmp_path / "first.spool", command=["python", "my train.py"], scope="command", cwd="/w", host="h", kernel="6.18",
        collector="ebpf tp_btf", version="0.1", coverage=["compat calls"], degraded={"heads": 2}, losses={"ring": 3},
    )  # fmt: skip
    recording.read(start_ns=T0 + 17)
    recording.end(exit_code=5, losses={"ring": 7, "drain": 0})
    result = take(tmp_path)
    assert (result.trace, result.uuid, result.new, result.accesses, result.lost) == (1, "first", True, 1, 7)
    with Store.open(tmp_path / "store.duckdb", "r") as store:
        (row,) = store.traces()
        assert store.latest_trace() == 1
        assert store.meta(1)["host"] == "h"
    assert str(row.pop("started")) == "2023-11-14 22:13:20.123456+00:00"
    assert row == {
        "trace": 1, "uuid": "first", "command": "python 'my train.py'", "scope": "command", "cwd": "/w", "host": "h",
        "kernel": "6.18", "collector": "ebpf tp_btf", "version": "0.1", "duration_ns": 1_000_003, "status": "complete",
        "exit_code": 5, "accesses": 1, "bytes": 13, "lost": 7, "coverage": ["compat calls"], "degraded": {"heads": 2},
    }  # fmt: skip
    assert ask(tmp_path, "from losses") == [{"trace": 1, "hop": "ring", "count": 7}]


def test_software_is_no_part_of_a_dataset(tmp_path: Path, recording: Recording) -> None:
    paths = ("/data/set/x/b.bin", "/data/.venv/lib/python3.11/os.py", "/data/.venv/lib/python3.11/json/x.py", "rel/c")
    for number, path in enumerate(paths, 11):
        recording.open(number, "\0".join(reversed(path.split("/"))).encode(), ino=number)
    recording.end()
    take(tmp_path)
    assert ask(tmp_path, "select path, dataset from files order by file") == [
        {"path": "/data/set/a.bin", "dataset": "/data/set"},
        {"path": "/data/set/x/b.bin", "dataset": "/data/set"},
        {"path": "/data/.venv/lib/python3.11/os.py", "dataset": "/data/.venv/lib/python3.11"},
        {"path": "/data/.venv/lib/python3.11/json/x.py", "dataset": "/data/.venv/lib/python3.11"},
        {"path": "rel/c", "dataset": "rel"},
    ]


def test_a_recorder_that_died_leaves_an_interrupted_trace(tmp_path: Path, recording: Recording) -> None:
    recording.read(start_ns=T0 + 17)
    recording.read(start_ns=T0 + 19, seq=1)
    recording.writer.__exit__(None, None, None)
    path = tmp_path / "first.spool"
    path.write_bytes(path.read_bytes()[:-1])
    result = take(tmp_path)
    assert result.accesses == 1
    assert result.damage is not None
    assert ask(tmp_path, "select status, duration_ns, lost from traces") == [
        {"status": "interrupted", "duration_ns": 17, "lost": 1}
    ]
    assert ask(tmp_path, "select hop, count from losses") == [{"hop": "spool", "count": 1}]


def test_a_trace_is_taken_once_and_numbers_are_never_reused(tmp_path: Path, recording: Recording) -> None:
    recording.end()
    assert take(tmp_path).new
    again = take(tmp_path)
    assert (again.new, again.trace) == (False, 1)
    for name in ("second", "third"):
        Recording(tmp_path / f"{name}.spool").end()
        take(tmp_path, name)
    with Store.open(tmp_path / "store.duckdb", "w") as store:
        store.remove([3])
        with pytest.raises(NoTraceError, match="there is no trace 3; `stepwell traces` lists"):
            store.remove([1, 3])
    Recording(tmp_path / "fourth.spool").end()
    assert take(tmp_path, "fourth").trace == 4
    assert column(tmp_path, "select trace from traces order by trace") == [1, 2, 4]
    with Store.open(tmp_path / "store.duckdb", "w") as store:
        assert store.keep(1) == [1, 2]
        assert store.keep(1) == []
    for view in ("traces", "readers", "threads", "files", "opens"):
        assert column(tmp_path, f"select distinct trace from {view}") == [4]


def test_runs_keep_every_number(tmp_path: Path, recording: Recording) -> None:
    recording.add(
        RUN, thread=1, open=7, op=Op.READ, flags=2, count=5, seq=11, seq_span=9, start_ns=T0 + 29, span_ns=401,
        offset=3 << 32, stride=-4099, requested=2**64 - 1, size=4093, tail=17, latency_ns=601, latency_max_ns=307,
        wait_ns=293, waited=1, filled=19, histogram=[3, 2] + [0] * 22,
    )  # fmt: skip
    recording.read(op=Op.COPY)
    recording.end()
    take(tmp_path)
    assert ask(tmp_path, "from runs where op = 'read'") == [
        {
            "trace": 1, "reader": 1, "thread": 1, "file": 1, "open": 7, "op": "read", "seq": 11, "seq_span": 9,
            "count": 5, "offset": 3 << 32, "stride": -4099, "requested": 2**64 - 1, "size": 4093, "tail": 17,
            "start_ns": 29, "span_ns": 401, "latency_ns": 601, "latency_max_ns": 307, "wait_ns": 293, "waited": 1,
            "filled": 19, "flags": 2, "histogram": [3, 2] + [0] * 22,
        }
    ]  # fmt: skip
    assert column(tmp_path, "select histogram from runs where op = 'copy'") == [None]


def test_what_nothing_describes_is_kept_as_unknown(tmp_path: Path, recording: Recording) -> None:
    recording.read(thread=3, open=9, start_ns=T0 + 17, offset=1000)
    recording.open(10, b"b\0", thread=4)
    recording.add(EVENT, b"", thread=5, open=11, event=EventKind.CLOSE, start_ns=T0)
    recording.add(THREAD_END, thread=6, end_ns=T0)
    recording.end()
    take(tmp_path)
    assert column(tmp_path, "select path from accesses join readers using (trace, reader)") == ["unknown:9"]
    assert column(tmp_path, "select size from files where path = 'unknown:9'") == [1013]
    assert column(tmp_path, "select comm from threads where reader < 0 order by thread") == [
        f"unknown:{thread}" for thread in (3, 4, 5, 6)
    ]
    assert column(tmp_path, "select comm from readers where reader < 0 order by reader desc") == [
        f"unknown:{thread}" for thread in (3, 4, 5, 6)
    ]
    assert column(tmp_path, "select path from events join files using (trace, file, path)") == ["unknown:11"]


def test_runs_no_kernel_can_have_meant_are_counted_as_lost(tmp_path: Path, recording: Recording) -> None:
    recording.read(offset=2**63)
    recording.read(op=17)
    recording.read(count=2, offset=10, stride=-11)
    recording.read(count=3, offset=10, stride=2**62)
    recording.read(offset=2**63 - 14)
    recording.read(count=2, offset=2**63 - 14, stride=-(2**63 - 14))
    recording.read(count=7, size=2**61)
    recording.end()
    assert take(tmp_path).lost == 5
    assert ask(tmp_path, "select hop, count from losses") == [{"hop": "store", "count": 5}]
    assert column(tmp_path, 'select "offset" from accesses order by all') == [0, 2**63 - 14, 2**63 - 14]


@pytest.mark.parametrize(
    ("text", "state", "path"),
    [
        (b"a\0", 0, "/a"),
        (b"c d\0b\xc3\xa4\0a\n\0", 0, "/a\n/bä/c d"),
        (b"\xff\0x\0", 0, "/x/\\xff"),
        (b"c\0b\0", 4, ".../b/c"),
        (b"", 2, "259:1:29"),
        (b"", 0, "259:1:29"),
    ],
)
def test_paths(tmp_path: Path, recording: Recording, text: bytes, state: int, path: str) -> None:
    recording.open(8, text, state=state, ino=29, dev=259 << 20 | 1)
    recording.end()
    take(tmp_path)
    assert column(tmp_path, "select path from opens join files using (trace, file) where open = 8") == [path]


def test_a_file_is_one_inode_under_one_path(tmp_path: Path, recording: Recording) -> None:
    recording.open(8, b"a.bin\0set\0data\0", ino=23, dev=259 << 20 | 1, size=43)
    recording.open(9, b"link\0data\0", ino=23, dev=259 << 20 | 1, size=43, state=1)
    recording.open(10, b"a.bin\0set\0data\0", ino=23, dev=259 << 20 | 1, generation=2, magic=0x01021994)
    recording.read(open=8, offset=100)
    recording.read(open=9, op=Op.MMAP, offset=1 << 20)
    recording.read(open=9, size=0, tail=0, offset=1 << 20)
    recording.add(EVENT, b"", thread=1, open=10, event=EventKind.TRUNCATE, value=71, start_ns=T0)
    recording.end(mounts=[[259 << 20 | 1, "/", "ext4", "/dev/x"]])
    take(tmp_path)
    assert [
        list(row.values())
        for row in ask(tmp_path, "select path, generation, size, filesystem, deleted from files order by file")
    ] == [
        ["/data/set/a.bin", 0, 113, "ext4", False],
        ["/data/link", 0, 43, "ext4", True],
        ["/data/set/a.bin", 2, 71, "ext4", False],
    ]
    assert column(tmp_path, "select file from opens order by open") == [1, 1, 2, 3]


@pytest.mark.parametrize(
    ("argument", "directory", "state", "path"),
    [
        (b"/x/y", b"", 0, "/x/y"),
        (b"y", b"x\0w\0", 0, "/w/x/y"),
        (b"y", b"\0", 0, "/y"),
        (b"y", b"", 0, "y"),
        ("ü/y".encode(), b"x\0", 0, "/x/ü/y"),
        (b"y", b"x\0w\0", 2, ".../w/x/y"),
        (b"y", b"", 4, ".../y"),
    ],
)
def test_events_by_path(
    tmp_path: Path, recording: Recording, argument: bytes, directory: bytes, state: int, path: str
) -> None:
    recording.add(
        EVENT,
        argument + directory,
        thread=1,
        event=EventKind.UNLINK,
        start_ns=T0 + 3,
        argument_bytes=len(argument),
        state=state,
    )
    recording.end()
    take(tmp_path)
    assert ask(tmp_path, "select event, op, file, open, path, start_ns from events") == [
        {"event": "unlink", "op": None, "file": None, "open": None, "path": path, "start_ns": 3}
    ]


def test_readers_are_processes_and_inherit_their_program(tmp_path: Path, recording: Recording) -> None:
    recording.add(EXEC, b"python\0a b.py\0", thread=1, start_ns=T0 + 10, comm=b"python")
    recording.add(THREAD, thread=2, pid=41, tid=43, start_ns=T0 + 20, process_start_ns=3, comm=b"helper")
    recording.add(THREAD, thread=3, pid=47, tid=47, ppid=41, start_ns=T0 + 30, process_start_ns=31, comm=b"python")
    recording.add(EXEC, b"late\0", thread=1, start_ns=T0 + 40, comm=b"late")
    recording.add(THREAD, thread=4, pid=47, tid=47, ppid=41, start_ns=T0 + 50, process_start_ns=51, comm=b"late")
    recording.add(EXEC, b"ls\0-l\0", thread=4, start_ns=T0 + 55, comm=b"ls")
    for thread, code, comm in ((1, 3 << 8, b"later"), (2, 0, b"helper"), (3, 9, b"python")):
        end: dict[str, Any] = {"end_ns": T0 + 60 + thread, "user_ns": 5, "system_ns": 7, "exited": 1, "exit_code": code}
        recording.add(THREAD_END, thread=thread, comm=comm, **end)
    recording.end()
    take(tmp_path)
    sql = "select reader, pid, ppid, comm, command, start_ns, end_ns, user_ns, system_ns, exit_code from readers order by reader"  # noqa: E501
    assert [tuple(row.values()) for row in ask(tmp_path, sql)] == [
        (1, 41, 1, "later", "late", 0, 62, 10, 14, 3),
        (2, 47, 41, "python", "python 'a b.py'", 30, 63, 5, 7, -9),
        (3, 47, 41, "ls", "ls -l", 50, None, 0, 0, None),
    ]
    assert column(tmp_path, "select reader from threads order by thread") == [1, 1, 2, 3]


def test_results_of_asynchronous_reads_split_their_runs(tmp_path: Path, recording: Recording) -> None:
    values: dict[str, Any] = {
        "open": 7,
        "flags": RunFlag.ASYNC,
        "requested": 100,
        "size": 100,
        "tail": 100,
        "stride": 100,
    }
    recording.add(RUN, None, thread=1, **values, count=7, seq=10, seq_span=6, start_ns=T0 + 50, span_ns=600)
    for seq, result in ((16, 31), (12, -5), (13, 0), (99, 1)):
        recording.add(RESULT, thread=1, open=7, seq=seq, result=result)
    recording.end()
    result = take(tmp_path)
    assert result.accesses == 6
    assert [
        tuple(row.values())
        for row in ask(tmp_path, 'select seq, "offset", size, requested, start_ns from accesses order by seq')
    ] == [(10 + i, 100 * i, {3: 0, 6: 31}.get(i, 100), 100, 50 + 100 * i) for i in (0, 1, 3, 4, 5, 6)]
    assert [tuple(row.values()) for row in ask(tmp_path, "select event, op, path, start_ns, value from events")] == [
        ("error", "read", "/data/set/a.bin", 250, 5)
    ]
    (degraded,) = column(tmp_path, "select degraded from traces")
    assert json.loads(degraded) == {"results of asynchronous accesses that were not seen": 1}


def test_leftovers_are_taken_unless_locked(tmp_path: Path) -> None:
    spools = tmp_path / "spool"
    spools.mkdir()
    Recording(spools / "done.spool").end()
    Recording(spools / "again.spool").end()
    live = Recording(spools / "live.spool")
    (spools / "empty.spool").write_bytes(b"")  # its recorder died before it began
    (spools / "wrong.spool").write_bytes(b"not a recording at all")
    with Store.open(tmp_path / "store.duckdb", "w") as store:
        ingest(store, spools / "again.spool")  # as if the deletion after the commit had not happened
        leftovers = ingest_leftovers(store, spools)
        assert sorted((result.uuid, result.new) for result in leftovers.ingested) == [("again", False), ("done", True)]
        ((path, error),) = leftovers.unusable
        assert path.name == "wrong.spool"
        assert isinstance(error, SpoolError)
        assert sorted(path.name for path in spools.iterdir()) == ["live.spool", "wrong.spool"]
        live.end()
        assert [result.uuid for result in ingest_leftovers(store, spools).ingested] == ["live"]
    assert column(tmp_path, "select count(*) from traces") == [3]


def test_no_directory_means_no_leftovers(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.duckdb", "w") as store:
        assert ingest_leftovers(store, tmp_path / "none").ingested == []


def test_a_spool_without_a_beginning_is_refused(tmp_path: Path) -> None:
    with SpoolWriter(tmp_path / "first.spool") as writer:
        writer.meta(uuid="first")
    with pytest.raises(SpoolError, match="does not say when its recording began"):
        take(tmp_path)
