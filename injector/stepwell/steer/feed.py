"""From the records of a recording to the messages of the prefetch protocol."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from stepwell.prefetch.protocol import Asked, Close, Message, Open, Root, Run
from stepwell.steer.joined import joined
from stepwell.steer.meter import Meter
from stepwell.store.files import SOFTWARE_PLACES
from stepwell.trace.definition import EVENT, OPEN, RUN, RUN_SHORT, THREAD, THREAD_END, EventKind, Op, OpenFlag
from stepwell.trace.spool import Block

KINDS = {THREAD.kind: 0, OPEN.kind: 1, RUN.kind: 2, RUN_SHORT.kind: 2, EVENT.kind: 3, THREAD_END.kind: 4}
"""The records that say what readers do, and in which order they are looked at: who, which file, what, and its end."""

MOST_RUNS, FEW_RUNS = 257, 17
"""Runs that ended, and as many open ones, that are told at once: of readers who wait, and of those who do not and can
hardly be helped. A pattern shows in fewer; where there are more that do not go on where another ended, most are single
accesses of random reading, of which the latest say as much."""

MOST_JOINED = 4_099
"""Runs that ended of which is seen whether they go on where another ended: eight readers of small records make as many
in the time between two looks."""

MOST_FILES = 262_144
"""Open files that are known at once, as many as the collector knows."""

IN_MEMORY = frozenset({0x01021994, 0x858458F6, 0x9FA0, 0x62656572, 0x27E0EB, 0x63677270})
"""File systems, by statfs(2)'s number, that have nothing to fetch: tmpfs, ramfs, proc, sysfs, cgroup, cgroup2."""

CALL_NS = 25_000_000
"""A call is told of when it has been under way for so long: what is in memory is copied sooner, a hundred mebibytes."""

LARGE, LONG_NS = 16 << 20, 100_000_000
"""A call of so many bytes that has been under way for so long takes as long as turns do: what it reads is told as a
whole when it has ended, so that nothing is measured meanwhile."""

_SOFTWARE = re.compile(SOFTWARE_PLACES.replace(r"\z", r"\Z"))

_UNUSABLE = OpenFlag.DELETED | OpenFlag.NO_PATH | OpenFlag.TRUNCATED_PATH

Records = np.ndarray[Any, np.dtype[np.void]]
Times = np.ndarray[Any, np.dtype[np.uint64]]


@dataclass(frozen=True)
class _File:
    path: str
    reader: str


