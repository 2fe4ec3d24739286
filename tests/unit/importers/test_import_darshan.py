"""Darshan's logs: the real ones inside PyPI's darshan; damaged ones; and messages, where no real log has them."""

from __future__ import annotations

import importlib.util
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bench.darshan import LOGS, compared
from tests.unit.importers.bringing import bring, told
from tests.unit.importers.fuzzing import attempt, hostile

from stepwell.collectors.importers import InputError, darshan
from stepwell.collectors.importers.darshan.child import HEADER_BYTES, end_of_regions
from stepwell.collectors.importers.darshan.messages import SEGMENT, Message
from stepwell.collectors.importers.darshan.records import NO_DXT, Records
from stepwell.store import Store

EXAMPLE = "ior_hdf5_example.darshan"
SMALLEST = min((log.read_bytes() for log in LOGS.values()), key=len)


def copied(directory: Path, name: str) -> Path:
    path = directory / "some.darshan"
    path.write_bytes(LOGS[name].read_bytes())
    return path


def test_accesses_and_counters_of_four_ranks(tmp_path: Path, store: Store) -> None:
    brought = bring(store, copied(tmp_path, EXAMPLE))
    ranks = brought.rows(
        "SELECT comm, uid > 0, command LIKE '%/ior -a HDF5%' FROM readers WHERE trace = $trace ORDER BY 1"
    )
    assert ranks == [("all ranks", True, True), *((f"rank {i}", True, True) for i in range(4))]
    found = brought.rows("""SELECT count(*) FILTER (op = 'read'), count(*) FILTER (op = 'write'),
        sum(size) FILTER (op = 'read'), sum(size) FILTER (op = 'write') FROM accesses WHERE trace = $trace""")
    names = ("POSIX_READS", "POSIX_WRITES", "POSIX_BYTES_READ", "POSIX_BYTES_WRITTEN")
    counters = dict(brought.rows("SELECT counter, value FROM counters WHERE trace = $trace AND module = 'POSIX'"))
    assert found == [tuple(counters[name] for name in names)]
    modules = brought.rows("SELECT DISTINCT module FROM counters WHERE trace = $trace ORDER BY 1")
    assert [module for (module,) in modules] == ["H5D", "H5F", "LUSTRE", "MPI-IO", "POSIX", "STDIO"]
    facts = brought.rows(
        "SELECT epoch(started)::BIGINT, duration_ns, lost, status::VARCHAR FROM traces WHERE trace = $trace"
    )
    assert facts == [(1594155460, 1_000_000_000, 0, "complete")]
    assert any("not those of DXT_MPIIO" in limit for limit in brought.written.limits)


@pytest.mark.parametrize("name", ["ior_hdf5_example.darshan", "dxt.darshan"])
def test_our_counters_are_darshans_own(tmp_path: Path, store: Store, name: str) -> None:
    """Within 0.1 % in sum, and alike for each file that was opened once: reopened, Darshan begins anew."""
    files = compared(store, bring(store, copied(tmp_path, name)).trace)
    assert files
    assert all(file.complete for file in files)
    for theirs, ours in zip(*(np.sum([getattr(file, who) for file in files], axis=0) for who in ("theirs", "ours")),
                            strict=True):  # fmt: skip
        assert abs(theirs - ours) <= 0.001 * theirs
    for file in files:
        assert file.theirs == file.ours or file.opens > 1


def test_a_log_without_dxt_has_counters_only(tmp_path: Path, store: Store) -> None:
    brought = bring(store, copied(tmp_path, "sample-goodost.darshan"))
    assert brought.accesses() == []
    assert NO_DXT in brought.written.limits
    assert brought.rows("""SELECT count(DISTINCT reader), sum(value)::BIGINT FROM counters
        WHERE trace = $trace AND counter = 'POSIX_BYTES_WRITTEN'""") == [(48, 48 * (1 << 30))]  # fmt: skip


