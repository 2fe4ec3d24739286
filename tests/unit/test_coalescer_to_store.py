"""From accesses through runs, spool file and ingest to the view `accesses`: the very same accesses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.coalescing import BELOW_LARGEST_OFFSET, Access, Records, bucket, coalesce, sequences, stream

from stepwell.store import Store, ingest
from stepwell.trace.definition import HISTOGRAM_BUCKETS, OPEN, RUN, RUN_SHORT, THREAD, Op, RunFlag
from stepwell.trace.layout import DTYPES
from stepwell.trace.spool import SpoolWriter

Head = tuple[int, int, Op]
"""Thread, open file (which is also the file's name), kind of access."""

HEADS = st.tuples(st.integers(1, 2), st.integers(1, 3), st.sampled_from(Op))


def head_runs(head: Head, accesses: list[Access]) -> Records:
    runs = coalesce(accesses)
    runs["thread"], runs["open"], runs["op"] = head
    return runs


def write_spool(path: Path, runs: list[Records]) -> None:
    with SpoolWriter(path) as writer:
        writer.meta(uuid=str(uuid4()), start_monotonic_ns=0, end_monotonic_ns=2**40)
        threads = np.zeros(2, DTYPES[THREAD.kind])
        threads["thread"], threads["pid"] = [1, 2], 5
        writer.write(THREAD.kind, threads)
        opens = np.zeros(3, DTYPES[OPEN.kind])
        opens["open"], opens["ino"] = [1, 2, 3], [1, 2, 3]
        writer.write(OPEN.kind, opens, [b"1\0", b"2\0", b"3\0"])
        for of_head in runs:
            for kind in (RUN.kind, RUN_SHORT.kind):
                chosen = of_head[of_head["kind"] == kind]
                records = np.zeros(len(chosen), DTYPES[kind])
                for name in DTYPES[kind].names or ():
                    records[name] = chosen[name]
                writer.write(kind, records)


class Stored:
    """A store that takes one recording after the other."""

    def __init__(self, directory: Path, store: Store) -> None:
        self.spool = directory / "trace.spool"
        self.store = store

    def accesses(self, runs: list[Records]) -> list[tuple[Head, int, Access, bool]]:
        """Ingest a recording of these runs; return its accesses by head and number."""
        self.spool.unlink(missing_ok=True)
        write_spool(self.spool, runs)
        taken = ingest(self.store, self.spool)
        assert (taken.new, taken.lost) == (True, 0)
        rows = self.store.rows(
            """SELECT thread, path[2:]::INTEGER, op::VARCHAR, seq, "offset", requested, size, start_ns, interpolated
            FROM accesses WHERE trace = ? ORDER BY ALL""",
            taken.trace,
        )
        return [
            ((thread, open_file, Op[op.upper()]), seq, Access(offset, requested, size, start_ns=start), guessed)
            for thread, open_file, op, seq, offset, requested, size, start, guessed in rows
        ]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    directory = tmp_path_factory.mktemp("store")
    with Store.open(directory / "store.duckdb", "w") as store:
        yield Stored(directory, store)


@settings(max_examples=47)
@given(heads=st.dictionaries(HEADS, sequences(BELOW_LARGEST_OFFSET, orderly=True), max_size=3))
def test_the_store_gives_back_every_access(stored: Stored, heads: dict[Head, list[Access]]) -> None:
    found = stored.accesses([head_runs(head, accesses) for head, accesses in heads.items()])
    for head, accesses in heads.items():
        own = [row[1:] for row in found if row[0] == head]
        assert [access[:3] for _, access, _ in own] == [access[:3] for access in accesses]
        for (seq, access, interpolated), expected in zip(own, accesses, strict=True):
            if not interpolated:
                assert (seq, access.start_ns) == (expected.seq, expected.start_ns)
    assert len(found) == sum(map(len, heads.values()))


def test_streams_that_take_turns_come_back_in_their_common_order(stored: Stored) -> None:
    heads: list[Head] = [(1, 1, Op.READ), (1, 2, Op.READ), (1, 3, Op.WRITE)]
    order = heads * 97
    accesses = [
        Access(open_file * 2**40 + turn // 3 * 4093, 4093, 4093, seq=turn, start_ns=7 * turn)
        for turn, (_, open_file, _) in enumerate(order)
    ]
    runs = [head_runs(head, accesses[first::3]) for first, head in enumerate(heads)]
    assert [len(of_head) for of_head in runs] == [1, 1, 1]
    found = sorted(stored.accesses(runs), key=lambda row: row[1])
    assert [(head, seq, access) for head, seq, access, _ in found] == [
        (head, access.seq, access._replace(seq=0)) for head, access in zip(order, accesses, strict=True)
    ]


@given(latencies=st.lists(st.integers(0, 2**40), min_size=1, max_size=23))
@settings(max_examples=11)
def test_runs_of_latencies_alone_are_kept_and_are_no_accesses(stored: Stored, latencies: list[int]) -> None:
    buckets = [bucket(latency) for latency in latencies]
    late = np.zeros(1, DTYPES[RUN.kind])
    late["kind"], late["thread"], late["open"], late["flags"] = RUN.kind, 1, 2, RunFlag.ASYNC
    late["latency_ns"], late["latency_max_ns"] = sum(latencies), max(latencies)
    late["histogram"] = [buckets.count(k) for k in range(HISTOGRAM_BUCKETS)]
    accesses = stream(0, 4093, 4093, 7, flags=RunFlag.ASYNC)
    found = stored.accesses([head_runs((1, 2, Op.READ), accesses), late])
    assert [access[:3] for _, _, access, _ in found] == [access[:3] for access in accesses]
    assert stored.store.rows("""SELECT latency_ns, latency_max_ns, histogram, (SELECT accesses FROM traces t
        WHERE t.trace = r.trace) FROM runs r WHERE count = 0 ORDER BY trace DESC LIMIT 1""") == [
        (sum(latencies), max(latencies), tuple(late["histogram"][0].tolist()), 7)
    ]
