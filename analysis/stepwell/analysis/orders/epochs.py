"""Epochs: where one pass over a dataset's files ends and the next begins.

From where an epoch starts, every visit to a file that is new in it counts +1, every other one -1.  The sum climbs
until the files have been visited and falls once they are visited again: the epoch ends where the sum is highest.  This
is a cumulative-sum change point (Page, "Continuous inspection schemes", Biometrika 1954) of the rate of new files, and
holds for orders of any kind.  Each epoch is found from the last one's end on, so that lost and foreign visits do not
add up, as they would when counting how often each file has been visited.

Sampling n files with replacement makes new ones with probability exp(-v / n) at visit v: the sum is highest at
v = n ln 2, where n / 2 files are new.  So of an "epoch's" visits 0.5 / 0.69 = 72 % are new ones, and it covers half of
the files; real epochs have nearly all of both.

Workers that fetch ahead begin an epoch before the last file of the one before is read.  Files visited twice before the
end and not after it began the next epoch early; files visited twice after it and not before ended the last one late.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stepwell.analysis.orders.numbering import dense, firsts, previous
from stepwell.analysis.orders.visits import Ints, Visits
from stepwell.analysis.thresholds import orders as limits

_ROUNDS = 16
"""Most epochs over which a slow worker's visits are put right."""


@dataclass(frozen=True)
class Passes:
    """Epochs as a number per visit; -1 for visits that belong to none.

    Attributes:
        of: the epoch of each visit, from 0.
        looping: epochs, sampling, once or interleaved, as in `Order`.
        pure: share of visits to files new in their epoch.
        covered: mean share of all files that an epoch but the last visits.
        hot: files left out.
    """

    of: Ints
    looping: str
    pure: float
    covered: float
    hot: int

    @property
    def confidence(self) -> float:
        """How sure it is: by the distance from what sampling with replacement looks like."""
        if self.looping in {"once", "interleaved"}:
            return 1.0
        purity = min(max((self.pure - 0.72) / 0.28, 0), 1)
        covered = min(max((self.covered - 0.5) / 0.5, 0), 1)
        regular = 0.6 * purity + 0.4 * covered
        return round(regular if self.looping == "epochs" else 1 - regular / 2, 3)


def interleaved(visits: Visits) -> Passes:
    """Return what files are that one process reads bit by bit in turns: there is no order of them and no epoch."""
    return Passes(np.full(len(visits), -1, np.int64), "interleaved", 0.0, 0.0, 0)


def find_epochs(visits: Visits, files: int) -> Passes:
    """Return the epochs of one workload on one dataset.

    Visits of all processes together are looked at first: each has its share of the files.  If these are no epochs, the
    processes are looked at one by one, for each may read all files.

    Args:
        visits: of the workload on the dataset.
        files: distinct files in them.
    """
    counts = np.bincount(visits.file)
    hot = counts > limits.HOT * max(float(np.median(counts[counts > 0])), 1)
    if hot.sum() > limits.HOT_SHARE * files:
        hot[:] = False
    usual = ~hot[visits.file]
    number = files - int(hot.sum())
    of = np.full(len(visits), -1, np.int64)
    if not (counts[~hot] > 1).any():
        of[:] = 0
        return Passes(of, "once", 1.0, 1.0, int(hot.sum()))
    chosen = visits.where(usual)
    together = _of_sequence(chosen.file, number)
    if not together.regular:
        apart = _of_slots(chosen)
        together = apart if apart is not None else together
    looping = "epochs" if together.regular else "sampling"
    if together.regular:
        if not together.of.any():
            looping = "once"
        of[usual] = together.of
        of[~usual] = together.of[np.maximum(np.cumsum(usual)[~usual] - 1, 0)]
    return Passes(of, looping, together.pure, together.covered, int(hot.sum()))


@dataclass(frozen=True)
class _Cut:
    """A sequence cut into epochs."""

    of: Ints
    pure: float
    covered: float

    @property
    def regular(self) -> bool:
        """Whether these are epochs rather than random visits."""
        return self.pure >= limits.VERY_PURE or (self.pure >= limits.PURE and self.covered >= limits.COVERED)


def _of_sequence(file: Ints, files: int) -> _Cut:
    """Cut a sequence of visits to so many distinct files."""
    last = previous(file)
    gap = np.arange(len(file)) - last
    near = (last >= 0) & (gap <= max(1, round(limits.NEAR * files)))
    if near.mean() > limits.USUAL:
        kept = np.flatnonzero(~near)
        inner = _of_sequence_kept(file[kept], files)
        return _Cut(inner.of[np.cumsum(~near) - 1], inner.pure, inner.covered)
    return _of_sequence_kept(file, files)


def _of_sequence_kept(file: Ints, files: int) -> _Cut:
    last = previous(file)
    cuts, new = [0], 0
    distinct = []
    while cuts[-1] < len(file):
        start, length = cuts[-1], 2 * files
        while True:
            step = np.where(last[start : start + length] < start, 1, -1)
            height = np.cumsum(step)
            peak = len(height) - 1 - int(np.argmax(height[::-1]))
            if start + length >= len(file) or height[-1] <= height[peak] / 2:
                break
            length *= 2
        fresh = int((step[: peak + 1] > 0).sum())
        new += fresh
        distinct.append(fresh)
        cuts.append(start + peak + 1)
    cuts, distinct = _without_tail(file, cuts, distinct, files)
    of = np.repeat(np.arange(len(cuts) - 1), np.diff(cuts))
    whole = distinct[:-1] or distinct
    return _Cut(_across_cuts(last, of, cuts, files), new / len(file), float(np.mean(whole)) / files)


