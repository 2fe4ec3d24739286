from __future__ import annotations

import collections
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.truth import reads as programs
from tests.truth.judged_reuse import judge
from tests.truth.programs import PROGRAMS
from tests.truth.programs_last import PROGRAMS_LAST
from tests.truth.programs_later import PROGRAMS_LATER
from tests.truth.reuse import FAMILIES, Blocks, disturbed, lru_distances, runs_of
from tests.unit.recordings import MS, T0, Recording

from stepwell.analysis import classify
from stepwell.analysis.native.reuse import FILE, NO_SAMPLE, Samples
from stepwell.analysis.reuse.curve import knee, miss_ratios
from stepwell.analysis.reuse.decide import Verdict, decide
from stepwell.analysis.reuse.evenness import evenness, gaps_vary
from stepwell.analysis.thresholds.reuse import ReuseLimits
from stepwell.store import Store
from stepwell.trace.definition import OPEN


def sampled(batches: list[dict[str, Any]], limits: ReuseLimits | None = None) -> Samples:
    files = np.zeros(1, FILE)
    files["samples"] = (0, 1, NO_SAMPLE)
    samples = Samples(files, 1, 1, shift=12, window_ns=10**9, limits=limits or ReuseLimits())
    for batch in batches:
        samples.feed(batch)
    assert samples.finish() == 0
    return samples


def verdict(blocks: Blocks, number: int = 1) -> Verdict:
    with sampled([runs_of(blocks)]) as samples:
        return decide(samples.evidence(), samples.uses, block=4096).of(number)


def curve_error(blocks: Blocks, limits: ReuseLimits) -> float:
    """Return the mean absolute error over 199 sizes from nothing to the whole working set."""
    with sampled([runs_of(blocks)], limits) as samples:
        found = samples.evidence()[1]
        size, misses = miss_ratios(samples.curve(1)[0], found, limits.per_octave)
        assert found["references"] == len(blocks)
    exact = 1 - np.cumsum(lru_distances(blocks)) / len(blocks)
    points = np.linspace(1, len(np.unique(blocks)), 199).astype(int)
    return float(np.abs(np.interp(points, size, misses) - exact[points - 1]).mean())


@given(st.lists(st.integers(0, 40), min_size=1, max_size=300))
def test_without_sampling_small_distances_are_exact(blocks: list[int]) -> None:
    array = np.array(blocks)
    with sampled([runs_of(array)]) as samples:
        curve, _ = samples.curve(1)
        found = samples.evidence()[1]
        uses = sorted(samples.uses(1))
    exact = lru_distances(array)
    assert curve[: len(exact)].tolist() == exact[: len(curve)].tolist()
    assert uses == sorted(collections.Counter(blocks).values())
    assert (found["blocks"], found["uses"], found["rate"]) == (len(set(blocks)), len(blocks), 1)


@pytest.mark.parametrize(
    "blocks",
    [
        np.random.default_rng(2).integers(0, 20_011, 150_011),
        np.tile(np.arange(20_011), 7),
        np.arange(100_003),
        np.concatenate([np.tile(np.arange(start, start + 97), 5) for start in range(0, 19_400, 97)]),
    ],
    ids=["uniform", "loop", "once", "clustered"],
)
def test_curves_of_a_small_sample_are_near_the_exact_ones(blocks: Blocks) -> None:
    assert curve_error(blocks, ReuseLimits(group_blocks=4096)) < 0.01


@pytest.mark.parametrize("word", FAMILIES)
@pytest.mark.parametrize("noise", [0.0, 0.01, 0.1])
def test_classes_of_reuse_are_known_again(word: str, noise: float) -> None:
    rng = np.random.default_rng(17)
    wrong = []
    for maker in FAMILIES[word]:
        for _ in range(19):
            blocks = disturbed(rng, maker(rng), noise)
            found = verdict(blocks)
            if found.reuse != word:
                wrong.append((maker.__name__, found))
    number = 19 * len(FAMILIES[word])
    assert len(wrong) <= (0.01 if noise < 0.1 else 0.05) * number, wrong


