"""By which mechanism a storage is asked, from what its first requests took."""

from __future__ import annotations

import pytest

from stepwell.prefetch.requests import Done, Kind, Request
from stepwell.prefetch.storage import TRIALS, Storage

BLOCK = 128 << 10
MS = 1_000_000


@pytest.mark.parametrize(
    ("read", "ahead", "chosen"),
    [
        ((BLOCK, BLOCK, 20), (BLOCK, BLOCK, 20), Kind.READ),
        ((BLOCK, BLOCK, 20), (BLOCK, BLOCK, 10), Kind.WILLNEED),
        # The first requests ahead of a head are small, whichever mechanism's turn it is.
        ((BLOCK // 8, BLOCK // 8, 20), (BLOCK, BLOCK, 20), Kind.READ),
        ((BLOCK, BLOCK, 20), (BLOCK // 8, BLOCK // 8, 20), Kind.READ),
        ((BLOCK // 8, BLOCK // 8, 20), (BLOCK // 8, BLOCK // 8, 10), Kind.WILLNEED),
        # The kernel reads less than it was asked to.
        ((BLOCK, BLOCK, 20), (BLOCK, BLOCK // 8, 10), Kind.READ),
    ],
)
def test_a_mechanism_is_chosen_by_the_time_that_a_byte_takes(
    read: tuple[int, int, int], ahead: tuple[int, int, int], chosen: Kind
) -> None:
    storage = Storage("/d")
    for number in range(2 * TRIALS):
        kind = storage.kind(1 << 30)
        asked, brought, took_ms = read if kind is Kind.READ else ahead
        storage.asked(Request(number, "/d", "/d/f", number * BLOCK, asked, kind), 0)
        storage.answered(Done(number, brought, 0, 1 << 30, took_ms * MS))
    assert {storage.kind(1 << 30) for _ in range(3)} == {chosen}
