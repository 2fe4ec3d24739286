"""What an importer writes to: one trace in the making, on its way into a spool file.

An importer reads another tool's file and tells, in the order of that file, which
threads there were, which files they opened and which accesses they made.  The
very coalescer that runs in the kernel joins the accesses into runs.
"""

from __future__ import annotations

import shlex
import struct
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self

from stepwell.collectors.importers.accesses import Accesses, Integers
from stepwell.collectors.importers.bounds import LARGEST, LARGEST_TIME, MEMORY_BYTES_S, MEMORY_NS, Span, encoded, within
from stepwell.collectors.importers.gathered import Gathered
from stepwell.collectors.importers.threads import Thread, Threads
from stepwell.collectors.native.joiner import Joiner, Place
from stepwell.trace.definition import (
    COUNTER,
    EVENT,
    EXEC,
    OPEN,
    UNKNOWN_ID,
    UNKNOWN_NS,
    EventKind,
    Op,
    OpenFlag,
)
from stepwell.trace.spool import SpoolWriter

MAX_PATH_BYTES = 1 << 15
"""Of a longer path the start is left out, and said to be missing."""

MAX_COMMAND_BYTES = 2048
"""As in a recorded trace."""

OPENED = 1 << 18
"""Open files that `opened` remembers; one forgotten is opened anew, which splits its stream."""

_CLOSE = int(EventKind.CLOSE)

WAITED = (
    f"accesses are taken to have waited when they took longer than memory would:"
    f" {MEMORY_NS // 1000} us and a second for each {MEMORY_BYTES_S // 10**9} GB"
)
"""What is said of traces in which some did."""

SKIPPED = "skipped: "
"""What the reasons begin with in the trace's `degraded`."""


