"""Which of a workload's processes read which files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from stepwell.analysis.orders.epochs import spread
from stepwell.analysis.orders.keys import natural
from stepwell.analysis.orders.model import Sharing
from stepwell.analysis.orders.numbering import dense, distinct
from stepwell.analysis.orders.visits import Files, Floats, Ints, Visits
from stepwell.analysis.thresholds import orders as limits

_ALONE = Sharing("alone", 1, 1, 0.0, 0.0, 0.0, 0.0, 0.0, "", 0, "", -1.0, 1.0)


@dataclass(frozen=True)
class _Pairs:
    """Visits put together by file and reader, sorted so; `file` may repeat."""

    file: Ints
    reader: Ints
    bytes: Floats
    first: Ints
    """Place of the pair's first visit."""


def _pairs(epoch: Visits) -> _Pairs:
    readers = distinct(epoch.reader)
    keys = epoch.file * len(readers) + dense(epoch.reader)
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(keys[order]) != 0]))
    first = order[starts]
    octets = np.add.reduceat(epoch.bytes[order], starts).astype(np.float64)
    return _Pairs(epoch.file[first], epoch.reader[first], octets, first)


def sharing_of(files: Files, epochs: list[Visits]) -> Sharing:
    """Return how processes share the files.

    Args:
        files: of the dataset.
        epochs: visits of each epoch; those of the whole trace where there are none.
    """
    everyone = distinct(np.concatenate([distinct(epoch.reader) for epoch in epochs]))
    if len(everyone) == 1:
        return _ALONE
    judged = [epochs[place] for place in spread(len(epochs))]
    pairs = [_pairs(epoch) for epoch in judged]
    shared, doubled = (float(value) for value in np.mean([_shared(pair) for pair in pairs], axis=0))
    similar = np.concatenate([_jaccard(pair) for pair in pairs])
    low, middle, high = np.quantile(similar, [0, 0.5, 1]) if len(similar) else (0.0, 0.0, 0.0)
    at_once = max(_at_once(epoch) for epoch in judged)
    alone = len(epochs) == 1 or max(len(distinct(pair.reader)) for pair in pairs) == 1
    kind, confidence = _kind(pairs, shared, float(middle), in_turn=alone and at_once == 1)
    found = replace(
        _ALONE,
        kind=kind,
        readers=len(everyone),
        at_once=at_once,
        shared_files=round(shared, 4),
        duplicated=round(doubled, 4),
        jaccard_low=round(float(low), 4),
        jaccard_median=round(float(middle), 4),
        jaccard_high=round(float(high), 4),
        confidence=round(confidence, 3),
    )
    if kind != "partitioned":
        return found
    dealt, block = _dealt(files, pairs[0])
    kept = [_kept(one, other) for one, other in pairwise(pairs)] if len(epochs) > 1 else []
    if not kept:
        return replace(found, dealt=dealt, block=block)
    same = float(np.mean(kept))
    return replace(
        found,
        dealt=dealt,
        block=block,
        over_epochs="static" if same >= limits.OWNED else "re-dealt",
        same_reader=round(same, 4),
    )


def _kind(pairs: list[_Pairs], shared: float, similar: float, *, in_turn: bool) -> tuple[str, float]:
    """Return the kind of sharing and the confidence in it."""
    leading = []
    for pair in pairs:
        octets = np.bincount(dense(pair.reader), pair.bytes)
        leading.append(float(octets.max() / max(octets.sum(), 1)) if len(octets) > 1 else 0.0)
    files = sum(len(distinct(pair.file)) for pair in pairs)
    readers = sum(len(distinct(pair.reader)) for pair in pairs)
    if in_turn:
        return ("process per file" if readers >= files * (1 - limits.DISJOINT) else "in turn"), 0.95
    if shared <= limits.DISJOINT:
        if min(leading) >= limits.LEADS:
            return "leader", min(leading)
        if readers >= files * (1 - limits.DISJOINT):
            return "process per file", 0.95
        return "partitioned", 1 - shared / limits.DISJOINT / 4
    if min(leading) >= limits.LEADS:
        return "leader", min(leading)
    if similar >= limits.COMMON:
        return "all read all", 0.5 + similar / 2
    return "overlapping", 1 - max(0.0, similar - 0.5)


