"""The main loop: messages, answers and time go to the planner, its requests to the issuer, its status to all."""

from __future__ import annotations

import os
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from stepwell.prefetch import machine
from stepwell.prefetch.budgets import bucket
from stepwell.prefetch.codec import decode, encode
from stepwell.prefetch.connections import Connection
from stepwell.prefetch.ending import Ending
from stepwell.prefetch.errors import OrderError, PrefetchError, ProtocolError
from stepwell.prefetch.follower import Follower
from stepwell.prefetch.issuer import Issuer
from stepwell.prefetch.order_file import entry_of
from stepwell.prefetch.planner import Planner
from stepwell.prefetch.protocol import Entry, Message, Order, Refused, Root, Status, Stop

PROCESSORS_NS = 50_000_000
"""It is looked at how long the processors idle once in so long, while anything happens."""

MEMORY_NS = 100_000_000
"""It is looked at what memory there is once in so long, while anything happens: 0.3 ms each time."""

LONGEST_S = 3600.0
"""It is looked around at least once in so long, whatever is due."""

STATUS_NS = 100_000_000
"""Status is told once in so long while anything happens."""


class Engine:
    """One engine.  `run` returns when it is told to stop, or when there is nothing left to do.

    Args:
        status_file: where to keep the last status as JSON; None for nowhere.
        follow: see by inotify which files of the known order are opened.
    """

    def __init__(self, *, status_file: Path | None = None, follow: bool = False) -> None:
        self._ending = Ending()
        self.planner = Planner(time.monotonic_ns())
        self._issuer = Issuer()
        self._follower = Follower() if follow else None
        self._status_file = status_file
        self._selector = selectors.PollSelector()
        self._connections: list[Connection] = []
        self._feeds: list[Iterator[tuple[Entry, ...]]] = []
        self._told_ns = self._memory_ns = self._processors_ns = 0
        self._changed = True
        self._stopped = False
        self._cpu = bucket(0, time.monotonic_ns())
        self._cpu_ns = time.process_time_ns()
        self._watch(self._issuer.event, None)
        self._watch(self._issuer.told, None)
        if self._follower:
            self._watch(self._follower.descriptor, None)
        self._watch(self._ending.descriptor, None)

    # ---- who tells ----

    def tell(self, message: Message) -> None:
        """Take in one message."""
        now = time.monotonic_ns()
        self._changed = True
        if isinstance(message, Stop):
            self._stopped = True
        elif isinstance(message, Root):
            if not os.path.isabs(message.path):  # noqa: PTH117 - a path of the protocol
                raise ProtocolError(f"root.path is {message.path!r}; give an absolute path")
            message = replace(message, path=os.path.normpath(message.path))
            self._issuer.add_root(message.path, anew=message.remounted)
        self.planner.observe(message, now)
        if self._follower and isinstance(message, Order):
            self._follower.expect(self.planner.absolute(entry.path) for entry in message.entries)

    def feed(self, steps: Iterator[tuple[Entry, ...]]) -> None:
        """Take the known order from here, as fast as it is needed."""
        self._feeds.append(steps)

    def connect(self, connection: Connection) -> None:
        """Take messages, or steps, from a program."""
        self._connections.append(connection)
        self._watch(connection.source, connection)

    def listen(self, listener: socket.socket, *, orders: bool = False, anywhere: bool = False) -> None:
        """Accept programs at a socket.

        Args:
            listener: the socket.
            orders: they send steps of the known order, else messages.
            anywhere: directories of steps that lie in no root become roots.
        """
        self._watch(listener.fileno(), (listener, orders, anywhere))

    def end_with(self, pid: int) -> None:
        """Stop when a process has ended.

        Raises:
            PrefetchError: there is none.
        """
        self._ending.end_with(pid)

    # ---- the loop ----

    def run(self, *, until_done: bool) -> Status:
        """Work until told to stop; return the last status.

        Args:
            until_done: also end once the known order was brought in as a whole.
        """
        plan_at = 0
        while not self._stopped:
            self._events(self._timeout_ns(plan_at))
            now = time.monotonic_ns()
            self._feed()
            self._measure(now)
            plan_at = self._throttled_until(now)
            if plan_at <= now:
                self._plan(now)
            if self._changed and now - self._told_ns >= STATUS_NS:
                self._tell_status(now)
            if until_done and self._done():
                break
        status = self._status(ended=True)
        self._publish(status)
        self._ending.done()
        return status

    def _timeout_ns(self, plan_at: int) -> int | None:
        """Nanoseconds until something is due, None when only an event is waited for."""
        if self._issuer.failed or self._feeds:
            return 0
        now = time.monotonic_ns()
        due = self.planner.due_ns(now)
        times = [] if due is None else [max(due, plan_at)]
        if plan_at > now:
            times.append(plan_at)
        if self._changed:
            times.append(self._told_ns + STATUS_NS)
        return max(min(times) - now, 0) if times else None

    def _events(self, timeout_ns: int | None) -> None:
        # Rounded up: poll counts in milliseconds, and must not spin through the last one; it takes no more than days.
        timeout = None if timeout_ns is None else min(-(-timeout_ns // 1_000_000) / 1000, LONGEST_S)
        for key, _ in self._selector.select(timeout):
            self._changed = True
            if isinstance(key.data, Connection):
                self._receive(key.data)
            elif isinstance(key.data, tuple):
                listener, orders, anywhere = key.data
                accepted = listener.accept()[0].detach()
                os.set_blocking(accepted, False)
                self.connect(Connection(accepted, accepted, orders=orders, anywhere=anywhere))
            elif key.fd == self._ending.descriptor:
                self._stopped = True
            elif key.fd == self._issuer.told:
                self._storages_told()
            elif self._follower and key.fd == self._follower.descriptor:
                self._follower.look()
        self._complete()

    def _complete(self) -> None:
        done = self._issuer.done()
        if done:
            self._changed = True
            self.planner.complete(done, time.monotonic_ns())
        if self._follower:
            for message in self._follower.visits(self._issuer.opened, self._issuer.in_flight, time.monotonic_ns()):
                self.planner.observe(message, message.time_ns)

    def _plan(self, now: int) -> None:
        for request in self.planner.plan(now):
            self._issuer.issue(request)
        for root, path in self.planner.listings():
            self._issuer.list_directory(root, path)

    def _feed(self) -> None:
        """Take the next steps of the order; requests are issued in between."""
        if self._feeds:
            try:
                self.tell(Order(next(self._feeds[0])))
            except StopIteration:
                self._feeds.pop(0)

    def _measure(self, now: int) -> None:
        if now - self._memory_ns >= MEMORY_NS:
            self._memory_ns = now
            self.planner.pressure(*machine.measure())
        if now - self._processors_ns >= PROCESSORS_NS and (ticks := machine.processors()):
            self._processors_ns = now
            self.planner.processors(*ticks, now)

    def _done(self) -> bool:
        return not self._feeds and not self._issuer.in_flight and self.planner.order_is_asked()

    def _throttled_until(self, now: int) -> int:
        """When the engine's share of a processor lets it plan again."""
        used, self._cpu_ns = time.process_time_ns() - self._cpu_ns, time.process_time_ns()
        rate = (self.planner.budget.cpu_permille or 1) * 1_000_000
        if rate != self._cpu.rate:
            self._cpu.set_rate(rate, now)
        self._cpu.take(used)
        return self._cpu.due_ns(now)

    # ---- what comes, what is told ----

    def _receive(self, connection: Connection) -> None:
        try:
            lines, more = connection.receive()
        except PrefetchError as error:
            connection.send(encode(Refused(connection.lines, str(error))))
            lines, more = [], False
        first = connection.lines - len(lines) + 1
        if connection.orders:
            self._steps(connection, lines, first)
        else:
            for number, line in enumerate(lines, first):
                self._message(connection, line, number)
        if not more:
            self._selector.unregister(connection.source)
            if connection.source == sys.stdin.fileno():
                self._stopped = True  # its launcher has no more to tell, but may want the last status
            else:
                self._connections.remove(connection)
                connection.close()

    def _message(self, connection: Connection, line: bytes, number: int) -> None:
        try:
            message = decode(line)
            if isinstance(message, Status | Refused):
                raise ProtocolError(f"{type(message).__name__.lower()} is told by the engine, not to it")
            self.tell(message)
        except (PrefetchError, ValueError) as error:  # ValueError: a path with a NUL, or that is no text
            connection.send(encode(Refused(number, str(error))))

    def _steps(self, connection: Connection, lines: list[bytes], first: int) -> None:
        steps = []
        for number, line in enumerate(lines, first):
            try:
                if step := entry_of(os.fsdecode(line)):
                    steps.append(step)
            except OrderError as error:
                connection.send(encode(Refused(number, str(error))))
        for step in steps if connection.anywhere else ():
            if not self.planner.is_within(path := self.planner.absolute(step.path)):
                self.tell(Root(os.path.dirname(path)))  # noqa: PTH120 - a path of the protocol
        self.tell(Order(tuple(steps)))

    def _storages_told(self) -> None:
        for told in self._issuer.answers():
            if told.mounted is None:
                self.planner.listed(told.path, told.names)
            else:
                self.planner.described(told.root, told.mounted)

    def _tell_status(self, now: int) -> None:
        self._told_ns = now
        self._changed = False
        self._publish(self._status(ended=False))

    def _status(self, *, ended: bool) -> Status:
        return replace(self.planner.status(time.monotonic_ns(), ended=ended), cpu_ns=time.process_time_ns())

    def _publish(self, status: Status) -> None:
        line = encode(status)
        for connection in self._connections:
            if not connection.orders:
                connection.send(line)
        if self._status_file:
            whole = self._status_file.with_name(f"{self._status_file.name}.new")
            try:
                whole.write_bytes(line)
                whole.replace(self._status_file)
            except OSError as error:
                print(f"cannot write {self._status_file}: {error.strerror}; it is not kept any more", file=sys.stderr)
                self._status_file = None

    def _watch(self, descriptor: int, data: Any) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ, data)
