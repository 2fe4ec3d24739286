"""In which order files are read: verdicts on loaders whose order is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.truth.orders import STEP_NS, Loader, visits

from stepwell.analysis.orders import Order, directory_ordered
from stepwell.analysis.orders.conclude import judge
from stepwell.analysis.orders.disorder import disorder
from stepwell.analysis.orders.numbering import dense
from stepwell.analysis.orders.visits import Visits


def judged(loader: Loader) -> Order:
    files, seen = visits(loader)
    return judge(files, seen, "train")


LOADERS = st.builds(
    Loader,
    files=st.sampled_from([61, 101, 211]),
    order=st.sampled_from(["name", "size", "mtime", "inode", "shuffled"]),
    backward=st.booleans(),
    epochs=st.sampled_from([1, 2, 3, 5]),
    reshuffled=st.booleans(),
    workers=st.sampled_from([1, 2, 3, 5]),
    sharing=st.sampled_from(["dealt", "stride", "blocks", "all"]),
    anew=st.booleans(),
    jitter=st.sampled_from([0.0, 0.1, 0.3]),
    folders=st.sampled_from([1, 5]),
    seed=st.integers(0, 2**32 - 1),
)


@settings(max_examples=100)
@given(loader=LOADERS)
def test_a_loader_is_recognised(loader: Loader) -> None:
    found = judged(loader)
    assert found.epochs_found == loader.epochs
    assert found.looping == ("once" if loader.epochs == 1 else "epochs")
    assert [epoch.files for epoch in found.epochs] == [loader.files] * loader.epochs
    assert loader.order in (found.within.by, *found.within.also)
    if loader.order != "shuffled":
        assert (found.within.by, found.within.backward, found.within.window) == (loader.order, loader.backward, 0)
    assert found.across.relation == loader.across
    assert found.sharing.kind == loader.kind


@pytest.mark.parametrize(("foreign", "lost"), [(0.01, 0.0), (0.1, 0.0), (0.0, 0.01)])
def test_noise_changes_few_verdicts(foreign: float, lost: float) -> None:
    right = []
    for seed in range(41):
        order, epochs = ("name", "shuffled", "size")[seed % 3], (2, 3, 5)[seed // 3 % 3]
        plain = Loader(files=211, order=order, epochs=epochs, workers=(1, 3)[seed % 2], waits=seed % 5 > 1, seed=seed)
        loader = replace(plain, foreign=foreign, lost=lost)
        found = judged(loader)
        truth = (loader.epochs, loader.order, loader.across)
        right.append((found.epochs_found, found.within.by, found.across.relation) == truth)
    assert np.mean(right) >= 0.95


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), files=st.sampled_from([61, 211, 499]), workers=st.sampled_from([1, 3]))
def test_drawing_with_replacement_makes_no_epochs(seed: int, files: int, workers: int) -> None:
    found = judged(Loader(files=files, epochs=0, workers=workers, seed=seed))
    assert (found.looping, found.epochs_found) == ("sampling", 0)


@settings(max_examples=30)
@given(loader=LOADERS, shift=st.integers(0, 2**40), other=st.permutations(range(97)))
def test_neither_names_of_processes_nor_time_zero_matter(loader: Loader, shift: int, other: list[int]) -> None:
    files, seen = visits(loader)
    names = np.array(other)
    moved = Visits(
        names[seen.reader % 97], names[seen.thread % 97], seen.file, seen.start + shift, seen.end + shift, seen.bytes
    )
    one, two = judge(files, seen, ""), judge(files, moved, "")
    assert [replace(epoch, start_ns=0, end_ns=0) for epoch in one.epochs] == [
        replace(epoch, start_ns=0, end_ns=0) for epoch in two.epochs
    ]
    assert one.sharing == two.sharing
    assert one.steps == two.steps
    assert (one.within.by, one.within.backward, one.within.window) == (
        two.within.by,
        two.within.backward,
        two.within.window,
    )
    assert one.across.relation == two.across.relation
    assert one.working_set.files == two.working_set.files


@given(keys=st.lists(st.integers(0, 20), min_size=2, max_size=40), lanes=st.integers(1, 3))
def test_inversions_are_those_counted_one_by_one(keys: list[int], lanes: int) -> None:
    lane = [place % lanes for place in range(len(keys))]
    pairs = [(i, j) for j in range(len(keys)) for i in range(j) if lane[i] == lane[j]]
    found = disorder(np.array(keys), np.array(lane))
    assert (found.pairs, found.told) == (len(pairs), sum(keys[i] != keys[j] for i, j in pairs))
    assert found.inverted == sum(keys[i] > keys[j] for i, j in pairs)


def test_the_chance_of_an_order_is_exact_for_few_files() -> None:
    lane = np.zeros(8, np.int64)
    assert disorder(np.arange(8), lane).chance == pytest.approx(2 / 40320)
    assert disorder(np.arange(8)[::-1], lane).chance == pytest.approx(2 / 40320)
    assert disorder(np.array([1, 0, 2, 3, 4, 5, 6, 7]), lane).chance == pytest.approx(2 * 8 / 40320)
    rng = np.random.default_rng(7)
    assert np.mean([disorder(rng.permutation(8), lane).chance <= 0.05 for _ in range(1009)]) < 0.07
    assert np.mean([disorder(rng.permutation(101), np.zeros(101, np.int64)).chance <= 0.05 for _ in range(499)]) < 0.08
    assert dense(np.array([5, 3, 5])).tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("sharing", "truth"),
    [
        ("stride", ("stride of names", 1, "static")),
        ("blocks", ("blocks of names", 33, "static")),
        ("dealt", ("round robin", 1, "re-dealt")),
    ],
)
def test_the_rule_by_which_files_are_dealt(sharing: str, truth: tuple[str, int, str]) -> None:
    found = judged(Loader(files=101, workers=3, sharing=sharing, order="shuffled", jitter=0.0)).sharing
    assert (found.dealt, found.block, found.over_epochs) == truth


def test_a_dataset_is_in_directory_order_only_forward_whole_and_by_what_directories_give() -> None:
    def verdict(loader: Loader, whole: float = 1.0) -> bool | None:
        order = judged(loader)
        return directory_ordered([replace(order, steps=replace(order.steps, whole=whole))])["/data"].ordered

    assert verdict(Loader(order="name")) is True
    assert verdict(Loader(order="inode")) is True
    assert verdict(Loader(order="name", backward=True)) is False
    assert verdict(Loader(order="size")) is False
    assert verdict(Loader(order="name"), whole=0.1) is False
    assert verdict(Loader(order="shuffled")) is False
    assert verdict(Loader(order="shuffled", epochs=1)) is None  # or as ext4 lists them


@pytest.mark.parametrize("order", ["name", "shuffled"])
def test_workers_that_are_ahead_begin_an_epoch_while_others_end_the_last(order: str) -> None:
    for seed in range(7):
        found = judged(Loader(files=211, order=order, epochs=2, workers=3, waits=False, seed=seed))
        assert [(epoch.files, epoch.visits) for epoch in found.epochs] == [(211, 211)] * 2
        assert found.epochs[1].overlap_visits > 0
        assert 0 < found.epochs[1].overlap_ns == found.epochs[0].end_ns - STEP_NS // 50 - found.epochs[1].start_ns
