"""Stops what does not pay, for a while that grows each time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from stepwell.prefetch.ledger import Account
from stepwell.prefetch.protocol import Policy

JUDGED_BYTES = 8 << 20
"""Bytes whose fate is known before a policy is judged: 64 requests of 128 KiB, so that no short file decides."""

LOST_PERMILLE = 100
"""A policy that loses more than a tenth of its bytes, evicted or never asked for, is stopped."""

FIRST_STOP_NS = 10_000_000_000
"""How long the first stop lasts; every further one twice as long: what changes is tried again, at a falling price."""


@dataclass
class Trial:
    """One policy under judgement."""

    mark: Account = field(default_factory=Account)
    stop_ns: int = FIRST_STOP_NS
    until_ns: int = 0
    why: str = ""


@dataclass
class Feedback:
    """Judges policies by what became of the bytes that they brought in."""

    trials: dict[Policy, Trial] = field(default_factory=lambda: {policy: Trial() for policy in Policy})

    def judge(self, accounts: dict[Policy, Account], now_ns: int) -> None:
        """Look at all accounts; cheap enough for every round."""
        for policy, account in accounts.items():
            trial, mark = self.trials[policy], self.trials[policy].mark
            if now_ns < trial.until_ns:  # what becomes of the bytes from before is no news
                trial.mark = replace(account)
                continue
            kept = account.used + account.late - mark.used - mark.late
            lost = account.early + account.wasted - mark.early - mark.wasted
            if kept + lost < JUDGED_BYTES:
                continue
            if lost * 1000 > LOST_PERMILLE * (kept + lost):
                trial.why = (
                    f"{policy}: stopped for {trial.stop_ns // 1_000_000_000} s: {100 * lost // (kept + lost)} % of the "
                    f"last {(kept + lost) >> 20} MiB were brought in for nothing"
                )
                trial.until_ns = now_ns + trial.stop_ns
                trial.stop_ns *= 2
            trial.mark = replace(account)

    def pardon(self, accounts: dict[Policy, Account]) -> None:
        """What was lost up to now is no policy's fault."""
        for policy, account in accounts.items():
            self.trials[policy].mark = replace(account)

    def stopped(self, policy: Policy, now_ns: int) -> bool:
        """Whether a policy may bring in nothing now."""
        return now_ns < self.trials[policy].until_ns

    def resumes(self, now_ns: int) -> bool:
        """Whether stops have ended since the last call."""
        over = [trial for trial in self.trials.values() if 0 < trial.until_ns <= now_ns]
        for trial in over:
            trial.until_ns = 0
        return bool(over)

    def due_ns(self) -> int | None:
        """Return when the next stop ends, None if there is none."""
        return min((trial.until_ns for trial in self.trials.values() if trial.until_ns), default=None)

    def stops(self, now_ns: int) -> tuple[str, ...]:
        """Return the reasons of all stops that last."""
        return tuple(trial.why for policy, trial in self.trials.items() if self.stopped(policy, now_ns))
