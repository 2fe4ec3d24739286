"""The hard limits, as pure arithmetic over a clock that the caller gives."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from stepwell.prefetch.protocol import Budget

DEFAULT = Budget(memory_bytes=1 << 30, bandwidth_bytes_s=0, in_flight=32, cpu_permille=500)
"""What holds until told otherwise: 1 GiB fits beside a reader on the smallest usual machine; 32 requests hide 20 ms at
1,600 requests a second; half a processor is never reached but by millions of tiny requests."""

SMALLEST = Budget(memory_bytes=0, bandwidth_bytes_s=0, in_flight=1, cpu_permille=1)
LARGEST = Budget(memory_bytes=2**63 - 1, bandwidth_bytes_s=2**63 - 1, in_flight=256, cpu_permille=1000)
"""256 requests: as many as there can be workers (`native.library.MOST_WORKERS`)."""

BURST_NS = 20_000_000
"""What an unused bandwidth may be caught up with, as time: longer than the gap between two rounds of planning under
load, so that nothing is lost, and short enough that a second never holds 5 % more than its share."""


def updated(budget: Budget, change: Budget) -> Budget:
    """Return a budget with what a message changes, clipped to what is possible."""
    given = {one.name: getattr(change, one.name) for one in fields(change)}
    return replace(
        budget,
        **{
            name: min(max(value, getattr(SMALLEST, name)), getattr(LARGEST, name))
            for name, value in given.items()
            if value is not None
        },
    )


@dataclass
class Bucket:
    """A token bucket that may be overdrawn once: the next taker waits until the debt is paid.

    So a request larger than the burst passes, and the long-term rate is exact.

    Attributes:
        rate: tokens a second; 0 lets everything pass.
        tokens: what may be taken now; negative is debt.
        time_ns: when `tokens` was true.
    """

    rate: int
    tokens: float
    time_ns: int

    def ready(self, now_ns: int) -> bool:
        """Whether something may be taken now."""
        self._fill(now_ns)
        return self.rate == 0 or self.tokens > 0

    def take(self, amount: int) -> None:
        """Take tokens."""
        if self.rate:
            self.tokens -= amount

    def give_back(self, amount: int, now_ns: int) -> None:
        """Give back tokens that were not needed: they were paid for, whatever the burst is."""
        self._fill(now_ns)  # before: what came in meanwhile was no burst
        if self.rate:
            self.tokens = min(self.tokens + amount, max(self._burst(), amount))

    def set_rate(self, rate: int, now_ns: int) -> None:
        """Change the rate; what was overdrawn remains, what was saved is cut to the new burst."""
        self._fill(now_ns)
        self.rate = rate
        self.tokens = min(self.tokens, self._burst()) if rate else 0.0

    def due_ns(self, now_ns: int) -> int:
        """Return when something may be taken."""
        self._fill(now_ns)
        return now_ns if self.rate == 0 or self.tokens > 0 else now_ns + int(1 - self.tokens * 1e9 / self.rate)

    def _burst(self) -> float:
        return self.rate * BURST_NS / 1e9

    def _fill(self, now_ns: int) -> None:
        passed = now_ns - self.time_ns
        if passed > 0:
            self.tokens = min(self.tokens + self.rate * passed / 1e9, max(self._burst(), self.tokens))
            self.time_ns = now_ns


def bucket(rate: int, now_ns: int) -> Bucket:
    """Return a bucket that begins empty."""
    return Bucket(rate, 0.0, now_ns)
