"""What DFTracer's events mean for files.

Calls name their file by a hash, which an earlier line (`FH`) resolves, and no descriptor.  So a position is kept for
each process and file; where a process has a file open twice, or had it open before, that is a guess, marked as one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stepwell.collectors.importers.bounds import LARGEST
from stepwell.collectors.importers.dftracer.blocks import CALLS, Block
from stepwell.collectors.importers.recent import Recent
from stepwell.collectors.importers.writer import TraceWriter
from stepwell.trace.definition import EventKind, Op, OpenFlag, RunFlag

OTHER = "events that are no calls on files: spans of the application, metadata, other libraries"
FAILED = "calls that failed or whose result is not told; the reason is not in the file"

ESTIMATED = (
    "offsets estimated: no descriptors are in the file, and the process had this one open twice, or before "
    "the trace began"
)

LIMITS = (
    "mmap: page faults are not seen",
    "io_uring and libaio are not seen",
    "what went through descriptors that dup made is not in the file, and moved positions unseen",
    "processor time, page cache hits and whether a thread slept are not in the file",
    "a file's size is the largest end of an access seen",
    "regular files are not told from others",
)
STDIO = "accesses of stdio (fread, fwrite) are those of the program; what its C library then asked for is not seen"

_NS = {"NS": 1, "US": 1_000, "MS": 1_000_000, "S": 1_000_000_000}
_MODES = {"r": os.O_RDONLY, "w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC, "a": os.O_WRONLY | os.O_CREAT | os.O_APPEND}

_TRANSFERS = {
    **dict.fromkeys(("read", "readv", "fread"), (Op.READ, False)),
    **dict.fromkeys(("write", "writev", "fwrite"), (Op.WRITE, False)),
    **dict.fromkeys(("pread", "pread64", "preadv", "preadv64", "preadv2"), (Op.READ, True)),
    **dict.fromkeys(("pwrite", "pwrite64", "pwritev", "pwritev64", "pwritev2"), (Op.WRITE, True)),
}
"""The operation of a call, and whether an offset is among its arguments."""

_IN_ITEMS = frozenset({"fread", "fwrite"})
"""Those that count in items of a size."""

_OPENS = frozenset({"open", "open64", "openat", "openat64", "creat", "creat64", "fopen", "fopen64"})
_SEEKS = frozenset({"lseek", "lseek64", "fseek", "fseeko", "fseek64", "fseeko64"})
_SYNCS = frozenset({"fsync", "fdatasync"})

_REMEMBERED = 1 << 20
"""Hashes whose names are remembered, and open files whose positions are."""


@dataclass
class _Open:
    """What is known of a process's open files of one name."""

    number: int
    position: int = 0
    known: bool = True
    appends: bool = False
    holders: int = 1

    def is_sure(self, op: Op) -> bool:
        """Tell whether an operation that names no offset is at the position."""
        return self.known and self.holders == 1 and not (self.appends and op is Op.WRITE)


