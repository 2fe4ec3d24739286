"""The prefetch engine as a process, and a reader that tells it what it reads."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.kernel.tool import SECONDS, wait_until

from stepwell.prefetch.codec import decode, encode
from stepwell.prefetch.protocol import Close, Message, Open, Refused, Root, Run, Status

PROGRAM = (sys.executable, "-m", "stepwell.prefetch")


class Engine:
    """A running engine that is told by standard input."""

    def __init__(self, *arguments: str, prefix: Iterable[str] = ()) -> None:
        self.process = subprocess.Popen(
            [*prefix, *PROGRAM, "--stdin", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.statuses: list[Status] = []
        self.refused: list[Refused] = []
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def tell(self, *messages: Message) -> None:
        self.say(b"".join(map(encode, messages)))

    def say(self, data: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(data)
        self.process.stdin.flush()

    @property
    def status(self) -> Status:
        return self.statuses[-1]

    def wait(self, what: str, condition: object) -> Status:
        """Wait for a status that meets a condition."""
        assert callable(condition)
        wait_until(lambda: bool(self.statuses) and condition(self.status), what)
        return self.status

    def end(self) -> Status:
        """Close its input, and return its last status."""
        assert self.process.stdin
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(SECONDS)
        self._listener.join(SECONDS)
        return self.status

    def kill(self) -> None:
        """Leave nothing of it, however it went."""
        self.process.kill()
        self._listener.join(SECONDS)
        with self.process, contextlib.suppress(BrokenPipeError):
            pass

    def _listen(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            message = decode(line)
            if isinstance(message, Status):
                self.statuses.append(message)
            elif isinstance(message, Refused):
                self.refused.append(message)


@contextlib.contextmanager
def running(root: Path, *arguments: str, prefix: Iterable[str] = ()) -> Iterator[Engine]:
    """An engine with a root; it is ended whatever happens."""
    engine = Engine(*arguments, prefix=prefix)
    try:
        engine.tell(Root(str(root)))
        engine.wait("it does not begin", lambda status: status.mounts)
        yield engine
    finally:
        engine.kill()


class Reader:
    """Reads a file by this process, and tells each access when it has ended.

    The kernel's own readahead is off, so that every request of the storage is the reader's or the engine's.
    """

    def __init__(self, engine: Engine, path: Path, name: str = "reader") -> None:
        self._engine, self._path, self._name = engine, str(path), name
        self._fd = os.open(path, os.O_RDONLY)
        os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_RANDOM)
        self._accesses = 0
        engine.tell(Open(self._path, name, time.monotonic_ns()))

    def read(self, offset: int, size: int) -> bytes:
        begin = time.monotonic_ns()
        data = os.pread(self._fd, size, offset)
        end = time.monotonic_ns()
        self._accesses += 1
        stream = f"{self._name}:{self._path}"
        run = Run(stream, self._path, offset, size, 0, 1, begin, end, end - begin, reader=self._name)
        self._engine.tell(run)
        return data

    def close(self) -> None:
        os.close(self._fd)
        self._engine.tell(Close(self._path, self._name, time.monotonic_ns()))