def _shared(pair: _Pairs) -> tuple[float, float]:
    """Return the share of files that several processes read, and of bytes that not the first one to read them did."""
    number = dense(pair.file)
    readers = np.bincount(number)
    most = np.zeros(len(readers))
    np.maximum.at(most, number, pair.bytes)
    total = float(pair.bytes.sum())
    return float((readers > 1).mean()), (total - float(most.sum())) / total if total else 0.0


def _jaccard(pair: _Pairs) -> Floats:
    """Return the Jaccard similarity of the files of each two processes, of those with the most files."""
    reader = dense(pair.reader)
    counts = np.bincount(reader)
    chosen = np.argsort(-counts, kind="stable")[: limits.COMPARED]
    bit = np.full(len(counts), -1)
    bit[chosen] = np.arange(len(chosen))
    mine = bit[reader] >= 0
    number = dense(pair.file[mine])
    masks = np.zeros(int(number.max(initial=-1)) + 1, np.uint64)
    np.bitwise_or.at(masks, number, np.uint64(1) << bit[reader[mine]].astype(np.uint64))
    distinct, weight = np.unique(masks, return_counts=True)
    member = (distinct[:, None] >> np.arange(len(chosen), dtype=np.uint64)[None, :] & np.uint64(1)).astype(float)
    common = member.T @ (member * weight[:, None])
    size = np.diag(common)
    rows, columns = np.triu_indices(len(chosen), 1)
    both = common[rows, columns]
    found: Floats = both / (size[rows] + size[columns] - both)
    return found


def _at_once(epoch: Visits) -> int:
    """Return the most processes that were between their first and last visit at the same time."""
    number = dense(epoch.reader)
    begin = np.full(int(number.max()) + 1, np.iinfo(np.int64).max)
    end = np.zeros(len(begin), np.int64)
    np.minimum.at(begin, number, epoch.start)
    np.maximum.at(end, number, np.maximum(epoch.end, epoch.start + 1))
    moments = np.concatenate([begin, end])
    change = np.concatenate([np.ones(len(begin), np.int64), np.full(len(end), -1)])
    return int(np.cumsum(change[np.lexsort((change, moments))]).max())


def _kept(one: _Pairs, other: _Pairs) -> float:
    """Return the share of the files of both epochs that the same process reads, processes matched by what they share.

    By chance one in as many as there are processes: what is returned is the share beyond that, from 0 to 1.
    """
    common, left, right = np.intersect1d(one.file, other.file, return_indices=True)
    if not len(common):
        return 0.0
    before, after = dense(one.reader[left]), dense(other.reader[right])
    table = np.zeros((int(before.max()) + 1, int(after.max()) + 1))
    np.add.at(table, (before, after), 1)
    share = float(table.max(axis=1).sum()) / len(common)
    chance = float(table.sum(axis=0).max()) / len(common)
    return max(0.0, (share - chance) / (1 - chance)) if chance < 1 else 1.0


def _dealt(files: Files, pair: _Pairs) -> tuple[str, int]:
    """Return the rule by which an epoch's files are dealt to processes, and how many files at a time."""
    order = np.argsort(pair.first, kind="stable")
    by_time = dense(pair.reader)[order]
    sequence = pair.file[order]
    step = -(-len(sequence) // limits.PARTITIONED)
    if step == 1:
        names = files.names(sequence)
        ranked = sorted(range(len(names)), key=lambda place: [natural(part) for part in names[place].split("/")])
        by_name = by_time[np.array(ranked)]
        readers = int(by_name.max()) + 1
        same = float((by_name[1:] == by_name[:-1]).mean())
        if (1 - same) * (len(by_name) - 1) <= 2 * (readers - 1) or same >= 1 - 2 * readers / len(by_name):
            return "blocks of names", len(by_name) // readers
        block = _stride(by_name, readers)
        if block:
            return "stride of names", block
    block = _stride(by_time, int(by_time.max()) + 1)
    return ("round robin", block) if block else ("irregular", 0)


def _stride(owner: Ints, readers: int) -> int:
    """Return how many files at a time are dealt to the processes in turn; 0 when they are not."""
    changes = np.flatnonzero(np.diff(owner))
    if len(changes) < 2:
        return 0
    block = max(1, round(float(np.median(np.diff(changes)))))
    period = block * readers
    if len(owner) <= period:
        return 0
    again = float((owner[period:] == owner[:-period]).mean())
    return block if again >= limits.DEALT else 0
