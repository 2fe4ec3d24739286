"""Decides what to read next: observations and answers go in, requests come out.

A state machine without input, output or clock: equal calls give equal requests.  `now_ns` is the caller's clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from stepwell.prefetch.board import Board
from stepwell.prefetch.budgets import DEFAULT, bucket, updated
from stepwell.prefetch.feedback import Feedback
from stepwell.prefetch.files import Files
from stepwell.prefetch.guides import Guides
from stepwell.prefetch.ledger import Ledger, Range
from stepwell.prefetch.mounted import Mounted
from stepwell.prefetch.protocol import (
    Budget,
    Close,
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
from stepwell.prefetch.sources import Piece, Source
from stepwell.prefetch.storage import Storage
from stepwell.prefetch.sums import Sums
from stepwell.prefetch.tracks import PAGE

CHORES_NS = 1_000_000_000
"""Once in so long is judged what paid, and looked whether what lies ready is still there."""

LOOKS = 8
"""Ranges looked at each time: the oldest ones, which are evicted first; more would cost more than they tell."""

LOOK_AGAIN_NS = 5 * CHORES_NS
"""A range is looked at again after this."""

STOPPED_NS = 10 * CHORES_NS
"""A reader that did not move for so long gives up its memory when another one needs it."""

MOST_TOLD = 64
"""Heads of a status: those that moved last; a line stays below 64 KiB."""

PARTS = 4
"""A request takes at most this part of the memory budget, so that one can be used while others are on their way."""

AT_ONCE = 2
"""Whole blocks ahead of a head at most, as a multiple of those that its client takes at once: as many may lie ready as
are on their way.  More in a burst would be dropped."""

WITHIN = frozenset({Policy.SEQUENTIAL, Policy.BACKWARD, Policy.STRIDED, Policy.RANDOM})
"""Policies that ask for parts of a file that its reader has open."""

ALONG = frozenset(Policy) - {Policy.NONE, Policy.STRIDED, Policy.RANDOM}
"""Policies that read all of what they come to, so that whole blocks are of use to them."""


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
        self.board = Board(self.ledger)
        self._files = Files()
        self._guides = Guides(self.board, self._files)
        self._readers = Readers(self.board, self._files, self._guides)
        self._feedback = Feedback()
        self._roots = Roots()
        self._bucket = bucket(0, now_ns)
        self._act = True
        self._number = 0
        self._flights: dict[int, Flight] = {}
        self._allowed: int | None = None
        self._pressure = ""
        self._chores_ns = self._processors_ns = now_ns
        self._memory_full = False
        self._blocked = ""
        self._left = ""
        """Why the latest reader that was left to its mount's client was."""
        self._sums = Sums()
        self._most_ahead = 0

    # ---- what is told ----

    def observe(self, message: Message, now_ns: int) -> None:
        """Take in one message; what concerns no root is ignored."""
        match message:
            case Root():
                self._roots.tell(message)
            case Budget():
                self.budget = updated(self.budget, message)
                self._bucket.set_rate(self.budget.bandwidth_bytes_s or 0, now_ns)
            case Mode():
                self._act = message.act
            case Run() if (dataset := self._roots.find(message.path)) and message.count > 0 and message.size > 0:
                self._readers.run(message, dataset, now_ns)
            case Open() if dataset := self._roots.find(message.path):
                self._readers.opened(message, dataset, now_ns)
            case Close() if self._roots.find(message.path):
                self._readers.closed(message)
            case Order():
                self._guides.order([replace(one, path=self.absolute(one.path)) for one in message.entries])
            case Position():
                self._guides.position(message.index)
            case _:
                pass

    def described(self, root: str, mounted: Mounted) -> None:
        """Take in what is mounted at a root."""
        self._roots.described(root, mounted)

    def listed(self, path: str, names: list[str]) -> None:
        """Take in the names of a directory that was asked for."""
        dataset = self._roots.find(path)
        if dataset:
            self._guides.listed(path, names, dataset)

    def pressure(self, room: int | None, why: str) -> None:
        """Take in how many bytes the machine has left for what is brought in beyond what is there; None: enough."""
        self._allowed = None if room is None else self.ledger.charge + room
        self._pressure = why

    def processors(self, idle: int, total: int, now_ns: int) -> None:
        """Take in how long the processors have idled up to now, of how long in all, in any unit."""
        moved = {
            id(found.storage)
            for one in self._along(now_ns - self._processors_ns, now_ns)
            if (found := self._roots.find(one.place))
        }
        for storage in self._roots.storages:
            storage.spare.see(now_ns, idle, total, moving=id(storage) in moved)
        self._processors_ns = now_ns

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
            elif flight.request.kind in BRINGING:
                self._sums.add(flight.request, done)
                self._bucket.take(done.brought - flight.request.size)
                one = self.ledger.come(done.number, done.brought, now_ns)
                if one and one.passed and not one.wanted:
                    self.board.abandoned.append(one)
                source = self.board.sources.get(one.owner) if one else None
                if source:
                    if done.brought or done.resident:
                        source.pace.found(resident=not done.brought)
                    self.board.active[source.name] = None

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
        self._guides.memory = self._memory()
        names = list(self.board.active)
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
        if self._blocked and self.board.active and not self._bucket.ready(now_ns):
            return self._bucket.due_ns(now_ns)
        return self._chores_ns + CHORES_NS if self.ledger.ready or self._flights else None

    def status(self, now_ns: int, *, ended: bool = False) -> Status:
        """Return what is done and why."""
        stops = self._feedback.stops(now_ns)
        sources = self.board.sources.values()
        latest = sorted(sources, key=lambda one: one.pace.moved_ns)[-MOST_TOLD:]
        state = "ended" if ended else "watching" if not self._act else "stopped" if stops else "acting"
        return Status(
            time_ns=now_ns,
            state=state,
            why=self._blocked or self._pressure or ("" if sources else self._left or "no reader follows a pattern"),
            in_flight=len(self._flights),
            in_flight_bytes=self.ledger.in_flight_bytes,
            most_ahead_bytes=self._most_ahead,
            budget=self.budget,
            totals=self._sums.totals(self.ledger, self._readers),
            heads=tuple(source.status() for source in latest),
            ended=self.board.tell_ended(),
            mounts=tuple(storage.status(now_ns) for storage in self._roots.storages),
            stops=stops,
            errors=self._sums.errors(),
            order_position=self._guides.known.sequence.position if self._guides.known else 0,
            order_length=len(self._guides.known.sequence.entries) if self._guides.known else 0,
        )

    def listings(self) -> list[tuple[str, str]]:
        """Return the directories, each with its root, whose names are wanted; each only once."""
        wanted, self._guides.listings = self._guides.listings, []
        return [(dataset.root.path, path) for path in wanted if (dataset := self._roots.find(path))]

    def order_is_asked(self) -> bool:
        """Whether all of the known order was asked for."""
        known = self._guides.known
        return known is None or (not known.begun and known.sequence.next_step() is None)

    # ---- parts ----

    def absolute(self, path: str) -> str:
        """Return the path of a step, which may be relative to the first root."""
        return path if path.startswith("/") else f"{self._roots.first.rstrip('/')}/{path}"

    def _memory(self) -> int:
        memory = self.budget.memory_bytes or 0
        return memory if self._allowed is None else min(memory, max(self._allowed, 0))

    def _block(self, dataset: Dataset) -> int:
        return max(min(dataset.block, self._memory() // PARTS // PAGE * PAGE), PAGE)

    def _full(self, now_ns: int) -> str:
        """Why nothing may be issued now; empty when something may."""
        if len(self._flights) >= (self.budget.in_flight or 1):
            return f"{len(self._flights)} requests are on their way, as many as are allowed"
        if not self._bucket.ready(now_ns):
            return "the bandwidth budget is used up for now"
        return ""

    def _next(self, name: str, now_ns: int) -> Piece | None:
        """The next piece of a source; one that has none leaves the turns until something moves it."""
        source = self.board.sources.get(name)
        # A step of an order may lie outside all roots: it has no size, and the next one follows.
        dataset = (self._roots.find(source.place) or self._roots.find(self._roots.first)) if source else None
        if source is None or dataset is None or not self._may(source, dataset, now_ns):
            self.board.active.pop(name, None)
            return None
        memory, block = self._memory(), self._block(dataset)
        whole = dataset.storage.mounted.client.block if source.policy in ALONG else 0
        whole = whole if whole <= memory // PARTS else 0
        pace = source.pace
        pace.left = self._left_to_client(dataset.storage, source.policy, now_ns)
        if pace.left:
            self._left = pace.left
            self.board.active.pop(name, None)
            return None
        blocked = dataset.storage.full(dataset.root, now_ns, whole=whole > 0)
        if self.ledger.charge + max(block, whole) > memory:
            blocked = f"{self.ledger.charge} bytes are ahead, of {memory} that may be"
            self._memory_full = True
        if blocked:
            self._blocked = self._blocked or blocked
            return None
        pace.block, pace.client_block, pace.request_ns = block, whole, dataset.storage.request_ns
        caps = (dataset.root.window_bytes, AT_ONCE * whole * dataset.storage.mounted.client.at_once)
        pace.cap_bytes = min((cap for cap in caps if cap), default=None)
        pace.streamed = dataset.storage.mounted.client.streams
        pace.in_flight = min(self.budget.in_flight or 1, dataset.root.in_flight or 256)
        piece = source.next_piece(self._size_of, self.ledger.owners.get(name, 0))
        if piece is None:
            self.board.active.pop(name, None)
        return piece

    def _left_to_client(self, storage: Storage, policy: Policy, now_ns: int) -> str:
        """Return why the mount's client is to read ahead by itself: it does as much as can be; empty when it is not."""
        client, heads = storage.mounted.client, 0
        if client.streams and policy in WITHIN:
            return f"{storage.name}'s client streams each open file, and begins anew where that is read elsewhere"
        if not client.block or policy is not Policy.SEQUENTIAL:
            return ""
        for one in self._along(CHORES_NS, now_ns):
            found = self._roots.find(one.place)
            heads += found is not None and found.storage is storage
            if heads * client.ahead >= client.at_once:
                return f"{storage.name}'s client reads {client.ahead} blocks ahead of each reader by itself"
        why = storage.spare.why_not() if client.ahead else ""
        return why and f"{storage.name}'s client {why}"

    def _along(self, within_ns: int, now_ns: int) -> Iterator[Source]:
        """Yield the heads along files that have moved within so long."""
        for one in self.board.sources.values():
            if one.policy is Policy.SEQUENTIAL and now_ns - one.pace.moved_ns < within_ns:
                yield one

    def _size_of(self, path: str) -> int | None:
        return self._files.size_of(path) if self._roots.find(path) else 0

    def _may(self, source: Source, dataset: Dataset, now_ns: int) -> bool:
        allowed = dataset.root.policies
        return (
            not source.why_not()
            and (allowed is None or source.policy in allowed)
            and not self._feedback.stopped(source.policy, now_ns)
        )

    def _ask(self, name: str, piece: Piece, now_ns: int) -> list[Request]:
        """The requests for those parts of a piece that are not in the ledger."""
        self.board.active[name] = self.board.active.pop(name, None)
        source, dataset = self.board.sources[name], self._roots.find(piece.path)
        size = self._files.size_of(piece.path)
        end = piece.end if size is None or size < 0 else min(piece.end, size)
        requests: list[Request] = []
        for start, stop in self.ledger.gaps(piece.path, piece.start, end):
            if dataset is None or self._full(now_ns):
                break
            kind = Kind.TOUCH if piece.whole else dataset.storage.kind()
            request = self._issue(dataset, piece.path, start, stop - start, kind, now_ns)
            self._bucket.take(stop - start)
            self.ledger.ask(
                Range(
                    piece.path, start, stop, source.policy, name, request.number,
                    charge=stop - start, asked_ns=now_ns, unseen=piece.whole,
                )
            )  # fmt: skip
            requests.append(request)
        self._most_ahead = max(self._most_ahead, self.ledger.charge)
        return requests

    def _issue(
        self, dataset: Dataset, path: str, offset: int, size: int, kind: Kind, now_ns: int, about: int = 0
    ) -> Request:
        self._number += 1
        request = Request(self._number, dataset.root.path, path, offset, size, kind)
        self._flights[request.number] = Flight(dataset.storage, request, about)
        dataset.storage.asked(request, now_ns)
        self._files.ask(path)
        return request

    def _sizes(self, now_ns: int) -> list[Request]:
        """Look at files whose size decides something."""
        wanted, self._readers.unsized = self._readers.unsized, []
        requests = []
        for path in wanted:
            if self._files.size_of(path) is None:
                requests += self._aside(path, 0, PAGE, Kind.LOOK, now_ns)
        return requests

    def _chores(self, now_ns: int) -> list[Request]:
        """What is done once a second: judge, give up what stands still, look whether what is ready is still there."""
        self._feedback.judge(self.ledger.accounts, now_ns)
        if self._memory_full:
            self.board.give_up(now_ns, STOPPED_NS)
            self._memory_full = False
        requests = []
        if self._pressure:
            for one in self.board.abandoned:
                if not one.unseen:
                    requests += self._aside(one.path, one.start, one.end, Kind.DROP, now_ns)
        self.board.abandoned.clear()
        old = (
            one
            for one in self.ledger.ready.values()
            if not one.unseen and now_ns - max(one.ready_ns, one.looked_ns) > LOOK_AGAIN_NS
        )
        for one in list(islice(old, LOOKS)):
            one.looked_ns = now_ns
            requests += self._aside(one.path, one.start, one.end, Kind.LOOK, now_ns, one.number)
        return requests

    def _aside(self, path: str, start: int, end: int, kind: Kind, now_ns: int, about: int = 0) -> list[Request]:
        """A request that brings in nothing, if there is room for it."""
        dataset = self._roots.find(path)
        if dataset is None or self._full(now_ns) or dataset.storage.full(dataset.root, now_ns):
            return []
        return [self._issue(dataset, path, start, end - start, kind, now_ns, about)]
