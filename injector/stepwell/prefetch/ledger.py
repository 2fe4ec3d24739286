"""What was asked for and not yet used: the memory budget counts it, and what became of it is told at the end.

Of each file it holds ranges that do not overlap.  A range is on its way, or ready; it leaves the ledger when its reader
has passed it (used or late), when it is found evicted (early), or when its reader went elsewhere (wasted).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from stepwell.prefetch.protocol import Policy


@dataclass
class Range:
    """A range on its way or ready."""

    path: str
    start: int
    end: int
    policy: Policy
    owner: str
    """The head or order that wants it."""
    number: int
    """Of its request."""
    charge: int
    """Bytes that count against the memory budget."""
    asked_ns: int
    ready_ns: int = 0
    """When it had come; 0 while it is on its way."""
    unseen: bool = False
    """It comes into the cache of the mount's client, where nobody can see how long it stays."""
    looked_ns: int = 0
    """When it was last seen whether it is still in memory."""
    passed: bool = False
    """The reader came, or went elsewhere, while it was on its way."""
    wanted: bool = True
    """Whether a reader came for it: decides what it becomes when it comes too late."""


@dataclass
class Account:
    """Bytes of one policy by what became of them."""

    brought: int = 0
    used: int = 0
    late: int = 0
    early: int = 0
    wasted: int = 0


@dataclass
class Ledger:
    """All ranges, by file and by request."""

    accounts: dict[Policy, Account] = field(default_factory=lambda: {policy: Account() for policy in Policy})
    charge: int = 0
    """Bytes on their way or ready: never more than the memory budget allowed when they were asked for."""
    in_flight_bytes: int = 0
    in_flight: dict[int, Range] = field(default_factory=dict)
    ready: dict[int, Range] = field(default_factory=dict)
    """By number of request, in the order in which they came."""
    owners: dict[str, int] = field(default_factory=dict)
    """Bytes on their way or ready, by who wants them."""
    files: dict[str, list[Range]] = field(default_factory=dict)
    """Sorted by start; those on their way that are passed are no longer in here."""

    def gaps(self, path: str, start: int, end: int) -> list[tuple[int, int]]:
        """Return the parts of [start, end) that are neither on their way nor ready, in order."""
        parts = []
        for one in self._overlapping(path, start, end):
            if start < one.start:
                parts.append((start, one.start))
            start = max(start, one.end)
        if start < end:
            parts.append((start, end))
        return parts

    def ask(self, one: Range) -> None:
        """Enter a range that is on its way; it must be a gap."""
        ranges = self.files.setdefault(one.path, [])
        ranges.insert(bisect_left(ranges, one.start, key=lambda other: other.start), one)
        self.in_flight[one.number] = one
        self._charge(one, one.charge)
        self.in_flight_bytes += one.charge

    def come(self, number: int, brought: int, now_ns: int) -> Range | None:
        """Note that a request was answered; what brought nothing, failed or was resident, leaves at once."""
        one = self.in_flight.pop(number, None)
        if one is None:
            return None
        self.in_flight_bytes -= one.charge
        self._charge(one, -one.charge)
        one.charge = brought
        account = self.accounts[one.policy]
        account.brought += brought
        if one.passed:
            if one.wanted:
                account.late += brought
            else:
                account.wasted += brought
        elif brought:
            one.ready_ns = now_ns
            self._charge(one, brought)
            self.ready[number] = one
        else:
            self._forget(one)
        return one

    def pass_over(self, path: str, start: int, end: int, waited_from_ns: int | None = None) -> list[Range]:
        """Note that a reader asked for [start, end); return the ranges that it met, ready or still on their way.

        Args:
            path: the file.
            start: first byte.
            end: one behind the last.
            waited_from_ns: since when the reader waited, as for a storage: what was all ready then was evicted before.
        """
        met = list(self._overlapping(path, start, end))
        gone = (
            waited_from_ns is not None
            and all(0 < one.ready_ns < waited_from_ns for one in met)
            and not self.gaps(path, start, end)
        )
        for one in met:
            if one.ready_ns:
                self._use(one, max(start, one.start), min(end, one.end), gone=gone)
            else:
                self.abandon([one], used=True)
        return met

    def abandon(self, ranges: list[Range], *, used: bool = False) -> list[Range]:
        """Note that a reader came for these ranges, or that none will; return those that are ready."""
        ready = []
        for one in ranges:
            if one.ready_ns:
                account = self.accounts[one.policy]
                if used:
                    account.used += one.charge
                else:
                    account.wasted += one.charge
                ready.append(one)
                self._release(one)
            else:
                one.passed, one.wanted = True, used
                self._forget(one)
        return ready

    def evicted(self, number: int, resident: int) -> None:
        """Note how much of a range that is ready is resident; what is not was evicted too early."""
        one = self.ready.get(number)
        if one is None or resident >= one.charge:
            return
        self.accounts[one.policy].early += one.charge - resident
        self._charge(one, resident - one.charge)
        one.charge = resident
        if not resident:
            self._release(one)

    def of_file(self, path: str) -> list[Range]:
        """Return the ranges of a file, in order."""
        return list(self.files.get(path, ()))

    def of_owner(self, path: str, owner: str) -> list[Range]:
        """Return the ranges of a file that one head wanted, in order."""
        return [one for one in self.files.get(path, ()) if one.owner == owner]

    def _overlapping(self, path: str, start: int, end: int) -> Iterator[Range]:
        ranges = self.files.get(path)
        if not ranges or start >= end:
            return iter(())
        first = bisect_right(ranges, start, key=lambda other: other.end)
        return iter(ranges[first : bisect_left(ranges, end, lo=first, key=lambda other: other.start)])

    def _use(self, one: Range, start: int, end: int, *, gone: bool) -> None:
        """A reader came for a part of a range that is ready, or was; the rest stays."""
        whole = start == one.start and end == one.end
        used = one.charge if whole else min(end - start, one.charge)
        account = self.accounts[one.policy]
        if gone:
            account.early += used
        else:
            account.used += used
        self._charge(one, -used)
        one.charge -= used
        if not one.charge:
            self._release(one)
        elif start == one.start:
            one.start = end
        elif end == one.end:
            one.end = start

    def _release(self, one: Range) -> None:
        self._charge(one, -one.charge)
        del self.ready[one.number]
        self._forget(one)

    def _charge(self, one: Range, by: int) -> None:
        self.charge += by
        self.owners[one.owner] = self.owners.get(one.owner, 0) + by
        if not self.owners[one.owner]:
            del self.owners[one.owner]

    def _forget(self, one: Range) -> None:
        ranges = self.files[one.path]
        del ranges[bisect_left(ranges, one.start, key=lambda other: other.start)]
        if not ranges:
            del self.files[one.path]
