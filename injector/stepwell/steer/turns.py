"""When to act, and when to leave readers alone so that the difference is measured."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from stepwell.analysis.thresholds import steer as limits
from stepwell.analysis.verdicts import Window, alternating
from stepwell.analysis.verdicts.judge import conclude
from stepwell.steer.progress import Progress
from stepwell.steer.sides import alone, end_ns, gain, harm


class Phase(Enum):
    """What is done at the moment, and whether it is measured."""

    BEFORE = "before"
    """Readers are watched, so that there is something to compare with."""
    ACTING = "acting"
    SETTLING = "settling"
    """Nothing is fetched any more, but what was is still being read: neither with nor without."""
    WITHOUT = "without"
    LEFT = "left"
    """The same, for readers have come to steps of a known order that were left to them."""
    OVER = "over"
    """It did not pay: nothing is done any more."""


@dataclass
class Turns:
    """Acts in turns, and keeps the windows of each.

    The first turn is without, as soon as something is read, unless it is `known` what will be read: then nothing has
    to be seen before.  Turns with it grow as long as it helps, at once where a rest shows that it helps very much, so
    that measuring costs less and less.  One that looks worse than the turn before is cut short, so that harm is small
    and soon certain; then acting ends, as it does when it makes no difference.  (One that follows a turn that paid is
    given time to fill its window first.)  A turn in which the engine found nothing to do is none with it, and readers
    who live on what it brought in before are not without it: such time is not held against the other side.  While the
    engine invests, its turn goes on unless it does great harm: turns would show what that costs, and nothing of what
    it gains.  Of a known order so much is ahead that a rest would not be noticed: there some steps are left to readers,
    which they come to later.

    Attributes:
        windows: what was measured since mounts were last set otherwise, in order of time.
        former: the same of that earlier setting under which most was read while acting.
        reason: why acting ended, once it has.
        gap: steps of the known order that are to be left to readers now; whoever does that sets it back to 0.
        pays: readers got more in the last turn with acting than in the one without that followed.
    """

    known: bool = False
    windows: list[Window] = field(default_factory=list)
    former: list[Window] = field(default_factory=list)
    reason: str = ""
    pays: bool = False
    gap: int = 0
    _gap_steps: int = limits.GAP
    _gap_ns: int | None = None
    _phase: Phase = Phase.BEFORE
    _phase_ns: int | None = None
    _idle_ns: int = 0
    _window: Progress | None = None
    """Where the window began that is measured, or looked at, at the moment."""
    _turn: Progress | None = None
    """Where the last turn with acting began."""
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
        return self.known or self._turn is not None

    def step(self, now: Progress) -> None:
        """Take in where readers are."""
        if self._window is None:
            if not now.octets:
                self._idle_ns = now.now_ns
                return
            self._begin(self._phase, Progress(self._idle_ns, 0, self._waited_before(now)))
        if self._phase in {Phase.BEFORE, Phase.WITHOUT}:
            self._watch(now)
        elif self._phase is Phase.LEFT:
            self._pass_gap(now)
        elif self._phase is Phase.ACTING:
            self._act(now)
        elif self._phase is Phase.SETTLING:
            self._settle(now)

    def _waited_before(self, now: Progress) -> int:
        """Return how much of the first reads' waiting lies before the look after which something had been read."""
        if now.began_ns is None or not now.began_ns < self._idle_ns:
            return 0
        return now.waited_ns * (self._idle_ns - now.began_ns) // (now.now_ns - now.began_ns)

    def skip(self, now: Progress) -> None:
        """Take in where readers are after a moment that is not to be measured, as something else is being tried."""
        if self._window is None or self._phase_ns is None:
            self._begin(self._phase, now)
        else:
            self._phase_ns += now.now_ns - self._window.now_ns
            self._window = now

    def restart(self, now: Progress) -> None:
        """Begin anew as mounts were set otherwise: what was measured before says nothing of what follows."""
        self.former, self.windows = self.measured, []
        self.pays, self._turn_ns, self._harmed = False, limits.ACTING_NS, 0
        self._gap_ns = None  # the engine asks for all that is ahead anew, gap or not
        if self._phase is not Phase.OVER and self._window is not None:
            self._begin(Phase.SETTLING, now)

    @property
    def measured(self) -> list[Window]:
        """The windows of that setting of mounts under which most was read while acting."""
        return max((self.windows, self.former), key=lambda one: sum(window.bytes for window in one if window.acting))

    def end(self, now: Progress) -> None:
        """Take in where readers were at the end."""
        if self._phase in {Phase.BEFORE, Phase.WITHOUT, Phase.LEFT, Phase.ACTING}:
            self._cut(1, now)

    def _watch(self, now: Progress) -> None:
        """Readers are left alone."""
        assert self._window
        if self._phase is Phase.WITHOUT:
            self._cut(limits.WINDOW_NS, now)
        elif now.octets > self._window.octets:
            self._cut(limits.FIRST_WINDOW_NS, now)
        enough = limits.FIRST_WINDOWS if self._phase is Phase.BEFORE else limits.WINDOWS_WITHOUT
        if self._read >= enough or self._over(limits.LONGEST_WITHOUT_NS, now):
            self._go_on(now)

    def _pass_gap(self, now: Progress) -> None:
        """Readers are at steps that were left to them; the windows in which they may have left these are no measure."""
        if now.alone:
            self._cut(limits.WINDOW_NS, now)
        else:
            while self._read and end_ns(self.windows[-1]) > now.now_ns - limits.TOLD_NS:
                self._read -= self.windows.pop().bytes > 0
            if self._read < limits.WINDOWS_WITHOUT:
                self._widen_gap()
        if not now.alone or self._over(limits.LONGEST_WITHOUT_NS, now):
            self._go_on(now)

    def _go_on(self, now: Progress) -> None:
        """Act again after a time without, if it pays."""
        self._decide()
        self._begin(Phase.OVER if self.reason else Phase.ACTING, now)

    def _act(self, now: Progress) -> None:
        """The engine may act."""
        lasted = now.now_ns - self._phase_ns if self._phase_ns is not None else 0
        self._cut(max(limits.WINDOW_NS, lasted // limits.WINDOWS_ACTING), now)
        if not self._did(now):
            self._wait(now)
            return
        if now.alone and self._gap_ns is not None:
            self._begin(Phase.LEFT, now)
            return
        if self.pays and not self._over(limits.FILLING_NS, now):
            return
        worse = harm(self.windows, self._phase_ns or 0)
        if worse > limits.HARM:
            self._harmed += 1
            self._begin(Phase.SETTLING, now)
        elif not now.invests and (worse > limits.WORSE or self._over(self._turn_ns, now)) and not self._leaves_gap(now):
            self._harmed = 0
            self._begin(Phase.SETTLING, now)

    def _leaves_gap(self, now: Progress) -> bool:
        """Have steps of a known order left to readers; return whether that is tried for as long as a turn takes."""
        if not self.known:
            return False
        missed = self._gap_ns is not None and not now.gap and now.now_ns - self._gap_ns > limits.TOLD_NS
        if missed:  # readers were through before it was told that they had come to it
            self._widen_gap()
        if missed or self._gap_ns is None:
            self.gap, self._gap_ns = self._gap_steps, now.now_ns
        return not self._over(2 * self._turn_ns, now)

    def _widen_gap(self) -> None:
        self._gap_steps = min(2 * self._gap_steps, limits.MOST_GAP)

    def _wait(self, now: Progress) -> None:
        """The engine has found nothing to do since it may: readers are alone, and the turn has not begun."""
        assert self._turn
        first = next((at for at, one in enumerate(self.windows) if one.start_ns >= self._turn.now_ns), None)
        if first is None:
            return
        one, ended_ns = self.windows[first], end_ns(self.windows[first])
        # What it has done since then it may not have told yet.
        if now.now_ns - ended_ns >= limits.TOLD_NS:
            self.windows[first] = replace(one, acting=False)
            self._turn, self._phase_ns = replace(self._turn, now_ns=ended_ns), ended_ns
            begin = first + 1 - alone(self.windows[: first + 1])
            del self.windows[begin : max(begin, first + 1 - limits.WINDOWS_ALONE)]

    def _settle(self, now: Progress) -> None:
        """Go on when what was brought in is used up."""
        assert self._window
        before = self._window
        if now.alone:
            self._begin(Phase.LEFT, now)
        if now.alone or now.now_ns - before.now_ns < limits.SETTLING_NS // 2:
            return
        self._window = now
        if not self._over(limits.SETTLING_NS, now):
            return
        if now.used - before.used <= limits.LIVES_ON * (now.octets - before.octets):
            self._begin(Phase.WITHOUT, now)
        elif self._over(limits.LONGEST_WITHOUT_NS, now):
            # What is ahead of them lasts: they are not without it, and it is asked again later.
            self._turn_ns = min(2 * self._turn_ns, limits.LONGEST_ACTING_NS)
            self._begin(Phase.ACTING, now)

    def _did(self, now: Progress) -> bool:
        """Return whether anything has come of acting since its turn began."""
        return self._turn is None or (now.requests, now.used) != (self._turn.requests, self._turn.used)

    def _over(self, length_ns: int, now: Progress) -> bool:
        return self._phase_ns is not None and now.now_ns - self._phase_ns >= length_ns

    def _begin(self, phase: Phase, now: Progress) -> None:
        self._phase, self._phase_ns = phase, now.now_ns
        self._window = now
        self._read = 0
        if phase is Phase.ACTING:
            self._turn = now
        elif phase is Phase.LEFT:
            self._gap_ns = None

    def _cut(self, length_ns: int, now: Progress) -> None:
        """End a window if it has lasted long enough."""
        if self._window is None or now.now_ns - self._window.now_ns < length_ns:
            return
        start = self._window
        octets, waited_ns = now.octets - start.octets, max(0, now.waited_ns - start.waited_ns)
        self.windows.append(Window(start.now_ns, now.now_ns - start.now_ns, self.acting, octets, waited_ns))
        self._read += octets > 0
        self._window = now

    def _decide(self) -> None:
        """Conclude from the turns up to now: go on for longer, or end."""
        gained = gain(self.windows)
        if gained is not None:
            self.pays = gained > limits.WORSE
        if self._harmed > 1:
            self.reason = f"its readers got less than 1/{limits.HARM:.0f} of what they got alone, in two turns"
            return
        effect = alternating(self.windows)
        if effect is None:
            if gained is not None and gained >= limits.CLEARLY and not self.known:  # whose rests cost hardly anything
                self._turn_ns = min(2 * self._turn_ns, limits.LONGEST_ACTING_NS)
            return
        verdict = conclude(effect)
        if verdict == "helped":
            self._turn_ns = min(2 * self._turn_ns, limits.LONGEST_ACTING_NS)
        elif verdict in {"hurt", "no effect"}:
            what = "slowed its readers down" if verdict == "hurt" else "made no difference"
            self.reason = (
                f"it {what} in {effect.pairs} turns: {effect.ratio:.3g}x [{effect.low:.3g}, {effect.high:.3g}]"
            )
