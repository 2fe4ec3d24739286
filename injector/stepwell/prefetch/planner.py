"""Decides what to read next: observations and answers go in, requests come out.

A state machine without input, output or clock: equal calls give equal requests.  `now_ns` is the caller's clock.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice

from stepwell.prefetch.budgets import DEFAULT, bucket, updated
from stepwell.prefetch.feedback import Feedback
from stepwell.prefetch.files import Files
from stepwell.prefetch.ledger import Ledger, Range
from stepwell.prefetch.mounts import Storage
from stepwell.prefetch.protocol import (
    Budget,
    Close,
    Message,
    Mode,
    Open,
    Order,
    Position,
    Root,
    Run,
    Status,
    Totals,
)  # fmt: skip
from stepwell.prefetch.readers import Readers
from stepwell.prefetch.requests import Done, Kind, Request
from stepwell.prefetch.sources import Piece, Source
from stepwell.prefetch.streams import PAGE

CHORES_NS = 1_000_000_000
"""Once in so long is judged what paid, and looked whether what lies ready is still there."""

LOOKS = 8
"""Ranges looked at each time: the oldest ones, which are evicted first; more would cost more than they tell."""

LOOK_AGAIN_NS = 5 * CHORES_NS
"""A range is looked at again after this."""

STOPPED_NS = 10 * CHORES_NS
"""A reader that did not move for so long gives up its memory when another one needs it."""

PARTS = 4
"""A request takes at most this part of the memory budget, so that one can be used while others are on their way."""


@dataclass(frozen=True)
class Flight:
    """A request on its way."""

    storage: Storage
    request: Request
    about: int
    """Number of the range in the ledger."""


class Planner:
    """What to read next, inside all budgets."""

    def __init__(self, now_ns: int) -> None:
        self.budget = DEFAULT
        self.ledger = Ledger()
        self._files = Files()
        self.readers = Readers(self.ledger, self._files)
        self._feedback = Feedback()
        self._storages: dict[str, Storage] = {}
        self._first_root = ""
        self._bucket = bucket(0, now_ns)
        self._act = True
        self._number = 0
        self._flights: dict[int, Flight] = {}
        self._allowed: int | None = None
        self._pressure = ""
        self._chores_ns = now_ns
        self._memory_full = False
        self._blocked = ""
        self._totals = Totals()
        self._touched: set[str] = set()
        self._errors: dict[int, int] = {}
        self._most_ahead = 0

    # ---- what is told ----

    def observe(self, message: Message, now_ns: int) -> None:
        """Take in one message; what concerns no root is ignored."""
        match message:
            case Root():
                known = self._storages.get(message.path)
                self._first_root = self._first_root or message.path
                if known:
                    known.root = message
                else:
                    self._storages[message.path] = Storage(message)
            case Budget():
                self.budget = updated(self.budget, message)
                self._bucket.set_rate(self.budget.bandwidth_bytes_s or 0, now_ns)
            case Mode():
                self._act = message.act
            case Run() if (storage := self._storage(message.path)) and message.count > 0 and message.size > 0:
                self.readers.run(message, storage, now_ns)
            case Open() if storage := self._storage(message.path):
                self.readers.opened(message, storage, now_ns)
            case Close() if self._storage(message.path):
                self.readers.closed(message)
            case Order():
                self.readers.order([replace(one, path=self.absolute(one.path)) for one in message.entries])
            case Position():
                self.readers.position(message.index)
            case _:
                pass

    def described(self, root: str, read_ahead: int) -> None:
        """Take in how much a root's kernel reads ahead at most, in bytes."""
        self._storages[root].read_ahead = read_ahead

    def listed(self, path: str, names: list[str]) -> None:
        """Take in the names of a directory that was asked for."""
        storage = self._storage(path)
        if storage:
            self.readers.listed(path, names, storage.root.path)

    def pressure(self, room: int | None, why: str) -> None:
        """Take in how many bytes the machine has left for what is brought in beyond what is there; None: enough."""
        self._allowed = None if room is None else self.ledger.charge + room
        self._pressure = why

    def complete(self, answers: Iterable[Done], now_ns: int) -> None:
        """Take in what became of requests."""
        for done in answers:
            flight = self._flights.pop(done.number)
            path = flight.request.path
            flight.storage.answered(done)
            if self._files.answer(path, done):
                self.ledger.abandon([one for one in self.ledger.of_file(path) if one.ready_ns])
            if flight.request.kind is Kind.LOOK and not done.error:
                self.ledger.evicted(flight.about, done.resident)
            elif flight.request.kind in (Kind.READ, Kind.WILLNEED):
                self._account(flight.request, done)
                self._bucket.take(done.brought - flight.request.size)
                one = self.ledger.come(done.number, done.brought, now_ns)
                source = self.readers.sources.get(one.owner) if one else None
                if source:
                    if done.brought or done.resident:
                        source.pace.found(resident=not done.brought)
                    self.readers.active[source.name] = None

    # ---- what follows ----

    def plan(self, now_ns: int) -> list[Request]:
        """Return what to issue now, inside all budgets."""
        self._blocked = ""
        requests: list[Request] = []
        if now_ns - self._chores_ns >= CHORES_NS:
            self._chores_ns = now_ns
            requests += self._chores(now_ns)
        if not self._act:
            self._blocked = "told not to act"
            return requests
        requests += self._sizes(now_ns)
        self.readers.memory = self._memory()
        names = list(self.readers.active)
        while names:
            for name in list(names):
                full = self._full(now_ns)
                if full:
                    self._blocked = full
                    return requests
                piece = self._next(name, now_ns)
                if piece is None:
                    names.remove(name)
                else:
                    requests += self._ask(name, piece, now_ns)
        return requests

    def due_ns(self, now_ns: int) -> int | None:
        """Return when to plan again if nothing happens; None when only a message or an answer changes anything."""
        if self._blocked and self.readers.active and not self._bucket.ready(now_ns):
            return self._bucket.due_ns(now_ns)
        return self._chores_ns + CHORES_NS if self.ledger.ready or self._flights else None

    def status(self, now_ns: int, *, ended: bool = False) -> Status:
        """Return what is done and why."""
        accounts = self.ledger.accounts.values()
        stops = self._feedback.stops(now_ns)
        sources = self.readers.sources.values()
        state = "ended" if ended else "watching" if not self._act else "stopped" if stops else "acting"
        return Status(
            time_ns=now_ns,
            state=state,
            why=self._blocked or self._pressure or ("" if sources else "no reader follows a pattern"),
            in_flight=len(self._flights),
            in_flight_bytes=self.ledger.in_flight_bytes,
            most_ahead_bytes=self._most_ahead,
            budget=self.budget,
            totals=replace(
                self._totals,
                used_bytes=sum(one.used for one in accounts),
                late_bytes=sum(one.late for one in accounts),
                early_bytes=sum(one.early for one in accounts),
                wasted_bytes=sum(one.wasted for one in accounts),
                ahead_bytes=self.ledger.charge - self.ledger.in_flight_bytes,
                opened_files=len(self._touched),
                seen_accesses=self.readers.seen_accesses,
                seen_bytes=self.readers.seen_bytes,
            ),
            heads=tuple(source.status() for source in sources),
            mounts=tuple(storage.status(now_ns) for storage in self._storages.values()),
            stops=stops,
            errors={errno.errorcode.get(code, str(code)): count for code, count in self._errors.items()},
            order_position=self.readers.known.sequence.position if self.readers.known else 0,
            order_length=len(self.readers.known.sequence.entries) if self.readers.known else 0,
        )

    def listings(self) -> list[tuple[str, str]]:
        """Return the directories, each with its root, whose names are wanted; each only once."""
        wanted, self.readers.listings = self.readers.listings, []
        return [(storage.root.path, path) for path in wanted if (storage := self._storage(path))]

    def order_is_asked(self) -> bool:
        """Whether all of the known order was asked for."""
        known = self.readers.known
        return known is None or (not known.begun and known.sequence.next_step() is None)

    # ---- parts ----

    def _storage(self, path: str) -> Storage | None:
        """The innermost root that a path lies below, or is."""
        roots = [root for root in self._storages if f"{path}/".startswith(f"{root.rstrip('/')}/")]
        return self._storages[max(roots, key=len)] if roots else None

    def absolute(self, path: str) -> str:
        """Return the path of a step, which may be relative to the first root."""
        return path if path.startswith("/") else f"{self._first_root.rstrip('/')}/{path}"

    def _memory(self) -> int:
        memory = self.budget.memory_bytes or 0
        return memory if self._allowed is None else min(memory, max(self._allowed, 0))

    def _block(self, storage: Storage) -> int:
        return max(min(storage.block, self._memory() // PARTS // PAGE * PAGE), PAGE)

    def _full(self, now_ns: int) -> str:
        """Why nothing may be issued now; empty when something may."""
        if len(self._flights) >= (self.budget.in_flight or 1):
            return f"{len(self._flights)} requests are on their way, as many as are allowed"
        if not self._bucket.ready(now_ns):
            return "the bandwidth budget is used up for now"
        return ""

    def _next(self, name: str, now_ns: int) -> Piece | None:
        """The next piece of a source; one that has none leaves the turns until something moves it."""
        source = self.readers.sources.get(name)
        # A step of an order may lie outside all roots: it has no size, and the next one follows.
        storage = (self._storage(source.place) or self._storages.get(self._first_root)) if source else None
        if source is None or storage is None or not self._may(source, storage, now_ns):
            self.readers.active.pop(name, None)
            return None
        memory, block = self._memory(), self._block(storage)
        blocked = storage.full(now_ns)
        if self.ledger.charge + block > memory:
            blocked = f"{self.ledger.charge} bytes are ahead, of {memory} that may be"
            self._memory_full = True
        if blocked:
            self._blocked = self._blocked or blocked
            return None
        pace = source.pace
        pace.block, pace.request_ns, pace.cap_bytes = block, storage.request_ns, storage.root.window_bytes
        pace.in_flight = min(self.budget.in_flight or 1, storage.root.in_flight or 256)
        piece = source.next_piece(self._size_of, self.ledger.owners.get(name, 0))
        if piece is None:
            self.readers.active.pop(name, None)
        return piece

    def _size_of(self, path: str) -> int | None:
        return self._files.size_of(path) if self._storage(path) else 0

    def _may(self, source: Source, storage: Storage, now_ns: int) -> bool:
        allowed = storage.root.policies
        return (
            not source.why_not()
            and (allowed is None or source.policy in allowed)
            and not self._feedback.stopped(source.policy, now_ns)
        )

    def _ask(self, name: str, piece: Piece, now_ns: int) -> list[Request]:
        """The requests for those parts of a piece that are not in the ledger."""
        self.readers.active[name] = self.readers.active.pop(name, None)
        source, storage = self.readers.sources[name], self._storage(piece.path)
        size = self._files.size_of(piece.path)
        end = piece.end if size is None or size < 0 else min(piece.end, size)
        requests: list[Request] = []
        for start, stop in self.ledger.gaps(piece.path, piece.start, end):
            if storage is None or self._full(now_ns):
                break
            request = self._issue(storage, piece.path, start, stop - start, storage.kind(), now_ns)
            self._bucket.take(stop - start)
            self.ledger.ask(
                Range(
                    piece.path, start, stop, source.policy, name, request.number, charge=stop - start, asked_ns=now_ns
                )
            )
            requests.append(request)
        self._most_ahead = max(self._most_ahead, self.ledger.charge)
        return requests

    def _issue(
        self, storage: Storage, path: str, offset: int, size: int, kind: Kind, now_ns: int, about: int = 0
    ) -> Request:
        self._number += 1
        request = Request(self._number, storage.root.path, path, offset, size, kind)
        self._flights[request.number] = Flight(storage, request, about)
        storage.asked(request, now_ns)
        self._files.ask(path)
        return request

    def _sizes(self, now_ns: int) -> list[Request]:
        """Look at files whose size decides something."""
        wanted, self.readers.unsized = self.readers.unsized, []
        requests = []
        for path in wanted:
            storage = self._storage(path)
            if storage and self._files.size_of(path) is None and not self._full(now_ns) and not storage.full(now_ns):
                requests.append(self._issue(storage, path, 0, PAGE, Kind.LOOK, now_ns))
        return requests

    def _chores(self, now_ns: int) -> list[Request]:
        """What is done once a second: judge, give up what stands still, look whether what is ready is still there."""
        self._feedback.judge(self.ledger.accounts, now_ns)
        if self._memory_full:
            self.readers.give_up(now_ns, STOPPED_NS)
            self._memory_full = False
        requests = []
        if self._pressure:
            for one in self.readers.abandoned:
                requests += self._aside(one, Kind.DROP, now_ns)
        self.readers.abandoned.clear()
        old = (one for one in self.ledger.ready.values() if now_ns - max(one.ready_ns, one.looked_ns) > LOOK_AGAIN_NS)
        for one in list(islice(old, LOOKS)):
            one.looked_ns = now_ns
            requests += self._aside(one, Kind.LOOK, now_ns)
        return requests

    def _aside(self, one: Range, kind: Kind, now_ns: int) -> list[Request]:
        storage = self._storage(one.path)
        if storage is None or self._full(now_ns) or storage.full(now_ns):
            return []
        return [self._issue(storage, one.path, one.start, one.end - one.start, kind, now_ns, one.number)]

    def _account(self, request: Request, done: Done) -> None:
        totals = self._totals
        self._totals = replace(
            totals,
            requests=totals.requests + 1,
            failed_requests=totals.failed_requests + bool(done.error),
            requested_bytes=totals.requested_bytes + request.size,
            brought_bytes=totals.brought_bytes + done.brought,
            resident_bytes=totals.resident_bytes + done.resident,
        )
        if done.error:
            self._errors[done.error] = self._errors.get(done.error, 0) + 1
        if done.brought:
            self._touched.add(request.path)
