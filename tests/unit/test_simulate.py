from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from tests.truth.caches import REFERENCE
from tests.truth.reuse import runs_of
from tests.unit.recordings import MS, Recording

from stepwell.analysis.native.caches import POLICIES, Collector, References, TooManyReferencesError
from stepwell.analysis.reuse import Subjects
from stepwell.analysis.reuse.simulate import curves
from stepwell.cli.main import cli
from stepwell.store import Store
from stepwell.trace import format as human
from stepwell.trace.definition import RunFlag
from stepwell.trace.errors import StepwellError

BLOCKS = st.lists(st.integers(0, 30), min_size=1, max_size=200)


def references(runs: dict[str, Any], size: int = 1 << 40, **options: int) -> References:
    given = {"shift": 12, "halvings": 0, "readahead": 0, "waiting": 1 << 10, "most": 1 << 20} | options
    with Collector(np.zeros(1), np.full(1, size), **given) as collector:
        collector.feed(runs)
        return collector.finish()


@pytest.mark.parametrize("policy", POLICIES)
@given(blocks=BLOCKS, capacity=st.integers(1, 35))
def test_policies_are_as_plain_ones(policy: str, blocks: list[int], capacity: int) -> None:
    found = references(runs_of(np.array(blocks))).simulate(policy, capacity)
    assert found["hits"] == REFERENCE[policy](blocks, capacity)
    assert found["references"] == found["accesses"] == len(blocks)
    assert found["fetched"] == len(blocks) - found["hits"]


@given(blocks=BLOCKS, capacity=st.integers(1, 35))
def test_no_policy_hits_more_than_min_and_larger_lru_caches_hit_no_less(blocks: list[int], capacity: int) -> None:
    made = references(runs_of(np.array(blocks)))
    hits = {policy: made.simulate(policy, capacity)["hits"] for policy in POLICIES}
    assert max(hits.values()) == hits["min"]
    assert hits["lru"] <= made.simulate("lru", capacity + 1)["hits"]


def test_small_reads_through_a_large_block_hit_but_for_the_first() -> None:
    made = references(runs_of(np.arange(16 * 7)), shift=16)
    found = made.simulate("lru", 1)
    assert (found["references"], found["hits"], found["fetched"]) == (112, 105, 7)


def test_a_read_hits_when_all_of_its_blocks_do() -> None:
    wide = {name: np.full(2, 3 * 4096) for name in ("size", "tail")}
    runs = runs_of(np.array([0, 1])) | wide
    found = references(runs).simulate("lru", 9)
    assert (found["accesses"], found["access_hits"]) == (2, 0)
    assert (found["references"], found["hits"], found["bytes"], found["byte_hits"]) == (6, 2, 24576, 8192)


def test_writes_leave_their_blocks_and_do_not_count() -> None:
    runs = runs_of(np.array([5, 5]))
    runs["op"] = np.array([1, 0], np.uint8)
    found = references(runs).simulate("lru", 3)
    assert (found["accesses"], found["hits"]) == (1, 1)


def test_readahead_serves_sequential_reads_and_ends_with_the_file() -> None:
    found = references(runs_of(np.arange(997)), size=997 * 4096, readahead=32 * 4096).simulate("lru", 100)
    assert (found["hits"], found["fetched"], found["fetched_ahead"]) == (996, 1, 996)


def test_readahead_leaves_random_reads_alone() -> None:
    blocks = np.random.default_rng(5).permutation(10_007)[:997] * 3 + 7
    found = references(runs_of(blocks), readahead=32 * 4096).simulate("lru", 100)
    assert (found["hits"], found["fetched"], found["fetched_ahead"]) == (0, 997, 0)


def test_samples_are_bounded_and_too_many_references_are_refused() -> None:
    runs = runs_of(np.arange(70_001))
    sampled = references(runs, halvings=3, most=1 << 16)
    assert sampled.seen == 70_001
    assert abs(sampled.blocks - 70_001 / 8) < 400
    with pytest.raises(TooManyReferencesError):
        references(runs, most=1 << 16)


def test_half_of_the_blocks_have_all_of_their_references_in_order() -> None:
    blocks = np.random.default_rng(3).integers(0, 1009, 10_007)
    names = dict.fromkeys(("size", "tail"), blocks + 1)  # each block's accesses have a size of their own
    whole = references(runs_of(blocks) | names)
    half = whole.halved()
    assert 480 < half.blocks < 530
    assert half.infos.tolist() == whole.infos[np.isin(whole.infos, half.infos)].tolist()
    assert len(set(zip(half.ids, half.infos, strict=True))) == half.blocks == half.ids.max() + 1
    assert half.seen == whole.seen == 10_007


