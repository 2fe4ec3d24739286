"""Whose turn it is, round-robin: each source tells its next piece, as long as its storage and the budgets take more."""

from __future__ import annotations

from collections.abc import Iterator

from stepwell.prefetch.board import Board
from stepwell.prefetch.chores import CHORES_NS
from stepwell.prefetch.feedback import Feedback
from stepwell.prefetch.files import Files
from stepwell.prefetch.flights import Flights
from stepwell.prefetch.protocol import Policy
from stepwell.prefetch.requests import Request
from stepwell.prefetch.roots import Dataset, Roots
from stepwell.prefetch.sources import Piece, Source
from stepwell.prefetch.storage import Storage
from stepwell.prefetch.tracks import PAGE

PARTS = 4
"""A request takes at most this part of the memory budget, so that one can be used while others are on their way."""

AT_ONCE = 2
"""Whole blocks ahead of a head at most, as a multiple of those that its client takes at once: as many may lie ready as
are on their way.  More in a burst would be dropped."""

WITHIN = frozenset({Policy.SEQUENTIAL, Policy.BACKWARD, Policy.STRIDED, Policy.RANDOM})
"""Policies that ask for parts of a file that its reader has open."""

ALONG = frozenset(Policy) - {Policy.NONE, Policy.STRIDED, Policy.RANDOM}
"""Policies that read all of what they come to, so that whole blocks are of use to them."""


class Scheduler:
    """One round after the other over the sources that may have a next piece."""

    def __init__(self, board: Board, files: Files, roots: Roots, flights: Flights, feedback: Feedback) -> None:
        self.blocked = ""
        """Why the last rounds ended before all sources had what they wanted."""
        self.left = ""
        """Why the latest reader that was left to its mount's client was."""
        self.memory_full = False
        """A source found no memory in the last rounds."""
        self.pays = False
        """Reading ahead was measured to pay."""
        self._board = board
        self._files = files
        self._roots = roots
        self._flights = flights
        self._feedback = feedback

    def take(self, now_ns: int) -> list[Request]:
        """Return what to issue: rounds are made until no source wants more, or nothing more may be issued."""
        self.blocked, self.memory_full = "", False
        requests: list[Request] = []
        names = list(self._board.active)
        while names:
            for name in list(names):
                full = self._flights.full(now_ns)
                if full:
                    self.blocked = full
                    return requests
                piece = self._next(name, now_ns)
                if piece is None:
                    names.remove(name)
                else:
                    # To the end of the row.
                    self._board.active[name] = self._board.active.pop(name, None)
                    requests += self._flights.bring(piece, self._board.sources[name], now_ns)
        return requests

    def _next(self, name: str, now_ns: int) -> Piece | None:
        """The next piece of a source; one that has none leaves the turns until something moves it."""
        source = self._board.sources.get(name)
        # A step of an order may lie outside all roots: it has no size, and the next one follows.
        dataset = (self._roots.find(source.place) or self._roots.find(self._roots.first)) if source else None
        if source is None or dataset is None or not self._may(source, dataset, now_ns):
            self._board.active.pop(name, None)
            return None
        memory = self._flights.memory()
        block = max(min(dataset.block, memory // PARTS // PAGE * PAGE), PAGE)
        whole = dataset.storage.mounted.client.block if source.policy in ALONG else 0
        whole = whole if whole <= memory // PARTS else 0
        source.pace.left = self._left_to_client(dataset.storage, source.policy, now_ns)
        if source.pace.left:
            self.left = source.pace.left
            self._board.active.pop(name, None)
            return None
        ahead = self._board.ledger.charge
        blocked = dataset.storage.full(dataset.root, now_ns, whole=whole > 0)
        if ahead + max(block, whole) > memory:
            blocked = f"{ahead} bytes are ahead, of {memory} that may be"
            self.memory_full = True
        if blocked:
            self.blocked = self.blocked or blocked
            return None
        self._pace(source, dataset, block, whole)
        piece = source.next_piece(self._size_of, self._board.ledger.owners.get(name, 0))
        if piece is None:
            self._board.active.pop(name, None)
        return piece

    def _pace(self, source: Source, dataset: Dataset, block: int, whole: int) -> None:
        """Tell a source what its storage and the budgets are like now."""
        pace, client = source.pace, dataset.storage.mounted.client
        pace.block, pace.client_block, pace.request_ns = block, whole, dataset.storage.request_ns
        caps = (dataset.root.window_bytes, AT_ONCE * whole * client.at_once)
        pace.cap_bytes = min((cap for cap in caps if cap), default=None)
        pace.streamed = client.streams
        pace.in_flight = min(self._flights.budget.in_flight or 1, dataset.root.in_flight or 256)

    def _may(self, source: Source, dataset: Dataset, now_ns: int) -> bool:
        allowed = dataset.root.policies
        return (
            not source.why_not()
            and (allowed is None or source.policy in allowed)
            and not self._feedback.stopped(source.policy, now_ns)
        )

    def _left_to_client(self, storage: Storage, policy: Policy, now_ns: int) -> str:
        """Return why the mount's client is to read ahead by itself: it does as much as can be; empty when it is not."""
        client, heads = storage.mounted.client, 0
        if client.streams and policy in WITHIN:
            return f"{storage.name}'s client streams each open file, and begins anew where that is read elsewhere"
        if not client.block or policy is not Policy.SEQUENTIAL:
            return ""
        for one in self.along(CHORES_NS, now_ns):
            found = self._roots.find(one.place)
            heads += found is not None and found.storage is storage
            if heads * client.ahead >= client.at_once:
                return f"{storage.name}'s client reads {client.ahead} blocks ahead of each reader by itself"
        why = storage.spare.why_not() if client.ahead and not self.pays else ""
        return why and f"{storage.name}'s client {why}"

    def along(self, within_ns: int, now_ns: int) -> Iterator[Source]:
        """Yield the heads along files that have moved within so long."""
        for one in self._board.sources.values():
            if one.policy is Policy.SEQUENTIAL and now_ns - one.pace.moved_ns < within_ns:
                yield one

    def _size_of(self, path: str) -> int | None:
        return self._files.size_of(path) if self._roots.find(path) else 0
