"""DFTracer's .pfw and .pfw.gz: one JSON object a line, in Chrome's trace event format.

Calls name their file by a hash, which an earlier line (`FH`) resolves, and no descriptor.  So a position is kept for
each process and file; where a process has a file open twice, or had it open before, that is a guess, marked as one.
https://dftracer.readthedocs.io tells of the format; what is here was checked against traces of DFTracer 2.2.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from stepwell.collectors.importers.recent import Recent
from stepwell.collectors.importers.source import Input
from stepwell.collectors.importers.writer import TraceWriter
from stepwell.trace.definition import EventKind, Op, OpenFlag, RunFlag

CUT = "last lines that are cut: the program was killed, or the file is still written"
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

_OPENS = frozenset({"open", "open64", "openat", "openat64", "creat", "creat64", "fopen", "fopen64"})
_SEEKS = frozenset({"lseek", "lseek64", "fseek", "fseeko", "fseek64", "fseeko64"})
_SYNCS = frozenset({"fsync", "fdatasync"})

_REMEMBERED = 1 << 20
"""Hashes whose names are remembered, and open files whose positions are."""


def sniff(head: bytes, name: str) -> bool:
    """A file that is called *.pfw or *.pfw.gz, or in whose first lines DFTracer names itself."""
    return name.endswith((".pfw", ".pfw.gz")) or b'"cat":"dftracer"' in head


def read(source: Input, trace: TraceWriter) -> None:
    """Tell the trace every call on a file.

    Raises:
        InputError: a line, other than the last, is no JSON object.
    """
    for sentence in LIMITS:
        trace.limit(sentence)
    trace.epoch(0)
    events = _Events(trace)
    for _, line in source.lines():  # a forked process may use a name that another part of the file tells
        if b'"FH"' in line and (event := _object(line.strip().rstrip(b","))):
            events.take(event)
    broken: int | None = None
    seen = False
    for number, line in source.lines():
        text = line.strip().rstrip(b",")
        if text in {b"", b"[", b"]"}:
            continue
        if broken is not None:
            raise source.fail("no JSON object; correct the line, or delete it", line=broken)
        event = _object(text)
        if event is None:
            broken = number
        else:
            events.take(event)
            seen = True
    if broken is not None:
        if not seen:
            raise source.fail("no JSON object; is this DFTracer's .pfw?", line=broken)
        trace.skip(CUT)


_DECODE = json.JSONDecoder().raw_decode


def _object(line: bytes) -> dict[str, Any] | None:
    text = line.decode("utf-8", "surrogateescape")
    try:
        event, end = _DECODE(text)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and end == len(text) else None


@dataclass
class _Open:
    """What is known of a process's open files of one name."""

    number: int
    position: int = 0
    known: bool = True
    appends: bool = False
    holders: int = 1


class _Events:
    """Tells a trace what events mean, in their order."""

    def __init__(self, trace: TraceWriter) -> None:
        self._trace = trace
        self._names: Recent[str, str] = Recent(_REMEMBERED)
        self._threads: dict[tuple[str, int, int], tuple[int, int]] = {}
        self._processes: dict[tuple[str, int], int] = {}
        self._open: Recent[tuple[int, str], _Open] = Recent(_REMEMBERED)
        self._unit_ns = 1_000

    def take(self, event: dict[str, Any]) -> None:
        """Take the next event."""
        name, category, given = event.get("name"), event.get("cat"), event.get("args")
        given = given if isinstance(given, dict) else {}
        if category in {"POSIX", "STDIO"} and isinstance(name, str):
            self._call(name, event, given)
        elif category == "dftracer":
            self._own(name, event, given)
        else:
            self._trace.skip(OTHER)

    def _own(self, name: object, event: dict[str, Any], given: dict[str, Any]) -> None:
        """Take what DFTracer says of itself: names of hashes, its unit of time, when a process began and ended."""
        value = given.get("value")
        if name in {"FH", "SH", "HH"} and isinstance(given.get("name"), str):
            self._names[str(value)] = given["name"]
        elif name == "CM" and given.get("name") == "time_metric":
            self._unit_ns = _NS.get(str(value), self._unit_ns)
        elif name == "start":
            command = self._names.get(str(given.get("cmd_hash")), "")
            words = [word for word in command.split(";") if word]
            thread, _ = self._who(event, given)
            if words:
                self._trace.program(thread, words, start_ns=self._time(event.get("ts")))
        elif name == "end":
            self._trace.end_thread(self._who(event, given)[0], self._time(event.get("ts")))

    def _call(self, name: str, event: dict[str, Any], given: dict[str, Any]) -> None:
        key = given.get("fhash", given.get("fname"))
        if key is None:
            self._trace.skip(OTHER)
            return
        thread, process = self._who(event, given)
        file = (process, str(key))
        start_ns, latency_ns = self._time(event.get("ts")), self._time(event.get("dur")) or 0
        if event.get("cat") == "STDIO":
            self._trace.limit(STDIO)
        if name in _TRANSFERS:
            self._transfer(thread, file, name, given, start_ns, latency_ns)
            return
        at: dict[str, Any] = {"start_ns": start_ns, "latency_ns": latency_ns}
        if name in _OPENS:
            self._opened(thread, file, given, at)
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

    def _opened(self, thread: int, file: tuple[int, str], given: dict[str, Any], at: dict[str, Any]) -> None:
        mode = given.get("mode")
        if isinstance(mode, str):
            flags = _MODES.get(mode[:1], 0)
            flags = flags & ~os.O_WRONLY | os.O_RDWR if "+" in mode else flags
        else:
            flags = _integer(given.get("flags")) or 0
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
        """Add an access at its offset or at the position; fread and fwrite count in items of a size."""
        result = _integer(given.get("ret"))
        if result is None or result < 0:
            self._trace.skip(FAILED)
            return
        op, has_offset = _TRANSFERS[name]
        offset = _integer(given.get("offset")) if has_offset else None
        unit = (_integer(given.get("size")) or 0) if name.startswith("f") else 1
        asked = _integer(given.get("count"))
        size = result * unit
        known = self._open.get(file) or self._file(thread, file, start_ns)
        flags = 0
        if offset is None:
            if not known.known or known.holders > 1 or (known.appends and op is Op.WRITE):
                self._trace.estimate(ESTIMATED)
                flags = RunFlag.ESTIMATED_OFFSET
            offset = known.position
            known.position += size
        requested = size if asked is None else max(asked * unit, size)
        self._trace.access(
            thread, known.number, op, offset, size,
            requested=requested, start_ns=start_ns, latency_ns=latency_ns, flags=flags,
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

    def _who(self, event: dict[str, Any], given: dict[str, Any]) -> tuple[int, int]:
        """Return an event's thread, and a number for its process."""
        pid, tid = _integer(event.get("pid")) or 0, _integer(event.get("tid")) or 0
        key = (str(given.get("hhash", "")), pid, tid)
        known = self._threads.get(key)
        if known is None:
            start_ns, ppid = self._time(event.get("ts")), _integer(given.get("ppid")) or 0
            process = self._processes.setdefault(key[:2], len(self._processes) + 1)
            thread = self._trace.thread(pid, tid, ppid=ppid, start_ns=start_ns, process=process)
            known = self._threads[key] = thread, process
        return known

    def _time(self, value: object) -> int | None:
        return value * self._unit_ns if type(value) is int else None


def _integer(value: object) -> int | None:
    return value if type(value) is int else None  # bool is another type
