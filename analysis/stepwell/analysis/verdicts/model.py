"""What is measured, and what is concluded.  Times are nanoseconds since the start of the trace, sizes bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True)
class Window:
    """A piece of time in which readers were watched, acting or not."""

    start_ns: Annotated[int, "start, in ns since the trace's start"]
    length_ns: Annotated[int, "length"]
    acting: Annotated[bool, "whether the plan was carried out in it"]
    bytes: Annotated[int, "bytes that readers asked for and got: the work done"]
    waited_ns: Annotated[int, "time that readers waited for reads, all threads together"]


@dataclass(frozen=True)
class Deeds:
    """What was done; from the prefetch engine's own counts."""

    files: Annotated[int, "files of which something was brought in"] = 0
    requests: Annotated[int, "requests made"] = 0
    brought_bytes: Annotated[int, "bytes brought in"] = 0
    used_bytes: Annotated[int, "of these, bytes that their reader found there"] = 0
    late_bytes: Annotated[int, "of these, bytes still on their way when their reader came"] = 0
    wasted_bytes: Annotated[int, "of these, bytes evicted before, or never asked for"] = 0
    stopped: Annotated[str, "why acting stopped early, or never began; empty when it did not stop"] = ""


@dataclass(frozen=True)
class Ahead:
    """What was brought in, as far as it limits what acting can have gained."""

    bytes: Annotated[int, "that their reader found there, or on their way"]
    alone_ns: Annotated[int | None, "time that readers alone would have waited for these at most; None: unknown"] = None

    def most_saved_ns(self, cost: float) -> float:
        """Return the most time that can have been saved, at a cost in ns for each byte without acting.

        The first reads are no measure of those that follow: the mount reads ahead of them ever further, or they were of
        a few bytes each.  It is no more than what was asked for ahead would have taken one after the other.
        """
        return self.bytes * cost if self.alone_ns is None else min(self.bytes * cost, self.alone_ns)

    def limits(self, cost: float) -> bool:
        """Return whether what was brought in would have taken longer at that cost than it can have."""
        return self.alone_ns is not None and self.bytes * cost > self.alone_ns


@dataclass(frozen=True)
class Verdict:
    """The measured effect of a plan on one dataset, or on all."""

    dataset: Annotated[str, "its directory; empty for all data together"]
    verdict: Annotated[str, "helped, no effect, hurt or unknown"]
    action: Annotated[str, "kept; rolled back: ended while it ran, or found useless at its end; none: nothing was done"]
    sentence: Annotated[str, "what was done and what it gained, in words"]
    because: Annotated[str, "how that was measured, in words"]
    design: Annotated[str, "alternating, before and after, recorded (against another trace), or none"]
    ratio: Annotated[float | None, "elapsed time without over that with it, for equal work; null when unknown"]
    low: Annotated[float | None, "lower bound, with 90 % confidence"]
    high: Annotated[float | None, "upper bound, with 90 % confidence"]
    pairs: Annotated[int, "independent comparisons behind it"]
    waited_ns: Annotated[int, "time that readers waited while it was carried out"]
    expected_ns: Annotated[int | None, "time that they would have waited without it; null when unknown"]
    baseline: Annotated[int | None, "number of the trace it is measured against; null for its own windows"]
    deeds: Annotated[Deeds, "what was done"]
    windows: Annotated[tuple[Window, ...], "the windows measured, in order"]

    def expected(self, window: Window) -> float | None:
        """Return how long readers would have waited in one of its windows without acting, in ns; None if unknown."""
        if not window.acting:
            return float(window.waited_ns)
        if self.expected_ns is None:
            return None
        acting = sum(one.bytes for one in self.windows if one.acting)
        return self.expected_ns * window.bytes / max(acting, 1)
