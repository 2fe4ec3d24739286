"""Threads and their descriptors as a log of system calls tells of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from stepwell.collectors.importers.strace.lines import Begun
from stepwell.collectors.importers.writer import TraceWriter

NO_FILES = re.compile(r"/(?:dev/(?!shm/)|proc/|sys/)")
"""Paths under which no regular files are; those of recorded traces leave them out, too."""

FORKS = frozenset({"fork", "vfork", "clone", "clone3"})


@dataclass(eq=False, slots=True)
class OpenFile:
    """An open file description: what dup and fork share."""

    path: str
    thread: int
    start_ns: int | None
    latency_ns: int = 0
    flags: int = 0
    seen_opening: bool = True
    is_file: bool = True
    appends: bool = False
    position: int = 0
    position_known: bool = True
    number: int = 0
    """Id in the trace; 0 until the trace needs it, so that the file's size is known by then."""
    holders: int = 0
    """Descriptors that refer to it."""


@dataclass(eq=False, slots=True)
class Table:
    """A process's descriptors; threads share one."""

    files: dict[int, OpenFile] = field(default_factory=dict)
    closed_by_exec: set[int] = field(default_factory=set)

    def set(self, descriptor: int, file: OpenFile, *, closed_by_exec: bool = False) -> OpenFile | None:
        """Let a descriptor refer to a file; return the one that nothing refers to any more because of that."""
        file.holders += 1
        ended = self.drop(descriptor)
        self.files[descriptor] = file
        if closed_by_exec:
            self.closed_by_exec.add(descriptor)
        return ended

    def drop(self, descriptor: int) -> OpenFile | None:
        """Close a descriptor; return the file if it was the last that referred to it."""
        self.closed_by_exec.discard(descriptor)
        file = self.files.pop(descriptor, None)
        if file is None:
            return None
        file.holders -= 1
        return None if file.holders else file

    def copy(self) -> Table:
        """Return what a forked process has."""
        for file in self.files.values():
            file.holders += 1
        return Table(dict(self.files), set(self.closed_by_exec))


@dataclass(eq=False, slots=True)
class Task:
    """A thread; `thread` is its id in the trace, `process` tells processes apart that had the same pid."""

    thread: int
    pid: int
    process: int
    table: Table
    comm: str = ""
    cwd: str | None = None
    begun: Begun | None = None
    is_orphan: bool = False
    """Seen before the call that made it was, or made before the log began."""


class Tasks:
    """All threads that live, by thread id."""

    def __init__(self, trace: TraceWriter) -> None:
        self._trace = trace
        self._live: dict[int, Task] = {}
        self._processes = 0
        self._unnamed: Task | None = None
        """The thread that strace left without a number."""
        self._named_since = False
        self._forking: dict[Task, Begun] = {}

    def find(self, tid: int | None, time_ns: int | None, *, goes_on: bool = False) -> Task:
        """Return a thread, a new one if there is none; strace leaves the number out as long as there is one alone.

        Args:
            tid: its number.
            time_ns: when it was seen.
            goes_on: it is in a call already, so that it cannot have been made just now.
        """
        if tid is None:
            if len(self._live) == 1 and (self._unnamed is None or self._named_since):
                return next(iter(self._live.values()))
            if self._unnamed is None:
                self._unnamed = self._alone(0, time_ns)
            return self._unnamed
        task = self._live.get(tid)
        if task is None:
            if len(self._forking) == 1 and not goes_on:
                ((parent, begun),) = self._forking.items()
                task = self._child(parent, begun.arguments, tid, time_ns)
            elif self._unnamed is not None and not self._named_since:
                task, self._named_since = self._unnamed, True
            else:
                task = self._alone(tid, time_ns)
            self._live[tid] = task
        return task

    def begin(self, task: Task, begun: Begun) -> None:
        """Note that a thread is in a call."""
        task.begun = begun
        if begun.name in FORKS:
            self._forking[task] = begun

    def finish(self, task: Task) -> Begun | None:
        """Return the call that a thread was in."""
        begun, task.begun = task.begun, None
        self._forking.pop(task, None)
        return begun

    def forked(self, parent: Task, arguments: str, tid: int, time_ns: int | None) -> None:
        """Note that a call has made a thread."""
        known = self._live.get(tid)
        if known is None:
            self._live[tid] = self._child(parent, arguments, tid, time_ns)
        elif known.is_orphan:
            inherited = parent.table if "CLONE_FILES" in arguments else parent.table.copy()
            for descriptor, file in known.table.files.items():
                inherited.set(descriptor, file)
            known.table, known.is_orphan = inherited, False

    def superseded(self, leader: int, by: int) -> None:
        """Let a thread go on under the number of its process's first one, as execve does."""
        if by in self._live:
            self._live[leader] = self._live.pop(by)

    def end(self, tid: int | None, time_ns: int | None, status: int) -> None:
        """Note that a thread has ended."""
        task = self.find(tid, time_ns)
        self.finish(task)
        self._trace.end_thread(task.thread, time_ns, status=status)
        for number in [number for number, one in self._live.items() if one is task]:
            del self._live[number]
        if task is self._unnamed:
            self._unnamed, self._named_since = None, False

    def tables(self) -> list[Table]:
        """Return the descriptors of all that live."""
        tasks = [*self._live.values(), *([self._unnamed] if self._unnamed else [])]
        return list({id(task.table): task.table for task in tasks}.values())

    def _alone(self, tid: int, time_ns: int | None) -> Task:
        self._processes += 1
        thread = self._trace.thread(tid, tid, start_ns=time_ns, process=self._processes)
        return Task(thread, tid, self._processes, Table(), is_orphan=True)

    def _child(self, parent: Task, arguments: str, tid: int, time_ns: int | None) -> Task:
        table = parent.table if "CLONE_FILES" in arguments else parent.table.copy()
        pid, process, ppid = parent.pid, parent.process, 0
        if "CLONE_THREAD" not in arguments:
            self._processes += 1
            pid, process, ppid = tid, self._processes, parent.pid
        thread = self._trace.thread(pid, tid, ppid=ppid, comm=parent.comm, start_ns=time_ns, process=process)
        return Task(thread, pid, process, table, parent.comm, parent.cwd)