def test_what_dxt_left_out_is_lost_and_ranks_are_in_order_of_time(tmp_path: Path, store: Store) -> None:
    job = {"uid": 7, "start_ns": 10**18, "seconds": 3.0, "job": 1, "command": "a b", "format": "3.41",
           "modules": ["POSIX", "DXT_POSIX"], "partial": ["DXT_POSIX"]}  # fmt: skip

    def segments(file: str, op: str, *rows: tuple[int, int, float, float]) -> Message:
        facts = {"module": "DXT_POSIX", "id": file, "rank": 3, "host": "nid1", "op": op}
        return Message("segments", facts, np.array(list(rows), SEGMENT).tobytes())

    messages = [
        Message("job", job),
        Message("names", {"1": "/a", "2": "/b"}),
        Message("counters", {"module": "POSIX", "id": "1", "rank": 3, "values": {"POSIX_READS": 7, "POSIX_OPENS": 1}}),
        Message("counters", {"module": "HEATMAP", "id": "9", "rank": 3, "values": {"HEATMAP_READ_BIN_2": 11}}),
        segments("1", "read", (0, 5, 0.1, 0.2), (5, 6, 0.5, 0.6)),
        segments("2", "write", (3, 4, 0.3, 0.4), (-1, 4, 0.3, float("nan"))),
    ]
    records: list[Records] = []

    def tell(trace: object) -> None:
        records.append(Records(trace))  # type: ignore[arg-type]
        for message in messages:
            records[0].take(message)
        records[0].end()

    brought = told(store, tmp_path / "spool", tell)
    assert brought.accesses('path, op::VARCHAR, "offset", size, start_ns') == [
        ("/a", "read", 0, 5, 100_000_000),
        ("/b", "write", 3, 4, 300_000_000),
        ("/a", "read", 5, 6, 500_000_000),
    ]
    assert brought.rows("SELECT hop, count FROM losses WHERE trace = $trace") == [("darshan dxt", 5)]
    assert brought.rows("SELECT host FROM traces WHERE trace = $trace") == [("nid1",)]
    assert brought.rows("SELECT value FROM counters WHERE trace = $trace AND module = 'HEATMAP'") == [(11.0,)]
    assert "module DXT_POSIX is incomplete: Darshan ran out of memory for its records" in brought.written.limits


