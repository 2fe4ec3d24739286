"""Start a command for the recorder, untouched, and pass on to each the signals meant for it.

The command is forked first and waits for one byte before it calls execve, so that the
collector knows its process id and sees its first access.  It keeps the recorder's
terminal, process group, environment and descriptors: Ctrl-C, Ctrl-Z and job control
reach it as if it had been started by itself.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, Self

from stepwell.cli import facts
from stepwell.cli.errors import CommandNotExecutableError, CommandNotFoundError, RecordError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

STOPPING = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)
"""Signals that ask a recording, or the command it watches, to end."""

SENT_BY_KILL = 0
"""`si_code` SI_USER: somebody called kill(2); a terminal's signals carry SI_KERNEL (sigaction(2))."""

_NOT_FOUND = (errno.ENOENT, errno.ENOTDIR)


class Signals:
    """Context that holds signals back and hands them out one by one, with who sent them.

    Blocked, not caught: threads started inside inherit the mask, so that no signal is
    delivered to them, and none is lost between two waits.  Signals that were ignored from
    the start (`nohup`) stay ignored.
    """

    def __enter__(self) -> Self:
        """Block the stopping signals and SIGCHLD."""
        self._child_action = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        stopping = {number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN}
        self._held = stopping | {signal.SIGCHLD}
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, self._held)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Unblock them; those still pending have served their purpose."""
        while self.wait(0) is not None:
            pass
        self.restore()

    def wait(self, timeout: float | None) -> signal.struct_siginfo | None:
        """Return the next signal, or None when none came within `timeout` seconds (None: for ever)."""
        if timeout is None:
            return signal.sigwaitinfo(self._held)
        return signal.sigtimedwait(self._held, timeout)

    def restore(self) -> None:
        """Give this process the signal mask and the SIGCHLD action it had before."""
        signal.signal(signal.SIGCHLD, self._child_action)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)


@dataclass
class Command:
    """A forked command: it waits for `release`, then is the program `argv[0]`."""

    argv: tuple[str, ...]
    pid: int
    _go: int
    _failure: int
    _status: int | None = None

    @classmethod
    def fork(cls, argv: tuple[str, ...], signals: Signals, prepare: Callable[[], None]) -> Command:
        """Fork the process that will be the command.

        Args:
            argv: program, looked up in PATH, and its arguments.
            signals: what is held back from the recorder; the command gets the mask from before.
            prepare: called in the new process before it waits.
        """
        go_read, go_write = os.pipe()
        failure_read, failure_write = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            os.close(go_write)
            _become(argv, signals, prepare, go_read, failure_write)
        os.close(go_read)
        os.close(failure_write)
        return cls(argv, pid, go_write, failure_read)

    def release(self) -> None:
        """Let the command start.

        Raises:
            CommandNotFoundError: there is no such program.
            CommandNotExecutableError: the program cannot be started.
        """
        with contextlib.suppress(BrokenPipeError):  # it was killed while it waited; `poll` tells
            os.write(self._go, b"\n")
        os.close(self._go)
        failure = os.read(self._failure, 64)
        os.close(self._failure)
        if failure:
            _, self._status = os.waitpid(self.pid, 0)
            number = int(failure)
            kind = CommandNotFoundError if number in _NOT_FOUND else CommandNotExecutableError
            raise kind(self.argv[0], os.strerror(number))

    def abandon(self) -> None:
        """End the process, if it still waits, without starting the command."""
        if self._status is not None:
            return
        os.close(self._go)
        os.close(self._failure)
        _, self._status = os.waitpid(self.pid, 0)

    def poll(self) -> int | None:
        """Return the command's exit code, 128 + N when signal N killed it, or None while it runs."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self._status = code if code >= 0 else 128 - code
        return self._status

    def forward(self, info: signal.struct_siginfo) -> None:
        """Pass on a signal that the recorder alone was sent; those of the terminal have reached the command."""
        if info.si_code == SENT_BY_KILL and info.si_pid != self.pid and self._status is None:
            os.kill(self.pid, info.si_signo)


def _become(argv: tuple[str, ...], signals: Signals, prepare: Callable[[], None], go: int, failure: int) -> NoReturn:
    """Turn this forked process into the command.

    Whatever is not the command's own happens before the wait: after it everything is traced.
    """
    try:
        prepare()
        environment = facts.environment()
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
            signal.signal(number, signal.SIG_DFL)
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        signals.restore()
        if os.read(go, 1):
            os.execvpe(argv[0], argv, environment)
    except OSError as error:
        os.write(failure, str(error.errno).encode())
    finally:  # nothing may unwind into the recorder's code
        os._exit(RecordError.exit_code)
