"""When to act, and when to leave readers alone so that the difference is measured."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from stepwell.analysis.thresholds import steer as limits
from stepwell.analysis.verdicts import Window, alternating
from stepwell.analysis.verdicts.judge import conclude


class Phase(Enum):
    """What is done at the moment, and whether it is measured."""

    BEFORE = "before"
    """Readers are watched, so that there is something to compare with."""
    ACTING = "acting"
    SETTLING = "settling"
    """Nothing is fetched any more, but what was is still being read: neither with nor without."""
    WITHOUT = "without"
    OVER = "over"
    """It did not pay: nothing is done any more."""


@dataclass
class Turns:
    """Acts in turns, and keeps the windows of each.

    The first turn is without, as soon as something is read, unless it is `known` what will be read: then nothing has
    to be seen before.  Turns with it grow as long as it helps, so that measuring costs less and less.  One that looks
    worse than the turn before is cut short, so that harm is small and soon certain; then acting ends, as it does when
    it makes no difference.

    Attributes:
        windows: what was measured, in order of time.
        reason: why acting ended, once it has.
    """

    known: bool = False
    windows: list[Window] = field(default_factory=list)
    reason: str = ""
    _phase: Phase = Phase.BEFORE
    _phase_ns: int | None = None
    _idle_ns: int = 0
    _window: tuple[int, int, int] | None = None
    _turn_ns: int = limits.ACTING_NS
    _read: int = 0
    _harmed: int = 0
    """Turns in a row that were cut short because they were far worse than those before them."""

    def __post_init__(self) -> None:
        if self.known:
            self._phase = Phase.ACTING

    @property
    def acting(self) -> bool:
        """Whether the engine is to act now."""
        return self._phase is Phase.ACTING

    @property
    def acted(self) -> bool:
        """Whether the engine has been to act at any time."""
        return self._phase is not Phase.BEFORE

    def step(self, now_ns: int, octets: int, waited_ns: int) -> None:
        """Take in where readers are.

        Args:
            now_ns: nanoseconds since the trace's start.
            octets: bytes that readers got up to now.
            waited_ns: how long they waited for reads up to now.
        """
        if self._window is None:
            if not octets:
                self._idle_ns = now_ns
                return
            self._window = self._begin(self._phase, self._idle_ns, 0, 0)
        if self._phase in {Phase.BEFORE, Phase.WITHOUT}:
            if self._phase is Phase.WITHOUT:
                self._cut(limits.WINDOW_NS, now_ns, octets, waited_ns)
            elif octets > self._window[1]:
                self._cut(limits.FIRST_WINDOW_NS, now_ns, octets, waited_ns)
            enough = limits.FIRST_WINDOWS if self._phase is Phase.BEFORE else limits.WINDOWS_WITHOUT
            if self._read >= enough or self._over(limits.LONGEST_WITHOUT_NS, now_ns):
                self._decide()
                self._begin(Phase.OVER if self.reason else Phase.ACTING, now_ns, octets, waited_ns)
        elif self._phase is Phase.ACTING:
            lasted = now_ns - self._phase_ns if self._phase_ns is not None else 0
            self._cut(max(limits.WINDOW_NS, lasted // limits.WINDOWS_ACTING), now_ns, octets, waited_ns)
            worse = self._worse()
            if self._over(self._turn_ns, now_ns) or worse > limits.WORSE:
                self._harmed = self._harmed + 1 if worse > limits.HARM else 0
                self._begin(Phase.SETTLING, now_ns, octets, waited_ns)
        elif self._phase is Phase.SETTLING and self._over(limits.SETTLING_NS, now_ns):
            self._begin(Phase.WITHOUT, now_ns, octets, waited_ns)

    def skip(self, now_ns: int, octets: int, waited_ns: int) -> None:
        """Take in where readers are after a moment that is not to be measured, as something else is being tried."""
        if self._window is None or self._phase_ns is None:
            self._begin(self._phase, now_ns, octets, waited_ns)
        else:
            self._phase_ns += now_ns - self._window[0]
            self._window = now_ns, octets, waited_ns

    def end(self, now_ns: int, octets: int, waited_ns: int) -> None:
        """Take in where readers were at the end."""
        if self._phase in {Phase.BEFORE, Phase.WITHOUT, Phase.ACTING}:
            self._cut(0, now_ns, octets, waited_ns)

    def _over(self, length_ns: int, now_ns: int) -> bool:
        return self._phase_ns is not None and now_ns - self._phase_ns >= length_ns

    def _begin(self, phase: Phase, now_ns: int, octets: int, waited_ns: int) -> tuple[int, int, int]:
        self._phase, self._phase_ns = phase, now_ns
        self._window = now_ns, octets, waited_ns
        self._read = 0
        return self._window

    def _cut(self, length_ns: int, now_ns: int, octets: int, waited_ns: int) -> None:
        """End a window if it has lasted long enough."""
        if self._window is None or now_ns - self._window[0] < max(length_ns, 1):
            return
        start_ns, before, waited_before = self._window
        self.windows.append(
            Window(start_ns, now_ns - start_ns, self.acting, octets - before, max(0, waited_ns - waited_before))
        )
        self._read += octets > before
        self._window = now_ns, octets, waited_ns

    def _worse(self) -> float:
        """Return how many times as fast the turn before this one was, without acting; 0 while that cannot be said.

        Of what comes in bursts one may just be missing: that is waited for as long as it has ever taken.
        """
        turn = [window for window in self.windows if window.start_ns >= (self._phase_ns or 0)]
        before = [window for window in self.windows if window.start_ns < (self._phase_ns or 0)]
        without = list(itertools.takewhile(lambda window: not window.acting, reversed(before)))
        if len(turn) < limits.WINDOWS_WITHOUT or (not turn[-1].bytes and _pauses(turn)[-1] < max(_pauses(without))):
            return 0
        # The very first one has begun when nothing was read: it is shorter than its kind.
        whole = without[:-1] if len(without) == len(self.windows) - len(turn) else without
        return _rate(whole) / max(_rate(turn), 1e-9)

    def _decide(self) -> None:
        """Conclude from the turns up to now: go on for longer, or end."""
        if self._harmed > 1:
            self.reason = f"its readers got less than 1/{limits.HARM:.0f} of what they got alone, in two turns"
            return
        effect = alternating(self.windows)
        if effect is None:
            return
        verdict = conclude(effect)
        if verdict == "helped":
            self._turn_ns = min(2 * self._turn_ns, limits.LONGEST_ACTING_NS)
        elif verdict in {"hurt", "no effect"}:
            what = "slowed its readers down" if verdict == "hurt" else "made no difference"
            self.reason = (
                f"it {what} in {effect.pairs} turns: {effect.ratio:.3g}x [{effect.low:.3g}, {effect.high:.3g}]"
            )


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