def test_without_the_library_the_message_names_the_extra(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install 'stepwell\[importers\]'"):
        bring(store, copied(tmp_path, EXAMPLE))


@pytest.mark.parametrize("content", ["cut", "zeros", "random"])
def test_damaged_logs_are_refused(tmp_path: Path, store: Store, content: str) -> None:
    """However the library takes it: with an error, with a crash, or believing in records of terabytes."""
    whole = LOGS[EXAMPLE].read_bytes()
    random = np.random.default_rng(7).integers(0, 256, len(whole) - 16, np.uint8).tobytes()
    path = tmp_path / "some.darshan"
    path.write_bytes({"cut": whole[:359], "zeros": whole[:16] + bytes(400), "random": whole[:16] + random}[content])
    before = store.rows("SELECT count(*) FROM traces")
    with pytest.raises(InputError, match=r"some\.darshan: .*[Cc]opy it again"):
        bring(store, path)
    assert store.rows("SELECT count(*) FROM traces") == before
    assert not list(tmp_path.glob("*.import"))


@pytest.mark.parametrize("missing", [1, 997, 0.1, 0.5, 0.9])
def test_a_log_that_was_cut_is_refused_and_not_taken_for_one_without_accesses(
    tmp_path: Path, store: Store, missing: float
) -> None:
    whole = LOGS["dxt.darshan"].read_bytes()
    path = tmp_path / "cut.darshan"
    path.write_bytes(whole[: len(whole) - round(missing if missing >= 1 else missing * len(whole))])
    before = store.rows("SELECT count(*) FROM traces")
    with pytest.raises(InputError, match=r"cut\.darshan: .*cut"):
        bring(store, path)
    assert store.rows("SELECT count(*) FROM traces") == before


def grown(name: str, module: int, times: int) -> bytes:
    """Return a log whose last module, whose place in the header is given, has its records so many times."""
    whole = bytearray(LOGS[name].read_bytes())
    place = 40 + 16 * module
    offset, length = struct.unpack_from("<QQ", whole, place)
    assert offset + length == len(whole)
    records = zlib.compress(zlib.decompress(whole[offset:]) * times, 0)
    struct.pack_into("<QQ", whole, place, offset, len(records))
    return bytes(whole[:offset]) + records


@pytest.fixture(scope="module")
def large() -> bytes:
    """Return a log with a module that the library takes in several parts."""
    found = grown("dxt.darshan", 8, 13)
    assert len(found) > 3 << 20
    return found


def test_a_large_log_is_read_to_its_end(tmp_path: Path, store: Store, large: bytes) -> None:
    (tmp_path / "large.darshan").write_bytes(large)
    once = len(bring(store, copied(tmp_path, "dxt.darshan")).accesses())
    assert len(bring(store, tmp_path / "large.darshan").accesses()) == 13 * once


@pytest.mark.parametrize("missing", [1, 3001, 400_009])
def test_a_large_log_that_was_cut_is_refused(tmp_path: Path, store: Store, large: bytes, missing: int) -> None:
    """The library would give its first records, and no error."""
    (tmp_path / "cut.darshan").write_bytes(large[:-missing])
    with pytest.raises(InputError, match=rf"shorter than the {len(large):,} bytes that its header says; it was cut"):
        bring(store, tmp_path / "cut.darshan")


def test_a_large_log_that_is_damaged_in_the_middle_is_refused(tmp_path: Path, store: Store, large: bytes) -> None:
    """A deflated block that says to be longer than it is, after records that are whole."""
    damaged = bytearray(large)
    damaged[-500_009:-400_009] = b"\xff" * 100_000
    (tmp_path / "damaged.darshan").write_bytes(damaged)
    with pytest.raises(InputError, match="DXT_POSIX cannot be read to their end; it was cut or damaged"):
        bring(store, tmp_path / "damaged.darshan")


def test_counters_that_are_damaged_behind_the_first_records_are_refused(tmp_path: Path, store: Store) -> None:
    damaged = bytearray(LOGS["sample-badost.darshan"].read_bytes())
    offset, length = struct.unpack_from("<QQ", damaged, 40 + 16)
    at = offset + length * 9 // 10
    damaged[at : at + 40] = b"\xff" * 40
    (tmp_path / "damaged.darshan").write_bytes(damaged)
    with pytest.raises(InputError, match="POSIX cannot be read to their end"):
        bring(store, tmp_path / "damaged.darshan")


def test_the_end_of_every_log_is_found_in_its_header() -> None:
    for name, path in LOGS.items():
        whole = path.read_bytes()
        lengths = [length for offset, length in struct.iter_unpack("<QQ", whole[40:296]) if 0 < offset < len(whole)]
        assert end_of_regions(whole[:HEADER_BYTES], lengths) == len(whole), name
        assert end_of_regions(bytes(HEADER_BYTES), lengths) == sum(lengths), name


def test_a_log_is_known_by_its_magic_number() -> None:
    for name, path in LOGS.items():
        assert darshan.sniff(path.read_bytes()[:65536], "x"), name
    assert not darshan.sniff(b"3.21\0\0\0\0hello world", "x.log")


@given(st.data())
@settings(max_examples=29, deadline=None)  # each starts a process that loads Darshan's library
def test_a_damaged_log_gives_a_trace_or_one_error(data: st.DataObject) -> None:
    content = hostile(data, SMALLEST, [b"\x00" * 8, b"\xff" * 8, b"\x01", b"\x00\x00\x00\x80"])
    attempt(content[: data.draw(st.integers(1, len(content)))] if data.draw(st.booleans()) else content, "darshan")
