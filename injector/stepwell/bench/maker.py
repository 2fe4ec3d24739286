"""The process that makes files to measure with, and removes them again when its standard input ends.

    python -m stepwell.bench.maker DIRECTORY BYTES

So nothing is left behind however the process that measures ends, be it killed or waiting for a storage that does not
answer; and that one never waits for a storage itself.  It says on standard output how far it is, a JSON object a line:
`directory` of its own that the files are in, bytes `made`, and `errno` if it could not go on.  Then, a line for each
file that is removed.  It ends with 1 if some could not be.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

MADE_BYTES = 64 << 20
"""Bytes of a file that is made: 16 granules."""

_COPY = 1 << 20


def main() -> int:
    """Make the files, wait, and remove them; whoever began ends it, no signal but SIGKILL."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    work = None
    try:
        work = Path(tempfile.mkdtemp(prefix=".stepwell-bench-", dir=sys.argv[1]))
        _make(work, int(sys.argv[2]))
    except OSError as error:
        _say(errno=error.errno)
    sys.stdin.buffer.read()
    return _remove(work) if work else 0


def _make(work: Path, octets: int) -> None:
    data, done = os.urandom(_COPY), 0
    while done < octets:
        with Path(work, str(done // MADE_BYTES)).open("xb", buffering=0) as file:
            end = min(done + MADE_BYTES, octets)
            while done < end:
                if select.select([sys.stdin], [], [], 0)[0]:
                    return
                # Every MiB differs, so that no storage keeps it once for all.
                done += file.write((done.to_bytes(8, "little") + data[8:])[: end - done])
                if done < octets:
                    _say(directory=str(work), made=done)
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    _say(directory=str(work), made=done)


def _remove(work: Path) -> int:
    try:
        for file in list(work.iterdir()):
            file.unlink()
            _say()
        work.rmdir()
    except OSError:
        return 1
    return 0


def _say(**told: object) -> None:
    with suppress(OSError):  # nobody listens any more
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    sys.exit(main())