class TraceWriter:
    """One trace, written to a spool file; a context manager.

    Times are nanoseconds on any one clock of the importer's choice, not below 0; the earliest becomes the trace's
    start unless `origin` says otherwise.  A format without times leaves them out everywhere.  Ids of threads and open
    files are those that `thread` and `open` return.  Paths are text; bytes that are not UTF-8 as surrogates
    (`surrogateescape`), as `Input.text_lines` gives them.

    Numbers that Linux cannot have meant (below 0, 2^63 or more) never reach the trace: such an access is skipped and
    counted.  Nothing is kept per access; memory grows with threads alone.

    Attributes:
        access: adds one access, see `Accesses.add`; `accesses` adds many.
        skipped: how often something was left out, by reason.
        limits: what this format or file cannot say, one sentence each.
    """

    def __init__(self, spool: SpoolWriter, **meta: Any) -> None:
        """Begin the trace.

        Args:
            spool: where to write.
            meta: facts of the trace (see `meta`).
        """
        self.skipped: dict[str, int] = {}
        self.limits: list[str] = []
        self._estimated: dict[str, int] = {}
        self._lost: dict[str, int] = {}
        self._spool = spool
        self._meta = {"version": version("stepwell")} | meta
        self._joiner = Joiner(spool.write)
        self._threads = Threads()
        self._span = Span()
        self._accesses = Accesses(self._joiner, self._threads, self._span, self.skip)
        self.access = self._accesses.add
        self._gathered = Gathered(spool, self._span)
        self._opens = 0
        self._opened: OrderedDict[tuple[int | str, int | str], int] = OrderedDict()
        self._origin_ns: int | None = None
        self._epoch_ns: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._joiner.__exit__(kind, error, traceback)

    # ---- facts of the trace ----

    def meta(self, **values: Any) -> None:
        """Add facts of the trace, as in view `traces`: `command` (list of words), `cwd`, `host`, `exit_code` ..."""
        self._meta |= values

    def origin(self, start_ns: int) -> None:
        """Say when the trace began on the importer's clock, when that is not the first thing that happened."""
        self._origin_ns = start_ns

    def unheld(self) -> None:
        """Say that accesses of this format hold nobody up, however long they take."""
        self._accesses.hold = False

    def epoch(self, zero_ns: int) -> None:
        """Say what the importer's clock at 0 is in nanoseconds since 1970; 0 when its times are Unix times."""
        self._epoch_ns = zero_ns

    def limit(self, sentence: str) -> None:
        """Say once what this format or file cannot tell; it stands in the trace's coverage."""
        if sentence not in self.limits:
            self.limits.append(sentence)

    def skip(self, reason: str, count: int = 1) -> None:
        """Count what was left out because it is no access on a file, or none that a trace can hold."""
        if count:
            self.skipped[reason] = self.skipped.get(reason, 0) + count

    def estimate(self, what: str, count: int = 1) -> None:
        """Count what is in the trace but less certain than it looks; it stands in the trace's `degraded`."""
        if count:
            self._estimated[what] = self._estimated.get(what, 0) + count

    def lose(self, hop: str, count: int = 1) -> None:
        """Count accesses that the file itself says were lost before it was written; they stand in view `losses`."""
        if count:
            self._lost[hop] = self._lost.get(hop, 0) + count

    # ---- who ----

    def thread(
        self,
        pid: int = 0,
        tid: int = 0,
        *,
        ppid: int = 0,
        uid: int = UNKNOWN_ID,
        comm: str = "",
        command: Sequence[str] | str = (),
        start_ns: int | None = None,
        process: int | None = None,
    ) -> int:
        """Add a thread and return its id.

        Args:
            pid: process id; threads with the same one are one reader.  0 when unknown: then a reader of its own.
            tid: thread id; `pid` when left out.
            ppid: process id of the parent, whose command the process has until it runs one of its own.
            uid: user id.
            comm: name of the thread; cut after 16 bytes.
            command: its command line, as words or as one shell would be given it.
            start_ns: when it began, or was first seen; the trace's start when left out.
            process: any number that tells apart processes which had the same pid one after the other.

        Raises:
            InputError: there are more threads than `MAX_THREADS`.
        """
        number = self._threads.next
        pid, tid, ppid = (one if 0 <= one < 2**32 else 0 for one in (pid, tid, ppid))
        identity = process if process is not None else 0 if pid else number
        start_ns = None if start_ns is None else self._when(start_ns)
        made = Thread(pid, tid or pid, ppid, uid, encoded(comm)[:16], start_ns, identity % 2**63)
        self._threads.add(made)
        if command:
            self.program(number, command, comm, start_ns=start_ns)
        return number

    def program(
        self, thread: int, command: Sequence[str] | str, comm: str = "", *, start_ns: int | None = None
    ) -> None:
        """Say that a thread's process began a program (execve); `command` as for `thread`."""
        words = _words(command) if isinstance(command, str) else command
        name = encoded(comm or (words[0].rsplit("/", 1)[-1] if words else ""))[:16]
        self._threads[thread].comm = name
        text = b"".join(encoded(word).replace(b"\0", b" ") + b"\0" for word in words)[:MAX_COMMAND_BYTES]
        self._gathered.add(EXEC.kind, (EXEC.kind, thread, self._when(start_ns), name), text)

    def end_thread(
        self,
        thread: int,
        end_ns: int | None = None,
        *,
        status: int | None = None,
        user_ns: int | None = None,
        system_ns: int | None = None,
    ) -> None:
        """Say when a thread ended, as far as it is known.

        Args:
            thread: its id.
            end_ns: when; None when it is not known.
            status: wait status of its process as wait(2) encodes it (exit code << 8, or a signal); None: unknown.
            user_ns: its processor time in user mode; None when unknown.
            system_ns: its processor time in the kernel; None when unknown.
        """
        of = self._threads[thread]
        of.end_ns = self._when(end_ns) if end_ns is not None else None
        of.status = status
        of.cpu = (UNKNOWN_NS if user_ns is None else user_ns, UNKNOWN_NS if system_ns is None else system_ns)

    # ---- what ----

    def open(
        self,
        thread: int,
        path: str,
        *,
        start_ns: int | None = None,
        latency_ns: int = 0,
        flags: int = 0,
        size: int = 0,
        state: int = 0,
    ) -> int:
        """Add an open file and return its id; files are told apart by their path.

        Args:
            thread: thread that opened it, or used it first.
            path: as the tool names it; relative ones stay so. "" is none: a file of its own under the id's number.
            start_ns: when it was opened, or first seen; left out: the time of the latest event before.
            latency_ns: time open(2) took; 0 when unknown.
            flags: of open(2), Linux's values.
            size: bytes, when first seen; 0 when unknown.
            state: bits of `OpenFlag`: `BEFORE` when the opening itself was not seen, `DELETED`, ...
        """
        self._opens += 1
        text = encoded(path).replace(b"\0", b"\\x00")
        if len(text) > MAX_PATH_BYTES:
            text, state = text[-MAX_PATH_BYTES:], state | OpenFlag.TRUNCATED_PATH
        if not text:
            state |= OpenFlag.NO_PATH
        components = b"\0".join(text.split(b"/")[::-1])
        ino = 0 if text else self._opens  # what nothing names is a file of its own
        latency_ns = within(latency_ns, LARGEST_TIME)
        when = self._when(start_ns, latency_ns)
        # kind thread open start latency ino size mtime dev generation magic flags state reserved
        self._gathered.add(
            OPEN.kind,
            (OPEN.kind, thread, self._opens, when, latency_ns, ino, within(size), 0, 0, 0, 0, flags % 2**32, state, 0),
            components,
        )
        return self._opens

    def opened(
        self, thread: int, path: str, number: int | None = None, *, start_ns: int | None = None, size: int = 0
    ) -> int:
        """Return the same open file each time for a thread and a path: for formats that tell of no opening.

        Args:
            thread: thread that uses it.
            path: as for `open`.
            number: tells apart open files of one path; with it, all threads share what has the same path and number.
            start_ns: when it was first seen.
            size: bytes, when first seen; 0 when unknown.
        """
        key = (thread, path) if number is None else (path, number)
        known = self._opened.get(key)
        if known is None:
            known = self.open(thread, path, start_ns=start_ns, size=size, state=OpenFlag.BEFORE)
            self._opened[key] = known
            if len(self._opened) > OPENED:
                self._opened.popitem(last=False)
        else:
            self._opened.move_to_end(key)
        return known

    def accesses(
        self,
        thread: Integers,
        open: Integers,  # noqa: A002 - the word of the trace
        op: Integers,
        offset: Integers,
        size: Integers,
        *,
        requested: Integers | None = None,
        start_ns: Integers | None = None,
        latency_ns: Integers = 0,
        flags: Integers = 0,
        seq: Integers | None = None,
        place: Integers = Place.ANYWHERE,
    ) -> None:
        """Add accesses in their order; at least one argument is an array, the others fit it or are one number for all.

        Those that no Linux can have made are skipped and counted.  A few thousand at once cost least.

        Args:
            thread: id of the thread.
            open: id of the open file.
            op: number of the `Op`.
            offset: file offset in bytes.
            size: bytes transferred.
            requested: bytes asked for; `size` when left out.
            start_ns: when it began; left out: unknown, and taken to be the latest time seen.
            latency_ns: how long it took; 0 when unknown.
            flags: bits of `RunFlag`.
            seq: number of the access among all of its thread; counted when left out.
            place: number of the `Place` in a run that was taken apart.
        """
        self._accesses.flush()
        columns = {
            "thread": thread, "open": open, "op": op, "offset": offset, "size": size,
            "requested": size if requested is None else requested,
            "start_ns": self._span.last_ns if start_ns is None else start_ns,
            "latency_ns": latency_ns, "flags": flags, "place": place,
        }  # fmt: skip
        self._accesses.join(columns, timed=start_ns is not None, seq=seq)

    def event(
        self,
        thread: int,
        kind: EventKind,
        *,
        open: int = 0,  # noqa: A002 - the word of the trace
        path: str = "",
        op: Op = Op.READ,
        start_ns: int | None = None,
        latency_ns: int = 0,
        value: int = 0,
    ) -> None:
        """Add something other than an access that happened to a file: its close, rename, truncation, an error ...

        Args:
            thread: thread that did it.
            kind: what happened.
            open: id of the open file; left out when it is named by path.
            path: path given; left out when it is an open file's.
            op: for an error, the access that failed.
            start_ns: when; left out: the time of the latest event before.
            latency_ns: time the call took; 0 when unknown.
            value: truncate: new size; error: errno; rename: flags of renameat2.
        """
        text = encoded(path)[:MAX_PATH_BYTES].replace(b"\0", b"\\x00")
        value = max(-(2**63), min(value, LARGEST))
        latency_ns = within(latency_ns, LARGEST_TIME)
        when = self._when(start_ns, latency_ns)
        self._gathered.add(
            EVENT.kind, (EVENT.kind, thread, kind, op, open, when, latency_ns, value, len(text), 0), text
        )

    def close(self, thread: int, open: int, *, start_ns: int | None = None, latency_ns: int = 0) -> None:  # noqa: A002
        """Say that an open file was closed."""
        latency_ns = within(latency_ns, LARGEST_TIME)
        when = self._when(start_ns, latency_ns)
        self._gathered.add(EVENT.kind, (EVENT.kind, thread, _CLOSE, 0, open, when, latency_ns, 0, 0, 0), b"")

    def counters(self, thread: int, open: int, module: str, values: Mapping[str, float]) -> None:  # noqa: A002
        """Add figures that the tool itself counted over one file; they are rows of the view `counters`.

        Args:
            thread: any thread of the process that they were counted for.
            open: id of an open file on that file; `opened` gives one.
            module: the tool's module that counted, such as POSIX.
            values: by the counters' own names, in the units that these imply.
        """
        name = encoded(module)[:255]
        for counter, value in values.items():
            bits = int.from_bytes(struct.pack("<d", value), "little")
            self._gathered.add(
                COUNTER.kind, (COUNTER.kind, thread, open, bits, len(name), 0), name + encoded(counter)[:255]
            )

    # ---- the end ----

    def end(self) -> None:
        """End all runs and write the end of the trace; nothing can be added afterwards."""
        self._accesses.flush()
        self._joiner.end()
        self._gathered.flush()
        span = self._span
        first = span.first_ns or 0
        origin = first if self._origin_ns is None else min(self._origin_ns, first)
        self._threads.write(self._spool.write, origin, max(span.last_ns, origin))
        if span.first_ns is None:
            self.limit("times are not known: order alone is")
        if self._accesses.waited:
            self.limit(WAITED)
        if self._epoch_ns is not None:
            self.meta(start_realtime_ns=self._epoch_ns + origin)
        self.meta(
            start_monotonic_ns=origin,
            end_monotonic_ns=max(span.last_ns, origin),
            timed=span.first_ns is not None,
            coverage=self.limits,
            losses=self._lost,
            degraded=self._estimated | {SKIPPED + reason: count for reason, count in self.skipped.items()},
        )
        self._spool.meta(**self._meta)

    # ---- within ----

    def _when(self, start_ns: int | None, latency_ns: int = 0) -> int | None:
        """Return the time to write: the one given, or the latest seen; None when there is none yet."""
        if start_ns is not None and 0 <= start_ns <= LARGEST_TIME:
            self._span.seen(start_ns, start_ns + latency_ns)
            return start_ns
        if start_ns is not None:
            self.skip("time below 0, or beyond what Linux has: taken to be that before it")
        self._accesses.settle()
        return None if self._span.first_ns is None else self._span.last_ns


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # no closing quotation: a line that was cut
        return command.split()
