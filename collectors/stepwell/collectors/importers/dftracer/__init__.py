"""DFTracer's .pfw and .pfw.gz: one JSON object a line, in Chrome's trace event format.

`lines.py` makes events of lines, `events.py` says what they mean.
https://dftracer.readthedocs.io tells of the format; what is here was checked against traces of DFTracer 2.2.
"""

from __future__ import annotations

from stepwell.collectors.importers.dftracer.events import LIMITS, Events
from stepwell.collectors.importers.dftracer.lines import event, events
from stepwell.collectors.importers.source import Input
from stepwell.collectors.importers.writer import TraceWriter

CUT = "last lines that are cut: the program was killed, or the file is still written"

_FEWEST = 1 << 13
"""Bytes of lines that are not worth a block: taking each by itself costs less than looking whether all are plain."""


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
    told = Events(trace)
    for _, text in source.blocks():  # a forked process may use a name that another part of the file tells
        for line in text.split(b"\n") if b'"FH"' in text else ():
            if b'"FH"' in line and (found := event(line)):
                told.take(found)
    file = _File(source, told)
    for number, text in source.blocks():
        file.take(number, text)
    if file.broken is not None:
        if not file.seen:
            raise source.fail("no JSON object; is this DFTracer's .pfw?", line=file.broken)
        trace.skip(CUT)


class _File:
    """Takes the lines of a file: many at once where they are plain, one by one where they are not.

    Attributes:
        seen: whether there was an event.
        broken: number of a line that is none, after which nothing has come.
    """

    def __init__(self, source: Input, events: Events) -> None:
        self.seen = False
        self.broken: int | None = None
        self._source = source
        self._events = events

    def take(self, number: int, text: bytes) -> None:
        """Take the next lines, of which the first has a number."""
        if len(text) < _FEWEST or self.broken is not None or text.count(b"\n") == 1:
            self._each(number, text.split(b"\n"))
        elif found := events(text):
            for one in found:
                self._events.take(one)
            self.seen = True
        else:
            half = text.rfind(b"\n", 0, len(text) // 2) + 1 or text.index(b"\n") + 1
            self.take(number, text[:half])
            self.take(number + text.count(b"\n", 0, half), text[half:])

    def _each(self, number: int, lines: list[bytes]) -> None:
        for at, line in enumerate(lines, number):
            if line.strip().rstrip(b",") in {b"", b"[", b"]"}:
                continue
            if self.broken is not None:
                raise self._source.fail("no JSON object; correct the line, or delete it", line=self.broken)
            found = event(line)
            if found is None:
                self.broken = at
            else:
                self._events.take(found)
                self.seen = True
