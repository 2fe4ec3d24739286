"""The prefetch engine's process, as the one who drives it sees it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterable

from stepwell.prefetch.codec import decode, encode
from stepwell.prefetch.errors import PrefetchError, ProtocolError
from stepwell.prefetch.protocol import Message, Refused, Run, Status, Stop

MOST_UNSENT = 4 << 20
"""Bytes that wait to be taken by the engine. Beyond that it is told of no more runs until it takes them: each message
about a run says all that the ones before it did."""

PATIENCE = 2.0
"""Seconds in which the engine is to end; it needs less than one, unless the kernel keeps it in a hung read."""


class Engine:
    """A running engine.  Nothing here waits for it, except `close` for a short while.

    Attributes:
        status: what it told last, or None.
        untold: runs that it was not told of, because it did not take what it had been told.
    """

    def __init__(self, options: Iterable[str] = (), descriptors: Collection[int] = ()) -> None:
        """Start it, with options of `python -m stepwell.prefetch`, and open files that these name.

        Raises:
            PrefetchError: it cannot be started.
        """
        self.status: Status | None = None
        self.untold = 0
        self._unsent = bytearray()
        self._received = b""
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 -- closed by `close`
        command = [sys.executable, "-m", "stepwell.prefetch", "--stdin", "--parent", str(os.getpid()), *options]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                bufsize=0,
                pass_fds=descriptors,
                start_new_session=True,  # the terminal's signals are for the program; `close` ends the engine
            )
        except OSError as error:
            self._complaints.close()
            raise PrefetchError(
                f"the prefetch engine cannot be started: {error.strerror}; check the installation"
            ) from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._input, False)
        os.set_blocking(self._output, False)

    def tell(self, messages: Iterable[Message]) -> None:
        """Send messages, as far as the engine takes them now; the rest goes with the next ones."""
        for message in messages:
            if isinstance(message, Run) and len(self._unsent) >= MOST_UNSENT:
                self.untold += 1
            else:
                self._unsent += encode(message)
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            while self._unsent:
                del self._unsent[: os.write(self._input, self._unsent[: 1 << 16])]

    def listen(self) -> None:
        """Take in what the engine has said.

        Raises:
            PrefetchError: it has ended, or does not understand what it is told.
        """
        while chunk := self._chunk():
            *lines, self._received = (self._received + chunk).split(b"\n")
            for line in lines:
                self._hear(line)
        if self._process.poll() is not None and (self.status is None or self.status.state != "ended"):
            raise PrefetchError(f"the prefetch engine has ended unexpectedly{self._last_words()}; the program runs on")

    def close(self) -> None:
        """Let it end, and take in its last status; it is killed when it does not end in time."""
        self.tell([Stop()])
        deadline = time.monotonic() + PATIENCE
        with contextlib.suppress(PrefetchError):
            while self._process.poll() is None and time.monotonic() < deadline:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(0.02)
                self.tell([])
                self.listen()
            self.listen()
        if self._process.poll() is None:
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.1)
        for stream in (self._process.stdin, self._process.stdout, self._complaints):
            assert stream is not None
            stream.close()

    def _chunk(self) -> bytes:
        try:
            return os.read(self._output, 1 << 20)
        except BlockingIOError:
            return b""

    def _hear(self, line: bytes) -> None:
        try:
            answer = decode(line)
        except ProtocolError as error:
            raise PrefetchError(
                f"the prefetch engine speaks another language: {error}; is it of this version?"
            ) from error
        if isinstance(answer, Status):
            self.status = answer
        elif isinstance(answer, Refused):
            raise PrefetchError(f"the prefetch engine refused a message: {answer.error}; is it of this version?")

    def _last_words(self) -> str:
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""
