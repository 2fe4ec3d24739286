"""What a trace says, against what was put into the store."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.recordings import MS, T0, Recording

from stepwell.analysis import Summary, summarize
from stepwell.analysis.latency import quantile
from stepwell.analysis.model import File, RequestSize
from stepwell.analysis.pictures import files_of_interest
from stepwell.analysis.software import LABEL
from stepwell.analysis.summary import size_buckets
from stepwell.store import NoTraceError, Store
from stepwell.trace.definition import OPEN, RUN_SHORT, THREAD_END, Op, OpenFlag, RunFlag

SOFTWARE = (
    "/bin/sh", "/lib64/ld.so", "/usr/lib/locale/C.utf8/LC_CTYPE", "/usr/local/lib/x.txt", "/usr/share/zoneinfo/UTC",
    "/etc/passwd", "/proc/1/maps", "/sys/fs/cgroup/x", "/opt/conda/lib/python3.11/json/decoder.py",
    "/w/.venv/lib/python3.11/site-packages/a/b.py", "/w/node_modules/a/index.js", "/w/build/fast.so", "/w/c.so.1.2",
    "/w/__pycache__/a.cpython-311.pyc", "/w/.venv/pyvenv.cfg",
)  # fmt: skip
DATA = (
    "/data/a.bin", "/usr/share/dict/words", "/usr/src/linux/main.c", "/usr/local/data/x", "/w/binary/a", "/w/a.source",
    "/home/bin/table.csv", "/w/library/lib/a.bin", "/etcetera/a", "/w/train.py", "/w/solib.so.txt",
)  # fmt: skip


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(tmp_path / "first.spool")


def summary(recording: Recording, *, rows: int = 48, pictures: int = 24, **options: bool) -> Summary:
    with Store.open(recording.stored(), "r") as store:
        return summarize(store, 1, heat_rows=rows, most_pictures=pictures, **options)


def test_an_unknown_trace_is_an_error(recording: Recording) -> None:
    recording.end(1)
    with Store.open(recording.stored(), "r") as store, pytest.raises(NoTraceError, match="there is no trace 23"):
        summarize(store, 23, heat_rows=1, most_pictures=1)


def test_software_stands_back_behind_data(recording: Recording) -> None:
    recording.thread(1)
    for number, path in enumerate((*SOFTWARE, *DATA), 1):
        recording.open(number, path.encode(), size=4096)
        recording.run(number, seq=number)
    recording.end(MS)
    found = summary(recording)
    assert {file.path for file in found.files if file.software} == set(SOFTWARE)
    assert [file.software for file in found.files] == [False] * len(DATA) + [True] * len(SOFTWARE)
    assert (found.software.files, found.software.bytes) == (len(SOFTWARE), len(SOFTWARE) * 4096)
    assert (found.heat[-1].label, found.heat[-1].files, found.heat[-1].software) == (LABEL, len(SOFTWARE), True)
    assert {row.label for row in found.heat[:-1]} == set(DATA)
    assert not {picture.path for picture in found.pictures} & set(SOFTWARE)
    assert found.totals.files == len(SOFTWARE) + len(DATA)
    assert found.totals.read_bytes == found.totals.files * 4096


def test_software_is_shown_like_data_when_asked_for_or_when_there_is_nothing_else(tmp_path: Path) -> None:
    for name, paths, options in (("asked", ("/etc/a", "/data/b"), {"fold": False}), ("only", ("/etc/a", "/etc/b"), {})):
        recording = Recording(tmp_path / f"{name}.spool")
        recording.thread(1)
        for number, path in enumerate(paths, 1):
            recording.open(number, path.encode())
            recording.run(number, seq=number)
        recording.end(MS)
        with Store.open(recording.stored(), "r") as store:
            found = summarize(store, store.latest_trace(), heat_rows=5, most_pictures=5, **options)
        assert found.software.files == 0
        assert [row.label for row in found.heat] == sorted(paths)


def test_programs_are_software_when_they_are_only_mapped_and_nobody_wrote_to_them(recording: Recording) -> None:
    recording.thread(1, b"a-very-long-pro")
    paths = ("/w/a-very-long-program", "/w/bin/tool", "/w/read/bin/tool", "/w/built.so", "/w/other")
    for number, path in enumerate(paths, 1):
        recording.open(number, path.encode())
        recording.run(number, seq=number, op=Op.MMAP)
    recording.run(3, seq=9)
    recording.run(4, seq=10, op=Op.WRITE)
    recording.end(MS)
    assert {file.path for file in summary(recording).files if file.software} == {
        "/w/a-very-long-program",
        "/w/bin/tool",
    }


def test_shared_memory_without_a_file_is_no_data(recording: Recording) -> None:
    recording.thread(1)
    tmpfs = 0x01021994
    recording.add(OPEN, b"", thread=1, open=1, ino=23, dev=1, magic=tmpfs, state=OpenFlag.NO_PATH, start_ns=T0)
    recording.add(OPEN, b"", thread=1, open=2, ino=29, dev=2, state=OpenFlag.NO_PATH, start_ns=T0)
    recording.open(3, b"/data/a")
    for number in (1, 2, 3):
        recording.run(number, seq=number, op=Op.MMAP)
    recording.end(MS)
    assert {file.path for file in summary(recording).files if file.software} == {"0:1:23"}


def test_a_process_is_mostly_where_its_data_is(recording: Recording) -> None:
    recording.thread(1)
    recording.open(1, b"/usr/lib/big.so")
    recording.run(1, size=1 << 20)
    recording.open(2, b"/data/set/small")
    recording.run(2, seq=1)
    recording.end(MS)
    assert summary(recording).readers[0].top_directory == "/data/set/"


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_pictures_over_time_hold_every_byte(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    recording = Recording(tmp_path_factory.mktemp("time") / "first.spool")
    recording.thread(1)
    duration = data.draw(st.integers(1, 1000))
    expected = {}
    for number in range(1, data.draw(st.integers(1, 9)) + 1):
        recording.open(number, b"/data/%d/%d" % (number % 3, number))
        size, accesses = data.draw(st.integers(0, 5000)), data.draw(st.integers(1, 9))
        at, span = data.draw(st.integers(0, duration)), data.draw(st.integers(0, duration))
        recording.run(number, at=at, seq=10 * number, size=size, count=accesses, span_ns=span * (accesses > 1))
        expected[f"/data/{number % 3}/{number}"] = size * accesses
    recording.end(duration)
    found = summary(recording, rows=data.draw(st.integers(3, 12)))
    assert {file.path: file.bytes for file in found.files} == expected
    total = sum(expected.values())
    assert sum(row.bytes for row in found.heat) == total
    for row in found.heat:
        assert sum(row.cells) == pytest.approx(row.bytes, abs=len(row.cells) / 2)
    assert sum(found.timeline.read_bytes) == pytest.approx(total, abs=len(found.timeline.read_bytes) / 2)
    assert sum(row.files for row in found.heat) == len(expected)


def test_time_is_split_into_asleep_processor_and_elsewhere(recording: Recording) -> None:
    recording.thread(1, end=1000, cpu=300)
    recording.open(1, b"/data/a")
    recording.run(1, latency_ns=500, latency_max_ns=500, wait_ns=400, waited=1)
    recording.run(1, seq=1, flags=RunFlag.ASYNC, latency_ns=0, latency_max_ns=0, histogram=np.zeros((1, 24)))
    recording.run(1, count=0, flags=RunFlag.ASYNC, size=0, latency_ns=10**6, latency_max_ns=10**6)
    recording.thread(2)
    recording.run(1, 2)
    recording.add(THREAD_END, thread=2, end_ns=T0 + 2000, user_ns=7, system_ns=13, async_wait_ns=900)
    recording.end(5000)
    found = summary(recording)
    totals = found.totals
    assert (totals.wall_ns, totals.cpu_ns, totals.wait_ns, totals.stall_ns) == (3000, 320, 1300, 2400)
    assert [(r.wall_ns, r.wait_ns, r.stall_ns) for r in sorted(found.readers, key=lambda reader: reader.pid)] == [
        (1000, 400, 500), (2000, 900, 1900),
    ]  # fmt: skip


def test_a_call_that_copies_between_files_holds_up_once(recording: Recording) -> None:
    recording.thread(1, end=1000)
    recording.open(1, b"/data/from")
    recording.open(2, b"/data/to")
    spent = {"latency_ns": 700, "latency_max_ns": 700, "wait_ns": 600, "waited": 1, "at": 100}
    recording.run(1, op=Op.COPY, **spent)
    recording.run(2, op=Op.WRITE, seq=1, **spent)
    recording.run(2, op=Op.WRITE, seq=2, at=900, latency_ns=50, latency_max_ns=50)
    recording.end(1000)
    found = summary(recording)
    assert (found.totals.stall_ns, found.totals.wait_ns) == (750, 600)
    assert sum(found.timeline.stall_ns) == pytest.approx(750, abs=len(found.timeline.stall_ns) / 2)
    assert max(found.timeline.stall_ns) <= found.timeline.slice_ns


def test_a_run_ends_with_the_trace_at_the_latest(recording: Recording) -> None:
    recording.thread(1)
    recording.open(1, b"/data/a")
    recording.run(1, at=0, count=2, size=1600, tail=1600, span_ns=800, latency_ns=900, latency_max_ns=900)
    recording.end(1000)
    cells = summary(recording).timeline.read_bytes
    assert max(cells) - min(cells[:140]) <= 1


def test_faults_that_did_not_sleep_have_no_latency(recording: Recording) -> None:
    recording.thread(1)
    recording.open(1, b"/data/a")
    untimed: dict[str, Any] = {"op": Op.MMAP, "flags": RunFlag.FAULT_AROUND, "size": 65_536}
    for seq, took in enumerate((0, 0, 0, 70_000)):
        recording.add(
            RUN_SHORT, thread=1, open=1, count=1, seq=seq, start_ns=T0, tail=65_536, latency_ns=took,
            latency_max_ns=took, **untimed,
        )  # fmt: skip
    recording.run(1, seq=9, op=Op.MMAP)
    recording.end(MS)
    found = summary(recording)
    (latency,) = found.latencies
    assert (latency.untimed, sum(latency.counts), latency.max_ns) == (3, 2, 70_000)
    assert found.totals.around_bytes == found.files[0].around_bytes == 4 * 65_536
    assert found.totals.read_bytes == 4 * 65_536 + 4096


def test_shapes_and_strides_of_runs(recording: Recording) -> None:
    recording.thread(1)
    recording.open(1, b"/data/a")
    for seq, (accesses, stride) in enumerate([(23, 4096), (7, 8191), (5, -4096), (1, 0), (2, 40_009), (2, 4096)]):
        recording.run(1, seq=100 * seq, count=accesses, stride=stride, offset=1 << 20)
    recording.end(MS)
    found = summary(recording)
    assert {shape.shape: (shape.runs, shape.accesses) for shape in found.shapes} == {
        "consecutive": (2, 25), "strided": (1, 7), "backward": (1, 5), "single": (2, 3),
    }  # fmt: skip
    assert [(stride.stride, stride.accesses) for stride in found.strides] == [(8191, 7), (-4096, 5)]


def test_request_sizes_are_put_together_by_powers_of_two() -> None:
    sizes = [RequestSize("read", size, 1, size) for size in (0, 1, 2, 3, 4096, 8191, 8192)]
    found = size_buckets([*sizes, RequestSize("mmap", 4096, 7, 23)])
    assert [(bucket.op, bucket.low, bucket.high, bucket.accesses, bucket.bytes) for bucket in found] == [
        ("mmap", 4096, 4096, 7, 23), ("read", 0, 0, 1, 0), ("read", 1, 1, 1, 1), ("read", 2, 3, 2, 5),
        ("read", 4096, 8191, 2, 12_287), ("read", 8192, 8192, 1, 8192),
    ]  # fmt: skip


@given(counts=st.lists(st.integers(0, 99), min_size=24, max_size=24).filter(any), share=st.floats(0, 1))
def test_a_quantile_is_in_the_bucket_that_holds_its_rank(counts: list[int], share: float) -> None:
    found = quantile(counts, share, 2**40)
    below = [sum(counts[:k]) for k in range(25)]
    bucket = next(k for k in range(24) if counts[k] and share * below[24] <= below[k + 1])
    assert (0 if bucket == 0 else 2 ** (bucket + 8)) <= found <= 2 ** (bucket + 9)
    assert quantile(counts, 0.1, 2**40) <= quantile(counts, 0.9, 2**40)
    assert quantile(counts, share, 300) <= 300


def table(*files: tuple[str, int, int]) -> pa.Table:
    """Return files as columns, given path, size and bytes."""
    made = [File(0, path, "", size, False, False, 1, 1, 1, 1, octets, 0, 0, 0, 0, 0) for path, size, octets in files]
    return pa.Table.from_pylist([asdict(file) for file in made])


def test_files_of_interest_are_large_telling_and_of_several_directories() -> None:
    several = [(f"/a/{n}", 1 << 20, 1000 - n) for n in range(9)]
    files = table(*several, ("/b/0", 1 << 20, 600), ("/c", 99, 5000))
    assert [found.path for found in files_of_interest(files)][:3] == ["/a/0", "/b/0", "/a/1"]
    assert "/c" not in {found.path for found in files_of_interest(files)}
    assert [found.path for found in files_of_interest(table(("/c", 99, 5000)))] == ["/c"]