class Events:
    """Tells a trace what events mean, in their order.

    Attributes:
        unit_ns: nanoseconds of a unit of the times that come next.
    """

    def __init__(self, trace: TraceWriter) -> None:
        self._trace = trace
        self._names: Recent[str, str] = Recent(_REMEMBERED)
        self._threads: dict[tuple[str, int, int], tuple[int, int]] = {}
        self._processes: dict[tuple[str, int], int] = {}
        self._open: Recent[tuple[int, str], _Open] = Recent(_REMEMBERED)
        self.unit_ns = 1_000

    def take(self, event: dict[str, Any]) -> None:
        """Take the next event."""
        name, category, given = event.get("name"), event.get("cat"), event.get("args")
        given = given if isinstance(given, dict) else {}
        if category in CALLS and isinstance(name, str):
            self._call(name, event, given)
        elif category == "dftracer":
            self._own(name, event, given)
        else:
            self._trace.skip(OTHER)

    def take_block(self, block: Block, event: Callable[[int], dict[str, Any]]) -> None:
        """Take the next events, many at once; the same as `take` of each.

        Args:
            block: the events, as columns.
            event: returns one of them, by its row, as `take` takes it.
        """
        unit = np.where(np.array([name in _IN_ITEMS for _, name in block.calls])[block.call], block.size, 1)
        sizes, asked = block.ret * unit, block.count * unit
        starts, latencies = block.ts * self.unit_ns, block.dur * self.unit_ns
        transfers = [_TRANSFERS.get(name or "") if category in CALLS else None for category, name in block.calls]
        whose: list[tuple[int, int] | None] = [None] * len(block.threads)
        rows: list[int] = []
        opens: list[int] = []
        offsets: list[int] = []
        estimated: list[int] = []
        columns = block.call, block.thread, block.file, block.ret.tolist(), block.offset, sizes.tolist()
        for row, (call, who, key, result, offset, size) in enumerate(zip(*columns, strict=True)):
            transfer = transfers[call]
            if transfer is None or key is None:
                self._take_other(block, row, whose, event)  # makes no access, which must come in their order
                continue
            thread, process = whose[who] or self._whose(block, row, whose)
            if result < 0:
                self._trace.skip(FAILED)
                continue
            file = (process, key)
            known = self._open.get(file) or self._file(thread, file, int(starts[row]))
            op, has_offset = transfer
            if offset is None or not has_offset:
                at = known.position
                known.position += size
                if not known.is_sure(op):
                    estimated.append(len(rows))
            else:
                at = offset
            rows.append(row)
            opens.append(known.number)
            offsets.append(at if at <= LARGEST else -1)
        stdio = {call for call, (category, _) in enumerate(block.calls) if category == "STDIO"}
        if stdio and any(call in stdio and key is not None for call, key in zip(block.call, block.file, strict=True)):
            self._trace.limit(STDIO)
        if not rows:
            return
        calls = np.array(block.call)[rows]
        flags = np.zeros(len(rows), np.uint8)
        flags[estimated] = RunFlag.ESTIMATED_OFFSET
        self._trace.estimate(ESTIMATED, len(estimated))
        self._trace.accesses(
            np.array([one[0] if one else 0 for one in whose])[np.array(block.thread)[rows]],
            np.array(opens),
            np.array([one[0] if one else 0 for one in transfers])[calls],
            np.array(offsets),
            sizes[rows],
            requested=np.maximum(asked, sizes)[rows],
            start_ns=starts[rows],
            latency_ns=latencies[rows],
            flags=flags,
        )

    def _whose(self, block: Block, row: int, whose: list[tuple[int, int] | None]) -> tuple[int, int]:
        """Return the thread of a row and its process, and note it for the block."""
        who = block.thread[row]
        host, pid, tid = block.threads[who]
        known = whose[who] = self._who(host or "", pid or 0, tid or 0, int(block.ts[row]) * self.unit_ns)
        return known

    def _take_other(
        self, block: Block, row: int, whose: list[tuple[int, int] | None], event: Callable[[int], dict[str, Any]]
    ) -> None:
        """Take an event of a block that is no access."""
        category, name = block.calls[block.call[row]]
        key = block.file[row]
        if category == "POSIX" and key is not None and (name == "close" or (name in _OPENS and not block.has_modes)):
            start_ns = int(block.ts[row]) * self.unit_ns
            thread, process = whose[block.thread[row]] or self._whose(block, row, whose)
            at = {"start_ns": start_ns, "latency_ns": int(block.dur[row]) * self.unit_ns}
            if name == "close":
                self._close(thread, (process, key), at)
            else:
                self._opened(thread, (process, key), block.flags[row], at)
        elif category in CALLS or category == "dftracer":
            self.take(event(row))
        else:
            self._trace.skip(OTHER)

    def _own(self, name: object, event: dict[str, Any], given: dict[str, Any]) -> None:
        """Take what DFTracer says of itself: names of hashes, its unit of time, when a process began and ended."""
        value = given.get("value")
        if name in {"FH", "SH", "HH"} and isinstance(given.get("name"), str):
            self._names[str(value)] = given["name"]
        elif name == "CM" and given.get("name") == "time_metric":
            self.unit_ns = _NS.get(str(value), self.unit_ns)
        elif name == "start":
            command = self._names.get(str(given.get("cmd_hash")), "")
            words = [word for word in command.split(";") if word]
            thread, _ = self._thread_of(event, given)
            if words:
                self._trace.program(thread, words, start_ns=self._time(event.get("ts")))
        elif name == "end":
            self._trace.end_thread(self._thread_of(event, given)[0], self._time(event.get("ts")))

    def _call(self, name: str, event: dict[str, Any], given: dict[str, Any]) -> None:
        key = given.get("fhash")
        key = given.get("fname") if key is None else key
        if key is None:
            self._trace.skip(OTHER)
            return
        thread, process = self._thread_of(event, given)
        file = (process, str(key))
        start_ns, latency_ns = self._time(event.get("ts")), self._time(event.get("dur")) or 0
        if event.get("cat") == "STDIO":
            self._trace.limit(STDIO)
        if name in _TRANSFERS:
            self._transfer(thread, file, name, given, start_ns, latency_ns)
            return
        at: dict[str, Any] = {"start_ns": start_ns, "latency_ns": latency_ns}
        if name in _OPENS:
            self._opened(thread, file, _flags(given), at)
        elif name in _SEEKS:
            self._seek(thread, file, name, given, start_ns)
        elif name in {"close", "fclose"}:
            self._close(thread, file, at)
        elif name in _SYNCS:
            self._trace.event(thread, EventKind.SYNC, open=self._file(thread, file, start_ns).number, **at)
        elif name in {"unlink", "unlinkat"}:
            self._trace.event(thread, EventKind.UNLINK, path=self._path(file), **at)
        else:
            self._trace.skip(OTHER)

    def _opened(self, thread: int, file: tuple[int, str], flags: int, at: dict[str, Any]) -> None:
        if known := self._open.get(file):
            known.holders += 1
        else:
            number = self._trace.open(thread, self._path(file), flags=flags, **at)
            self._open[file] = _Open(number, appends=bool(flags & os.O_APPEND))

    def _close(self, thread: int, file: tuple[int, str], at: dict[str, Any]) -> None:
        if known := self._open.get(file):
            known.holders -= 1
            if known.holders <= 0:
                self._trace.close(thread, known.number, **at)
                del self._open[file]

    def _file(self, thread: int, file: tuple[int, str], start_ns: int | None) -> _Open:
        known = self._open.get(file)
        if known is None:
            number = self._trace.open(thread, self._path(file), start_ns=start_ns, state=OpenFlag.BEFORE)
            known = _Open(number, known=False)
            self._open[file] = known
        return known

    def _transfer(
        self,
        thread: int,
        file: tuple[int, str],
        name: str,
        given: dict[str, Any],
        start_ns: int | None,
        latency_ns: int,
    ) -> None:
        """Add an access; fread and fwrite count in items of a size."""
        result = _integer(given.get("ret"))
        if result is None or result < 0:
            self._trace.skip(FAILED)
            return
        op, has_offset = _TRANSFERS[name]
        unit = (_integer(given.get("size")) or 0) if name in _IN_ITEMS else 1
        asked = _integer(given.get("count"))
        size = result * unit
        known = self._open.get(file) or self._file(thread, file, start_ns)
        offset = _integer(given.get("offset")) if has_offset else None
        flags = 0
        if offset is None:
            offset = known.position
            known.position += size
            if not known.is_sure(op):
                self._trace.estimate(ESTIMATED)
                flags = RunFlag.ESTIMATED_OFFSET
        self._trace.access(
            thread, known.number, op, offset, size,
            requested=size if asked is None else max(asked * unit, size),
            start_ns=start_ns, latency_ns=latency_ns, flags=flags,
        )  # fmt: skip

    def _seek(self, thread: int, file: tuple[int, str], name: str, given: dict[str, Any], start_ns: int | None) -> None:
        """Move the position: lseek tells it, fseek only what was asked."""
        known = self._file(thread, file, start_ns)
        result, whence, offset = (_integer(given.get(word)) for word in ("ret", "whence", "offset"))
        if result is None or result < 0:
            return
        if name.startswith("l"):
            known.position, known.known = result, True
        elif whence == os.SEEK_SET and offset is not None:
            known.position, known.known = offset, True
        elif whence == os.SEEK_CUR and offset is not None:
            known.position += offset
        else:
            known.known = False

    def _path(self, file: tuple[int, str]) -> str:
        return self._names.get(file[1], file[1] if "/" in file[1] else f"fhash:{file[1]}")

    def _thread_of(self, event: dict[str, Any], given: dict[str, Any]) -> tuple[int, int]:
        pid, tid = _integer(event.get("pid")) or 0, _integer(event.get("tid")) or 0
        host, ppid = str(given.get("hhash") or ""), _integer(given.get("ppid")) or 0
        return self._who(host, pid, tid, self._time(event.get("ts")), ppid)

    def _who(self, host: str, pid: int, tid: int, start_ns: int | None, ppid: int = 0) -> tuple[int, int]:
        """Return a thread, and a number for its process."""
        key = (host, pid, tid)
        known = self._threads.get(key)
        if known is None:
            process = self._processes.setdefault(key[:2], len(self._processes) + 1)
            thread = self._trace.thread(pid, tid, ppid=ppid, start_ns=start_ns, process=process)
            known = self._threads[key] = thread, process
        return known

    def _time(self, value: object) -> int | None:
        return value * self.unit_ns if type(value) is int else None


def _flags(given: dict[str, Any]) -> int:
    """Return the flags of an open, from words like w+ if need be."""
    mode = given.get("mode")
    if not isinstance(mode, str):
        return _integer(given.get("flags")) or 0
    flags = _MODES.get(mode[:1], 0)
    return flags & ~os.O_WRONLY | os.O_RDWR if "+" in mode else flags


def _integer(value: object) -> int | None:
    return value if type(value) is int else None  # bool is another type