class Feed:
    """Follows who has what open, and tells a prefetch engine of it.

    Data files only: programs, libraries, files that are written, deleted ones, those whose path is not known or belongs
    to another mount namespace, and file systems in memory are none.

    Attributes:
        meter: what was read of them, up to the last call of `tell`.
    """

    def __init__(self, namespace: int, datasets: tuple[str, ...] = ()) -> None:
        """Begin to follow.

        Args:
            namespace: inode number of the mount namespace in which the engine resolves paths.
            datasets: directories whose files alone matter, the engine knows them; without any each directory in which
                a data file is opened is told as a root of its own.
        """
        self._namespace = namespace
        self._datasets = tuple(directory.rstrip("/") + "/" for directory in datasets)
        self._roots: set[str] = set()
        self._files: dict[int, _File] = {}
        self._numbers: Times | None = None  # the keys of `_files`, until they change
        none = np.zeros(0, np.uint64)
        self._before = none, none  # when open runs started, in that order, and their accesses, as of the last call
        self._processes: dict[int, int] = {}
        self._threads: dict[int, set[int]] = {}
        self._untold: set[int] = set()
        """Open files of whose reads only a sample was told."""
        self.meter = Meter()
        self.long_calls = False
        """Whether calls are under way that take as long as turns do: what they read is told when they have ended."""

    def tell(
        self, blocks: Iterable[Block], open_runs: Records, calls: Records, now_ns: int, *, waiting: bool
    ) -> list[Message]:
        """Return what happened since the last call, in order of time.

        Args:
            blocks: the records that have come since, in order, up to the open runs or further.
            open_runs: the runs that were open a moment ago, of RUN's numpy type.
            calls: the calls that were under way before that: `start_ns`, `open`, `offset` and `bytes` of each.
            now_ns: the time, CLOCK_MONOTONIC.
            waiting: whether readers wait for their storage.
        """
        told: list[tuple[int, Message]] = []
        ended = [open_runs["start_ns"][:0]]
        room = most = MOST_RUNS if waiting else FEW_RUNS
        # Blocks that were written together are in no order of time: runs can stand before the opening of their file.
        for block in sorted(blocks, key=lambda one: KINDS[one.kind]):
            if block.kind in {RUN.kind, RUN_SHORT.kind}:
                reads = self._reads(block.records)
                self.meter.ended(reads)
                ended.append(reads["start_ns"])
                last = self._latest(reads, room, MOST_JOINED if waiting else room)
                room -= len(last)
                told += [self._run(run) for run in last]
            else:
                told += self._happened(block)
        reads = self._reads(open_runs)
        self.meter.open(reads[~_among(reads["start_ns"], np.concatenate(ended))])
        told += [self._run(run) for run in self._moved(reads)[-most:]]
        told += self._under_way(calls, now_ns)
        return [message for _, message in sorted(told, key=lambda one: one[0])]

    def _happened(self, block: Block) -> Iterator[tuple[int, Message]]:
        records = block.records
        if block.kind == THREAD.kind:
            for thread, pid, namespace in records[["thread", "pid", "mount_namespace"]].tolist():
                self._began(thread, pid, namespace)
        elif block.kind == OPEN.kind:
            assert block.texts is not None
            for record, text in zip(records, block.texts.to_pylist(), strict=True):
                yield from self._opened(record, text)
        elif block.kind == EVENT.kind:
            for number, time_ns in records[["open", "start_ns"]][records["event"] == EventKind.CLOSE].tolist():
                yield from self._closed(number, time_ns)
        else:
            for thread, end_ns in records[["thread", "end_ns"]].tolist():
                yield from self._ended(thread, end_ns)

    def _began(self, thread: int, pid: int, namespace: int) -> None:
        if namespace == self._namespace:
            self._processes[thread] = pid
            self._threads.setdefault(pid, set()).add(thread)

    def _reads(self, runs: Records) -> Records:
        """Return the runs that read data files."""
        if not len(runs):
            return runs
        if self._numbers is None:
            self._numbers = np.fromiter(self._files, np.uint64, len(self._files))
        known = np.isin(runs["open"], self._numbers)
        reads: Records = runs[known & (runs["op"] != Op.WRITE) & (runs["count"] > 0) & (runs["size"] > 0)]
        return reads

    def _latest(self, reads: Records, room: int, most: int) -> Records:
        """Return the latest of runs that ended, as many as there is room for.

        Where there is none for all, those that go on where another ended are one; the latest `most` are looked at.
        """
        if len(reads) <= room:
            return reads
        among, found = np.zeros(len(reads), bool), reads[:0]
        if room:
            first = max(len(reads) - most, 0)
            among[np.argpartition(reads["start_ns"], first)[first:]] = True
            found = joined(reads[among], self._before[0])
        last = found[max(len(found) - room, 0) :]
        for left_out in (reads["open"][~among], found["open"][: len(found) - len(last)]):
            # Most runs of one file stand together: of those only the first is looked at.
            self._untold.update(left_out[np.flatnonzero(np.diff(left_out, prepend=left_out[:1] + 1))].tolist())
        return last

    def _moved(self, reads: Records) -> Records:
        """Return those of the open runs that went on since the last call: of a reader that computes, none."""
        order = np.argsort(reads["start_ns"])
        before_ns, before = self._before
        self._before = reads["start_ns"][order], reads["count"][order]
        if not len(before_ns):
            return reads
        at = np.minimum(np.searchsorted(before_ns, reads["start_ns"]), len(before_ns) - 1)
        moved: Records = reads[(before_ns[at] != reads["start_ns"]) | (before[at] != reads["count"])]
        return moved

    def _run(self, run: np.void) -> tuple[int, Message]:
        file = self._files[int(run["open"])]
        # The last one that finds the end of its file asks for nothing that there is.
        count, latency_ns = max(int(run["count"]) - (not run["tail"]), 1), int(run["latency_ns"])
        latest_ns = int(run["start_ns"]) + int(run["span_ns"])
        told = Run(
            stream=f"{run['thread']}:{run['open']}:{run['op']}",
            path=file.path,
            offset=int(run["offset"]),
            size=int(run["size"]),
            stride=int(run["stride"]),
            count=count,
            start_ns=int(run["start_ns"]),
            end_ns=latest_ns + latency_ns // count,
            latency_ns=latency_ns,
            op=Op(int(run["op"])).name.lower(),
            reader=file.reader,
        )
        return latest_ns, told

    def _opened(self, record: np.void, text: bytes) -> Iterator[tuple[int, Message]]:
        pid = self._processes.get(int(record["thread"]))
        writes = int(record["flags"]) & os.O_ACCMODE != os.O_RDONLY
        if pid is None or writes or int(record["state"]) & _UNUSABLE or int(record["magic"]) in IN_MEMORY:
            return
        path = os.fsdecode(b"/".join(reversed(text.split(b"\0"))))
        if not path.startswith("/") or _SOFTWARE.search(path) or len(self._files) >= MOST_FILES:
            return
        time_ns = int(record["start_ns"])
        if self._datasets:
            if not path.startswith(self._datasets):
                return
        elif (directory := path.rpartition("/")[0] or "/") not in self._roots:
            self._roots.add(directory)
            yield time_ns, Root(directory)
        self._files[int(record["open"])] = _File(path, str(pid))
        self._numbers = None
        yield time_ns, Open(path, str(pid), time_ns)

    def _under_way(self, calls: Records, now_ns: int) -> Iterator[tuple[int, Message]]:
        self.long_calls = False
        for call in calls:
            file, octets, lasted_ns = self._files.get(int(call["open"])), int(call["bytes"]), now_ns - call["start_ns"]
            if file is not None and lasted_ns >= CALL_NS:
                self.long_calls |= octets >= LARGE and bool(lasted_ns >= LONG_NS)
                # Before the run that it is when it has ended.
                yield int(call["start_ns"]) - 1, Asked(file.path, int(call["offset"]), octets, file.reader)

    def _closed(self, number: int, time_ns: int) -> Iterator[tuple[int, Message]]:
        if (file := self._files.pop(number, None)) is not None:
            self._numbers = None
            yield time_ns, Close(file.path, file.reader, time_ns, untold=number in self._untold)
            self._untold.discard(number)

    def _ended(self, thread: int, end_ns: int) -> Iterator[tuple[int, Message]]:
        """Close what a process had open when the last of its threads ends."""
        pid = self._processes.pop(thread, None)
        if pid is None:
            return
        self._threads[pid].discard(thread)
        if not self._threads[pid]:
            del self._threads[pid]
            for number in [number for number, file in self._files.items() if file.reader == str(pid)]:
                yield from self._closed(number, end_ns)


def _among(few: Times, many: Times) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which of a few are among many, without sorting those as `isin` does."""
    if not len(few):
        return np.zeros(0, bool)
    ordered = np.sort(few)
    at = np.minimum(np.searchsorted(ordered, many), len(ordered) - 1)
    return np.isin(few, many[ordered[at] == many])