def test_places_drawn_from_a_bell_curve_are_popular_and_even_ones_are_not() -> None:
    rng = np.random.default_rng(19)
    bell, even = rng.normal(8191, 1_201, 12_289).astype(np.int64), rng.integers(0, 4_999, 12_289)
    assert (verdict(bell).reuse, verdict(even).reuse) == ("popularity-skewed", "unknown")


def test_blocks_that_one_request_reads_together_say_no_more_of_evenness_than_one() -> None:
    told = dict.fromkeys((0, 4 * 4096), 0)
    for seed in range(97):
        requests = np.random.default_rng(seed).integers(0, 64, 95)
        with sampled([runs_of((requests[:, None] * 4 + np.arange(4)).ravel())]) as samples:
            for size in told:
                found = decide(samples.evidence(), samples.uses, block=4096, access=size).of(1)
                told[size] += found.reuse != "unknown"
    few, many = told[4 * 4096], told[0]
    assert few <= 0.04 * 97 < 0.08 * 97 <= many


def test_a_loop_has_its_period_and_small_reads_of_a_block_are_one_use() -> None:
    with sampled([reads(np.tile(np.arange(8 * 101) * 512, 3), 512)]) as samples:
        found = decide(samples.evidence(), samples.uses, block=4096).of(0)
        curve, _ = samples.curve(1)
    assert (found.reuse, found.period) == ("looping", 101 * 4096)
    assert curve[0] == 7 * 101 * 3


def reads(offsets: Blocks, sizes: Any) -> dict[str, Any]:
    """Return single reads of a file, as `stepwell.analysis.scan` shows them."""
    size = np.broadcast_to(sizes, offsets.shape)
    return runs_of(offsets, block=1) | {"size": size, "tail": size}


