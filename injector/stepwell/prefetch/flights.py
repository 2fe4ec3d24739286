"""Requests on their way, and the budgets that let no more of them go: memory, bandwidth, how many at once."""

from __future__ import annotations

from dataclasses import dataclass

from stepwell.prefetch.budgets import DEFAULT, bucket, updated
from stepwell.prefetch.files import Files
from stepwell.prefetch.ledger import Ledger, Range
from stepwell.prefetch.protocol import Budget
from stepwell.prefetch.requests import Done, Kind, Request
from stepwell.prefetch.roots import Dataset, Roots
from stepwell.prefetch.sources import Piece, Source
from stepwell.prefetch.storage import Storage


@dataclass(frozen=True)
class Flight:
    """A request on its way."""

    storage: Storage
    request: Request
    about: int
    """Number of the range in the ledger."""
    taken: int = 0
    """Bytes that were taken from the bandwidth for it."""


class Flights:
    """Makes requests as long as all budgets allow, and knows them until they are answered."""

    def __init__(self, roots: Roots, files: Files, ledger: Ledger, now_ns: int) -> None:
        self.budget = DEFAULT
        self.most_ahead = 0
        """Highest so far of the bytes ahead."""
        self.pressure = ""
        """Why the machine has no memory left; empty when it has."""
        self._roots = roots
        self._files = files
        self._ledger = ledger
        self._bucket = bucket(0, now_ns)
        self._number = 0
        self._flights: dict[int, Flight] = {}
        self._allowed: int | None = None

    def __len__(self) -> int:
        return len(self._flights)

    # ---- the budgets ----

    def limit(self, change: Budget, now_ns: int) -> None:
        """Take in other limits; they hold from now on."""
        self.budget = updated(self.budget, change)
        self._bucket.set_rate(self.budget.bandwidth_bytes_s or 0, now_ns)

    def press(self, room: int | None, why: str) -> None:
        """Take in how many bytes the machine has for what is brought in, what there is of it included; None: enough."""
        self._allowed = room
        self.pressure = why

    def memory(self) -> int:
        """Return how many bytes may be ahead, those that are included."""
        memory = self.budget.memory_bytes or 0
        return memory if self._allowed is None else min(memory, self._allowed)

    def full(self, now_ns: int) -> str:
        """Return why nothing may be issued now; empty when something may."""
        if len(self._flights) >= (self.budget.in_flight or 1):
            return f"{len(self._flights)} requests are on their way, as many as are allowed"
        if not self._bucket.ready(now_ns):
            return "the bandwidth budget is used up for now"
        return ""

    def due_ns(self, now_ns: int) -> int | None:
        """Return when the bandwidth lets something go again; None: it does not hold anything up."""
        return None if self._bucket.ready(now_ns) else self._bucket.due_ns(now_ns)

    # ---- requests ----

    def bring(self, piece: Piece, source: Source, now_ns: int) -> list[Request]:
        """Return the requests for those parts of a piece that are neither on their way nor ready."""
        dataset, size = self._roots.find(piece.path), self._files.size_of(piece.path)
        end = piece.end if size is None or size < 0 else min(piece.end, size)
        requests: list[Request] = []
        for start, stop in self._ledger.gaps(piece.path, piece.start, end):
            if dataset is None or self.full(now_ns):
                break
            kind = Kind.TOUCH if piece.whole else dataset.storage.kind(max(size or 0, stop))
            taken = min(stop - start, dataset.storage.whole_file) if size is None and not start else stop - start
            request = self._issue(dataset, piece.path, start, stop - start, kind, now_ns, taken=taken)
            self._bucket.take(taken)
            self._ledger.ask(
                Range(
                    piece.path, start, stop, source.policy, source.name, request.number,
                    charge=stop - start, asked_ns=now_ns, unseen=piece.whole,
                )
            )  # fmt: skip
            requests.append(request)
        self.most_ahead = max(self.most_ahead, self._ledger.charge)
        return requests

    def aside(self, path: str, start: int, end: int, kind: Kind, now_ns: int, about: int = 0) -> list[Request]:
        """Return a request that brings in nothing, if there is room for it."""
        dataset = self._roots.find(path)
        if dataset is None or self.full(now_ns) or dataset.storage.full(dataset.root, now_ns):
            return []
        return [self._issue(dataset, path, start, end - start, kind, now_ns, about)]

    def land(self, done: Done) -> Flight:
        """Take in an answer; return what it answers."""
        flight = self._flights.pop(done.number)
        flight.storage.answered(done)
        return flight

    def settle(self, flight: Flight, done: Done, now_ns: int) -> None:
        """Give back the bandwidth that a request did not need, or take what it needed beyond that."""
        self._bucket.give_back(flight.taken - done.brought, now_ns)

    def _issue(
        self,
        dataset: Dataset,
        path: str,
        offset: int,
        size: int,
        kind: Kind,
        now_ns: int,
        about: int = 0,
        taken: int = 0,
    ) -> Request:
        self._number += 1
        request = Request(self._number, dataset.root.path, path, offset, size, kind)
        self._flights[request.number] = Flight(dataset.storage, request, about, taken)
        dataset.storage.asked(request, now_ns)
        self._files.ask(path)
        return request
