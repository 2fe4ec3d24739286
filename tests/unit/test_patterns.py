"""Verdicts: on series whose pattern is known, whatever way their runs come in, and as rows of the view `patterns`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.truth.accesses import Series, disturbed, thinned
from tests.truth.judged import columns_of, evidence_of, judge, names, runs_of
from tests.truth.patterns import FAMILIES, Maker, few, header, stream, strided, uniform, whole
from tests.unit.recordings import Recording

from stepwell.analysis import ANALYSIS_VERSION, classify
from stepwell.analysis.streams.decide import PATTERNS, wilson
from stepwell.analysis.streams.rollup import Groups, condense, settle
from stepwell.analysis.thresholds.streams import HeadLimits
from stepwell.cli.place import Place
from stepwell.store import Store
from stepwell.trace.definition import OPEN, RUN, RUN_SHORT, Op, RunFlag
from stepwell.trace.layout import DTYPES

MAKERS = [(pattern, maker) for pattern, makers in FAMILIES.items() for maker in makers]

SEEDS = st.integers(0, 2**32 - 1)
ANY_MAKERS = [maker for _, maker in MAKERS]
ANY = st.sampled_from(ANY_MAKERS)


def some(maker: Maker, number: int, change: Callable[[np.random.Generator, Series], Series]) -> list[Series]:
    made = []
    for seed in range(number):
        rng = np.random.default_rng(seed)
        made.append(change(rng, maker(rng)))
    return made


@pytest.mark.parametrize(("pattern", "maker"), MAKERS, ids=[maker.__name__ for _, maker in MAKERS])
def test_pattern_is_found(pattern: str, maker: Maker) -> None:
    _, verdicts = judge(some(maker, 23, lambda _, series: series))
    assert names(verdicts).count(pattern) >= 22


@pytest.mark.parametrize(("pattern", "maker"), MAKERS, ids=[maker.__name__ for _, maker in MAKERS])
def test_pattern_is_found_among_foreign_accesses(pattern: str, maker: Maker) -> None:
    _, verdicts = judge(some(maker, 23, lambda rng, series: disturbed(rng, series, 0.01)))
    assert names(verdicts).count(pattern) >= 21


def test_what_was_lost_takes_confidence_and_not_the_pattern() -> None:
    series = some(stream, 11, lambda _, series: series) + some(uniform, 11, lambda _, series: series)
    lossy = [thinned(np.random.default_rng(number), one, 0.1) for number, one in enumerate(series)]
    (_, whole_verdicts), (_, lossy_verdicts) = judge(series), judge(lossy, seen=0.9)
    assert names(lossy_verdicts) == names(whole_verdicts)
    assert (lossy_verdicts["confidence"] < whole_verdicts["confidence"]).all()


@given(maker=ANY, seed=SEEDS, cuts=st.lists(st.integers(0, 300), max_size=5))
@settings(max_examples=31, deadline=None)
def test_evidence_does_not_depend_on_batches(maker: Maker, seed: int, cuts: list[int]) -> None:
    columns = columns_of(runs_of(maker(np.random.default_rng(seed))), 1, Op.READ)
    places = [0, *sorted(cuts), len(columns["count"])]
    parts = [{name: column[low:high] for name, column in columns.items()} for low, high in pairwise(places)]
    assert evidence_of(parts).tobytes() == evidence_of([columns]).tobytes()


@pytest.mark.parametrize("shards", [2, 3])
def test_evidence_does_not_depend_on_the_number_of_tables_and_their_threads(shards: int) -> None:
    rng = np.random.default_rng(shards)
    series = [ANY_MAKERS[number % len(ANY_MAKERS)](rng) for number in range(97)]
    each = [columns_of(runs_of(one), number, Op.READ) for number, one in enumerate(series)]
    together = {name: np.concatenate([columns[name] for columns in each]) for name in each[0]}
    parts = [{name: column[low : low + 10_007] for name, column in together.items()}
             for low in range(0, len(together["count"]), 10_007)]  # fmt: skip
    several, alone = (evidence_of(parts, HeadLimits(shards=number)) for number in (shards, 1))
    alone["lane"] = several["lane"]
    assert several.tobytes() == alone.tobytes()


@given(makers=st.lists(ANY, min_size=2, max_size=4), seed=SEEDS)
@settings(max_examples=31, deadline=None)
def test_streams_that_are_recorded_in_turns_do_not_disturb_each_other(makers: list[Maker], seed: int) -> None:
    rng = np.random.default_rng(seed)
    each = [columns_of(runs_of(maker(rng)), number, Op.READ) for number, maker in enumerate(makers)]
    whole_ones = {name: np.concatenate([columns[name] for columns in each]) for name in each[0]}
    turns = np.argsort(np.concatenate([np.sort(rng.random(len(columns["count"]))) for columns in each]), kind="stable")
    mixed = evidence_of([{name: column[turns] for name, column in whole_ones.items()}])
    apart = np.concatenate([evidence_of([columns]) for columns in each])
    apart["lane"] = mixed["lane"]
    assert mixed.tobytes() == apart.tobytes()


@given(makers=st.lists(ANY, min_size=7, max_size=13), seed=SEEDS)
@settings(max_examples=31, deadline=None)
def test_a_stream_sees_nothing_of_those_whose_memory_it_takes(makers: list[Maker], seed: int) -> None:
    rng = np.random.default_rng(seed)
    runs = [runs_of(maker(rng))[: rng.choice([3, 499])] for maker in makers]
    each = [columns_of(found, number, Op.READ) for number, found in enumerate(runs)]
    in_turn = evidence_of(each, HeadLimits(streams=3, shards=1))
    apart = np.concatenate([evidence_of([columns]) for columns in each])
    apart["lane"] = in_turn["lane"]
    assert in_turn.tobytes() == apart.tobytes()


@given(
    maker=st.sampled_from([stream, strided, uniform, FAMILIES["backward"][0]]), seed=SEEDS, far=st.integers(1, 2**40)
)
@settings(max_examples=31, deadline=None)
def test_pattern_does_not_depend_on_where_in_the_file_it_is(maker: Maker, seed: int, far: int) -> None:
    series = maker(np.random.default_rng(seed))
    length = 2**41 + 2 * series.file_size
    here = replace(series, offset=series.offset + 2**21, file_size=length)
    there = replace(series, offset=series.offset + 2**21 + far, file_size=length)
    _, verdicts = judge([here, there])
    assert verdicts["pattern"][0] == verdicts["pattern"][1]
    assert verdicts["confidence"][0] == pytest.approx(verdicts["confidence"][1], abs=0.02)


def test_stride_and_request_size_are_reported() -> None:
    _, verdicts = judge([Series.of(np.arange(97) * 10_007, 4093), Series.of(np.arange(97)[::-1] * 4093, 4093)])
    assert [(int(one["stride"]), int(one["request"])) for one in verdicts] == [(10_007, 4093), (-4093, 4093)]


def test_changes_in_time_are_told() -> None:
    first, rng = Series.of(np.arange(1009) * 4096, 4096), np.random.default_rng(5)
    _, verdicts = judge([first.then(Series.of(rng.integers(0, 10**6, 1009) * 4096, 4096))])
    assert names(verdicts) == ["mixed"]


def test_disorder_foreign_accesses_and_wide_holes_do_not_hide_which_way_a_file_is_read() -> None:
    rng = np.random.default_rng(11)
    late = np.argsort(np.arange(1009) + rng.uniform(0, 31, 1009)) * 4096
    holes = np.cumsum(rng.integers(1, 97, 1009)) * 65_536
    groups = [np.arange(k * 13, k * 13 + int(rng.integers(2, 13))) for k in range(211)]
    back = np.concatenate(groups[::-1]) * 4096
    ways = [disturbed(rng, Series.of(way, 4096), 0.1) for way in (late, holes, back)]
    _, verdicts = judge([*ways, Series.of(rng.permutation(1009) * 4096, 4096)])
    assert names(verdicts) == ["sequential", "sequential", "backward", "random"]


def tiles(across: int, high: int, down: int, piece: int) -> Series:
    """Return the reading of an array, all of it, by tiles whose rows are a request each."""
    band, column, line = np.meshgrid(np.arange(down), np.arange(across), np.arange(high), indexing="ij")
    return Series.of(((band * high + line) * across + column).ravel() * piece, piece)


@pytest.mark.parametrize(("across", "high", "down"), [(11, 23, 3), (7, 2, 53), (13, 3, 29), (97, 5, 7)])
def test_tiles_that_cover_an_array_are_strided_whatever_disturbs_them(across: int, high: int, down: int) -> None:
    series, rngs = tiles(across, high, down, 65_536), [np.random.default_rng(seed) for seed in range(23)]
    made = [[series], [thinned(rng, series, 0.1) for rng in rngs], [disturbed(rng, series, 0.1) for rng in rngs]]
    for some_series in made:
        _, verdicts = judge(some_series)
        assert set(names(verdicts)) == {"strided"}
        assert set(verdicts["stride"].tolist()) == {across * 65_536}


@given(
    across=st.integers(5, 67),
    high=st.integers(2, 23),
    down=st.integers(3, 13),
    piece=st.sampled_from([512, 4096, 65536]),
)
@settings(max_examples=61, deadline=None)
def test_tiles_of_any_shape_are_strided_and_one_band_of_two_or_three_rows_is_readers_by_turns(
    across: int, high: int, down: int, piece: int
) -> None:
    _, verdicts = judge([tiles(across, high, down, piece), tiles(across + 13, 2 + high % 2, 1, piece)])
    assert names(verdicts)[0] == "strided"
    assert verdicts["stride"][0] == across * piece
    assert names(verdicts)[1] in ("sequential", "whole-file")


def test_a_directory_at_the_end_that_is_read_before_one_large_request_is_a_header() -> None:
    directory = 55_312_592 + np.arange(19) * 4096
    series = Series.of(np.r_[0, directory, 208], np.r_[4096, np.full(19, 4096), 55_312_384])
    _, verdicts = judge([series])
    assert names(verdicts) == ["header-then-body"]


def test_a_look_ahead_at_every_part_of_what_is_read_along_makes_no_rows() -> None:
    parts = [np.r_[(part + 1) * 32, np.arange(part * 32 + 1, (part + 1) * 32)] for part in range(13)]
    _, verdicts = judge([Series.of(np.r_[0, np.concatenate(parts)] * 65_536, 65_536)])
    assert names(verdicts) == ["sequential"]


def test_windows_that_overlap_are_no_passes_over_a_whole_file() -> None:
    _, verdicts = judge([Series.of(np.arange(149) * 3584, 8 * 3584)])
    assert names(verdicts) == ["strided"]


def test_passes_over_a_whole_file_are_counted_by_their_requests_for_each() -> None:
    once = Series.of(np.arange(13) * 262_144, 262_144)
    _, verdicts = judge([once, once.take(np.tile(np.arange(13), 3)), Series.of(np.arange(97) * 262_144, 262_144)])
    assert names(verdicts) == ["whole-file", "whole-file", "sequential"]


def test_files_of_a_dataset_read_alike_have_one_name_around_the_limit() -> None:
    lengths = (29, 31, 31, 37, 64, 97)
    evidence, verdicts = judge([Series.of(np.arange(length) * 4096, 4096) for length in lengths])
    streams = condense(evidence, verdicts)
    settle(streams, Groups.by(np.array([1, 1, 1, 1, 1, 1])))
    assert [PATTERNS[number] for number in streams["pattern"]] == ["whole-file"] * 4 + ["sequential"] * 2


def test_nothing_read_is_no_pattern() -> None:
    _, verdicts = judge([Series.of([0, 0, 0], [0, 0, 0], 100, requested=4096)])
    assert names(verdicts) == ["unknown"]


def test_more_streams_than_there_is_room_for_are_concluded_early_and_lose_nothing() -> None:
    rng = np.random.default_rng(7)
    each = [columns_of(runs_of(uniform(rng)), number, Op.READ) for number in range(97)]
    whole_ones = {name: np.concatenate([columns[name] for columns in each]) for name in each[0]}
    order = rng.permutation(len(whole_ones["count"]))
    evidence = evidence_of([{name: column[order] for name, column in whole_ones.items()}], HeadLimits(streams=23))
    assert len(evidence) >= 97
    assert evidence["accesses"].sum() == whole_ones["count"].sum()
    assert evidence["bytes"].sum() == sum(int(c["size"][0]) * int(c["count"].sum()) for c in each)


def test_confidence_grows_with_what_was_seen() -> None:
    shares = wilson(np.ones(4), np.array([0.0, 4.0, 16.0, 1009.0]))
    assert shares[0] == 0
    assert (np.diff(shares) > 0).all()
    assert shares[3] > 0.99


class Traced:
    """A recording of series, each by a thread of its own on an open file of its own."""

    def __init__(self, directory: Path) -> None:
        self.recording = Recording(directory / "trace.spool")
        self._opens = 0

    def add(self, series: Series, path: str, thread: int = 1, *, size: int | None = None, flags: int = 0) -> None:
        self._opens += 1
        text = b"".join(part.encode() + b"\0" for part in reversed(path.strip("/").split("/")))
        known = series.file_size if size is None else size
        ino = abs(hash(path)) % 2**31
        self.recording.add(
            OPEN, text, thread=thread, open=self._opens, start_ns=7_000_000_000_000, ino=ino, dev=8 << 20 | 1,
            size=known, flags=flags,
        )  # fmt: skip
        runs = runs_of(series)
        runs["start_ns"] += np.uint64(7_000_000_000_000)
        runs["thread"], runs["open"], runs["op"] = thread, self._opens, series.op
        # As a collector leaves them: all long ones in one block, then all short ones.
        for kind in (RUN, RUN_SHORT):
            chosen = runs[runs["kind"] == kind.kind]
            if len(chosen):
                self.recording.add(
                    kind, **{name: chosen[name] for name in DTYPES[kind.kind].names or () if name != "kind"}
                )

    def rows(self) -> list[dict[str, Any]]:
        self.recording.end(10**12)
        with Store.open(self.recording.stored(), "w") as store:
            (trace,) = store.unanalysed(ANALYSIS_VERSION)
            store.set_patterns(trace, classify(store, trace), ANALYSIS_VERSION)
            assert store.unanalysed(ANALYSIS_VERSION) == []
            rows: list[dict[str, Any]] = store.query("select * from patterns").read_all().to_pylist()
            return [row | {"evidence": json.loads(row["evidence"])} for row in rows]


def of(rows: list[dict[str, Any]], scope: str) -> dict[str, str]:
    return {Path(row["path"]).name: row["pattern"] for row in rows if row["scope"] == scope}


@pytest.fixture
def traced(tmp_path: Path) -> Traced:
    made = Traced(tmp_path)
    for thread in range(1, 6):
        made.recording.thread(thread, b"reader")
    return made


def test_every_scope_has_its_rows(traced: Traced) -> None:
    rng = np.random.default_rng(11)
    traced.add(uniform(rng), "/data/random")
    traced.add(header(rng), "/data/header")
    traced.add(few(rng), "/data/few")
    rows = traced.rows()
    assert of(rows, "stream") == {"random": "random", "header": "header-then-body", "few": "unknown"}
    assert of(rows, "file") == of(rows, "stream")
    assert [(row["subject"], row["op"]) for row in rows if row["scope"] == "dataset"] == [("/data", "read")]
    assert [row["subject"] for row in rows if row["scope"] == "workload"] == ["cat x"]
    assert {row["subject"] for row in rows if row["scope"] == "stream"} == {"1/1", "1/2", "1/3"}
    assert all(0 <= row["confidence"] <= 1 for row in rows)


def test_small_files_read_whole_make_a_dataset_read_whole(traced: Traced) -> None:
    rng = np.random.default_rng(13)
    for number in rng.permutation(97):  # by name it would be directory-ordered
        traced.add(whole(rng), f"/data/{number}.jpg", 1 + number % 5)
    rows = traced.rows()
    assert set(of(rows, "file").values()) == {"whole-file"}
    assert of(rows, "dataset") == {"data": "whole-file"}


def test_software_does_not_decide_for_the_workload(traced: Traced) -> None:
    rng = np.random.default_rng(17)
    for number in range(97):
        traced.add(Series.of([0], 10**6), f"/usr/lib/lib{number}.so")
    traced.add(uniform(rng), "/data/random")
    assert list(of(traced.rows(), "workload").values()) == ["random"]


def test_a_file_opened_for_each_access_has_a_pattern(traced: Traced) -> None:
    rng = np.random.default_rng(19)
    for block in rng.integers(0, 10**6, 97):
        traced.add(Series.of([block * 4093], 4093, 10**10), "/data/records")
    rows = traced.rows()
    assert set(of(rows, "stream").values()) == {"unknown"}
    assert of(rows, "file") == {"records": "random"}


ROW = np.arange(485)
ALONE = ROW[388:]


@pytest.mark.parametrize(
    ("shares", "first", "pattern"),
    [
        ([ROW[thread:388:4] for thread in range(4)], "strided", "sequential"),
        # One thread takes many turns at once, or goes on alone.
        ([np.append(0, ROW[199:388]), *(ROW[1 + thread : 199 : 3] for thread in range(3))], "header-then-body",
         "sequential"),
        ([np.append(ROW[:388:4], ALONE), *(ROW[thread:388:4] for thread in range(1, 4))], "mixed", "sequential"),
        ([np.append(ROW[:388:4], ALONE[::-1]), *(ROW[thread:388:4] for thread in range(1, 4))], "mixed", "mixed"),
    ],
)  # fmt: skip
def test_threads_that_take_turns_read_the_file_sequentially(
    traced: Traced, shares: list[np.ndarray[Any, Any]], first: str, pattern: str
) -> None:
    for blocks in shares:
        traced.add(Series.of(blocks * 4093, 4093, 485 * 4093), "/data/shared", 1)
    rows = traced.rows()
    assert sorted(row["pattern"] for row in rows if row["scope"] == "stream") == [first, *["strided"] * 3]
    (file,) = (row for row in rows if row["scope"] == "file")
    assert (file["pattern"], bool(file["evidence"].get("by_turns"))) == (pattern, pattern == "sequential")


def test_processes_with_a_stride_each_stay_strided(traced: Traced) -> None:
    for thread in range(4):
        series = Series.of((np.arange(97) * 4 + thread) * 4093, 4093, 97 * 4 * 4093)
        traced.add(series, "/data/shared", 1 + thread)
    assert of(traced.rows(), "file") == {"shared": "strided"}


def test_writes_at_the_end_of_a_log_are_appends(traced: Traced) -> None:
    sizes = np.random.default_rng(23).integers(10, 500, 97)
    series = Series.of(np.cumsum(sizes) - sizes, sizes, op=Op.WRITE)
    traced.add(series, "/data/log", size=0, flags=0o2001)
    traced.add(series, "/data/new", size=0, flags=0o1)
    assert of(traced.rows(), "file") == {"log": "append", "new": "sequential"}


def test_bytes_and_accesses_that_disagree_are_told(traced: Traced) -> None:
    rng = np.random.default_rng(29)
    traced.add(Series.of(np.arange(97) * (1 << 20), 1 << 20), "/data/f", 1)
    traced.add(Series.of(rng.integers(0, 10**8, 997), 100, 97 << 20), "/data/f", 2)
    (file,) = (row for row in traced.rows() if row["scope"] == "file")
    assert file["evidence"]["differ"]
    assert file["pattern"] == "sequential"


def test_fault_around_is_evidence_and_no_gap(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "mapped.spool")
    recording.thread(1)
    recording.open(1, b"/data/mapped", size=97 * 65536)
    offsets = np.arange(97) * 65536
    recording.run(
        1, at=np.arange(97) * 1000, seq=np.arange(97), offset=offsets, size=65536, requested=65536, op=Op.MMAP,
        flags=RunFlag.FAULT_AROUND,
    )  # fmt: skip
    recording.end(10**9)
    with Store.open(recording.stored(), "r") as store:
        (row, *_) = classify(store, 1).to_pylist()
    assert row["pattern"] == "sequential"
    assert json.loads(row["evidence"])["around_faults"] == 97


def test_analysis_that_fails_loses_no_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place.of(tmp_path / "store.duckdb")
    place.spools.mkdir()
    recording = Recording(place.spools / "trace.spool")
    recording.thread(1)
    recording.open(1, b"/data/f")
    recording.run(1)
    recording.end(10**9)

    def broken(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("stepwell.analysis.classify", broken)
        with place.reading() as store:
            assert store.rows("SELECT count(*) FROM patterns") == [(0,)]
    assert "trace 1 has no patterns: MemoryError" in capsys.readouterr().err
    with place.reading() as store:
        assert store.rows("SELECT count(*) FROM patterns WHERE scope = 'stream'") == [(1,)]
