"""What `stepwell run` concludes when its command has ended: the verdict, or what would help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepwell.analysis.plans import Carried
from stepwell.analysis.plans import table as plan_rows
from stepwell.analysis.thresholds.verdicts import COLDER
from stepwell.analysis.verdicts import Verdict, baseline, judge
from stepwell.analysis.verdicts import table as verdict_rows
from stepwell.cli.place import say

if TYPE_CHECKING:
    from stepwell.analysis.plans import Budget, Plan
    from stepwell.steer import Outcome
    from stepwell.store import Store


def conclude(store: Store, trace: int, outcome: Outcome, plan: Plan) -> Verdict:
    """Keep what was done and what it gained, and return that.

    It is held against an earlier recording of the command, if that read from the same storage.
    """
    earlier = baseline(store, trace)
    if earlier is None or outcome.deeds.brought_bytes < COLDER * earlier.fetched:
        verdict = alone(outcome)
    else:
        verdict = judge(
            outcome.windows,
            outcome.deeds,
            baseline=earlier.windows,
            baseline_trace=earlier.trace,
            given_up=outcome.given_up,
            tuned=outcome.tuned,
            ahead=outcome.ahead,
        )
    store.set_acts(trace, plan_rows([Carried(0, plan)]), verdict_rows([verdict]))
    return verdict


def alone(outcome: Outcome) -> Verdict:
    """Return what was gained, by what was measured during the run alone."""
    return judge(outcome.windows, outcome.deeds, given_up=outcome.given_up, tuned=outcome.tuned, ahead=outcome.ahead)


def recommend(store: Store, trace: int, limits: Budget, command: str, *, mounts: bool) -> None:
    """Say what would help most, or why nothing would; of mounts also the commands, if they may be told."""
    from stepwell.analysis import understand
    from stepwell.analysis.advice import known
    from stepwell.analysis.plans.make import make
    from stepwell.mounts.tuned import commands

    found = understand(store, trace)
    made = make(known(found.waits, found.patterns, found.orders, found.caches), limits, "recommend")
    for target in made.targets[:1]:
        gain = target.gain if target.policy != "none" else None
        expected = f", expected {gain.low_permille / 1000:.3g}x to {gain.high_permille / 1000:.3g}x" if gain else ""
        say(f"{target.path}: {target.policy}{expected}; {target.reason}")
    for told in commands(made.settings) if mounts else ():
        say(told)
    say(f"all of it, and why: {command} plan {trace}")
