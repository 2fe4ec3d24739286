"""How far readers and the engine are at a moment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far readers and the engine are."""

    now_ns: int
    """Nanoseconds since the trace's start."""
    octets: int
    """Bytes that readers got up to now."""
    waited_ns: int
    """How long they waited for reads up to now, all threads together."""
    requests: int = 0
    """Requests that the engine has made, as far as it has told."""
    used: int = 0
    """Bytes that it had brought in before readers came for them, as far as it has told."""
    invests: bool = False
    """It brings in a set that is read in no order: that costs now, and pays whenever a file of it is read."""
    began_ns: int | None = None
    """When the first read began; None where that is not known."""
    gap: int = 0
    """Steps of a known order that are left to them and are not over."""
    alone: bool = False
    """They are all at such steps."""