def _without_tail(file: Ints, cuts: list[int], distinct: list[int], files: int) -> tuple[list[int], list[int]]:
    """Put the last visits to the epoch before when they do not begin one of their own.

    They do not when noise makes as many visits as they are; or when their files have been visited no more often than
    the others, because a slow worker is late.
    """
    if len(distinct) < 2:
        return cuts, distinct
    last = cuts[-2]
    noise = 1 - sum(distinct[:-1]) / last
    counts = np.bincount(file)
    mine = np.zeros(len(counts), bool)
    mine[file[last:]] = True
    others = counts[~mine & (counts > 0)]
    short = len(file) - last < files / 2 and len(others) > 0
    late = short and counts[mine].mean() < others.mean() + limits.LATE
    if len(file) - last > 2 * noise * files and not late:
        return cuts, distinct
    return [*cuts[:-2], cuts[-1]], distinct[:-1]


def _across_cuts(before: Ints, of: Ints, cuts: list[int], files: int) -> Ints:
    """Put visits near a cut to the epoch on its other side where the file is missing there and twice here.

    Args:
        before: place of the visit before to the same file, or -1.
        of: epoch of each visit.
        cuts: where epochs begin, and the end.
        files: distinct files.
    """
    if len(cuts) < 3:
        return of
    visits = len(before)
    place = np.arange(visits)
    after = np.full(visits, visits)
    after[before[before >= 0]] = place[before >= 0]
    bounds = np.asarray(cuts)
    begins_near = place - bounds[of] < files / 2
    ends_near = bounds[of + 1] - place <= files / 2
    last = int(of[-1])
    of = of.copy()
    for _ in range(_ROUNDS):
        earlier = np.where(before >= 0, of[before], -2)
        later = np.where(after < visits, of[np.minimum(after, visits - 1)], last + 2)
        late = begins_near & (later == of) & (earlier < of - 1) & (of > 0)
        early = ends_near & (earlier == of) & (later > of + 1) & (of < last) & ~late
        if not (late | early).any():
            break
        begins_near &= ~late
        ends_near &= ~early
        of += early.astype(np.int64) - late
    return of


def slots(visits: Visits) -> Ints:
    """Return a slot for each visit's process: one that begins takes the place of one that ended.

    Workers made anew for each epoch so become as many slots as there are at once.
    """
    number = dense(visits.reader)
    readers = int(number.max(initial=-1)) + 1
    begin = np.full(readers, np.iinfo(np.int64).max)
    end = np.zeros(readers, np.int64)
    np.minimum.at(begin, number, visits.start)
    np.maximum.at(end, number, visits.end)
    slot = np.zeros(readers, np.int64)
    free: list[int] = []  # ends of the slots' last processes
    for reader in np.argsort(begin, kind="stable").tolist():
        taken = next((place for place, until in enumerate(free) if until <= begin[reader]), len(free))
        slot[reader] = taken
        free[taken : taken + 1] = [int(end[reader])]
    found: Ints = slot[number]
    return found


def _of_slots(visits: Visits) -> _Cut | None:
    """Cut the visits of each slot by themselves; None when there is only one, or any is irregular."""
    slot = slots(visits)
    order = np.argsort(slot, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(slot[order])) + 1)
    if len(parts) < 2:
        return None
    of = np.zeros(len(visits), np.int64)
    pure = covered = 0.0
    for part in parts:
        own = dense(visits.file[part])
        cut = _of_sequence(own, int(own.max()) + 1)
        if not cut.regular:
            return None
        of[part] = cut.of
        pure += cut.pure * len(part)
        covered += cut.covered * len(part)
    return _Cut(of, pure / len(visits), covered / len(visits))


def members(of: Ints) -> list[Ints]:
    """Return the places of each epoch's visits, in the order of the visits."""
    order = np.argsort(of, kind="stable")
    order = order[np.searchsorted(of[order], 0) :]
    return np.split(order, np.flatnonzero(np.diff(of[order])) + 1) if len(order) else []


def overlap(mine: Visits, before: Visits) -> tuple[int, int]:
    """Return for how many nanoseconds an epoch ran beside the one before, and how many of its visits did."""
    until = int(before.start[-1])
    return max(0, until - int(mine.start[0])), int(np.searchsorted(mine.start, until))


def spread(number: int) -> list[int]:
    """Return which of so many epochs are judged: all, or `EPOCHS` spread evenly, with the first and the last."""
    if number <= limits.EPOCHS:
        return list(range(number))
    return sorted({round(step * (number - 1) / (limits.EPOCHS - 1)) for step in range(limits.EPOCHS)})


def first_visits(visits: Visits) -> Visits:
    """Return of one epoch's visits the first one to each file."""
    return visits.where(firsts(visits.file))
