"""Who reads side by side, whom they work for, and how much of their waiting delays the whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, log2

import numpy as np
from numpy.typing import NDArray

from stepwell.analysis.ask import Row
from stepwell.analysis.thresholds import waits as limits
from stepwell.analysis.waits.accounts import Ints, Threads
from stepwell.analysis.waits.model import Use


@dataclass(frozen=True)
class Members:
    """A team by its processes.

    `lanes` tells which threads of the trace do its reading and writing, `moved` how many bytes each thread transferred.
    """

    readers: tuple[int, ...]
    lanes: NDArray[np.bool_]
    moved: Ints
    parent: int | None


@dataclass(frozen=True)
class Course:
    """How a team's time relates to the time that passed."""

    start: int
    elapsed: int
    width: float
    consumer: int | None
    consumer_busy: int
    low: float
    high: float
    straggler: int | None
    uneven: int


def teams(
    described: list[Row], threads: Threads, moved: Ints, stalled: Ints, uses: Mapping[int, Sequence[Use]]
) -> list[Members]:
    """Return the teams: processes of one name and parent that do the same, with those of their threads that count.

    Args:
        described: the processes, with `reader`, `pid`, `ppid`, `comm` and `command`.
        threads: all threads.
        moved: bytes of data that each thread transferred.
        stalled: time that each waited for data.
        uses: what each process did with each dataset.
    """
    reads = (moved > 0) | (stalled > 0)
    active = set(threads.reader[reads].tolist())
    by_pid: dict[int, int] = {row["pid"]: row["reader"] for row in described}
    groups: dict[tuple[object, ...], list[int]] = {}
    for row in described:
        if row["reader"] in active:
            # Of processes whose parent is unknown, only those that run the same command belong together.
            alike = (row["ppid"], row["comm"], "" if row["ppid"] in by_pid else row["command"])
            groups.setdefault(alike, []).append(row["reader"])
    found = []
    for (ppid, *_), siblings in groups.items():
        main = {reader: max(uses.get(reader, ()), key=lambda use: use.bytes, default=None) for reader in siblings}
        for readers in jobs(main):
            among = reads & np.isin(threads.reader, readers)
            least = limits.TEAM_SHARE
            lanes = among & (
                (moved >= least * max(moved[among].max(), 1)) | (stalled >= least * max(stalled[among].max(), 1))
            )
            parent = by_pid.get(ppid) if isinstance(ppid, int) else None
            found.append(Members(tuple(sorted(readers)), lanes, moved, None if parent in siblings else parent))
    return found


def jobs(main: Mapping[int, Use | None]) -> list[list[int]]:
    """Return processes by what they do: those that read, or write, the same dataset in the same way.

    Requests, files and order are compared with the nearest of those that belong together, so that no class has a bound
    that parts two that are almost alike.

    Args:
        main: what each process mostly does; None for those that transfer nothing.
    """
    kinds: dict[object, dict[int, Use]] = {}
    for reader, use in main.items():
        if use is not None:
            kind = (use.dataset, use.direction, 2 * use.mapped > use.accesses)
            kinds.setdefault(kind, {})[reader] = use
    nothing = [reader for reader, use in main.items() if use is None]
    found = [nothing] if nothing else []
    for of in kinds.values():
        parts = [list(of)]
        for value, gap in _WAYS:
            parts = [some for part in parts for some in _parted({reader: value(of[reader]) for reader in part}, gap)]
        found += parts
    return found


_WAYS: tuple[tuple[Callable[[Use], float], float], ...] = (
    (lambda use: log2(max(use.request, 1)), log2(limits.ALIKE_REQUESTS)),
    (lambda use: log2(max(use.bytes, 1)) - 2 * log2(max(use.files, 1)), log2(limits.ALIKE_SHAPES)),
    (lambda use: use.consecutive, limits.ALIKE_ORDER),
)
"""What tells ways of reading apart, and by how much: requests, bytes of a file over the number of files, order."""


def _parted(values: Mapping[int, float], gap: float) -> list[list[int]]:
    """Return who belongs together: in the order of their values, a gap that is too wide parts them."""
    found: list[list[int]] = []
    last = -inf
    for reader in sorted(values, key=lambda reader: values[reader]):
        if values[reader] > last + gap:
            found.append([])
        found[-1].append(reader)
        last = values[reader]
    return found


