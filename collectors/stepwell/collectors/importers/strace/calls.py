"""From lines to calls: who calls, where a call that takes two lines began, and what the trace says of it all."""

from __future__ import annotations

from stepwell.collectors.importers.source import Input
from stepwell.collectors.importers.strace.files import HANDLERS, PLAIN, Files
from stepwell.collectors.importers.strace.lines import LINES, Begun, Call, Ended, Line, Superseded, parsed
from stepwell.collectors.importers.strace.made import Made
from stepwell.collectors.importers.strace.tasks import FORKS, Tasks
from stepwell.collectors.importers.writer import TraceWriter

NO_BEGINNING = "ends of calls whose beginnings are not in the log"

LIMITS = (
    "mmap: page faults are not seen",
    "io_uring is not seen: it reads and writes without system calls of its own",
    "regular files are told by their paths: named pipes outside /dev, /proc and /sys count as files",
    "processor time, page cache hits and whether a thread slept are not in the log",
    "strace slows each system call down by 20 to 200 us, which times between accesses have in them",
    "a file's size is what a stat call in the log said, or the largest end of an access seen",
)


class Calls:
    """Tells a trace what the lines of one log mean, in their order."""

    def __init__(self, trace: TraceWriter) -> None:
        self._trace = trace
        self._tasks = Tasks(trace)
        self._files = Files(trace)
        self._is_timed = False
        for sentence in LIMITS:
            trace.limit(sentence)

    def take(self, number: int, text: str, source: Input) -> None:
        r"""Take the next lines, each ended by \n, of which the first has a number.

        Raises:
            InputError: one of them is none of strace's.
        """
        second, second_ns = "", 0
        for at, found in enumerate(LINES.finditer(text)):
            tid, seconds, part, name, given, *descriptors, result, said, took, took_part = found.groups()
            if name is None:
                self._take(parsed(found[0][:-1], source, number + at))
                continue
            who = int(tid) if tid else None
            if seconds and seconds != second:
                second, second_ns = seconds, int(seconds) * 1_000_000_000
            time_ns = second_ns + int(part) * 1_000 if seconds else None
            took_ns = int(took) * 1_000_000_000 + int(took_part) * 1_000 if took else None
            own, path, asked, offset, first, first_path = descriptors
            if own is not None and said is None and name in PLAIN:
                task = self._tasks.find(who, time_ns)
                if self._files.plain(task, name, int(own), path, asked, offset, int(result), time_ns, took_ns or 0):
                    if task.begun is not None:
                        self._tasks.finish(task)
                    if not self._is_timed or took_ns is None:
                        self._timed(time_ns, is_latency_missing=took_ns is None)
                    continue
            own, path = own or first, path or first_path
            self._call(Call(who, time_ns, name, given, "", int(result), said or "", took_ns, own, path))

    def _take(self, line: Line) -> None:
        match line:
            case Begun():
                self._tasks.begin(self._tasks.find(line.tid, line.time_ns), line)
            case Call():
                self._call(line)
            case Ended():
                self._tasks.end(line.tid, line.time_ns, line.status)
            case Superseded():
                self._tasks.superseded(line.tid or 0, line.by)

    def end(self) -> None:
        """Tell of the files that are still open, accessed or not."""
        for table in self._tasks.tables():
            for file in table.files.values():
                self._files.number(file)

    def _timed(self, start_ns: int | None, *, is_latency_missing: bool) -> None:
        if start_ns is not None:
            if not self._is_timed:
                self._trace.epoch(0)
                self._is_timed = True
            if is_latency_missing:
                self._trace.limit("latencies are not known: use strace -T")

    def _call(self, call: Call) -> None:
        task = self._tasks.find(call.tid, call.time_ns, goes_on=call.arguments is None)
        given, start_ns = call.arguments, call.time_ns
        begun = self._tasks.finish(task)
        if given is None:
            if begun is None or begun.name != call.name:
                self._trace.skip(NO_BEGINNING)
                return
            given, start_ns = begun.arguments + call.rest, begun.time_ns
        self._timed(start_ns, is_latency_missing=call.took_ns is None and call.result is not None)
        if call.name in FORKS:
            if call.result is not None and call.result > 0:
                self._tasks.forked(task, given, call.result, start_ns)
        elif handler := HANDLERS.get(call.name):
            handler(self._files, Made(task, call, given, start_ns))
