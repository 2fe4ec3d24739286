"""Darshan's logs, read by Darshan's own library (PyPI `darshan`) in a process of its own.

`child.py` is that process, `messages.py` what it passes on, and `records.py` tells the trace what that means.
Counters become rows of the view `counters`, DXT's segments become accesses.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from stepwell.collectors.importers.darshan.messages import Message, unpack
from stepwell.collectors.importers.darshan.records import Records
from stepwell.collectors.importers.source import Input, printable
from stepwell.collectors.importers.writer import TraceWriter

_MAGIC = (6567223).to_bytes(8, "little"), (6567223).to_bytes(8, "big")
"""Number behind the version in the header (DARSHAN_MAGIC_NR), in either byte order."""


def sniff(head: bytes, name: str) -> bool:
    """A file with Darshan's magic number, or that is called *.darshan."""
    return head[8:16] in _MAGIC or name.endswith(".darshan")


def read(source: Input, trace: TraceWriter) -> None:
    """Tell the trace every record.

    Raises:
        InputError: the library is not installed, or cannot read the log to its end.
    """
    if importlib.util.find_spec("darshan") is None:
        raise source.fail("Darshan's library is not installed: pip install 'stepwell[importers]', then import again")
    records = Records(trace)
    with _messages(source) as messages:
        for message in messages:
            if message.kind == "failed":
                raise source.fail(f"{printable(str(message.facts['why']))}; is it a whole Darshan log? Copy it again")
            records.take(message)
    records.end()


@contextmanager
def _messages(source: Input) -> Iterator[Iterator[Message]]:
    """Run the child; InputError if it dies before the end of the log."""
    command = [sys.executable, "-m", "stepwell.collectors.importers.darshan.child"]
    descriptor = source.file().fileno()
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            [*command, f"/proc/self/fd/{descriptor}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            pass_fds=(descriptor,),
        ) as child,
    ):
        assert child.stdout is not None
        last = [""]
        try:
            yield _noting(unpack(child.stdout), last)
            status = child.wait()
        finally:
            child.kill()
        if last[0] != "end":
            said.seek(0)
            words = printable(said.read(4096).decode("utf-8", "replace").strip().rpartition("\n")[2])
            died = f"died of signal {-status}" if status < 0 else f"ended with {status}"
            raise source.fail(
                f"Darshan's library {died} while it read the log{f' ({words})' if words else ''}; "
                "it is damaged or cut short, copy it again"
            )


def _noting(messages: Iterator[Message], last: list[str]) -> Iterator[Message]:
    for message in messages:
        last[0] = message.kind
        yield message
