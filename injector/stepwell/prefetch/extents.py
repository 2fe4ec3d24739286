"""What was read of files, and what that says of files like them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stepwell.prefetch.protocol import Entry

DENSE = 0.5
"""Share of a file's reach that was read: below, the file's own heads know better what to bring in."""


@dataclass
class Extent:
    """What was read of a file in one epoch.

    Attributes:
        first: lowest byte.
        end: one behind the highest; 0 when no access was told.
        bytes: sum of the accesses.
        visit: number of the last visit, to whatever file, before it was opened, read or closed last.
        visits: how often it was opened.
    """

    first: int = 0
    end: int = 0
    bytes: int = 0
    visit: int = 0
    visits: int = 0

    def add(self, first: int, end: int, asked: int) -> None:
        """Take in accesses that span [first, end)."""
        self.first = min(self.first, first) if self.end else first
        self.end = max(self.end, end)
        self.bytes += asked


def entry_like(path: str, like: Iterable[Extent]) -> Entry | None:
    """Return what to bring in of a file that is read like others; None when these were read here and there."""
    told = [extent for extent in like if extent.end]
    if not told:
        return Entry(path)
    first, end = min(extent.first for extent in told), max(extent.end for extent in told)
    if sum(extent.bytes for extent in told) < DENSE * sum(extent.end - extent.first for extent in told):
        return None
    # Files of one kind differ in size: what is beyond the largest that was seen is not asked for either.
    return Entry(path, first, end - first)
