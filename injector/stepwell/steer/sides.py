"""What the latest windows without acting, and those with it, say of each other while readers go on."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from stepwell.analysis.thresholds import steer as limits
from stepwell.analysis.verdicts import Window


def harm(windows: Sequence[Window], since_ns: int) -> float:
    """Return how many times as fast the turn before `since_ns` was, without acting; 0 while that cannot be said.

    Of what comes in bursts one may just be missing: that is waited for as long as it has ever taken.
    """
    turn = [window for window in windows if window.start_ns >= since_ns]
    before = [window for window in windows if window.start_ns < since_ns]
    without = _last(before, acting=False)
    if len(turn) < limits.WINDOWS_WITHOUT or (not turn[-1].bytes and _pauses(turn)[-1] < max(_pauses(without))):
        return 0
    # The very first one has begun when nothing was read: it is shorter than its kind.
    whole = without[:-1] if len(without) == len(before) else without
    return _rate(whole) / max(_rate(turn), 1e-9)


def gain(windows: Sequence[Window]) -> float | None:
    """Return how many times as much a second the last turn with acting got as the one without after it.

    None where one of them read nothing, or there is none: readers rested.
    """
    without = _last(windows, acting=False)
    acting = _last(windows[: len(windows) - len(without)], acting=True)
    if not _rate(acting) or not _rate(without):
        return None
    return _rate(acting) / _rate(without)


def alone(windows: Sequence[Window]) -> int:
    """Return how many windows at the end are without acting."""
    return len(_last(windows, acting=False))


def end_ns(window: Window) -> int:
    """Return where a window ends, in ns since the trace's start."""
    return window.start_ns + window.length_ns


def _last(windows: Sequence[Window], *, acting: bool) -> list[Window]:
    """Return the windows of one side that nothing of the other follows, the latest first."""
    return list(itertools.takewhile(lambda window: window.acting is acting, reversed(windows)))


def _pauses(windows: Sequence[Window]) -> list[int]:
    """Return the times, in ns, from one window in which something was read to the next, and since the last one."""
    pauses = [0]
    for window in windows:
        pauses[-1] += window.length_ns
        if window.bytes:
            pauses.append(0)
    return pauses


def _rate(windows: Sequence[Window]) -> float:
    """Return bytes a nanosecond; 0 of none."""
    return sum(window.bytes for window in windows) / max(1, sum(window.length_ns for window in windows))
