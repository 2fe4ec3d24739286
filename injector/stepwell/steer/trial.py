"""Whether a change of a mount pays: windows with it and without, in turns."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from stepwell.analysis.thresholds import mounts as limits
from stepwell.trace.format import throughput


@dataclass(frozen=True)
class Moment:
    """Where readers and their mount are."""

    now_ns: int
    octets: int
    """Bytes that readers got up to now."""
    fetched: int | None = None
    """Bytes that the mount's client has got from its storage; None where it does not say."""


@dataclass(frozen=True)
class _Window:
    rate: float
    """Bytes a second that readers got."""
    fetched: float | None
    """Bytes that came from the storage for each of these."""


class Trial:
    """One trial.  Equal moments give equal ends.

    Attributes:
        wanted: whether the change is to be in force.
        kept: whether it stays; None while that is not known.
        why: what was measured, in words, once it is over.
    """

    def __init__(self, begin: Moment | None = None) -> None:
        """Begin a trial.

        Args:
            begin: of a change that is to save bytes, where readers were when they began: what was fetched since then
                is the window without it.  None for a change that is to save time.
        """
        self.wanted = False
        self.kept: bool | None = None
        self.why = ""
        self._saves_bytes = begin is not None
        # Bytes that are fetched do not vary as times do.
        self._turns = iter((False, True) if self._saves_bytes else (False, True, False, True))
        self._windows: dict[bool, list[_Window]] = {False: [], True: []}
        self._begin = begin
        self._settled_ns = begin.now_ns if begin else None
        self._began_ns: int | None = None
        next(self._turns)

    def step(self, moment: Moment) -> None:
        """Take in a moment; the mount is as it was `wanted`."""
        if self.kept is not None:
            return
        self._began_ns = self._began_ns or moment.now_ns
        if moment.now_ns - self._began_ns > limits.LONGEST_NS:
            self._end(kept=False, why="its readers rest, so that it cannot be measured")
        elif self._settled_ns is None:
            self._settled_ns = moment.now_ns + limits.SETTLING_NS
        elif self._begin is None:
            self._begin = moment if moment.now_ns >= self._settled_ns else None
        else:
            self._measure(self._begin, moment)

    def _measure(self, begin: Moment, moment: Moment) -> None:
        length_ns, octets = moment.now_ns - begin.now_ns, moment.octets - begin.octets
        first = self._saves_bytes and not self.wanted
        if (length_ns < limits.WINDOW_NS and not first) or length_ns <= 0 or not octets:
            return
        known = moment.fetched is not None and begin.fetched is not None
        fetched = (moment.fetched - begin.fetched) / octets if known else None  # type: ignore[operator]
        self._windows[self.wanted].append(_Window(octets * limits.SECOND_NS / length_ns, fetched))
        self._begin = self._settled_ns = None
        self._next()

    def _next(self) -> None:
        without, change = (self._windows[side] for side in (False, True))
        if change and change[0].rate * (limits.SLOWER if self._saves_bytes else limits.WORSE) < without[0].rate:
            self._end(kept=False, why=f"readers got {_times(change[0].rate / without[0].rate)} of what they got before")
            return
        clear = bool(change) and change[0].rate >= limits.CLEARLY * without[0].rate
        wanted = next(self._turns, None)
        if wanted is not None and not clear:
            self.wanted = wanted
        else:
            self._decide()

    def _decide(self) -> None:
        rates = [median(one.rate for one in self._windows[side]) for side in (False, True)]
        gain = rates[1] / rates[0]
        told = f"readers get {throughput(rates[1])} instead of {throughput(rates[0])}"
        if not self._saves_bytes:
            self._end(kept=gain >= limits.FASTER, why=told)
            return
        fetched = [self._windows[side][0].fetched for side in (False, True)]
        before, after = fetched
        if before is None or after is None:
            self._end(kept=False, why="its client does not say how much it fetches")
        else:
            # A client that fetches nothing any more saves all.
            saves = before >= limits.FEWER * max(after, 0.0) and before > 1
            self._end(kept=saves, why=f"{after:.3g} bytes are fetched a byte asked for instead of {before:.3g}; {told}")

    def _end(self, *, kept: bool, why: str) -> None:
        self.kept = self.wanted = kept
        self.why = why


def _times(ratio: float) -> str:
    return f"{ratio:.2g}x"
