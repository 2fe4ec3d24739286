"""Plans in words and cells, the same on the command line and in reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepwell.cli.format import size

if TYPE_CHECKING:
    from stepwell.analysis.plans import Gain, Target

HEADINGS = ("dataset", "policy", "block", "at once", "ahead", "expected")
"""Of the cells in `row`; the last four are numbers."""


def row(target: Target) -> tuple[str, ...]:
    """Return the cells of a target; what is not set is empty."""
    block, window = ("" if octets is None else size(octets) for octets in (target.block_bytes, target.window_bytes))
    at_once = "" if target.in_flight is None else str(target.in_flight)
    gain = times(target.gain) if target.gain and target.policy != "none" else ""
    return target.path, target.policy, block, at_once, window, gain


def times(gain: Gain) -> str:
    """Return a predicted gain as factors."""
    return f"{gain.low_permille / 1000:.3g}x to {gain.high_permille / 1000:.3g}x"
