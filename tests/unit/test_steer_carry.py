"""What an engine is told of a plan."""

from __future__ import annotations

import pytest

from stepwell.analysis.plans import Budget, Plan, Target
from stepwell.prefetch import protocol
from stepwell.prefetch.protocol import Policy
from stepwell.steer.carry import messages


def told(*targets: Target) -> list[protocol.Message]:
    return messages(Plan(1, "auto", Budget(1 << 30, 23, 7_000_000), targets))


def test_budgets_and_sizes_are_told_and_what_is_left_alone_is_not() -> None:
    strided = Target("/data", "strided", "", block_bytes=4096, in_flight=3, window_bytes=8192, stride_bytes=1 << 20)
    assert told(strided, Target("/other", "none", "")) == [
        protocol.Budget(1 << 30, 7_000_000, 23, None),
        protocol.Root("/data", (Policy.STRIDED,), 4096, 3, 8192),
    ]


@pytest.mark.parametrize("policy", ["whole-file", "directory", "random"])
def test_whatever_order_of_files_is_planned_epochs_are_followed_once_seen(policy: str) -> None:
    _, root = told(Target("/data", policy, ""))
    assert root == protocol.Root("/data", (Policy(policy), Policy.EPOCH))
