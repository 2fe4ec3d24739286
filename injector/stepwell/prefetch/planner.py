"""Decides what to read next: observations and answers go in, requests come out.

A state machine without input, output or clock: equal calls give equal requests.  `now_ns` is the caller's clock.

What is told moves sources (`readers`, `guides`); `plan` gives them turns (`scheduler`) as long as the budgets let
requests go (`flights`); answers go to what is known of storages, files and bytes ahead (`storage`, `files`, `ledger`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from stepwell.prefetch.board import Board
from stepwell.prefetch.chores import Chores
from stepwell.prefetch.directory import Names
from stepwell.prefetch.feedback import Feedback
from stepwell.prefetch.files import Files
from stepwell.prefetch.flights import Flight, Flights
from stepwell.prefetch.guides import Guides
from stepwell.prefetch.ledger import Ledger
from stepwell.prefetch.mounted import Mounted
from stepwell.prefetch.protocol import (
    Asked,
    Budget,
    Close,
    Gap,
    Message,
    Mode,
    Open,
    Order,
    Policy,
    Position,
    Root,
    Run,
    Status,
)  # fmt: skip
from stepwell.prefetch.readers import Readers
from stepwell.prefetch.requests import BRINGING, Done, Kind, Request
from stepwell.prefetch.roots import Dataset, Roots
from stepwell.prefetch.scheduler import Scheduler
from stepwell.prefetch.storage import Storage
from stepwell.prefetch.sums import Sums

MOST_TOLD = 64
"""Heads of a status: those that moved last; a line stays below 64 KiB."""


MOVING_NS = 250_000_000
"""A reader that was told of within so long goes on: it is looked at ten times a second, and later on a busy machine."""


class Planner:
    """What to read next, inside all budgets."""

    def __init__(self, now_ns: int) -> None:
        self.ledger = Ledger()
        self.board = Board(self.ledger)
        self._files = Files()
        self._roots = Roots()
        self._guides = Guides(self.board, self._files)
        self._readers = Readers(self.board, self._files, self._guides)
        self._feedback = Feedback()
        self._flights = Flights(self._roots, self._files, self.ledger, now_ns)
        self._scheduler = Scheduler(self.board, self._files, self._roots, self._flights, self._feedback)
        self._chores = Chores(self.board, self._files, self._flights, self._feedback, now_ns)
        self._sums = Sums()
        self._act = True
        self._blocked = ""

    @property
    def budget(self) -> Budget:
        """The limits that hold now."""
        return self._flights.budget

    # ---- what is told ----

    def observe(self, message: Message, now_ns: int) -> None:
        """Take in one message; what concerns no root is ignored."""
        match message:
            case Root():
                self._roots.tell(message)
                self._wake_all()
                if message.remounted:
                    self._start_anew(message.path)
            case Budget():
                self._flights.limit(message, now_ns)
            case Mode() | Gap():
                self._steer(message)
            case Run() | Asked() | Open() | Close() if dataset := self._roots.find(message.path):
                self._follow(message, dataset, now_ns)
            case Order():
                self._guides.order([replace(one, path=self.absolute(one.path)) for one in message.entries])
            case Position():
                self._guides.position(message.index)
            case _:
                pass

    def _follow(self, message: Run | Asked | Open | Close, dataset: Dataset, now_ns: int) -> None:
        """A reader did something in a dataset."""
        match message:
            case Run() if message.count > 0 and message.size > 0:
                self._readers.run(message, dataset, now_ns)
            case Asked() if message.size > 0:
                self._readers.asked(message, now_ns)
            case Open():
                self._readers.opened(message, dataset, now_ns)
            case Close():
                self._readers.closed(message, now_ns)
            case _:
                pass

    def _steer(self, message: Mode | Gap) -> None:
        """Act, do not act, or leave some steps out."""
        if isinstance(message, Gap):
            self._guides.gap(message.steps)
            return
        self._act, self._scheduler.pays = message.act, message.pays
        if message.act:
            self._guides.close_gap()

    def described(self, root: str, mounted: Mounted) -> None:
        """Take in what is mounted at a root."""
        self._roots.described(root, mounted)

    def listed(self, path: str, names: Names) -> None:
        """Take in what is in a directory that was asked for."""
        dataset = self._roots.find(path)
        if dataset:
            self._guides.listed(path, names, dataset)

    def pressure(self, room: int | None, why: str) -> None:
        """Take in how many bytes the machine has for what is brought in, what there is of it included; None: enough."""
        self._flights.press(room, why)

    def processors(self, idle: int, total: int, now_ns: int) -> None:
        """Take in how long the processors have idled up to now, of how long in all, in any unit."""
        moved = {
            id(found.storage)
            for one in self._scheduler.along(MOVING_NS, now_ns)
            if (found := self._roots.find(one.place))
        }
        for storage in self._roots.storages:
            storage.spare.see(now_ns, idle, total, moving=id(storage) in moved)

    def complete(self, answers: Iterable[Done], now_ns: int) -> None:
        """Take in what became of requests."""
        for done in answers:
            flight = self._flights.land(done)
            path = flight.request.path
            if self._files.answer(path, done):
                self.ledger.abandon([one for one in self.ledger.of_file(path) if one.ready_ns])
            if flight.request.kind is Kind.LOOK and not done.error:
                self.ledger.evicted(flight.about, done.resident)
            elif flight.request.kind in BRINGING:
                self._came(flight, done, now_ns)

    def _came(self, flight: Flight, done: Done, now_ns: int) -> None:
        """What was to be brought in is here, or failed."""
        one = self.ledger.come(done.number, done.brought, now_ns)
        self._sums.add(flight.request, done, one.policy if one else Policy.NONE, flight.storage.mounted.client.ahead)
        self._flights.settle(flight, done, now_ns)
        if one and one.passed and not one.wanted:
            self.board.abandoned.append(one)
        source = self.board.sources.get(one.owner) if one else None
        if source:
            if done.brought or done.resident:
                source.pace.found(resident=not done.brought)
            self.board.wake(source.name)

    def _start_anew(self, root: str) -> None:
        """A mount was set otherwise.

        Its client may know no file any more, and have the kernel forget what is in memory of one when it is opened, as
        for the next request (fs/fuse/file.c, fuse_finish_open: without FOPEN_KEEP_CACHE).
        """
        dataset = self._roots.find(root)
        assert dataset
        for one in list(self.ledger.ready.values()):
            if not one.unseen and self._is_on(dataset.storage, one.path):
                self.ledger.evicted(one.number, 0)
        self._feedback.pardon(self.ledger.accounts)
        for source in self.board.sources.values():
            # An order that was asked for as a whole has no next file.
            if not source.place or self._is_on(dataset.storage, source.place):
                source.restart()
                self.board.wake(source.name)

    def _is_on(self, storage: Storage, path: str) -> bool:
        found = self._roots.find(path)
        return found is not None and found.storage is storage

    # ---- what follows ----

    def plan(self, now_ns: int) -> list[Request]:
        """Return what to issue now, inside all budgets."""
        requests = self._chores.run(now_ns)
        unsized, self._readers.unsized = self._readers.unsized, {}
        if not self._act:
            self._blocked = "told not to act"
            return requests
        if self._feedback.resumes(now_ns):
            self._wake_all()
        requests += self._chores.sizes(unsized, now_ns)
        self._guides.memory = self._flights.memory()
        requests += self._scheduler.take(now_ns)
        self._blocked = self._scheduler.blocked
        self._chores.memory_full |= self._scheduler.memory_full
        return requests

    def due_ns(self, now_ns: int) -> int | None:
        """Return when to plan again if nothing happens; None when only a message or an answer changes anything."""
        bandwidth_ns = self._flights.due_ns(now_ns)
        if self._blocked and self.board.active and bandwidth_ns is not None:
            return bandwidth_ns
        waits = bool(self._flights.pressure) and self._act and bool(self.board.active)
        due = [self._chores.due_ns] if self.ledger.ready or self._flights or waits else []
        resumed_ns = self._feedback.due_ns() if self.board.sources and self._act else None
        return min([*due, *([] if resumed_ns is None else [resumed_ns])], default=None)

    def _wake_all(self) -> None:
        for name in self.board.sources:
            self.board.wake(name)

    def status(self, now_ns: int, *, ended: bool = False) -> Status:
        """Return what is done and why."""
        stops = self._feedback.stops(now_ns)
        sources = self.board.sources.values()
        latest = sorted(sources, key=lambda one: one.pace.moved_ns)[-MOST_TOLD:]
        state = "ended" if ended else "watching" if not self._act else "stopped" if stops else "acting"
        idle = "" if sources else self._scheduler.left or "no reader follows a pattern"
        position, length = self._guides.progress()
        known = self._guides.known
        return Status(
            time_ns=now_ns,
            state=state,
            why=self._blocked or self._flights.pressure or idle,
            in_flight=len(self._flights),
            in_flight_bytes=self.ledger.in_flight_bytes,
            most_ahead_bytes=self._flights.most_ahead,
            budget=self.budget,
            totals=self._sums.totals(self.ledger, self._readers),
            heads=tuple(source.status() for source in latest),
            ended=self.board.tell_ended(),
            mounts=tuple(storage.status(now_ns) for storage in self._roots.storages),
            stops=stops,
            errors=self._sums.errors(),
            order_position=position,
            order_length=length,
            gap=known.left() if known else 0,
            alone=known is not None and known.alone,
        )

    def listings(self) -> list[tuple[str, str]]:
        """Return the directories, each with its root, whose names are wanted; each only once."""
        wanted, self._guides.listings = self._guides.listings, []
        return [(dataset.root.path, path) for path in wanted if (dataset := self._roots.find(path))]

    def order_is_asked(self) -> bool:
        """Whether all of the known order was asked for."""
        known = self._guides.known
        return known is None or (not known.begun and known.sequence.next_step() is None)

    def is_within(self, path: str) -> bool:
        """Return whether a path lies in a root."""
        return self._roots.find(path) is not None

    def absolute(self, path: str) -> str:
        """Return the path of a step, which may be relative to the first root."""
        return path if path.startswith("/") else f"{self._roots.first.rstrip('/')}/{path}"
