"""Processes out of the threads that were traced."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from stepwell.store.texts import decode
from stepwell.trace.definition import UNKNOWN_ID, UNKNOWN_NS

Row = dict[str, Any]

READER_SCHEMA = pa.schema(
    [
        ("reader", pa.int64()), ("pid", pa.uint32()), ("ppid", pa.uint32()), ("comm", pa.string()),
        ("command", pa.string()), ("uid", pa.uint32()), ("start_ns", pa.int64()), ("end_ns", pa.int64()),
        ("user_ns", pa.int64()), ("system_ns", pa.int64()), ("exit_code", pa.int32()),
    ]
)  # fmt: skip
THREAD_SCHEMA = pa.schema(
    [
        ("reader", pa.int64()), ("thread", pa.int64()), ("tid", pa.uint32()), ("comm", pa.string()),
        ("start_ns", pa.int64()), ("end_ns", pa.int64()), ("user_ns", pa.int64()), ("system_ns", pa.int64()),
        ("async_wait_ns", pa.int64()), ("accesses", pa.int64()), ("queued_ns", pa.int64()),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Program:
    """A program that a process ran since a time (CLOCK_MONOTONIC), and the thread that began it."""

    start_ns: int
    thread: int
    comm: str
    command: str


@dataclass
class _Process:
    reader: int
    threads: list[Row] = field(default_factory=list)
    programs: list[Program] = field(default_factory=list)
    inherited: Program | None = None

    def running(self, time_ns: int) -> Program | None:
        """Return the program that ran at a time."""
        started = [program for program in self.programs if program.start_ns <= time_ns]
        return max(started, key=lambda program: program.start_ns, default=self.inherited)


def processes(
    threads: Iterable[Row], execs: Iterable[tuple[Row, bytes]], ends: Iterable[Row], origin_ns: int
) -> tuple[pa.Table, pa.Table]:
    """Return the tables of readers and of threads, from THREAD, EXEC (with text) and THREAD_END records.

    A process is what has the same pid and start.  One that was forked and ran no program of its own runs its parent's.
    """
    end_of = {row["thread"]: row for row in ends}
    by_identity: dict[tuple[int, int], _Process] = {}
    of_thread: dict[int, _Process] = {}
    for row in sorted(threads, key=lambda row: (row["start_ns"], row["thread"])):
        if row["thread"] in of_thread:
            continue
        identity = (row["pid"], row["process_start_ns"])
        process = by_identity.setdefault(identity, _Process(len(by_identity) + 1))
        process.threads.append(row)
        of_thread[row["thread"]] = process
    for row, text in execs:
        if row["thread"] in of_thread:
            program = Program(row["start_ns"], row["thread"], decode(row["comm"]), _quoted(text))
            of_thread[row["thread"]].programs.append(program)
    _inherit(by_identity.values())
    readers = [_reader(process, end_of, origin_ns) for process in by_identity.values()]
    rows = [_thread(row, end_of.get(row["thread"]), of_thread[row["thread"]].reader, origin_ns)
            for process in by_identity.values() for row in process.threads]  # fmt: skip
    return pa.Table.from_pylist(readers, READER_SCHEMA), pa.Table.from_pylist(rows, THREAD_SCHEMA)


def _inherit(all_processes: Iterable[_Process]) -> None:
    """Give each process the program that its parent ran when it was forked; oldest first."""
    of_pid: dict[int, list[_Process]] = defaultdict(list)
    for process in all_processes:
        first = process.threads[0]
        parents = of_pid[first["ppid"]]
        if parents:
            process.inherited = parents[-1].running(first["start_ns"])
        of_pid[first["pid"]].append(process)


def _quoted(text: bytes) -> str:
    """Return a command line whose arguments are separated by NUL as one would type it."""
    return shlex.join(decode(argument) for argument in text.removesuffix(b"\0").split(b"\0"))


def _reader(process: _Process, end_of: dict[int, Row], origin_ns: int) -> Row:
    first = process.threads[0]
    own = max(process.programs, key=lambda program: program.start_ns, default=None)
    # A thread that calls execve takes the leader's place.
    leads = ("thread", own.thread) if own else ("tid", first["pid"])
    leader = next((row for row in process.threads if row[leads[0]] == leads[1]), first)
    ends = [end_of[row["thread"]] for row in process.threads if row["thread"] in end_of]
    complete = len(ends) == len(process.threads)
    program = own or process.inherited
    last = end_of.get(leader["thread"]) or (max(ends, key=lambda row: row["end_ns"]) if ends else None)
    exited = complete and last is not None and all(row["exited"] for row in ends)
    return {
        "reader": process.reader,
        "pid": first["pid"],
        "ppid": first["ppid"],
        "comm": decode(last["comm"]) if last else own.comm if own else decode(leader["comm"]),
        "command": program.command if program else None,
        "uid": None if leader["uid"] == UNKNOWN_ID else leader["uid"],
        "start_ns": first["start_ns"] - origin_ns,
        "end_ns": max(row["end_ns"] for row in ends) - origin_ns if complete else None,
        "user_ns": _sum(row["user_ns"] for row in ends),
        "system_ns": _sum(row["system_ns"] for row in ends),
        "exit_code": _exit_code(last["exit_code"]) if exited and last else None,
    }


def _thread(row: Row, end: Row | None, reader: int, origin_ns: int) -> Row:
    values: Row = {
        "reader": reader,
        "thread": row["thread"],
        "tid": row["tid"],
        "comm": decode(end["comm"] if end else row["comm"]),
        "start_ns": row["start_ns"] - origin_ns,
    }
    if end:
        values |= {
            name: _known(end[name]) for name in ("user_ns", "system_ns", "async_wait_ns", "accesses", "queued_ns")
        }
        values["end_ns"] = end["end_ns"] - origin_ns
    return values


def _known(time_ns: int) -> int | None:
    return None if time_ns == UNKNOWN_NS else time_ns


def _sum(times_ns: Iterable[int]) -> int | None:
    times = list(times_ns)
    return None if UNKNOWN_NS in times else sum(times)


def _exit_code(status: int) -> int:
    """Return the exit code in a wait status, or minus the signal."""
    return -(status & 0x7F) if status & 0x7F else status >> 8 & 0xFF
