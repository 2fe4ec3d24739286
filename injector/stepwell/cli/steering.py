"""What `stepwell run` does beside recording: the engine, started at once, and the session that drives it."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from stepwell.analysis.plans import Budget, Plan
from stepwell.analysis.plans.model import VERSION
from stepwell.cli import facts
from stepwell.cli.interrupts import take_no_signals
from stepwell.cli.known import Known, known_order
from stepwell.cli.place import mount_notes, say
from stepwell.steer import Engine
from stepwell.steer.carry import limited, order_of

if TYPE_CHECKING:
    from stepwell.cli.launch import Signals
    from stepwell.cli.place import Place
    from stepwell.collectors.ebpf import Collector
    from stepwell.steer import Outcome, Session
    from stepwell.steer.mounts import MountTuning

SOON = 0.025
"""Seconds up to the next look while there is no session yet."""

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
    if not wanted.plan:
        return None
    from stepwell.analysis.plans import load

    return load(wanted.plan.read_text(encoding="utf-8", errors="replace"), str(wanted.plan))


def budget(plan: Plan | None, wanted: Wanted) -> Budget:
    """Return the plan's budget, or the usual one, with the user's limits."""
    usual = Budget(max(MIN_MEMORY, min(facts.available_memory() // SHARE, MOST)), IN_FLIGHT)
    return limited(plan.budget if plan else usual, wanted.memory, wanted.bandwidth, wanted.in_flight)


@dataclass
class Steering:
    """An engine that runs already, and what drives it: a session, as soon as that is imported."""

    engine: Engine
    plan: Plan
    """Its budgets, and its datasets if they are known."""
    datasets: tuple[str, ...]
    """The directories whose files alone matter; without any the engine learns them from what is opened."""
    roots: list[str]
    """Further directories in which it may read."""
    order: str | None
    """Where the known order came from that the engine has been given."""
    tune_mounts: bool
    """Whether settings of mounts may be changed."""
    mounts: MountTuning | None = field(default=None, init=False)
    session: Session | None = None
    _began: tuple[int, int] | None = None

    @property
    def interval(self) -> float:
        """Seconds up to the next look."""
        return self.session.interval if self.session else SOON

    def set_mounts(self, signals: Signals) -> int | None:
        """Set mounts as the plan says, if they may be changed; return the signal that ended that before its time."""
        if not self.tune_mounts:
            return None
        from stepwell.steer.mounts import MountTuning

        self.mounts = MountTuning(mount_notes(), self.plan.settings)
        is_set = False
        while not is_set:
            is_set = self.mounts.wait_set(SOON)
            info = signals.wait(0)
            if info and info.si_signo != signal.SIGCHLD:
                return info.si_signo
        return None

    def prepare(self) -> None:
        """Make the session, which takes the time that its modules take; may be called by another thread."""
        from stepwell.steer.feed import Feed
        from stepwell.steer.session import Session, own_namespace

        feed = Feed(own_namespace(), self.datasets)
        self.session = Session(self.engine, feed, self.plan, self.roots, self.order, self.mounts)

    def begin(self, spool: Path, origin_ns: int) -> None:
        """Take note that the recording into this spool file has begun, at this CLOCK_MONOTONIC."""
        # Once the recording has ended, another stepwell may bring its file into the store, and remove it.
        self._began = os.open(spool, os.O_RDONLY | os.O_CLOEXEC), origin_ns

    def tick(self, recorder: Collector) -> None:
        """Look at the readers, if there is a session yet."""
        if session := self._following():
            session.tick(recorder)

    def end(self, now_ns: int) -> None:
        """Look at a recording that has ended, at this CLOCK_MONOTONIC, once `prepare` has."""
        if session := self._following():
            session.end(now_ns)

    def finish(self) -> Outcome | None:
        """End the engine, and return what was done and measured, if there was a session."""
        if self.session:
            return self.session.finish()
        self.engine.close()
        if self.mounts:
            self.mounts.finish()
        return None

    def tell_of_mounts(self, *, quiet: bool) -> None:
        """Say what was done about mounts; nothing if that is not wanted, unless one could not be set back."""
        if self.mounts and (self.mounts.stuck or not quiet):
            for told in self.mounts.told:
                say(told)

    def _following(self) -> Session | None:
        if self.session and self._began:
            (spool, origin_ns), self._began = self._began, None
            self.session.begin(Path(f"/proc/self/fd/{spool}"), origin_ns)
            os.close(spool)
        return self.session


@contextlib.contextmanager
def steered(place: Place, wanted: Wanted, plan: Plan | None) -> Iterator[Steering]:
    """Start the engine, which knows its datasets from the plan, from the order, or learns them from what is opened.

    Raises:
        StepwellError: it cannot be started, or there is no such order.
    """
    limits = budget(plan, wanted)
    plan = plan.within(limits) if plan else Plan(VERSION, "auto", limits, ())
    planned = [target.path for target in plan.targets]
    roots = [str(wanted.under)] if wanted.under and not plan.targets else []
    options, order = _options(limits), order_of(plan) if wanted.order_from is None else wanted.order_from
    with contextlib.ExitStack() as cleanup:
        known = Known(options=(), roots=tuple(roots))
        if order is not None:
            known = cleanup.enter_context(known_order(place, order, wanted.under))
        engine = Engine([*options, *known.options], [file.fileno() for file in known.files])
        for file in known.files:  # without the engine nobody would take what comes at a socket
            file.close()
        further = [root for root in known.roots if root not in planned]
        yield Steering(engine, plan, (*planned, *further), further, known.name, wanted.tune_mounts)


def set_back() -> None:
    """Undo what runs that were killed have left changed in mounts, and say so; one that hangs is given up."""
    notes = mount_notes()
    if os.access(notes, os.R_OK | os.X_OK) and any(notes.glob("*.json")):
        from stepwell.mounts.tuned import restore_left
        from stepwell.steer.mounts import BRIEF, PATIENCE

        def restore() -> None:
            take_no_signals()  # it may go on while the command runs
            for told in restore_left(notes):
                say(told)

        thread = threading.Thread(target=restore, name="mounts", daemon=True)
        thread.start()
        thread.join(BRIEF)
        if thread.is_alive():
            say(f"a mount that a killed run left changed is being set back, for {PATIENCE:.0f} s at most")
            thread.join(PATIENCE)
        if thread.is_alive():
            say("a mount that a killed run left changed does not answer; the next `stepwell run` tries again")


def _options(limits: Budget) -> list[str]:
    """Return a budget as options of the engine, which with a known order begins before it is told anything."""
    given = {
        "memory": limits.memory_bytes,
        "bandwidth": limits.bandwidth_bytes_s,
        "in-flight": limits.in_flight,
        "cpu": limits.cpu_permille,
    }
    return [f"--{name}={value}" for name, value in given.items() if value is not None]