@given(st.lists(st.tuples(st.integers(0, 3 * 4096), st.integers(1, 6000)), min_size=1, max_size=50))
def test_uses_of_a_block_are_the_reads_of_one_part_that_was_read(given: list[tuple[int, int]]) -> None:
    offset, size = np.array(given).T
    parts = np.zeros(5 * 64, np.int64)
    for start, length in given:
        parts[-(-start // 64) : -(-(start + length) // 64)] += 1
    with sampled([reads(offset, size)]) as samples:
        uses = samples.uses(1)
        found = samples.evidence()[1]
    assert found["parts"] == (parts > 0).sum()
    touched = [{int(count) for count in block if count} or {1} for block in parts.reshape(5, 64)]
    begun = {int(block) for start, length in given for block in range(start // 4096, (start + length - 1) // 4096 + 1)}
    possible = [touched[block] for block in begun]
    assert len(uses) == len(possible)
    assert sum(map(min, possible)) <= uses.sum() <= sum(map(max, possible))


def test_what_shares_a_few_bytes_with_its_neighbour_is_read_once() -> None:
    """Samples of 2,049 tokens, each read once, of which the last is the next one's first."""
    order = np.random.default_rng(3).permutation(2003)
    with sampled([reads(order * 4096, 4098)]) as samples:
        found = decide(samples.evidence(), samples.uses, block=4096).of(1)
    assert found.reuse == "once"
    assert found.evidence["read_once"] > 0.95


def test_records_of_one_block_are_told_apart() -> None:
    """Records of 128 bytes, 32 in a block: those at one place of each are read 97 times, the others once."""
    block = np.arange(211)
    hot = np.tile(block * 4096 + 7 * 128, 97)
    with sampled([reads(np.concatenate([np.arange(211 * 32) * 128, hot]), 128)]) as samples:
        uses = samples.uses(1)
    assert set(uses.tolist()) == {1, 98}
    assert 1 / 64 < np.mean(uses == 98) < 1 / 16


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_loop_over_a_part_is_told_beside_what_is_read_once(shuffled: bool) -> None:
    rng = np.random.default_rng(5)
    part = rng.permutation(5003)[:1009]
    epochs = [rng.permutation(part) if shuffled else part for _ in range(11)]
    blocks = np.concatenate([np.arange(5003), *epochs])
    found = verdict(blocks)
    assert found.reuse == "looping"
    assert found.evidence["read_once"] == round((5003 - 1009) / len(blocks), 4)
    assert found.period == pytest.approx(1009 * 4096, rel=0.15)
    assert found.evidence["gaps_vary"] < 0.5


def test_a_mix_is_called_by_what_weighs_most() -> None:
    part = np.random.default_rng(5).permutation(5003)[:307]
    found = verdict(np.concatenate([np.arange(5003), np.tile(part, 5)]))
    assert (found.reuse, found.period) == ("once", None)
    assert found.evidence["read_once"] == round((5003 - 307) / (5003 + 5 * 307), 4)


@pytest.mark.parametrize(("passes", "word"), [(1, "once"), (2, "looping"), (7, "looping")])
def test_a_table_that_is_scanned_for_each_part_of_another_one(passes: int, word: str) -> None:
    """Both are one dataset: the outer table is read once in all, and the inner one as often as the outer has parts."""
    parts = np.array_split(np.arange(1009), passes)
    found = verdict(np.concatenate([np.append(part, 5003 + np.arange(2003)) for part in parts]))
    assert found.reuse == word
    if passes > 1:
        assert found.period == pytest.approx((1009 / passes + 2003) * 4096, rel=1e-3)


@pytest.mark.parametrize("rate", [0.05, 0.7, 3.1, 40.0])
@pytest.mark.parametrize("least", [1, 2, 3])
def test_evenness_is_one_by_chance_and_zero_where_all_are_alike(rate: float, least: int) -> None:
    number = np.arange(least, 400)
    share = np.exp(number * np.log(rate) - rate - np.cumsum(np.log(np.arange(1, 400)))[number - 1])
    share /= share.sum()
    uses, squared = (np.array([1e6 * (share * number**power).sum()]) for power in (1, 2))
    blocks = np.array([1e6])
    assert evenness(blocks, uses, squared, least) == pytest.approx(1, rel=1e-3)
    assert evenness(blocks, 7 * blocks, 49 * blocks, least) == 0


@pytest.mark.parametrize("passes", [3, 5, 29, 101])
def test_gaps_by_chance_and_of_an_order(passes: int) -> None:
    rng = np.random.default_rng(7)
    with sampled([runs_of(rng.integers(0, 1009, 1009 * passes))]) as samples:
        assert gaps_vary(samples.evidence())[1] == pytest.approx(1, abs=0.1)
    with sampled([runs_of(np.tile(rng.permutation(1009), passes))]) as samples:
        assert gaps_vary(samples.evidence())[1] == pytest.approx(0, abs=1e-3)
    with sampled([runs_of(np.concatenate([rng.permutation(1009) for _ in range(passes)]))]) as samples:
        assert gaps_vary(samples.evidence())[1] < 0.35


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.1])
def test_reuse_of_programs_is_known_again(noise: float) -> None:
    wrong, number = [], 0
    for kind, (name, maker) in enumerate((PROGRAMS | PROGRAMS_LATER | PROGRAMS_LAST).items()):
        for seed in range(5):
            rng = np.random.default_rng([seed, kind, 19])
            program = maker(rng)
            verdicts, together = judge(programs.disturbed(rng, program.reads, noise))
            for subject, label in [(together, program.together), *program.files.items()]:
                number += 1
                if verdicts.of(subject).reuse not in label:
                    wrong.append((name, subject, verdicts.of(subject)))
    assert len(wrong) <= (0.02 if noise < 0.1 else 0.05) * number, wrong


def test_too_little_is_unknown() -> None:
    assert verdict(np.array([3, 5, 3])).reuse == "unknown"
    assert verdict(np.array([3, 5])).reuse == "unknown"


def test_long_runs_are_taken_apart_in_the_order_of_time() -> None:
    """Two threads read the same 101 blocks at the same time: the second always comes just behind."""
    start = {name: np.zeros(2, np.int64) for name in ("file", "open", "offset")}
    run = start | {
        "op": np.zeros(2, np.uint8), "count": np.full(2, 101, np.uint32), "stride": np.full(2, 4096),
        "size": np.full(2, 4096), "tail": np.full(2, 4096), "start_ns": np.array([0, 7]),
        "span_ns": np.array([100_000, 100_000]),
    }  # fmt: skip
    with sampled([run]) as samples:
        curve, _ = samples.curve(1)
    assert (curve[0], curve.sum()) == (101, 101)


def test_memory_for_order_is_bounded_and_what_is_late_is_counted() -> None:
    files = np.zeros(1, FILE)
    files["samples"] = (0, NO_SAMPLE, NO_SAMPLE)
    late = runs_of(np.arange(101)) | {"start_ns": np.arange(101, 0, -1)}
    limits = ReuseLimits(waiting=11)
    with Samples(files, 1, 0, shift=12, window_ns=10**9, limits=limits) as samples:
        samples.feed(late)
        assert samples.finish() == 101 - 11
    with Samples(files, 1, 0, shift=12, window_ns=10**9, limits=ReuseLimits(waiting=101)) as samples:
        samples.feed(late)
        assert samples.finish() == 0


def test_the_knee_is_where_a_curve_bends() -> None:
    sizes = np.arange(1, 1001, dtype=float)
    assert sizes[knee(sizes, np.where(sizes >= 500, 0.1, 1.0)) or 0] == 500
    assert sizes[knee(sizes, np.where(sizes >= 100, 0.3 - sizes / 1e5, 1 - sizes * 0.007)) or 0] == 100
    assert knee(sizes, np.ones(1000)) is None


def test_patterns_tell_reuse(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "trace.spool")
    recording.thread(1, end=1000 * MS)
    recording.open(1, b"/data/loop", size=101 * 4096)
    recording.open(2, b"/data/once", size=997 * 4096)
    for epoch in range(3):
        recording.run(1, at=epoch * 10 * MS, count=101, stride=4096, span_ns=9 * MS)
    recording.run(2, at=50 * MS, count=997, stride=4096, span_ns=9 * MS)
    recording.end(1000 * MS)
    with Store.open(recording.stored(), "r") as store:
        rows = {(row["scope"], row["path"]): row for row in classify(store, 1).to_pylist()}
    loop, once = rows["file", "/data/loop"], rows["file", "/data/once"]
    assert (loop["reuse"], loop["reuse_period"]) == ("looping", 101 * 4096)
    assert (once["reuse"], once["reuse_period"]) == ("once", None)
    assert json.loads(loop["evidence"])["reuse"]["uses_per_block"] == 3
    whole = rows["dataset", "/data"]
    assert rows["workload", "cat x"]["reuse"] == whole["reuse"] == "once"
    assert json.loads(whole["evidence"])["reuse"]["read_once"] == round(997 / (3 * 101 + 997), 4)


def test_streams_have_the_reuse_of_files_that_they_alone_read_or_that_is_nobodys(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "trace.spool")
    for thread in (1, 2):
        recording.thread(thread, end=1000 * MS)
    own, shared, parted = 1, 3, 5
    recording.open(own, b"/data/loop", size=101 * 4096)
    for number, path in ((shared, b"shared\0data\0"), (parted, b"parted\0data\0")):
        for thread in (1, 2):
            same = {"ino": number, "dev": 7, "size": 997 * 4096}
            recording.add(OPEN, path, thread=thread, open=number + thread - 1, start_ns=T0, **same)
    for epoch in range(3):
        recording.run(own, at=epoch * 10 * MS, count=101, stride=4096, span_ns=9 * MS, seq=101 * epoch)
    for thread in (1, 2):
        at = (40 + 10 * thread) * MS
        recording.run(shared + thread - 1, thread, at=at, count=997, stride=4096, span_ns=9 * MS, seq=1009)
        half = (thread - 1) * 499 * 4096
        recording.run(parted + thread - 1, thread, at=at, offset=half, count=498, stride=4096, span_ns=9 * MS, seq=3001)
    recording.end(1000 * MS)
    with Store.open(recording.stored(), "r") as store:
        found = classify(store, 1).to_pylist()
    streams = [(row["path"], row["reuse"], row["reuse_period"]) for row in found if row["scope"] == "stream"]
    assert sorted(streams, key=str) == [
        ("/data/loop", "looping", 101 * 4096),
        *[("/data/parted", "once", None)] * 2,
        *[("/data/shared", "unknown", None)] * 2,
    ]
    assert {row["reuse"] for row in found if (row["scope"], row["path"]) == ("file", "/data/shared")} == {"looping"}
