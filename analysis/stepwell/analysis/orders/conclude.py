"""From visits to what is told of each workload and dataset."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from stepwell.analysis.ask import Queryable, rows
from stepwell.analysis.orders import queries
from stepwell.analysis.orders.across import relation
from stepwell.analysis.orders.epochs import find_epochs, first_visits, interleaved, members, overlap, slots, spread
from stepwell.analysis.orders.groups import groups, named
from stepwell.analysis.orders.model import Epoch, Order, Within
from stepwell.analysis.orders.numbering import dense, distinct
from stepwell.analysis.orders.sharing import sharing_of
from stepwell.analysis.orders.steps import steps_of
from stepwell.analysis.orders.visits import Files, Visits, load_files, load_visits, one_reading
from stepwell.analysis.orders.within import combined, order_of
from stepwell.analysis.orders.working import points, working_set
from stepwell.analysis.thresholds import orders as limits

MOST_EPOCHS = 1_000
"""Most epochs that are listed."""


def orders(store: Queryable, trace: int) -> tuple[Order, ...]:
    """Return in which order each workload reads the files of each dataset, those with the most visits first.

    Workloads that read fewer than `FILES` files of a dataset are left out, as are datasets with fewer.
    """
    datasets = load_files(store, trace)
    if not datasets:
        return ()
    visits = load_visits(store, trace)
    readers = rows(store, queries.READERS, trace)
    reading = set(distinct(visits.reader).tolist())
    group = groups(readers, visits, named([row for row in readers if row["reader"] in reading], datasets))
    commands = {row["reader"]: str(row["command"]) for row in readers}
    found = []
    for files in datasets:
        place = np.searchsorted(files.ids, visits.file)
        place[place == len(files)] = 0
        mine = visits.where(files.ids[place] == visits.file)
        if not len(mine):
            continue
        every = distinct(mine.reader).tolist()
        of_group = np.array([group.get(reader, reader) for reader in every])[dense(mine.reader)]
        for leader in distinct(of_group).tolist():
            own = mine.where(of_group == leader)
            if len(distinct(own.file)) >= limits.FILES:
                most = int(np.bincount(dense(own.reader)).argmax())
                command = commands.get(int(distinct(own.reader)[most]), "")
                found.append(judge(_restricted(files, own), replace(own, file=dense(own.file)), command))
    return tuple(sorted(found, key=lambda order: -order.visits))


def _restricted(files: Files, visits: Visits) -> Files:
    """Return only the files that are visited."""
    kept = np.searchsorted(files.ids, distinct(visits.file))
    return Files(
        files.dataset,
        files.filesystem,
        files.ids[kept],
        files.paths.take(kept),
        files.size[kept],
        files.inode[kept],
        None if files.mtime is None else files.mtime[kept],
    )


def judge(files: Files, visits: Visits, command: str) -> Order:
    """Return all that is told of one workload on one dataset.

    Args:
        files: those that it visits.
        visits: its visits.
        command: its command line.
    """
    rng = np.random.default_rng(len(visits))
    visits, again = one_reading(visits)
    steps = steps_of(files, visits, again)
    passes = interleaved(visits) if steps.open_at_once_mean >= limits.AT_ONCE * len(files) else None
    passes = passes or find_epochs(visits, len(files))
    epochs = [visits.where(places) for places in members(passes.of)]
    probes = _probes(files, epochs)
    real = [place for place in range(len(epochs)) if not probes[place]]
    sharing = sharing_of(files, [epochs[place] for place in real] or [visits])
    apart = sharing.kind in {"all read all", "overlapping"}
    judged = {}
    for place in (real[number] for number in spread(len(real))):
        ways = _ways(epochs[place], apart=apart)
        judged[place] = [(len(way), order_of(files, first_visits(way), rng)) for way in ways]
    pairs = []
    for number in spread(max(len(real) - 1, 0)):
        before, now = epochs[real[number]], epochs[real[number + 1]]
        pairs += list(zip(_ways(before, apart=apart), _ways(now, apart=apart), strict=False))
    across = relation(pairs[: limits.EPOCHS], len(files), rng)
    within = combined(
        [order for each in judged.values() for order in each],
        same=across.relation == "same",
        reshuffled=across.relation == "reshuffled",
        listed=files.filesystem not in limits.LISTING,
    )
    everyone, counts = distinct(visits.reader), np.bincount(dense(visits.reader))
    return Order(
        dataset=files.dataset,
        command=command,
        readers=tuple(everyone[np.argsort(-counts, kind="stable")][: limits.COMPARED].tolist()),
        files=len(files),
        visits=len(visits),
        looping=passes.looping,
        epochs=tuple(
            _epoch(files, epochs, place, probe=probes[place], judged=judged.get(place, []))
            for place in range(min(len(epochs), MOST_EPOCHS))
        ),
        epochs_found=len(epochs),
        pure=round(passes.pure, 4),
        epoch_confidence=passes.confidence,
        hot=passes.hot,
        within=within,
        across=across,
        steps=steps,
        sharing=sharing,
        working_set=working_set(files, visits),
        points=points(files, visits, passes.of, rng),
    )


def _ways(epoch: Visits, *, apart: bool) -> list[Visits]:
    """Return an epoch as one sequence, or as those of its processes when each reads for itself."""
    if not apart:
        return [epoch]
    slot = slots(epoch)
    return [epoch.where(slot == number) for number in range(min(int(slot.max()) + 1, 4))]


def _probes(files: Files, epochs: list[Visits]) -> list[bool]:
    """Return which epochs only look into files that are read further in a later one."""
    parts = [float(np.median(epoch.bytes / np.maximum(files.size[epoch.file], 1))) for epoch in epochs]
    return [
        part <= limits.PROBED and any(later >= 2 * part and later > limits.PROBED for later in parts[place + 1 :])
        for place, part in enumerate(parts)
    ]


def _epoch(files: Files, epochs: list[Visits], place: int, *, probe: bool, judged: list[tuple[int, Within]]) -> Epoch:
    mine = epochs[place]
    ns, visits = overlap(mine, epochs[place - 1]) if place else (0, 0)
    number = len(distinct(mine.file))
    return Epoch(
        start_ns=int(mine.start[0]),
        end_ns=int(mine.end.max()),
        visits=len(mine),
        files=number,
        complete=round(number / len(files), 4),
        bytes=int(mine.bytes.sum()),
        readers=len(distinct(mine.reader)),
        probe=probe,
        overlap_ns=ns,
        overlap_visits=visits,
        order=judged[0][1].by if judged else "",
    )


@dataclass(frozen=True)
class Directories:
    """Whether the files of a dataset are read whole and in the order that its directories give.

    Attributes:
        ordered: whether they are; None when that is unknown.
        confidence: from 0 to 1.
        by: the order.
        visits: visits it rests on.
    """

    ordered: bool | None
    confidence: float
    by: str
    visits: int


def directory_ordered(found: Iterable[Order]) -> dict[str, Directories]:
    """Return for each dataset whether whole files are read in directory order, by the workload with most visits.

    That order is by name or as the directory lists its files, which for many file systems is by inode.
    """
    verdicts: dict[str, Directories] = {}
    for order in sorted(found, key=lambda order: -order.visits):
        way = order.within
        along = way.by in {"name", "inode", "listing"} and not way.backward and not way.window
        whole = order.steps.whole >= limits.MOSTLY
        known = not whole or not (way.by == "unknown" or (way.by == "shuffled" and "listing" in way.also))
        verdicts.setdefault(
            order.dataset,
            Directories(whole and along if known else None, way.confidence if known else 0.0, way.by, order.visits),
        )
    return verdicts
