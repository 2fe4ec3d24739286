"""Between the planner, which decides, and the issuer, which reads."""

from __future__ import annotations

from dataclasses import dataclass

from stepwell.prefetch.protocol import Policy


@dataclass(frozen=True)
class Request:
    """A range to bring in."""

    number: int
    path: str
    offset: int
    size: int
    policy: Policy
    """Which policy wants it: what it brings is accounted there."""


@dataclass(frozen=True)
class Done:
    """What became of a request."""

    number: int
    brought: int
    """Bytes that came and had not been in memory."""
    resident: int
    """Bytes that had been in memory already; they were not read."""
    file_size: int
    """Bytes of the whole file; 0 when it could not be opened."""
    took_ns: int
    """From when a worker took it up to its end."""
    error: int = 0
    """errno, 0 for none."""
