"""Reuse by real programs, labelled before their author had read the rules that decide it.

A label holds the words that two experts could use.  A mix is called by what weighs most in bytes read; where something
else weighs two thirds as much, by either.
"""

from __future__ import annotations

from math import isqrt

import numpy as np
from tests.truth.reads import PAGE, Label, Maker, Numbers, Program, Reads, Rng, at_once, joined, whole

KIB = 1024


def prime(rng: Rng, low: int, high: int) -> int:
    """Return a prime number about between these, small ones as often as large ones."""
    number = int(np.exp(rng.uniform(np.log(low), np.log(high))))
    while any(number % divisor == 0 for divisor in range(2, isqrt(number) + 1)):
        number += 1
    return number


def popular(rng: Rng, exponent: float, number: int, count: int) -> Numbers:
    """Return ranks from 0 on by Zipf's law."""
    share = np.cumsum(1 / np.arange(1, number + 1) ** exponent)
    found: Numbers = np.searchsorted(share, rng.random(count) * share[-1])
    return found


def either(**weights: float) -> Label:
    """Return the word that weighs most, and those that weigh two thirds as much."""
    return frozenset(word for word, weight in weights.items() if weight >= max(weights.values()) * 2 / 3)


ONCE, LOOPING, CLUSTERED = frozenset({"once"}), frozenset({"looping"}), frozenset({"clustered"})
POPULAR = frozenset({"popularity-skewed"})
HOT = POPULAR | CLUSTERED


def images_reshuffled(rng: Rng) -> Program:
    """Training on images in files of their own, shuffled anew in each epoch."""
    files = prime(rng, 101, 499)
    ends = rng.integers(9_000, 180_000, files)
    epochs = [rng.permutation(files) for _ in range(prime(rng, 2, 11))]
    return Program(whole(np.concatenate(epochs), ends, 128 * KIB), LOOPING)


def shards_in_order(rng: Rng) -> Program:
    """Training on shards, in the same order in each epoch; the last epoch is cut short."""
    shards = prime(rng, 3, 13)
    epoch = whole(np.arange(shards), rng.integers(1 << 20, 3 << 20, shards), 64 * KIB)
    number = int(len(epoch) * rng.uniform(2, 7))
    return Program(epoch.take(np.arange(number) % len(epoch)), LOOPING)


def validation_each_epoch(rng: Rng) -> Program:
    """Training files shuffled, then the file of validation from start to end, in each epoch."""
    files = prime(rng, 101, 307)
    ends = np.append(rng.integers(9_000, 120_000, files), prime(rng, 101, 499) * PAGE)
    epochs = [np.append(rng.permutation(files), files) for _ in range(prime(rng, 3, 7))]
    return Program(whole(np.concatenate(epochs), ends, 64 * KIB), LOOPING, {files: LOOPING})


def warm_up_then_subset(rng: Rng) -> Program:
    """A pass over all records of a file, for their statistics; then epochs over some of them."""
    records, size = prime(rng, 503, 5003), int(rng.choice([1, 2, 3, 7])) * PAGE
    part, epochs = rng.permutation(records)[: int(records * rng.uniform(0.1, 0.5))], prime(rng, 3, 11)
    order = np.concatenate([np.arange(records), *(rng.permutation(part) for _ in range(epochs))])
    label = either(looping=len(part) * (epochs + 1), once=records - len(part))
    return Program(Reads.of(0, order * size, size), label, {0: label})


