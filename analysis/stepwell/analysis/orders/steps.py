"""How many files are read at a time, how much of each, and with which pauses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stepwell.analysis.orders.epochs import slots
from stepwell.analysis.orders.model import Steps
from stepwell.analysis.orders.numbering import distinct
from stepwell.analysis.orders.visits import Files, Flags, Floats, Ints, Visits
from stepwell.analysis.thresholds import orders as limits


def steps_of(files: Files, visits: Visits, again: float) -> Steps:
    """Return how files are read at a time.

    Args:
        files: of the dataset.
        visits: of one workload on it.
        again: share of visits put to the ones before them; see `visits.one_reading`.
    """
    crowd = len(visits) < limits.LONG * len(distinct(visits.reader))
    lane = slots(visits) if crowd else visits.reader
    mine = replace(visits, reader=lane).where(np.lexsort((np.arange(len(visits)), lane)))
    same = np.diff(mine.reader) == 0
    pauses = np.maximum(mine.start[1:] - _until(mine), 0)[same]
    between = np.diff(mine.start)[same]
    per_step, pause = bursts(pauses, same)
    share = np.minimum(visits.bytes / np.maximum(files.size[visits.file], 1), 1.0)
    most, mean = _at_once(mine)
    return Steps(
        files_per_step=per_step,
        pause_ns=pause,
        visit_ns=int(np.median(visits.end - visits.start)),
        between_ns=int(np.median(between)) if len(between) else 0,
        open_at_once=most,
        open_at_once_mean=round(mean, 3),
        whole=round(float((share >= limits.WHOLE).mean()), 4),
        part=round(float(np.median(share)), 4),
        again=round(again, 4),
    )


def _until(mine: Visits) -> Ints:
    """Return, before each visit but the first, until when its process has been reading; sorted by process."""
    shift = np.cumsum(np.concatenate([[0], np.diff(mine.reader) != 0]))
    width = int(mine.end.max(initial=0)) + 1
    until: Ints = np.maximum.accumulate(mine.end + shift * width) - shift * width
    return until[:-1]


def bursts(pauses: Ints, same: Flags) -> tuple[int, int]:
    """Return the median number of visits between two long pauses, and the median long pause in ns.

    Pauses fall into long and short ones where one threshold explains most of the variance of their logarithms (Otsu,
    "A threshold selection method from gray-level histograms", IEEE Trans. SMC 1979) and a factor of ten lies between.
    Otherwise every visit is a step.  Processes that read only a few files each count as one after the other.

    Args:
        pauses: between visits of one process, process by process.
        same: between all visits, which pairs are of one process.
    """
    if len(pauses) < limits.TELLING:
        return 1, int(np.median(pauses)) if len(pauses) else 0
    logs = np.log10(np.maximum(pauses, 1_000))
    threshold = _otsu(logs)
    if threshold is None:
        return 1, int(np.median(pauses))
    long = logs > threshold
    if long.sum() < limits.PAUSES:
        return 1, int(np.median(pauses))
    ends = np.ones(len(same), bool)
    ends[same] = long
    cuts = np.flatnonzero(np.concatenate([[True], ends, [True]]))
    return int(np.median(np.diff(cuts))), int(np.median(pauses[long]))


def _otsu(values: Floats) -> float | None:
    """Return what separates two classes of values, or None where there are none."""
    counts, edges = np.histogram(values, 64)
    middles = (edges[1:] + edges[:-1]) / 2
    total = counts.sum()
    low = np.cumsum(counts)[:-1]
    high = total - low
    sums = np.cumsum(counts * middles)
    mean_low = sums[:-1] / np.maximum(low, 1)
    mean_high = (sums[-1] - sums[:-1]) / np.maximum(high, 1)
    explained = low * high * (mean_high - mean_low) ** 2 / total**2
    # Between two classes the variance explained is the same for all thresholds: the middle one.
    best = np.flatnonzero(explained >= explained.max() * (1 - 1e-9))
    place = int(best[len(best) // 2])
    variance = float(values.var())
    if not variance or explained[place] < limits.SEPARATE * variance:
        return None
    if mean_high[place] - mean_low[place] < limits.DECADES:
        return None
    return float(edges[place + 1])


def _at_once(mine: Visits) -> tuple[int, float]:
    """Return how many files one process was reading at once: the most, and the mean while it read any."""
    same = np.concatenate([mine.reader, mine.reader])
    moments = np.concatenate([mine.start, np.maximum(mine.end, mine.start + 1)])
    change = np.concatenate([np.ones(len(mine), np.int64), np.full(len(mine), -1)])
    order = np.lexsort((change, moments, same))
    depth = np.cumsum(change[order])  # back to 0 at each process's end
    lasting = np.diff(moments[order], append=0)
    lasting[np.diff(same[order], append=-1) != 0] = 0
    busy = float(lasting[depth > 0].sum())
    return int(depth.max()), float((depth * lasting).sum()) / busy if busy else 1.0
