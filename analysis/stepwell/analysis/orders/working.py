"""Files over time: the working set, and the picture of which file was read when."""

from __future__ import annotations

import numpy as np

from stepwell.analysis.orders.keys import natural
from stepwell.analysis.orders.model import Points, WorkingSet
from stepwell.analysis.orders.numbering import distinct
from stepwell.analysis.orders.visits import Files, Ints, Visits
from stepwell.analysis.thresholds import orders as limits


def working_set(files: Files, visits: Visits) -> WorkingSet:
    """Return the distinct files in each window of time; a visit counts in each window it reaches into."""
    start = int(visits.start[0])
    width = max(1, -(-(int(visits.end.max()) + 1 - start) // limits.WINDOWS))
    low, high = (visits.start - start) // width, (visits.end - start) // width
    lasting = high - low + 1
    offset = np.arange(lasting.sum()) - np.repeat(np.cumsum(lasting) - lasting, lasting)
    pairs = distinct((np.repeat(low, lasting) + offset) * len(files) + np.repeat(visits.file, lasting))
    window, file = pairs // len(files), pairs % len(files)
    sizes = np.zeros(limits.WINDOWS, np.int64)
    np.add.at(sizes, window, files.size[file])
    return WorkingSet(
        width, start, tuple(np.bincount(window, minlength=limits.WINDOWS).tolist()), tuple(sizes.tolist())
    )


def points(files: Files, visits: Visits, of: Ints, rng: np.random.Generator) -> Points:
    """Return the picture's points: all visits or a sample of them, the file's rank told among a sample of paths."""
    drawn = np.arange(len(visits))
    if len(drawn) > limits.POINTS:
        drawn = np.sort(rng.choice(len(drawn), limits.POINTS, replace=False))
    shown = visits.where(drawn)
    seen = distinct(visits.file)
    if len(seen) > limits.RANKED:
        seen = rng.choice(seen, limits.RANKED, replace=False)
    own, inverse = np.unique(shown.file, return_inverse=True)
    every = np.unique(np.concatenate([seen, own]))
    names = files.names(every)
    keys = [[natural(part) for part in name.split("/")] for name in names]
    rank = np.zeros(len(every))
    rank[sorted(range(len(keys)), key=keys.__getitem__)] = np.arange(len(every)) / max(len(every) - 1, 1)
    of_own = rank[np.searchsorted(every, own)]
    return Points(
        start_ns=tuple(shown.start.tolist()),
        rank=tuple(np.round(of_own[inverse], 4).tolist()),
        epoch=tuple(of[drawn].tolist()),
        reader=tuple(shown.reader.tolist()),
    )
