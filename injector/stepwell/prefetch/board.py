"""All that reads ahead at the moment, and the way in which what it brought in is given up."""

from __future__ import annotations

from collections import deque

from stepwell.prefetch.ledger import Ledger, Range
from stepwell.prefetch.protocol import Head, Policy
from stepwell.prefetch.sources import Source

MOST_ENDED = 16
"""Sources that ended and are told of in a status: one of each kind in a second is seldom more."""


class Board:
    """The sources by name, and whose turn it may be."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.sources: dict[str, Source] = {}
        self.active: dict[str, None] = {}
        """Names of the sources that may have a next piece, in the order of their turns."""
        self.abandoned: list[Range] = []
        """What is in memory for nothing."""
        self.ended: deque[Head] = deque(maxlen=MOST_ENDED)
        """What was known of the latest sources that ended, until it is told."""

    def add(self, source: Source) -> None:
        """Begin to read ahead of something."""
        self.sources[source.name] = source
        self.active[source.name] = None

    def wake(self, name: str) -> None:
        """A source moved, or was answered: it may have a next piece."""
        if name in self.sources:
            self.active[name] = None

    def drop(self, name: str) -> None:
        """End a source; what it brought in, or asked for, has no reader any more."""
        self.active.pop(name, None)
        source = self.sources.pop(name, None)
        if source is not None:
            self.ended.append(source.status())
        if source is not None and name in self.ledger.owners:
            everything = [*self.ledger.ready.values(), *self.ledger.in_flight.values()]
            self.abandon([one for one in everything if one.owner == name and not one.passed])

    def tell_ended(self) -> tuple[Head, ...]:
        """Return what is known of the latest sources that have ended since the last call."""
        ended = tuple(self.ended)
        self.ended.clear()
        return ended

    def abandon(self, ranges: list[Range], *, used: bool = False) -> None:
        """No reader will come for these ranges, or it came without being told of."""
        ready = self.ledger.abandon(ranges, used=used)
        if not used:
            self.abandoned += ready

    def give_up(self, now_ns: int, stopped_ns: int) -> None:
        """Where a reader did not move for so long, what lies ready for it was for nothing: others need the room."""
        still = [
            source
            for source in self.sources.values()
            if now_ns - source.pace.moved_ns > stopped_ns
            # Who is to follow a given order may begin later.
            and (source.policy is not Policy.ORDER or source.pace.moved_ns)
        ]
        if len(still) == len(self.sources):
            return
        for source in still:
            source.pace.still = True
            self.abandon([one for one in self.ledger.ready.values() if one.owner == source.name])
            source.restart()