@pytest.mark.parametrize(
    ("text", "number"),
    [("4096", 4096), ("64KiB", 65536), ("64 k", 65536), ("1.5GiB", 3 << 29), ("2G", 2 << 30), ("500MB", 5 * 10**8),
     ("0", 0), ("7B", 7)],
)  # fmt: skip
def test_sizes_are_read(text: str, number: int) -> None:
    assert human.octets(text) == number


@pytest.mark.parametrize("text", ["", "x", "-1", "1 2", "1XB", "iB", "4iB", "1e3"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        human.octets(text)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    recording = Recording(tmp_path / "trace.spool")
    recording.thread(1, end=1000 * MS)
    recording.open(1, b"/data/loop", size=101 * 4096)
    recording.open(2, b"/other/once", size=997 * 4096)
    for epoch in range(7):
        recording.run(1, at=epoch * 10 * MS, count=101, stride=4096, span_ns=9 * MS, waited=3, wait_ns=3000)
    recording.run(2, at=90 * MS, count=997, stride=4096, span_ns=9 * MS)
    recording.end(1000 * MS)
    return recording.stored()


def run(store: Path, *arguments: str) -> Any:
    return CliRunner().invoke(cli, ["--store", str(store), "simulate", *arguments])


def test_simulate_prints_objects(store: Path) -> None:
    done = run(store, "--cache-size", "404KiB,400KiB", "--policy", "lru,min", "--dataset", "/data/loop", "-o", "json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    hits = {(one["policy"], one["cache_size"]): one["hit_ratio"] for one in found}
    assert hits["lru", 404 << 10] == round(6 / 7, 6)
    assert hits["lru", 400 << 10] == 0
    assert hits["min", 400 << 10] == round((6 * 100) / 707, 6)
    assert {(one["sampling"], one["error"], one["accesses"]) for one in found} == {(1, 0.0, 707)}
    assert found[0]["fetched_bytes"] == 101 * 4096
    assert found[0]["wait_ns"] == 101 * 1000


def test_latencies_of_asynchronous_reads_are_no_reads(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "trace.spool")
    recording.thread(1, end=1000 * MS)
    recording.open(1, b"/data/file", size=101 * 4096)
    recording.run(1, count=101, stride=4096, span_ns=9 * MS, flags=RunFlag.ASYNC)
    recording.run(1, count=0, size=0, tail=0, flags=RunFlag.ASYNC, latency_ns=101 * MS, latency_max_ns=MS)
    recording.end(1000 * MS)
    done = run(recording.stored(), "--cache-size", "4KiB", "-o", "json")
    assert [one["accesses"] for one in json.loads(done.stdout)] == [101]


def test_options_that_are_given_several_times_add_up(store: Path) -> None:
    one = run(store, "--cache-size", "404KiB,400KiB", "--policy", "lru,min", "-o", "json")
    several = ("--cache-size", "404KiB", "--cache-size", "400KiB,404KiB", "--policy", "lru", "--policy", "min")
    assert len(json.loads(one.stdout)) == 4
    assert run(store, *several, "-o", "json").stdout == one.stdout


def test_simulate_without_sizes_prints_the_curve(store: Path) -> None:
    done = run(store, "--dataset", "/data/loop", "-o", "json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["recommended"], found["unique_bytes"]) == (101 * 4096, 101 * 4096)
    assert run(store).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("--cache-size", "many"), 2), (("--cache-size", "1GiB", "--block-size", "3KiB"), 2), (("--policy", "best"), 2),
     (("--cache-size", "1KiB"), 2), (("--dataset", "/nothing"), 2), (("--readahead", "1M"), 2),
     (("--sample", "1/3", "--cache-size", "1M"), 2)],
)  # fmt: skip
def test_what_cannot_be_simulated_is_told(store: Path, arguments: tuple[str, ...], code: int) -> None:
    done = run(store, *arguments)
    assert (done.exit_code, done.stdout) == (code, "")


def test_datasets_have_curves_with_other_policies(store: Path) -> None:
    with Store.open(store, "r") as opened:
        found = curves(opened, 1)
    assert [one.dataset for one in found][-1] == ""
    assert {policy.policy for one in found for policy in one.policies} == {"s3fifo"}
    assert sum(found[-1].working_set) >= found[-1].unique_bytes


def test_absurd_sizes_end(tmp_path: Path) -> None:
    """As other tools' traces may have them: verdicts look at larger blocks, simulations ask for those."""
    recording = Recording(tmp_path / "trace.spool")
    recording.thread(1, end=1000 * MS)
    recording.open(1, b"/data/huge", size=1 << 60)
    for at in range(3):
        recording.run(1, at=at * MS, size=1 << 60, requested=1 << 60)
    recording.end(1000 * MS)
    store = recording.stored()
    with Store.open(store, "r") as opened:
        assert 3 * (1 << 60) / Subjects.of(opened, 1).block < 1 << 28
    refused = run(store, "--cache-size", "1GiB")
    assert isinstance(refused.exception, StepwellError)
    assert refused.exception.exit_code == 2
