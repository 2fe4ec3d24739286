"""Reuse by programs written and labelled after all rules; nothing was changed because of them."""

from __future__ import annotations

import numpy as np
from tests.truth.programs import CLUSTERED, KIB, LOOPING, ONCE, POPULAR, either, popular, prime
from tests.truth.reads import PAGE, Maker, Program, Reads, Rng, at_once, joined, whole


def cross_validation(rng: Rng) -> Program:
    """A model for each fold: some shuffled epochs over the other folds, then a pass over this one."""
    folds, files, epochs = prime(rng, 3, 7), prime(rng, 101, 307), prime(rng, 2, 3)
    ends, fold = rng.integers(9_000, 100_000, files), rng.permutation(files) % folds
    order = []
    for held in range(folds):
        order += [rng.permutation(np.flatnonzero(fold != held)) for _ in range(epochs)]
        order.append(np.flatnonzero(fold == held))
    return Program(whole(np.concatenate(order), ends, 64 * KIB), LOOPING)


def verify_then_extract(rng: Rng) -> Program:
    """Archives, each read through for its checksum and at once again to be unpacked."""
    archives, times = prime(rng, 53, 211), 2
    ends = np.exp(rng.normal(12, 1, archives)).astype(np.int64) + 500
    return Program(whole(np.repeat(np.arange(archives), times), ends, 128 * KIB), CLUSTERED)


def thumbnails(rng: Rng) -> Program:
    """Films, of each the header and some frames here and there."""
    films, frames = prime(rng, 101, 499), prime(rng, 5, 23)
    size = int(rng.integers(10, 90)) * KIB
    place = np.sort(np.argsort(rng.random((films, 997)), axis=1)[:, :frames], axis=1)
    offset = np.concatenate([np.zeros((films, 1), np.int64), 64 * KIB + place * size], axis=1)
    return Program(Reads.of(np.arange(films)[:, None], offset, np.append(4 * KIB, np.full(frames, size))), ONCE)


def decision_queries(rng: Rng) -> Program:
    """Queries that scan a table of facts and some of the smaller ones beside it."""
    small, queries = prime(rng, 5, 11), prime(rng, 5, 19)
    ends = np.append(prime(rng, 1009, 3001) * PAGE, rng.integers(50_000, 900_000, small))
    order = [np.append(1 + rng.permutation(small)[: int(rng.integers(1, 4))], 0) for _ in range(queries)]
    return Program(whole(np.concatenate(order), ends, 256 * KIB), LOOPING, {0: LOOPING})


def lookups_beside_crawler(rng: Rng) -> Program:
    """Pages looked up by popularity, while a crawler goes through all of them."""
    pages, ratio = prime(rng, 3001, 10_007), rng.uniform(1, 5)
    asked = rng.permutation(pages)[popular(rng, rng.uniform(0.8, 1.2), pages, int(pages * ratio))]
    reads = at_once(rng, [Reads.of(0, np.arange(pages) * PAGE, PAGE), Reads.of(0, asked * PAGE, PAGE)])
    label = frozenset(word.replace("_", "-") for word in either(popularity_skewed=ratio, once=1))
    return Program(reads, label, {0: label})


def albums(rng: Rng) -> Program:
    """Albums looked at by popularity, each picture after the other."""
    number, looked = prime(rng, 211, 997), prime(rng, 1009, 3001)
    pictures = np.maximum(rng.poisson(7, number), 1)
    first = np.cumsum(pictures) - pictures
    ends = rng.integers(5_000, 60_000, pictures.sum())
    album = rng.permutation(number)[popular(rng, rng.uniform(0.8, 1.1), number, looked)]
    parts = [first[one] + np.arange(pictures[one]) for one in album.tolist()]
    return Program(whole(np.concatenate(parts), ends, 64 * KIB), POPULAR)


def restarted(rng: Rng) -> Program:
    """Training in one order that was stopped in its first epoch, and begun again from the start."""
    shards, epochs = prime(rng, 5, 23), prime(rng, 2, 5)
    epoch = whole(rng.permutation(shards), rng.integers(400_000, 2_000_000, shards), 64 * KIB)
    broken = epoch.take(np.arange(int(len(epoch) * rng.uniform(0.1, 0.9))))
    return Program(joined([broken, *[epoch] * epochs]), LOOPING)


PROGRAMS_LAST: dict[str, Maker] = {
    maker.__name__: maker
    for maker in (
        cross_validation, verify_then_extract, thumbnails, decision_queries, lookups_beside_crawler, albums, restarted,
    )
}  # fmt: skip
