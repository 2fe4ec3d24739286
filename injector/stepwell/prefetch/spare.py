"""Whether the processors have time left while a mount's client reads ahead of its readers by itself."""

from __future__ import annotations

FIRST_WATCHED_NS = 250_000_000
"""For so long readers are watched, at least, before their client is made to fetch more: one that has ended by then
would gain nothing by it, and may lose."""

WATCHED_NS = 500_000_000
"""The same while their client was left alone."""

IDLE_PERMILLE = 333
"""Processors that are idle for less than a third of the time would have little left for more bytes a second: those cost
the client as much as the ones before."""


FIRST_IDLE_PERMILLE = 667
"""The same for the first time that readers are watched: until a client has requests under way, and writes what came
into its cache, it takes a third less (JuiceFS on two processors, objects of 20 ms: idle for 42 to 60 % of the first
quarter of a second, for 5 to 15 % later; of 100 ms: 79 to 85 %, and 45 to 65)."""


class Spare:
    """What share of their time the processors idled while readers along files had their client's own read-ahead.

    Attributes:
        idle_permille: the share when it was last seen; None before that.
    """

    def __init__(self) -> None:
        self.idle_permille: int | None = None
        self._told = False
        self._least = FIRST_IDLE_PERMILLE
        self._since: tuple[int, int, int] | None = None

    def see(self, now_ns: int, idle: int, total: int, *, moving: bool) -> None:
        """Take in how long the processors have idled up to now, of how long in all, in any unit.

        Args:
            now_ns: the caller's clock.
            idle: idle time.
            total: all time.
            moving: whether readers along files have read since the last time.
        """
        self._told = True
        if self._since is None or not moving:
            self._since = now_ns, idle, total
            return
        start_ns, idle_before, total_before = self._since
        first = self.idle_permille is None
        if now_ns - start_ns >= (FIRST_WATCHED_NS if first else WATCHED_NS) and total > total_before:
            self._least = FIRST_IDLE_PERMILLE if first else IDLE_PERMILLE
            self.idle_permille = 1000 * (idle - idle_before) // (total - total_before)
            self._since = now_ns, idle, total

    def disturb(self) -> None:
        """Forget what is being watched: the client was made to fetch more."""
        self._since = None

    def why_not(self) -> str:
        """Return why the client is to be left alone; empty when it need not be, or when nobody tells."""
        if not self._told:
            return ""
        if self.idle_permille is None:
            return "reads ahead by itself, and whether the processors have time for more is not known yet"
        if self.idle_permille < self._least:
            return f"reads ahead by itself, and the processors idle {self.idle_permille / 10:.0f} % of the time only"
        return ""
