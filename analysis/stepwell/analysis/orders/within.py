"""In which order the files of an epoch are read."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np

from stepwell.analysis.orders.disorder import Disorder, disorder, sample, segment
from stepwell.analysis.orders.keys import Key, directories, keys
from stepwell.analysis.orders.model import Within
from stepwell.analysis.orders.numbering import dense
from stepwell.analysis.orders.visits import Files, Ints, Visits
from stepwell.analysis.thresholds import orders as limits

Judged = tuple[float, Key, Disorder]
"""A key with what the sequence says of it; first the share of pairs against the nearer direction."""

UNKNOWN = Within("unknown", False, 0, "dataset", "single", True, (), 0.0, -1.0, 1.0, 0)


def lanes(visits: Visits, least: int) -> Ints:
    """Return the lane of each visit, its thread; all are in one where threads make fewer than `least` on average."""
    numbers = dense(visits.thread)
    if len(visits) < least * (int(numbers.max(initial=0)) + 1):
        return np.zeros(len(visits), np.int64)
    return numbers


def order_of(files: Files, epoch: Visits, rng: np.random.Generator) -> Within:
    """Return the order of one epoch, given as the first visits to each of its files."""
    if len(epoch) < limits.TELLING:
        return replace(UNKNOWN, files=len(epoch))
    lane = lanes(epoch, limits.LONG)
    jumble = 0 if lane.any() else limits.JUMBLE * (int(lanes(epoch, 1).max()) + 1)
    places = sample(len(epoch), rng)
    sequence, kin = epoch.file[places], lane[places]
    names = files.names(sequence)
    folders = directories(names)
    found: list[Judged] = []
    for key in keys(files, sequence, names):
        result = disorder(key.values, kin, folders if key.inside else None)
        if result.telling and result.told >= limits.TELLING:
            found.append((min(result.share, 1 - result.share), key, result))
    walk = _walk(folders, kin)
    fitting = [entry for entry in found if _fits(entry) and (walk != "one by one" or _fits_inside(entry, found))]
    if not fitting:
        return _unkeyed(files, found, walk, len(places))
    over = [entry for entry in fitting if not entry[1].inside]
    inside = [entry for entry in fitting if entry[1].inside]
    best = min(entry[0] for entry in fitting)
    chosen = over if over and min(entry[0] for entry in over) <= best + limits.ALIKE else inside
    least = min(entry[0] for entry in chosen)
    alike = [entry for entry in chosen if entry[0] <= least + limits.ALIKE]
    share, key, result = min((entry for entry in alike if entry[1].by == alike[0][1].by), key=lambda entry: entry[0])
    backward = result.share > 0.5
    window = result.window(backward=backward) * max(1, round(len(epoch) / len(places)))
    if not window and len(epoch) > len(places):
        window = _locally(files, epoch, lane, key.by, key.natural, inside=key.inside, backward=backward)
    window = 0 if window <= jumble else window
    return Within(
        by=key.by,
        backward=backward,
        window=window,
        scope="directory" if key.inside else "dataset",
        directories=walk,
        natural=key.by != "name" or key.natural,
        also=tuple(dict.fromkeys(entry[1].by for entry in alike if entry[1].by != key.by)),
        confidence=round((1 - share / limits.KEYED / 2) * (1 - min(1.0, 1e3 * result.chance)), 3),
        inverted=round(result.share, 4),
        chance=result.chance,
        files=len(places),
    )


def _fits(entry: Judged) -> bool:
    share, _, result = entry
    return share <= limits.KEYED and result.chance <= limits.SIGNIFICANT


def _fits_inside(entry: Judged, found: list[Judged]) -> bool:
    """Return whether each directory's files are in an order too, as far as that can be told.

    A walk over a few directories that happen to be listed in order says nothing of the files in them.
    """
    _, key, result = entry
    inner = [other for _, other_key, other in found if other_key.inside and other_key.by == key.by]
    return (
        key.inside
        or not inner
        or any(
            other.told < limits.PAIRS
            or (min(other.share, 1 - other.share) <= limits.KEYED and (other.share > 0.5) == (result.share > 0.5))
            for other in inner
        )
    )


def _locally(files: Files, epoch: Visits, lane: Ints, by: str, natural: bool, *, inside: bool, backward: bool) -> int:
    """Return the window within which neighbours are shuffled, too small for a sample of the epoch to show."""
    places = segment(len(epoch))
    names = files.names(epoch.file[places])
    for key in keys(files, epoch.file[places], names):
        if (key.by, key.natural, key.inside) == (by, natural, inside):
            return disorder(key.values, lane[places], directories(names) if inside else None).window(backward=backward)
    return 0


def _walk(folders: Ints, lane: Ints) -> str:
    """Return how a sequence goes over directories: single, one by one, mixed, or partly."""
    number = int(folders.max()) + 1
    if number < 2 or len(folders) < 2 * number:
        return "single"
    order = np.argsort(lane, kind="stable")
    mine, own = folders[order], lane[order]
    changes = int(((np.diff(mine) != 0) & (np.diff(own) == 0)).sum())
    least = most = 0.0
    for one in np.unique(own):
        counts = np.bincount(mine[own == one])
        least += (counts > 0).sum() - 1
        most += (counts.sum() - 1) * (1 - ((counts / counts.sum()) ** 2).sum())
    excess = (changes - least) / max(most - least, 1)
    return "one by one" if excess <= limits.TOGETHER else "mixed" if excess >= 1 - limits.TOGETHER else "partly"


def _unkeyed(files: Files, found: list[Judged], walk: str, judged: int) -> Within:
    """Return what a sequence is that no key sorts: as listed, shuffled, or one of both."""
    share, chance = (found[0][2].share, found[0][2].chance) if found else (-1.0, 1.0)
    inner = [entry for entry in found if entry[1].inside and entry[2].told >= limits.PAIRS]
    beyond = max((0.5 - entry[0] - limits.NOISE * entry[2].deviation for entry in inner or found), default=0.0)
    clear = min(1.0, max(0.0, 1 - beyond / (0.5 - limits.KEYED)))
    listed = walk == "one by one"
    hidden = files.filesystem not in limits.LISTING and walk == "single"
    sure = 0.8 if listed else 0.5 if hidden else 0.95
    return replace(
        UNKNOWN,
        by="listing" if listed else "shuffled",
        directories=walk,
        also=("shuffled",) if listed else ("listing",) if hidden else (),
        confidence=round(sure * clear * (1 - 1 / judged), 3),
        inverted=round(share, 4),
        chance=chance,
        files=judged,
    )


def combined(judged: list[tuple[int, Within]], *, same: bool, reshuffled: bool, listed: bool) -> Within:
    """Return one order out of those of several epochs, the one of most visits.

    Args:
        judged: visits and order of each epoch.
        same: whether each epoch repeats the last one's order.
        reshuffled: whether none does.
        listed: whether the file system lists in an order that no key shows.
    """
    votes: Counter[str] = Counter()
    best: dict[str, list[tuple[int, Within]]] = defaultdict(list)
    for visits, order in judged:
        votes[order.by] += visits
        best[order.by].append((visits, order))
    if not votes:
        return UNKNOWN
    by, weight = votes.most_common(1)[0]
    members = best[by]
    typical = sorted(members, key=lambda entry: entry[1].confidence)[len(members) // 2][1]
    agreed = weight / sum(votes.values())
    typical = replace(
        typical,
        also=tuple(other for other in typical.also if all(other in order.also for _, order in members)),
        confidence=round(typical.confidence * agreed, 3),
    )
    if by not in {"shuffled", "listing"}:
        return typical
    if reshuffled:
        return replace(typical, by="shuffled", also=(), confidence=round(max(typical.confidence, 0.97) * agreed, 3))
    if same and listed and "listing" in typical.also:
        return replace(typical, by="listing", also=("shuffled",), confidence=round(0.6 * agreed, 3))
    return typical
