"""When the engine is to end: by a signal, or with its parent, also where its loop waits for a storage that hangs."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading

from stepwell.prefetch.errors import PrefetchError

SIGNALS = (signal.SIGTERM, signal.SIGINT)

PATIENCE = 5.0
"""Seconds that the loop has to end by itself; it needs milliseconds, unless a look at a storage does not return."""


class Ending:
    """Waits, in a thread of its own, for what ends the engine.  To be made by the main thread, before all others.

    Attributes:
        descriptor: becomes readable when the engine is to end.
    """

    def __init__(self) -> None:
        # A thread that waits in the kernel for a storage takes no signal: the one that is made here takes them all.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        for number in SIGNALS:
            signal.signal(number, lambda *_: None)
        self._signalled, wakes = socket.socketpair()
        wakes.setblocking(False)
        signal.set_wakeup_fd(wakes.detach())
        self._ended = threading.Event()
        self.descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        threading.Thread(target=self._wait, name="ending", daemon=True).start()

    def end_with(self, pid: int) -> None:
        """Also end when a process has ended.

        Raises:
            PrefetchError: there is none.
        """
        try:
            parent = os.pidfd_open(pid)
        except OSError as error:
            raise PrefetchError(f"there is no process {pid}; give --parent one that runs") from error
        threading.Thread(target=self._wait_for, args=(parent,), name="parent", daemon=True).start()

    def _wait(self) -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        self._wait_for(self._signalled.fileno())

    def _wait_for(self, descriptor: int) -> None:
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        waiting.poll()
        os.eventfd_write(self.descriptor, 1)
        if not self._ended.wait(PATIENCE):
            os._exit(1)

    def done(self) -> None:
        """The loop has ended by itself: what else this process does is no concern of the engine's."""
        self._ended.set()
