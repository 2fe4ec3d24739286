"""Reuse by further programs, written and labelled after the rules had learnt from `programs`."""

from __future__ import annotations

import numpy as np
from tests.truth.programs import CLUSTERED, KIB, LOOPING, ONCE, POPULAR, either, popular, prime
from tests.truth.reads import PAGE, Maker, Program, Reads, Rng, at_once, joined, whole


def fine_tuning(rng: Rng) -> Program:
    """The weights of a model loaded once, then epochs over a small file of records, shuffled anew."""
    shards, records, epochs = prime(rng, 2, 5), prime(rng, 211, 997), prime(rng, 2, 7)
    ends, size = rng.integers(500_000, 3_000_000, shards), prime(rng, 2, 7) * 1500
    order = np.concatenate([rng.permutation(records) for _ in range(epochs)])
    label = either(looping=epochs * records * size, once=ends.sum())
    parts = [whole(np.arange(shards), ends, 256 * KIB), Reads.of(shards, order * size, size)]
    return Program(joined(parts), label, {0: ONCE, shards: LOOPING})


def dashboard_refresh(rng: Rng) -> Program:
    """The newest file read at each refresh of a dashboard, and between them older ones, each once."""
    files, refreshes = prime(rng, 11, 31), prime(rng, 5, 23)
    ends = rng.integers(400_000, 1_500_000, files)
    older = rng.permutation(files - 1)[: int(refreshes * rng.uniform(0, 1))]
    after = rng.integers(0, refreshes, len(older))
    order = [[files - 1, *older[after == refresh]] for refresh in range(refreshes)]
    label = either(looping=ends[-1] * refreshes, once=ends[older].sum())
    return Program(whole(np.concatenate(order), ends, 64 * KIB), label, {files - 1: LOOPING})


def moving_hot_set(rng: Rng) -> Program:
    """Jobs one after the other, each of which reads some pages of its own again and again, in no order."""
    jobs, pages, times = prime(rng, 23, 53), prime(rng, 53, 199), prime(rng, 3, 11)
    page = np.arange(jobs)[:, None] * pages + rng.integers(0, pages, (jobs, pages * times))
    return Program(Reads.of(0, page * PAGE, PAGE), CLUSTERED, {0: CLUSTERED})


def postings(rng: Rng) -> Program:
    """Lists of the documents of some terms for each query; what is asked for often has long lists."""
    terms, queries = prime(rng, 1009, 5003), prime(rng, 1009, 5003)
    sizes = np.maximum(600_000 / np.arange(1, terms + 1) ** 0.8, 200).astype(np.int64)
    place = rng.permutation(terms)
    start = np.zeros(terms, np.int64)
    start[place] = np.cumsum(sizes[place]) - sizes[place]
    asked = popular(rng, rng.uniform(0.6, 0.9), terms, queries * 3)
    return Program(Reads.of(0, start[asked], sizes[asked]), POPULAR, {0: POPULAR})


def replay_buffer(rng: Rng) -> Program:
    """Batches drawn from the newest part of what a learner has seen so far."""
    steps, batch, size = prime(rng, 2003, 5003), prime(rng, 3, 11), int(rng.choice([2, 4, 16])) * KIB
    newest = steps // prime(rng, 23, 53)
    drawn = np.arange(steps)[:, None] + rng.integers(0, newest, (steps, batch))
    return Program(Reads.of(0, drawn * size, size), CLUSTERED, {0: CLUSTERED})


def staged_training(rng: Rng) -> Program:
    """Epochs over a first part of the files, then over more of them, then over all, shuffled anew each time."""
    files = prime(rng, 151, 499)
    ends, place = rng.integers(9_000, 120_000, files), rng.permutation(files)
    parts = np.sort(rng.integers(files // 4, files, 2)).tolist()
    epochs = [rng.permutation(place[:part]) for part in (*parts, files) for _ in range(prime(rng, 2, 5))]
    return Program(whole(np.concatenate(epochs), ends, 64 * KIB), LOOPING)


def shuffle_fetch(rng: Rng) -> Program:
    """Reducers fetch their parts of what mappers wrote, after its table of parts; some of them at a time."""
    maps, reducers = prime(rng, 31, 101), prime(rng, 11, 53)
    sizes = rng.integers(2_000, 40_000, (maps, reducers))
    table = 8 * (reducers + 1)
    start = table + np.cumsum(sizes, axis=1) - sizes
    fetched = []
    for reducer in range(reducers):
        file = rng.permutation(maps)
        offset = np.stack([np.zeros(maps, np.int64), start[file, reducer]], axis=1)
        size = np.stack([np.full(maps, table), sizes[file, reducer]], axis=1)
        fetched.append(Reads.of(file[:, None], offset, size))
    waves = [at_once(rng, fetched[first : first + 3]) for first in range(0, reducers, 3)]
    return Program(joined(waves), ONCE, {0: ONCE})


PROGRAMS_LATER: dict[str, Maker] = {
    maker.__name__: maker
    for maker in (
        fine_tuning, dashboard_refresh, moving_hot_set, postings, replay_buffer, staged_training, shuffle_fetch,
    )
}  # fmt: skip
