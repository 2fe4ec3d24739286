"""The threads of a trace in the making: all of them in memory until the trace ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stepwell.collectors.importers.errors import InputError
from stepwell.trace.definition import THREAD, THREAD_END, UNKNOWN_NS
from stepwell.trace.layout import DTYPES

MAX_THREADS = 1 << 20
"""All threads are in memory while a trace is imported and ingested; more are no trace of one job."""

_TOGETHER = 1 << 14
"""Records that are written at once."""


@dataclass
class Thread:
    """One thread; times are None, and processor times `UNKNOWN_NS`, as long as they are not known."""

    pid: int
    tid: int
    ppid: int
    uid: int
    comm: bytes
    start_ns: int | None
    process: int
    accesses: int = 0
    end_ns: int | None = None
    status: int | None = None
    cpu: tuple[int, int] = (UNKNOWN_NS, UNKNOWN_NS)


class Threads:
    """All threads of one trace, by id: the first is 1."""

    def __init__(self) -> None:
        self._all: list[Thread] = []

    def __getitem__(self, thread: int) -> Thread:
        return self._all[thread - 1]

    @property
    def next(self) -> int:
        """The id of the thread that is added next."""
        return len(self._all) + 1

    def add(self, thread: Thread) -> None:
        """Add a thread.

        Raises:
            InputError: there are more than `MAX_THREADS`.
        """
        if len(self._all) == MAX_THREADS:
            raise InputError(f"more than {MAX_THREADS:,} threads in one trace; import its processes apart")
        self._all.append(thread)

    def numbers(self, threads: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Count the accesses of each thread on, and return each access's number."""
        order = np.argsort(threads, kind="stable")
        found, firsts, counts = np.unique(threads[order], return_index=True, return_counts=True)
        numbers = np.empty(len(threads), np.uint64)
        for thread, first, count in zip(found.tolist(), firsts.tolist(), counts.tolist(), strict=True):
            of = self[thread]
            numbers[order[first : first + count]] = np.arange(of.accesses, of.accesses + count, dtype=np.uint64)
            of.accesses += count
        return numbers

    def write(self, write: Callable[[int, npt.NDArray[Any]], None], start_ns: int, end_ns: int) -> None:
        """Write the records of all threads.

        Args:
            write: takes a kind and its records.
            start_ns: of the trace: that of threads of which it is not known, and the earliest of others.
            end_ns: of the trace: that of threads of which it is not known.
        """
        begun = np.zeros(len(self._all), DTYPES[THREAD.kind])
        ended = np.zeros(len(self._all), DTYPES[THREAD_END.kind])
        for index, of in enumerate(self._all):
            number = index + 1
            start = start_ns if of.start_ns is None else max(of.start_ns, start_ns)
            begun[index] = (
                THREAD.kind, number, of.pid, of.tid, of.ppid, of.uid, start, of.process, 0, 0, 0, of.comm,
            )  # fmt: skip
            ended[index] = (
                THREAD_END.kind, number, end_ns if of.end_ns is None else of.end_ns, *of.cpu, 0, UNKNOWN_NS,
                of.accesses, of.status is not None, (of.status or 0) % 2**16, of.comm,
            )  # fmt: skip
        for kind, records in ((THREAD.kind, begun), (THREAD_END.kind, ended)):
            for begin in range(0, len(records), _TOGETHER):
                write(kind, records[begin : begin + _TOGETHER])
