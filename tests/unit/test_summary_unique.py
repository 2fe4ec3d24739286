"""Unique bytes, against counting every byte."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.recordings import Recording

from stepwell.analysis.unique import pieces_sql, sampling, union
from stepwell.store import Store

STEP = 300_007
"""Distances of this many bytes put the accesses of one run into several chunks of 1 MiB."""


class Run(NamedTuple):
    thread: int
    open: int
    offset: int
    stride: int
    size: int
    tail: int
    accesses: int


@st.composite
def runs(draw: st.DrawFn) -> Run:
    accesses = draw(st.integers(1, 6))
    scale = draw(st.sampled_from([1, STEP]))
    stride = draw(st.integers(-4, 9)) * scale if accesses > 1 else 0
    size = draw(st.integers(0, 5)) * draw(st.sampled_from([1, scale]))
    low = draw(st.integers(0, 20)) * draw(st.sampled_from([1, STEP]))
    return Run(
        thread=draw(st.integers(1, 2)),
        open=draw(st.integers(1, 2)),
        offset=low - min(0, stride) * (accesses - 1),
        stride=stride,
        size=size,
        tail=draw(st.integers(0, size)) if accesses > 1 else size,
        accesses=accesses,
    )


def touched(runs: list[Run]) -> int:
    """Count the bytes that intervals have in common with nothing or with each other once."""
    intervals = sorted(
        (run.offset + i * run.stride, run.offset + i * run.stride + (run.tail if i == run.accesses - 1 else run.size))
        for run in runs
        for i in range(run.accesses)
    )
    total = reached = 0
    for low, high in intervals:
        total += max(0, high - max(low, reached))
        reached = max(reached, high)
    return total


def ask(store: Path, sql: str) -> tuple[dict[int, int], dict[tuple[int, int], int]]:
    with Store.open(store, "r") as opened:
        return union(opened.query(sql.replace("$1", "1")).read_all())


def stored(directory: Path, found: list[Run]) -> Path:
    for old in directory.iterdir():
        old.unlink()
    recording = Recording(directory / "trace.spool")
    for number in (1, 2):
        recording.thread(number)
        recording.open(number, b"/data/%d" % number)
    for seq, run in enumerate(found):
        values = run._asdict()
        recording.run(values.pop("open"), values.pop("thread"), seq=10 * seq, count=values.pop("accesses"), **values)
    recording.end(1)
    return recording.stored()


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("unique")


@settings(max_examples=30, deadline=None)
@given(found=st.lists(runs(), min_size=1, max_size=5))
def test_unique_bytes_are_those_that_counting_finds(directory: Path, found: list[Run]) -> None:
    store = stored(directory, found)
    of_file, of_reader = defaultdict(list), defaultdict(list)
    for run in found:
        of_file[run.open].append(run)
        of_reader[run.thread, run.open].append(run)
    by_file = sorted(filter(None, map(touched, of_file.values())))
    by_reader: dict[int, int] = defaultdict(int)
    for (thread, _), members in of_reader.items():
        by_reader[thread] += touched(members)
    in_chunks = pieces_sql(2, exact_pieces=10**9)  # the way of sampling, of all chunks
    for sql in (pieces_sql(1), in_chunks):
        of_files, of_readers = ask(store, sql)
        assert sorted(of_files.values()) == by_file
        readers: dict[int, int] = defaultdict(int)
        for (reader, _), size in of_readers.items():
            readers[reader] += size
        assert sorted(readers.values()) == sorted(filter(None, by_reader.values()))


@pytest.mark.parametrize("far", [2**40, 2**61], ids=["in 64 bits", "beyond them"])
def test_files_do_not_touch_each_other_however_large(far: int) -> None:
    rows = [(1, 5, far, far + 10), (2, 5, far + 4, far + 7), (2, 6, 0, far), (1, 6, 3, 4), (2, 7, far, far + 1)]
    columns = ("reader", "file", "low", "high")
    pieces = pa.table(
        {name: [row[at] for row in rows] for at, name in enumerate(columns)} | {"one_in": [1, 1, 1, 1, 2]}
    )
    assert union(pieces) == (
        {5: 10, 6: far, 7: 2},
        {(1, 5): 10, (2, 5): 3, (2, 6): far, (1, 6): 1, (2, 7): 2},
    )


def test_a_sample_is_near_the_truth(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "trace.spool")
    recording.thread(1)
    recording.open(1, b"/data/a")
    scattered = np.random.default_rng(23).integers(0, 4000 << 8, 40_009) * 4096
    recording.run(1, at=np.arange(len(scattered)), offset=scattered, seq=np.arange(len(scattered)))
    recording.end(1)
    store = recording.stored()
    exact = len(np.unique(scattered)) * 4096
    (estimate,) = ask(store, pieces_sql(4, exact_pieces=0))[0].values()
    assert estimate != exact
    assert abs(estimate - exact) < exact * 0.1


def test_sampling_begins_where_sorting_would_take_long() -> None:
    assert [sampling(pieces) for pieces in (0, 1_000_000, 1_000_001, 2_000_000, 2_000_001, 50_000_000)] == [
        1, 1, 2, 2, 4, 64,
    ]  # fmt: skip
