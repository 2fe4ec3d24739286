"""blkparse's text in its default format (blkparse(1)): requests to block devices, below the page cache.

MAJOR,MINOR CPU SEQUENCE SECONDS.NANOSECONDS PID ACTION RWBS SECTOR + SECTORS [PROCESS]
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass

from stepwell.collectors.importers.source import Input, nanoseconds, number, printable
from stepwell.collectors.importers.writer import TraceWriter
from stepwell.trace.definition import Op

SECTOR_BYTES = 512
"""blktrace's sectors, whatever those of the device."""

PENDING = 1 << 14
"""Requests whose completion is waited for; the oldest is told without its latency when there are more."""

WITHOUT_DATA = "discards, flushes and other requests without data of theirs"

LIMITS = (
    "block layer: what was read from or written to the page cache is not seen; read-ahead and write-back are",
    "offsets are those on the device, not in files; a file of this trace is a device, major:minor",
    "a request that passes several devices (LVM, RAID, partitions) is told once for each",
    "write-back is told as the kernel thread's that did it, not as the program's that wrote",
    "sizes are those asked for: whether a request failed is not in this form of the log",
    "latencies are from queueing to completion",
)

_LINE = re.compile(
    r"\s*(?P<device>\d{1,9},\d{1,9})\s+\d+\s+\d+\s+(?P<time>\d+\.\d+)\s+(?P<pid>\d+)\s+(?P<action>[A-Za-z]{1,2})"
    r"\s+(?P<rwbs>[A-Z]+)(?P<rest>.*)"
)
_MESSAGE = re.compile(r"\s*\d+,\d+\s+\d+\s+\d+\s+\d+\.\d+\s+\d+\s+(m\s+N|P\s+N|U|UT|T\s+N)\b")
_REQUEST = re.compile(r"\s+(\d+) \+ (\d+)(?: \[(.*)\])?\s*")
_SUMMARY = re.compile(r"(?:CPU\d+|Total) \(")
_SKIPS = re.compile(r"Skips: (\d+) forward")


def sniff(head: bytes, name: str) -> bool:  # noqa: ARG001 - the signature tells
    """A file whose first line has the default format's columns."""
    first = head.split(b"\n", 1)[0].decode("utf-8", "replace")
    return bool(_LINE.match(first) or _MESSAGE.match(first))


def read(source: Input, trace: TraceWriter) -> None:
    """Tell the trace every request, when it was queued; or issued, where the log has no queueing.

    Raises:
        InputError: a line is none of the default format.
    """
    for sentence in LIMITS:
        trace.limit(sentence)
    trace.unheld()
    begins = "Q" if re.search(rb"^\s*\d+,\d+\s+\d+\s+\d+\s+[\d.]+\s+\d+\s+Q\s", source.head, re.MULTILINE) else "D"
    if begins == "D":
        trace.limit("requests are told when they were issued to the device: queueing is not in the log")
    requests = _Requests(trace)
    summing_up = False
    for _, line in source.text_lines():
        summing_up = summing_up or bool(_SUMMARY.match(line))
        if not summing_up and line.strip():
            _take(line, source, trace, requests, begins)
        elif found := _SKIPS.search(line):
            trace.lose("blktrace", number(found[1]) or 0)
    requests.end()
    trace.origin(0)


def _take(line: str, source: Input, trace: TraceWriter, requests: _Requests, begins: str) -> None:
    found = _LINE.fullmatch(line)
    if not found:
        if not _MESSAGE.match(line):
            raise source.fail(f"no line of blkparse's default format: '{printable(line)}'; run it without -f")
        return
    request = _REQUEST.fullmatch(found["rest"])
    if found["action"] not in {begins, "C"}:
        return
    if not request:
        if found["action"] == begins:
            trace.skip(WITHOUT_DATA)
        return
    time, pid = nanoseconds(found["time"]), number(found["pid"])
    sector, sectors = number(request[1]), number(request[2])
    if time is None or pid is None or sector is None or sectors is None:
        raise source.fail("a number of more than 20 digits; correct it, or was the file damaged?")
    if found["action"] == "C":
        requests.complete(found["device"], sector, sectors, time)
    elif (op := _op(found["rwbs"])) is None:
        trace.skip(WITHOUT_DATA)
    else:
        requests.begin(found["device"], _Request(pid, request[3] or "", op, sector, sectors, time))


def _op(rwbs: str) -> Op | None:
    """Return the operation of RWBS, None when no data is transferred; flags before and after it do not matter."""
    letters = rwbs.lstrip("F")
    return Op.READ if letters.startswith("R") else Op.WRITE if letters.startswith("W") else None


@dataclass(eq=False)
class _Request:
    pid: int
    comm: str
    op: Op
    sector: int
    sectors: int
    start_ns: int
    end_ns: int | None = None


class _Requests:
    """Requests on their way to the trace: in the order they began, once their completion is known."""

    def __init__(self, trace: TraceWriter) -> None:
        self._trace = trace
        self._threads: dict[int, int] = {}
        self._queue: deque[tuple[str, _Request]] = deque()
        self._sectors: dict[str, list[int]] = {}
        self._at: dict[tuple[str, int], list[_Request]] = {}

    def begin(self, device: str, request: _Request) -> None:
        """Add a request."""
        self._queue.append((device, request))
        waiting = self._at.setdefault((device, request.sector), [])
        if not waiting:
            insort(self._sectors.setdefault(device, []), request.sector)
        waiting.append(request)
        while len(self._queue) > PENDING or (self._queue and self._queue[0][1].end_ns is not None):
            self._tell(*self._queue.popleft())

    def complete(self, device: str, sector: int, sectors: int, time_ns: int) -> None:
        """Note that all that was waited for in a range of sectors has come: merged requests complete together."""
        starts = self._sectors.get(device, [])
        first = bisect_left(starts, sector)
        after = bisect_left(starts, sector + max(sectors, 1), first)
        for start in starts[first:after]:
            for request in self._at.pop((device, start)):
                request.end_ns = time_ns
        del starts[first:after]

    def end(self) -> None:
        """Tell what is left."""
        while self._queue:
            self._tell(*self._queue.popleft())

    def _tell(self, device: str, request: _Request) -> None:
        if request.end_ns is None:
            self._trace.estimate("completion not seen: latency taken to be 0")
            waiting = self._at[device, request.sector]
            waiting.remove(request)
            if not waiting:
                del self._at[device, request.sector]
                starts = self._sectors[device]
                del starts[bisect_left(starts, request.sector)]
        if request.pid not in self._threads:
            self._threads[request.pid] = self._trace.thread(request.pid, comm=request.comm, start_ns=request.start_ns)
        thread = self._threads[request.pid]
        self._trace.access(
            thread,
            self._trace.opened(thread, device.replace(",", ":"), start_ns=request.start_ns),
            request.op,
            request.sector * SECTOR_BYTES,
            request.sectors * SECTOR_BYTES,
            start_ns=request.start_ns,
            latency_ns=0 if request.end_ns is None else max(0, request.end_ns - request.start_ns),
        )
