"""What `stepwell run` does beside recording: the session that reads ahead, and what is concluded from it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stepwell.analysis import understand
from stepwell.analysis.advice import known
from stepwell.analysis.plans import Budget, Carried, Plan, load, make
from stepwell.analysis.plans import table as plan_rows
from stepwell.analysis.plans.model import VERSION
from stepwell.analysis.thresholds.verdicts import COLDER
from stepwell.analysis.verdicts import Verdict, baseline, judge
from stepwell.analysis.verdicts import table as verdict_rows
from stepwell.cli import facts
from stepwell.cli.place import mount_notes, say, trace_number
from stepwell.mounts.tuned import commands
from stepwell.prefetch.errors import OrderError
from stepwell.steer import Engine, Outcome, Session
from stepwell.steer.carry import limited
from stepwell.steer.feed import Feed
from stepwell.steer.mounts import MountTuning
from stepwell.steer.orders import of_file, of_trace
from stepwell.steer.session import own_namespace

if TYPE_CHECKING:
    from stepwell.cli.place import Place
    from stepwell.store import Store

SHARE = 4
"""Memory for what is fetched ahead, without --memory: this part of what the machine has available, or `MOST`."""

MOST = 2 << 30
"""Bytes; more is ahead of no reader that waits for it."""

MIN_MEMORY = 64 << 20
"""Bytes; less holds not even one window of a fast reader."""

IN_FLIGHT = 64
"""Requests at once, without --in-flight; half of them to begin with."""


@dataclass(frozen=True)
class Wanted:
    """What the user said; None is left to the plan, or to what is usual."""

    plan: Path | None
    memory: int | None
    bandwidth: int | None
    in_flight: int | None
    order_from: str | None
    under: Path | None
    tune_mounts: bool = False


def read_plan(wanted: Wanted) -> Plan | None:
    """Return the plan of `--plan`.

    Raises:
        PlanError: it is none.
    """
    file = wanted.plan
    return load(file.read_text(encoding="utf-8", errors="replace"), str(file)) if file else None


def budget(plan: Plan | None, wanted: Wanted) -> Budget:
    """Return the plan's budget, or the usual one, with the user's limits."""
    usual = Budget(max(MIN_MEMORY, min(facts.available_memory() // SHARE, MOST)), IN_FLIGHT)
    return limited(plan.budget if plan else usual, wanted.memory, wanted.bandwidth, wanted.in_flight)


@contextlib.contextmanager
def steered(place: Place, wanted: Wanted, plan: Plan | None) -> Iterator[Session]:
    """Start the engine, which knows its datasets from the plan, from the order, or learns them from what is opened.

    Raises:
        StepwellError: it cannot be started, or there is no such order.
    """
    limits = budget(plan, wanted)
    plan = plan.within(limits) if plan else Plan(VERSION, "auto", limits, ())
    planned = [target.path for target in plan.targets if target.policy != "none"]
    roots = [str(wanted.under)] if wanted.under and not plan.targets else []
    options: list[str] = []
    with tempfile.TemporaryDirectory(prefix="stepwell-order.") as directory:
        if wanted.order_from:
            file = Path(wanted.order_from)
            if file.exists():
                roots = of_file(file, wanted.under or Path.cwd())
            elif not (wanted.order_from.isdecimal() or wanted.order_from == "last"):
                raise OrderError(f"{file} is neither a file nor the number of a trace; check its spelling")
            else:
                file = Path(directory) / "order.arrow"
                with place.reading() as store:
                    roots = of_trace(store, trace_number(store, wanted.order_from), file)
            options = [*(f"--root={root}" for root in roots), f"--order={file}"]
        feed = Feed(own_namespace(), (*planned, *roots))
        mounts = MountTuning(mount_notes()) if wanted.tune_mounts else None
        yield Session(Engine(options), feed, plan, roots, wanted.order_from, mounts)


def set_back() -> None:
    """Undo what runs that were killed have left changed in mounts, and say so."""
    notes = mount_notes()
    if any(notes.glob("*.json")):
        from stepwell.mounts.tuned import restore_left

        for told in restore_left(notes):
            say(told)


def conclude(store: Store, trace: int, outcome: Outcome, plan: Plan, *, quiet: bool) -> None:
    """Keep what was done and what it gained, and say it."""
    verdict = _judged(store, trace, outcome)
    store.set_acts(trace, plan_rows([Carried(0, plan)]), verdict_rows([verdict]))
    if outcome.failed or not quiet:
        say(verdict.sentence)
    if not quiet:
        for told in outcome.mounts:
            say(told)


def _judged(store: Store, trace: int, outcome: Outcome) -> Verdict:
    """Return the verdict, against an earlier recording of the command if that read from the same storage."""
    earlier = baseline(store, trace)
    if earlier is None or outcome.deeds.brought_bytes < COLDER * earlier.fetched:
        return judge(outcome.windows, outcome.deeds)
    return judge(outcome.windows, outcome.deeds, baseline=earlier.windows, baseline_trace=earlier.trace)


def recommend(store: Store, trace: int, limits: Budget, command: str, *, mounts: bool) -> None:
    """Say what would help most, or why nothing would; of mounts also the commands, if they may be told."""
    found = understand(store, trace)
    made = make(known(found.waits, found.patterns, found.orders, found.caches), limits, "recommend")
    for target in made.targets[:1]:
        gain = target.gain if target.policy != "none" else None
        expected = f", expected {gain.low_permille / 1000:.3g}x to {gain.high_permille / 1000:.3g}x" if gain else ""
        say(f"{target.path}: {target.policy}{expected}; {target.reason}")
    for told in commands(made.settings) if mounts else ():
        say(told)
    say(f"all of it, and why: {command} plan {trace}")
