"""strace's text: what system calls did to files.

`lines.py` takes lines apart, `calls.py` makes calls of them (`made.py`), `tasks.py` follows processes and their
descriptors, and `files.py` tells the trace what a call does to a file.

Made for `strace -f -ttt -T -y -o FILE`; without -f, -T or -y, or with -yy, it is read as far as it goes.
"""

from __future__ import annotations

from stepwell.collectors.importers.source import Input
from stepwell.collectors.importers.strace.calls import Calls
from stepwell.collectors.importers.strace.lines import looks_like
from stepwell.collectors.importers.writer import TraceWriter


def sniff(head: bytes, name: str) -> bool:  # noqa: ARG001 - the signature tells
    """A file one of whose first lines is a system call."""
    lines = head.decode("utf-8", "replace").split("\n")
    return any(looks_like(line) for line in lines[:5])


def read(source: Input, trace: TraceWriter) -> None:
    """Tell the trace what every line says.

    Raises:
        InputError: a line is none of strace's.
    """
    calls = Calls(trace)
    for number, text in source.blocks():
        calls.take(number, text.decode("utf-8", "surrogateescape"), source)
    calls.end()
