"""fio's iolog, versions 2 and 3: what one job read and wrote.

The format is that of fio(1), "Trace file format"; the times of version 3 are microseconds since the job began, as
fio 3.33 writes them.
"""

from __future__ import annotations

from stepwell.collectors.importers.source import Input, number, printable
from stepwell.collectors.importers.writer import TraceWriter
from stepwell.trace.definition import EventKind, Op

_FIRST_LINES = {"fio version 2 iolog": 2, "fio version 3 iolog": 3}

_OPS = {"read": Op.READ, "write": Op.WRITE}

LIMITS = (
    "sizes are those asked for: what a call transferred, and whether it failed, is not in the log",
    "latencies are not known",
    "processor time, page cache hits and whether a thread slept are not in the log",
    "processes are not told apart: a log is taken to be one job's",
    "a file's size is the largest end of an access seen",
)


def sniff(head: bytes, name: str) -> bool:  # noqa: ARG001 - the signature tells
    """A file with fio's first line."""
    return head.split(b"\n", 1)[0].decode("utf-8", "replace").strip() in _FIRST_LINES


def read(source: Input, trace: TraceWriter) -> None:
    """Tell the trace every line.

    Raises:
        InputError: the first line is not fio's, or a line is none of this format.
    """
    lines = source.text_lines()
    _, first = next(lines)
    version = _FIRST_LINES.get(first.strip())
    if version is None:
        raise source.fail(f"the first line is not 'fio version 2 iolog' or 3 but '{printable(first)}'; is it an iolog?")
    for sentence in LIMITS:
        trace.limit(sentence)
    job = _Job(source, trace)
    for _, line in lines:
        if version == 2:
            job.line(line, None)
            continue
        time, _, rest = line.partition(" ")
        microseconds = number(time)
        if microseconds is None:
            raise job.broken(line)
        job.line(rest, microseconds * 1000)
    if version == 3:
        trace.origin(0)


class _Job:
    """One job, and the files that it has open."""

    def __init__(self, source: Input, trace: TraceWriter) -> None:
        self._source = source
        self._trace = trace
        self._thread = trace.thread(comm="fio")
        self._open: dict[str, int] = {}

    def line(self, line: str, start_ns: int | None) -> None:
        """Tell what one line says; a name may hold spaces, therefore it is read from its end."""
        parts = line.rsplit(" ", 3)
        if len(parts) == 4 and parts[1].isalpha():
            name, action, first, second = parts
            offset, size = number(first), number(second)
            if offset is not None and size is not None:
                self._io(name, action, offset, size, start_ns)
                return
        name, _, action = line.rpartition(" ")
        if name and action in {"add", "open", "close"}:
            self._file(name, action, start_ns)
        else:
            raise self.broken(line)

    def broken(self, line: str) -> Exception:
        """Return the error about a line that is none."""
        return self._source.fail(
            f"no line of an iolog: '{printable(line)}'; was the file cut, or did several jobs write it?"
        )

    def _io(self, name: str, action: str, offset: int, size: int, start_ns: int | None) -> None:
        if action in _OPS:
            known = self._open.get(name) or self._opened(name, start_ns, "access to a file that is not open: opened")
            self._trace.access(self._thread, known, _OPS[action], offset, size, start_ns=start_ns)
        elif action in {"sync", "datasync"}:
            known = self._open.get(name) or self._opened(name, start_ns, "access to a file that is not open: opened")
            self._trace.event(self._thread, EventKind.SYNC, open=known, start_ns=start_ns)
        elif action in {"trim", "wait", "sync_file_range"}:
            self._trace.skip(f"{action}, which is no access")
        else:
            raise self._source.fail(f"no action of an iolog: '{printable(action)}'; correct it, or was the file cut?")

    def _opened(self, name: str, start_ns: int | None, doubt: str = "") -> int:
        if doubt:
            self._trace.estimate(doubt)
        self._open[name] = self._trace.open(self._thread, name, start_ns=start_ns)
        return self._open[name]

    def _file(self, name: str, action: str, start_ns: int | None) -> None:
        if action == "open":
            self._opened(name, start_ns)
        elif action == "close":
            known = self._open.pop(name, None)
            if known is None:
                self._trace.skip("close of a file that is not open")
            else:
                self._trace.close(self._thread, known, start_ns=start_ns)
