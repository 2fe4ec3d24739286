"""What Darshan's records mean for a trace: ranks are readers, DXT segments accesses, counters counters."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from stepwell.collectors.importers.darshan.messages import SEGMENT, Message
from stepwell.collectors.importers.writer import TraceWriter
from stepwell.trace.definition import Op

ALL_RANKS = -1
"""Rank of a record that Darshan made of those of all ranks, for a file that all of them opened."""

GATHERED = 1 << 21
"""Segments of one rank that are put in order of time together: Darshan keeps 4 MiB (2^17) of them a rank by default."""

NO_DXT = "the log has no DXT module, so no accesses: only Darshan's counters, from which verdicts are less certain"

LIMITS = (
    "a rank is a reader; its process id and its threads are not in the log",
    "Darshan leaves out files under /etc, /dev, /usr, /bin, /boot, /lib, /opt, /sbin, /sys and /proc",
    "a counter that is not in view counters is 0",
    "mmap: page faults are not seen",
    "processor time, page cache hits and whether a thread slept are not in the log",
)

DXT_LIMITS = (
    "bytes asked for are not in DXT: only bytes transferred",
    "offsets of calls without one are Darshan's, which keeps one position a file for all descriptors of a rank",
    "opens and closes are not in DXT",
)

_SIZES = ("POSIX_MAX_BYTE_READ", "POSIX_MAX_BYTE_WRITTEN")
_OPENED = "POSIX_F_OPEN_START_TIMESTAMP"
_ACCESSES = ("POSIX_READS", "POSIX_WRITES")


class Records:
    """Tells a trace what the messages of one log say, in their order."""

    def __init__(self, trace: TraceWriter) -> None:
        self._trace = trace
        self._job: dict[str, Any] = {}
        self._names: dict[str, str] = {}
        self._threads: dict[int, int] = {}
        self._hosts: set[str] = set()
        self._counted: Counter[str] = Counter()
        self._traced: Counter[str] = Counter()
        self._rank: int | None = None
        self._gathered: list[tuple[int, Op, npt.NDArray[np.void]]] = []
        self._dxt = ""

    def take(self, message: Message) -> None:
        """Take the next message."""
        match message.kind:
            case "job":
                self._begin(message.facts)
            case "names":
                self._names |= message.facts
            case "counters":
                self._counters(message.facts)
            case "segments":
                self._segments(message.facts, np.frombuffer(message.payload, SEGMENT))

    def end(self) -> None:
        """Tell what is left, and what the log says it lacks."""
        self._hand_on()
        for thread in self._threads.values():
            self._trace.end_thread(thread, _nanoseconds(self._job.get("seconds", 0)))
        if len(self._hosts) == 1:
            self._trace.meta(host=next(iter(self._hosts)))
        for module in self._job.get("partial", ()):
            self._trace.limit(f"module {module} is incomplete: Darshan ran out of memory for its records")
        if not self._dxt:
            self._trace.limit(NO_DXT)
        elif self._dxt == "DXT_POSIX":
            missing = sum(max(count - self._traced[file], 0) for file, count in self._counted.items())
            self._trace.lose("darshan dxt", missing)

    def _begin(self, job: dict[str, Any]) -> None:
        self._job = job
        self._trace.origin(0)
        self._trace.epoch(max(job["start_ns"], 0))
        self._trace.meta(command=job["command"].split(), tool=f"Darshan, log format {job['format']}, job {job['job']}")
        for sentence in LIMITS:
            self._trace.limit(sentence)
        if {"DXT_POSIX", "DXT_MPIIO"} <= set(job["modules"]):
            self._trace.limit("accesses are those of DXT_POSIX, which reached the file system, not those of DXT_MPIIO")

    def _counters(self, facts: dict[str, Any]) -> None:
        values = facts["values"]
        if facts["module"] == "POSIX":
            self._counted[facts["id"]] += sum(max(values.get(name, 0), 0) for name in _ACCESSES)
        thread = self._thread(facts["rank"])
        started = values.get(_OPENED)
        size = 1 + max(values.get(name, -1) for name in _SIZES)
        file = self._open(facts, thread, None if started is None else _nanoseconds(started), max(size, 0))
        self._trace.counters(thread, file, facts["module"], values)

    def _segments(self, facts: dict[str, Any], segments: npt.NDArray[np.void]) -> None:
        if not self._dxt:
            self._dxt = facts["module"]
            for sentence in DXT_LIMITS:
                self._trace.limit(sentence)
        if facts["rank"] != self._rank or sum(len(some) for _, _, some in self._gathered) >= GATHERED:
            self._hand_on()
        self._rank = facts["rank"]
        self._hosts.add(facts["host"])
        self._traced[facts["id"]] += len(segments)
        file = self._open(facts, self._thread(facts["rank"]))
        self._gathered.append((file, Op.READ if facts["op"] == "read" else Op.WRITE, segments))

    def _hand_on(self) -> None:
        """Add one rank's accesses in the order in which they ended; DXT has them file by file.

        Within a file and an operation DXT's own order stays, whatever the times say: Darshan counted in that order.
        """
        if not self._gathered or self._rank is None:
            return
        parts: dict[tuple[int, Op], list[npt.NDArray[np.void]]] = {}
        for file, op, segments in self._gathered:
            parts.setdefault((file, op), []).append(segments)
        self._gathered = []
        whole = {key: np.concatenate(some) for key, some in parts.items()}
        every = np.concatenate(list(whole.values()))
        ends = np.concatenate([np.maximum.accumulate(np.nan_to_num(some["end"])) for some in whole.values()])
        counts = [len(some) for some in whole.values()]
        files = np.repeat([file for file, _ in whole], counts)
        ops = np.repeat([int(op) for _, op in whole], counts)
        order = np.argsort(ends, kind="stable")
        start, end = (_all_nanoseconds(every[name][order]) for name in ("start", "end"))
        self._trace.accesses(
            np.full(len(every), self._thread(self._rank)),
            files[order],
            ops[order],
            every["offset"][order],
            every["length"][order],
            start_ns=start,
            latency_ns=np.maximum(end - start, 0),
        )

    def _thread(self, rank: int) -> int:
        if rank not in self._threads:
            name = "all ranks" if rank == ALL_RANKS else f"rank {rank}"
            uid = {"uid": self._job["uid"]} if 0 <= self._job["uid"] < 2**32 else {}
            self._threads[rank] = self._trace.thread(comm=name, **uid)
            self._trace.program(self._threads[rank], self._job["command"].split(), name)
        return self._threads[rank]

    def _open(self, facts: dict[str, Any], thread: int, start_ns: int | None = None, size: int = 0) -> int:
        return self._trace.opened(thread, self._names.get(facts["id"], ""), start_ns=start_ns, size=size)


def _nanoseconds(seconds: float) -> int:
    return int(_all_nanoseconds(np.array([seconds]))[0])


def _all_nanoseconds(seconds: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return whole nanoseconds; -1 for what is no time."""
    good = (seconds >= 0) & (seconds < 2**31)
    return np.where(good, np.rint(np.where(good, seconds, 0) * 1e9), -1).astype(np.int64)