def course(team: Members, threads: Threads, pids: dict[int, int]) -> Course:
    """Return how much of a team's waiting delays the whole, and what an even share of the work would save.

    Readers that wait for anything else may run ahead of whom they work for: then their waiting is hidden.  The whole
    cannot take less time than its busiest part: whom they work for, or their own computing.
    """
    lanes = team.lanes
    start, end = int(threads.start[lanes].min()), int(threads.end[lanes].max())
    elapsed = max(end - start, 1)
    account = threads.account(lanes)
    width = account.wall_ns / elapsed
    beside = max(width, 1.0)
    consumer, least, busy = _consumer(team, threads, pids, start, end)
    stall, computing = account.storage_ns / beside, account.cpu_ns / beside
    low, high = (max(0.0, min(stall, elapsed - max(needed, computing))) for needed in (busy, least))
    # Who has no processor is held up by others' computing, which less waiting may only add to.
    idle = (account.other_ns + account.queued_ns) / beside / elapsed
    straggler, uneven = _straggler(team, threads, elapsed)
    return Course(
        start=start,
        elapsed=elapsed,
        width=width,
        consumer=consumer,
        consumer_busy=busy,
        low=low / elapsed * max(0.0, 1.0 - idle / limits.IDLE),
        high=high / elapsed,
        straggler=straggler,
        uneven=uneven,
    )


def _consumer(
    team: Members, threads: Threads, pids: dict[int, int], start: int, end: int
) -> tuple[int | None, int, int]:
    """Return whom the team works for, and how long it was busy while the team lived: at least, at most.

    That is a thread of the team's only process that reads nothing, or its parent process; its busiest thread counts.
    """
    own = np.isin(threads.reader, team.readers) & ~team.lanes
    alone = len(team.readers) == 1
    main = own & (threads.tid == pids.get(team.readers[0], -1)) if alone else np.zeros_like(own)
    if main.any():
        others, consumer = own, team.readers[0]
    elif team.parent is not None:
        others, consumer = threads.reader == team.parent, team.parent
    else:
        return None, 0, 0
    busy = np.minimum(threads.cpu + threads.storage, threads.wall)[others]
    beside = np.clip(np.minimum(threads.end, end) - np.maximum(threads.start, start), 0, None)[others]
    # When it was busy is not known: as far as possible, before and after.
    least = np.clip(busy - (threads.wall[others] - beside), 0, None)
    return consumer, int(least.max(initial=0)), int(np.minimum(busy, beside).max(initial=0))


def _straggler(team: Members, threads: Threads, elapsed: int) -> tuple[int | None, int]:
    """Return the process (or, of one process, the thread) that is far behind, and what evenness would save."""
    lanes = team.lanes
    names = threads.reader[lanes] if len(team.readers) > 1 else threads.thread[lanes]
    workers, index = np.unique(names, return_inverse=True)
    if len(workers) < 2:
        return None, 0
    busy = np.bincount(index, (np.minimum(threads.cpu + threads.storage, threads.wall))[lanes])
    first = np.full(len(workers), np.iinfo(np.int64).max)
    last = np.zeros(len(workers), np.int64)
    np.minimum.at(first, index, threads.start[lanes])
    np.maximum.at(last, index, threads.end[lanes])
    slowest = int(np.argmax(busy))
    others = np.arange(len(workers)) != slowest
    # Those that live one after the other do not share work.
    beside = np.clip(np.minimum(last, last[slowest]) - np.maximum(first, first[slowest]), 0, None)
    if 2 * beside[others].sum() < (last - first)[others].sum():
        return None, 0
    # Such as workers of the next epoch, which may find in memory what these waited for.
    shared = 2 * beside >= last - first
    workers, busy, first, others = workers[shared], busy[shared], first[shared], others[shared]
    slowest = int(np.argmax(busy))
    if len(workers) < 2:
        return None, 0
    # What it did before there was anybody to share with, and when it did that is not known, could not be shared out.
    busy[slowest] -= min(busy[slowest], max(0, first[others].min() - first[slowest]))
    if busy[slowest] < limits.STRAGGLER * max(np.median(busy[others]), 1.0):
        return None, 0
    # Who neither reads as much as the others nor waits as long for it has another job.
    moved, waits = (np.bincount(index, given[lanes])[shared] for given in (team.moved, threads.storage))
    if all(of[slowest] < limits.SHARE_OF_WORK * np.median(of[others]) for of in (moved, waits)):
        return None, 0
    return int(workers[slowest]), round(max(0.0, min(busy[slowest] - busy.mean(), elapsed)))
