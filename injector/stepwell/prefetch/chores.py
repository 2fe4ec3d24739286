"""Beside reading ahead: sizes are asked for; once a second is judged, and looked after what is ready."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from stepwell.prefetch.board import Board
from stepwell.prefetch.feedback import Feedback
from stepwell.prefetch.files import Files
from stepwell.prefetch.flights import Flights
from stepwell.prefetch.requests import Kind, Request
from stepwell.prefetch.tracks import PAGE

CHORES_NS = 1_000_000_000
"""Once in so long is judged what paid, and looked whether what lies ready is still there."""

LOOKS = 8
"""Ranges looked at each time: the oldest ones, which are evicted first; more would cost more than they tell."""

LOOK_AGAIN_NS = 5 * CHORES_NS
"""A range is looked at again after this."""

STOPPED_NS = 10 * CHORES_NS
"""A reader that did not move for so long gives up its memory when another one needs it."""


class Chores:
    """When they are due, and their requests, which bring in nothing."""

    def __init__(self, board: Board, files: Files, flights: Flights, feedback: Feedback, now_ns: int) -> None:
        self.memory_full = False
        """Memory was full since the last time: what stands still gives up its part."""
        self._board = board
        self._files = files
        self._flights = flights
        self._feedback = feedback
        self._done_ns = now_ns

    @property
    def due_ns(self) -> int:
        """When they are due."""
        return self._done_ns + CHORES_NS

    def run(self, now_ns: int) -> list[Request]:
        """Judge, give up what stands still, look whether what is ready is still there, if it is time for that."""
        if now_ns < self.due_ns:
            return []
        self._done_ns = now_ns
        self._feedback.judge(self._board.ledger.accounts, now_ns)
        if self.memory_full:
            self._board.give_up(now_ns, STOPPED_NS)
            self.memory_full = False
        requests = []
        if self._flights.pressure:
            for one in self._board.abandoned:
                if not one.unseen:
                    requests += self._flights.aside(one.path, one.start, one.end, Kind.DROP, now_ns)
        self._board.abandoned.clear()
        old = (
            one
            for one in self._board.ledger.ready.values()
            if not one.unseen and now_ns - max(one.ready_ns, one.looked_ns) > LOOK_AGAIN_NS
        )
        for one in list(islice(old, LOOKS)):
            one.looked_ns = now_ns
            requests += self._flights.aside(one.path, one.start, one.end, Kind.LOOK, now_ns, one.number)
        return requests

    def sizes(self, paths: Iterable[str], now_ns: int) -> list[Request]:
        """Look at files whose size decides something."""
        requests = []
        for path in paths:
            if self._files.size_of(path) is None:
                requests += self._flights.aside(path, 0, PAGE, Kind.LOOK, now_ns)
        return requests
