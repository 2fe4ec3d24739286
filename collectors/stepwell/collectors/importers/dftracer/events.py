"""What DFTracer's events mean for files.

Calls name their file by a hash, which an earlier line (`FH`) resolves, and no descriptor.  So a position is kept for
each process and file; where a process has a file open twice, or had it open before, that is a guess, marked as one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from stepwell.collectors.importers.dftracer.lines import Args, Event
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

CALLS = ("POSIX", "STDIO")
"""Categories of calls on files."""

_NOTHING = Args()
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
        self._threads: dict[tuple[str | None, int | None, int | None], tuple[int, int]] = {}
        self._processes: dict[tuple[str, int], int] = {}
        self._open: Recent[tuple[int, str], _Open] = Recent(_REMEMBERED)
        self.unit_ns = 1_000

    def take(self, event: Event) -> None:
        """Take the next event."""
        name, category, given = event.name, event.cat, event.args or _NOTHING
        key = given.fname if given.fhash is None else given.fhash
        if category not in CALLS or name is None or key is None:
            self._other(event, given)
            return
        if category == "STDIO":
            self._trace.limit(STDIO)
        thread, process = self._threads.get((given.hhash, event.pid, event.tid)) or self._who(event, given)
        file = (process, key)
        start_ns = None if event.ts is None else event.ts * self.unit_ns
        latency_ns = (event.dur or 0) * self.unit_ns
        if name in _TRANSFERS:
            self._transfer(thread, file, name, given, start_ns, latency_ns)
        elif name in _OPENS:
            self._opened(thread, file, _flags(given), start_ns, latency_ns)
        elif name == "close" or name == "fclose":
            self._close(thread, file, start_ns, latency_ns)
        elif name in _SEEKS:
            self._seek(thread, file, name, given, start_ns)
        elif name in _SYNCS:
            number = self._file(thread, file, start_ns).number
            self._trace.event(thread, EventKind.SYNC, open=number, start_ns=start_ns, latency_ns=latency_ns)
        elif name in {"unlink", "unlinkat"}:
            path = self._path(file)
            self._trace.event(thread, EventKind.UNLINK, path=path, start_ns=start_ns, latency_ns=latency_ns)
        else:
            self._trace.skip(OTHER)

    def _other(self, event: Event, given: Args) -> None:
        """Take what DFTracer says of itself: names of hashes, its unit of time, when a process began and ended."""
        name = event.name
        if event.cat != "dftracer":
            self._trace.skip(OTHER)
        elif name in {"FH", "SH", "HH"} and isinstance(given.name, str):
            self._names[str(given.value)] = given.name
        elif name == "CM" and given.name == "time_metric":
            self.unit_ns = _NS.get(str(given.value), self.unit_ns)
        elif name == "start":
            command = self._names.get(str(given.cmd_hash), "")
            words = [word for word in command.split(";") if word]
            thread, _ = self._who(event, given)
            if words:
                self._trace.program(thread, words, start_ns=self._time(event.ts))
        elif name == "end":
            self._trace.end_thread(self._who(event, given)[0], self._time(event.ts))

    def _opened(self, thread: int, file: tuple[int, str], flags: int, start_ns: int | None, latency_ns: int) -> None:
        if known := self._open.get(file):
            known.holders += 1
        else:
            path = self._path(file)
            number = self._trace.open(thread, path, start_ns=start_ns, latency_ns=latency_ns, flags=flags)
            self._open[file] = _Open(number, appends=bool(flags & os.O_APPEND))

    def _close(self, thread: int, file: tuple[int, str], start_ns: int | None, latency_ns: int) -> None:
        if known := self._open.get(file):
            known.holders -= 1
            if known.holders <= 0:
                self._trace.close(thread, known.number, start_ns=start_ns, latency_ns=latency_ns)
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
        given: Args,
        start_ns: int | None,
        latency_ns: int,
    ) -> None:
        """Add an access; fread and fwrite count in items of a size."""
        result, asked = given.ret, given.count
        if result is None or result < 0:
            self._trace.skip(FAILED)
            return
        op, has_offset = _TRANSFERS[name]
        unit = (given.size or 0) if name in _IN_ITEMS else 1
        size = result * unit
        known = self._open.get(file) or self._file(thread, file, start_ns)
        offset = given.offset if has_offset else None
        flags = 0
        if offset is None:
            offset = known.position
            known.position += size
            if not known.is_sure(op):
                self._trace.estimate(ESTIMATED)
                flags = RunFlag.ESTIMATED_OFFSET
        requested = size if asked is None else max(asked * unit, size)
        self._trace.access(thread, known.number, op, offset, size, requested, start_ns, latency_ns, flags)

    def _seek(self, thread: int, file: tuple[int, str], name: str, given: Args, start_ns: int | None) -> None:
        """Move the position: lseek tells it, fseek only what was asked."""
        known = self._file(thread, file, start_ns)
        result, whence, offset = given.ret, given.whence, given.offset
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

    def _who(self, event: Event, given: Args) -> tuple[int, int]:
        """Return a thread, and a number for its process."""
        as_said = (given.hhash, event.pid, event.tid)
        key = (given.hhash or "", event.pid or 0, event.tid or 0)
        known = self._threads.get(key)
        if known is None:
            process = self._processes.setdefault(key[:2], len(self._processes) + 1)
            start_ns = self._time(event.ts)
            thread = self._trace.thread(*key[1:], ppid=given.ppid or 0, start_ns=start_ns, process=process)
            known = self._threads[key] = thread, process
        self._threads[as_said] = known
        return known

    def _time(self, value: int | None) -> int | None:
        return None if value is None else value * self.unit_ns


def _flags(given: Args) -> int:
    """Return the flags of an open, from words like w+ if need be."""
    mode = given.mode
    if not isinstance(mode, str):
        return given.flags or 0
    flags = _MODES.get(mode[:1], 0)
    return flags & ~os.O_WRONLY | os.O_RDWR if "+" in mode else flags
