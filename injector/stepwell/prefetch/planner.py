"""The planner's face: what is observed goes in, requests come out; it does no input or output and has no clock."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from stepwell.prefetch.protocol import Message, Status
from stepwell.prefetch.requests import Done, Request


class Planning(Protocol):
    """A state machine: equal calls give equal requests.  `now_ns` is the caller's clock and never goes back."""

    def observe(self, message: Message, now_ns: int) -> None:
        """Take in one message."""

    def complete(self, done: Iterable[Done], now_ns: int) -> None:
        """Take in what became of requests."""

    def plan(self, now_ns: int) -> list[Request]:
        """Return what to issue now, inside all budgets."""

    def due_ns(self, now_ns: int) -> int | None:
        """Return when to plan again if nothing happens; None when only a message or a completion changes anything."""

    def status(self, now_ns: int) -> Status:
        """Return what is done and why."""