def packed_samples(rng: Rng) -> Program:
    """Pretraining on packed tokens: each sample and its entry in an index once; samples share a token."""
    shards, each = prime(rng, 2, 7), prime(rng, 503, 2003)
    sample, token = rng.permutation(shards * each), int(rng.choice([2, 4]))
    data = Reads.of(1 + sample // each, sample % each * 2048 * token, 2049 * token)
    index = Reads.of(0, sample * 20, 20)
    both = joined([index, data]).take(np.arange(2 * len(sample)).reshape(2, -1).T.ravel())
    return Program(both, ONCE, {1: ONCE})


def checkpoint_by_ranks(rng: Rng) -> Program:
    """A checkpoint loaded: each rank reads the header of each shard and its own part of each tensor."""
    ranks, shards, header = prime(rng, 2, 7), prime(rng, 2, 5), int(rng.integers(10_000, 60_000))
    by_rank: list[list[Reads]] = [[] for _ in range(ranks)]
    for shard in range(shards):
        slices = rng.integers(20_000, 400_000, 13)
        start = header + np.cumsum(slices * ranks) - slices * ranks
        for rank, parts in enumerate(by_rank):
            parts.append(Reads.of(shard, np.append(0, start + rank * slices), np.append(header, slices)))
    return Program(at_once(rng, [joined(parts) for parts in by_rank]), ONCE, {0: ONCE})


def lsm_lookups(rng: Rng) -> Program:
    """Lookups of popular keys in sorted tables, some of which are merged into new ones now and then."""
    tables, each, lookups = prime(rng, 17, 61), prime(rng, 101, 211), prime(rng, 10_007, 30_011)
    key = rng.permutation(tables * each)[popular(rng, rng.uniform(0.7, 1.1), tables * each, lookups)]
    now, following, parts = np.arange(tables), tables, []
    merges = max(int(lookups * rng.uniform(0.1, 0.3) / (3 * each)), 1)
    for some in np.array_split(key, merges):
        parts.append(Reads.of(now[some // each], some % each * PAGE, PAGE))
        first = int(rng.integers(0, tables - 3))
        merged = now[first : first + 3]
        parts.append(whole(merged, np.full(following, each * PAGE), 128 * KIB))
        now = np.concatenate([now[:first], following + np.arange(3), now[first + 3 :]])
        following += 3
    return Program(joined(parts), POPULAR)


def web_objects(rng: Rng) -> Program:
    """Objects asked for by popularity, which changes slowly: some become as popular as others were."""
    number, steps = prime(rng, 1009, 5003), prime(rng, 5, 13)
    ends = np.minimum(np.exp(rng.normal(9.5, 1, number)).astype(np.int64) + 300, 1 << 18)
    place, exponent, asked = rng.permutation(number), rng.uniform(0.7, 1.1), []
    for _ in range(steps):
        asked.append(place[popular(rng, exponent, number, 20_011 // steps)])
        some = rng.choice(number, int(number * rng.uniform(0.01, 0.03)), replace=False)
        place[some] = place[rng.permutation(some)]
    return Program(whole(np.concatenate(asked), ends, 256 * KIB), POPULAR)


def embedding_rows(rng: Rng) -> Program:
    """Rows of embedding tables, by popularity, scattered by a hash."""
    tables, rows, lookups = prime(rng, 3, 7), prime(rng, 20_011, 50_021), prime(rng, 20_011, 50_021)
    width, exponent = int(rng.choice([128, 256, 512])), rng.uniform(0.9, 1.2)
    row = np.stack([rng.permutation(rows)[popular(rng, exponent, rows, lookups // tables)] for _ in range(tables)])
    table = np.arange(tables)[:, None] + np.zeros_like(row)
    return Program(Reads.of(table.T, row.T * width, width), POPULAR, {0: POPULAR})


def backup_beside_hot_set(rng: Rng) -> Program:
    """Some pages of a file read again and again by a program, while a backup reads all of it once."""
    pages = prime(rng, 5003, 20_011)
    hot = rng.permutation(pages)[: int(pages * rng.uniform(0.02, 0.1))]
    ratio, exponent = rng.uniform(0.7, 3), rng.choice([0, 0.8])
    asked = Reads.of(0, hot[popular(rng, exponent, len(hot), int(pages * ratio))] * PAGE, PAGE)
    label = either(hot=ratio, once=1) - {"hot"} | HOT
    return Program(at_once(rng, [whole([0], [pages * PAGE], 32 * KIB), asked]), label, {0: label})


def road_search(rng: Rng) -> Program:
    """A road map searched in breadth: the roads of each place once, what is known of the place at each road's end."""
    wide, high = prime(rng, 61, 127), prime(rng, 61, 127)
    size = int(rng.choice([64, 256, 512]))
    x, y = np.meshgrid(np.arange(wide), np.arange(high))
    from_x, from_y = rng.integers(0, wide), rng.integers(0, high)
    order = np.argsort((np.abs(x - from_x) + np.abs(y - from_y)).ravel() + rng.random(wide * high) / 2)
    x, y = x.ravel()[order], y.ravel()[order]
    near = np.stack([(x - 1) % wide + y * wide, (x + 1) % wide + y * wide,
                     x + (y - 1) % high * wide, x + (y + 1) % high * wide], axis=1)  # fmt: skip
    file = np.concatenate([np.zeros_like(x)[:, None], np.ones_like(near)], axis=1)
    offset = np.concatenate([order[:, None] * 32, near * size], axis=1)
    return Program(Reads.of(file, offset, np.where(file == 0, 32, size)), CLUSTERED, {0: ONCE, 1: CLUSTERED})


def index_lookups(rng: Rng) -> Program:
    """Root, inner page and leaf of an index, of keys that are all as likely."""
    leaves, fan, lookups = prime(rng, 10_007, 50_021), prime(rng, 101, 251), prime(rng, 2003, 10_007)
    page, leaf = int(rng.choice([1, 2, 4])) * PAGE, rng.integers(0, leaves, lookups)
    inner = leaves // fan + 1
    pages = np.stack([np.zeros_like(leaf), 1 + leaf // fan, 1 + inner + leaf], axis=1)
    return Program(Reads.of(0, pages * page, page), HOT, {0: HOT})


def logs_followed(rng: Rng) -> Program:
    """What was appended to a log since the last time, over and over; some logs one after the other."""
    parts = []
    for log in range(prime(rng, 2, 5)):
        sizes = rng.integers(100, 9_000, prime(rng, 503, 2003))
        parts.append(Reads.of(log, np.cumsum(sizes) - sizes, sizes))
    return Program(joined(parts), ONCE, {0: ONCE})


def sliding_windows(rng: Rng) -> Program:
    """Windows of a series of measurements, each of which shares most with the one before."""
    step, times, windows = int(rng.integers(1, 17)) * KIB, prime(rng, 3, 11), prime(rng, 307, 997)
    return Program(Reads.of(0, np.arange(windows) * step, step * times), CLUSTERED, {0: CLUSTERED})


def notebook_columns(rng: Rng) -> Program:
    """A cell of a notebook run again and again on some columns of some files, and others once, on other columns."""
    files, groups, columns = prime(rng, 2, 5), prime(rng, 3, 7), prime(rng, 11, 23)
    sizes = rng.integers(20_000, 90_000, (files, groups, columns))
    start = (np.cumsum(sizes.reshape(files, -1), axis=1) - sizes.reshape(files, -1)).reshape(sizes.shape)
    end = sizes.sum(axis=(1, 2))
    order = rng.permutation(columns)
    work, others = np.sort(order[: prime(rng, 3, 5)]), order[5:]
    cells = [work] * prime(rng, 3, 11) + [others[2 * cell : 2 * cell + 2] for cell in range(int(rng.integers(0, 4)))]
    parts = []
    for cell in rng.permutation(len(cells)):
        for file in range(files):
            parts.append(Reads.of(file, end[file], 7_919))
            parts.append(Reads.of(file, start[file][:, cells[cell]], sizes[file][:, cells[cell]]))
    return Program(joined(parts), LOOPING)


def compilation(rng: Rng) -> Program:
    """Sources compiled one after the other, each with the headers of all and some of its own choice."""
    sources, headers, common = prime(rng, 101, 211), prime(rng, 211, 499), prime(rng, 31, 53)
    ends = np.concatenate([rng.integers(2_000, 40_000, sources), rng.integers(500, 20_000, headers)])
    units = []
    for source in range(sources):
        chosen = common + np.unique(popular(rng, 0.8, headers - common, prime(rng, 5, 23)))
        units.append(np.concatenate([[source], sources + np.arange(common), sources + chosen]))
    return Program(whole(np.concatenate(units), ends, 32 * KIB), HOT)


def nested_loop_join(rng: Rng) -> Program:
    """A table read by the block, and for each block of it all of another table."""
    outer, inner, blocks = prime(rng, 1009, 5003), prime(rng, 503, 2003), prime(rng, 3, 13)
    scan = whole([1], [0, inner * PAGE], 64 * KIB)
    parts: list[Reads] = []
    for pages in np.array_split(np.arange(outer), blocks):
        parts.extend((Reads.of(0, pages * PAGE, PAGE), scan))
    label = either(looping=inner * blocks, once=outer)
    return Program(joined(parts), label, {0: ONCE, 1: LOOPING})


PROGRAMS: dict[str, Maker] = {
    maker.__name__: maker
    for maker in (
        images_reshuffled, shards_in_order, validation_each_epoch, warm_up_then_subset, packed_samples,
        checkpoint_by_ranks, lsm_lookups, web_objects, embedding_rows, backup_beside_hot_set, road_search,
        index_lookups, logs_followed, sliding_windows, notebook_columns, compilation, nested_loop_join,
    )
}  # fmt: skip
