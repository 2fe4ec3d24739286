"""How one epoch's order relates to that of the epoch before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stepwell.analysis.orders.disorder import Disorder, disorder, sample, segment
from stepwell.analysis.orders.epochs import first_visits
from stepwell.analysis.orders.model import Across
from stepwell.analysis.orders.numbering import dense
from stepwell.analysis.orders.visits import Ints, Visits
from stepwell.analysis.orders.within import lanes
from stepwell.analysis.thresholds import orders as limits

UNKNOWN = Across("unknown", 0, 0.0, -1.0, 1.0, 0, 0.0, 0, 0.0)


def relation(pairs: list[tuple[Visits, Visits]], files: int, rng: np.random.Generator) -> Across:
    """Return how the later epoch of each pair follows the earlier one.

    Args:
        pairs: visits of an epoch and of the one before it.
        files: distinct files of the dataset.
        rng: picks samples.
    """
    total: Disorder | None = None
    local: Disorder | None = None
    followed = hits = steps = scale = ahead = compared = jumble = 0
    for before, now in pairs:
        place, lane, workers = _places(before, now, files)
        if len(place) < limits.TELLING:
            continue
        chosen = sample(len(place), rng)
        found = disorder(place[chosen], lane[chosen])
        total = found if total is None else total + found
        middle = segment(len(place))
        nearby = disorder(place[middle], lane[middle])
        local = nearby if local is None else local + nearby
        compared += 1
        scale = max(scale, round(len(place) / len(chosen)))
        ahead = max(ahead, limits.AHEAD, 4 * workers)
        jumble = max(jumble, 0 if lane.any() else limits.JUMBLE * (workers - 1))
        jump = np.diff(place)
        followed += int((jump == 1).sum())
        hits += int((np.abs(jump) <= ahead).sum())
        steps += len(jump)
    if total is None or local is None:
        return UNKNOWN
    backward = total.share > 0.5
    window = total.window(backward=backward) * scale or local.window(backward=backward)
    return _judge(
        Across(
            relation="",
            window=window if window > jumble else 0,
            confidence=0.0,
            inverted=round(total.share, 4),
            chance=total.chance,
            pairs=compared,
            next_file=round(followed / steps, 4),
            ahead=ahead,
            hits=round(hits / steps, 4),
        ),
        sum(total.lanes),
    )


def _places(before: Visits, now: Visits, files: int) -> tuple[Ints, Ints, int]:
    """Return for the files of both epochs, in the later one's order, their places in the earlier one and their lanes.

    Files are in one lane that were in one both times, if there are enough such pairs: these keep the loader's order
    exactly, while workers jumble that of all.  The last number is that of the later epoch's lanes.
    """
    before, now = first_visits(before), first_visits(now)
    place = np.full(files, -1, np.int64)
    place[before.file] = np.arange(len(before))
    now = now.where(place[now.file] >= 0)
    found = place[now.file]
    earlier, later = lanes(before, 1)[found], lanes(now, 1)
    workers = int(later.max(initial=0)) + 1
    for lane in (dense(earlier * (len(now) + 1) + later), later):
        counts = np.bincount(lane)
        if (counts * (counts - 1)).sum() / 2 >= limits.PAIRS:
            return found, lane, workers
    return found, np.zeros(len(found), np.int64), workers


def _judge(found: Across, files: int) -> Across:
    away = min(found.inverted, 1 - found.inverted)
    if away <= limits.KEYED and found.chance <= limits.SIGNIFICANT:
        name = "reversed" if found.inverted > 0.5 else "window" if found.window else "same"
        return replace(found, relation=name, confidence=round(1 - away / limits.KEYED / 2, 3))
    found = replace(found, window=0)
    if found.next_file >= limits.FOLLOWED:
        return replace(found, relation="partly", confidence=found.next_file)
    if found.chance > limits.SIGNIFICANT or 0.5 - away <= limits.SHUFFLED:
        confidence = 0.5 + away - 1 / np.sqrt(files)
        return replace(found, relation="reshuffled", confidence=round(float(confidence), 3))
    return replace(found, relation="partly", confidence=round(1 - away, 3))
