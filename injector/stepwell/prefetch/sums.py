"""What became of all requests, in sums."""

from __future__ import annotations

import errno
from collections import Counter
from dataclasses import replace

from stepwell.prefetch.ledger import Ledger
from stepwell.prefetch.protocol import Policy, Totals
from stepwell.prefetch.readers import Readers
from stepwell.prefetch.requests import Done, Request


class Sums:
    """Requests that brought something in, or were to."""

    def __init__(self) -> None:
        self._totals = Totals()
        self._touched: set[str] = set()
        self._errors: Counter[int] = Counter()

    def add(self, request: Request, done: Done, *, beside: int | None) -> None:
        """Take in what became of a request.

        Args:
            request: the request.
            done: its answer.
            beside: how many its mount would have had under way by itself beside it, for a reader along a file; None for
                other requests.
        """
        totals = self._totals
        self._totals = replace(
            totals,
            requests=totals.requests + 1,
            failed_requests=totals.failed_requests + bool(done.error),
            requested_bytes=totals.requested_bytes + request.size,
            brought_bytes=totals.brought_bytes + done.brought,
            resident_bytes=totals.resident_bytes + done.resident,
            along_ns=totals.along_ns + (0 if beside is None else done.took_ns // (1 + beside)),
        )
        if done.error:
            self._errors[done.error] += 1
        if done.brought:
            self._touched.add(request.path)

    def totals(self, ledger: Ledger, readers: Readers) -> Totals:
        """Return the sums, with what became of the bytes and what was seen of readers."""
        accounts, along = ledger.accounts.values(), ledger.accounts[Policy.SEQUENTIAL]
        return replace(
            self._totals,
            used_bytes=sum(one.used for one in accounts),
            late_bytes=sum(one.late for one in accounts),
            early_bytes=sum(one.early for one in accounts),
            wasted_bytes=sum(one.wasted for one in accounts),
            ahead_bytes=ledger.charge - ledger.in_flight_bytes,
            along_bytes=along.used + along.late,
            opened_files=len(self._touched),
            seen_accesses=readers.seen_accesses,
            seen_bytes=readers.seen_bytes,
        )

    def errors(self) -> dict[str, int]:
        """Return failed requests by the name of their error."""
        return {errno.errorcode.get(code, str(code)): count for code, count in self._errors.items()}
