"""What `stepwell run` does beside recording: the engine, started at once, and the session that drives it."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from stepwell.analysis.plans import Budget, Plan
from stepwell.analysis.plans.model import VERSION
from stepwell.cli import facts
from stepwell.cli.interrupts import apart, take_no_signals
from stepwell.cli.place import mount_notes, say, trace_number
from stepwell.prefetch.errors import OrderError
from stepwell.steer import Engine
from stepwell.steer.carry import limited, order_of

if TYPE_CHECKING:
    import socket

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

SOCKET = "unix:"
"""What an order begins with that comes by a socket."""

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
        listener, descriptors = None, []
        if order and order.startswith(SOCKET):
            path = Path(order.removeprefix(SOCKET)).absolute()
            order, listener = f"{SOCKET}{path}", cleanup.enter_context(_listening(path))
            options += [f"--root={wanted.under or Path.cwd()}", f"--order-fd={listener.fileno()}"]
            options += [] if wanted.under else ["--order-anywhere"]
            descriptors = [listener.fileno()]
        elif order is not None:
            steps = cleanup.enter_context(tempfile.TemporaryFile())  # which nobody has to remove
            roots, file, order = apart(partial(_order, place, order, wanted.under, steps))
            options += [*(f"--root={root}" for root in roots), f"--order={file}"]
            descriptors = [steps.fileno()]
        engine = Engine(options, descriptors)
        if listener:
            listener.close()  # without the engine nobody would take what comes there
        further = [root for root in roots if root not in planned]
        yield Steering(engine, plan, (*planned, *further), further, order, wanted.tune_mounts)


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


@contextlib.contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    """Yield the socket at which an order comes: it is there before the command begins."""
    from stepwell.prefetch.connections import listen

    with listen(path) as listener:
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)


def _order(place: Place, given: str, under: Path | None, steps: BinaryIO) -> tuple[list[str], Path, str]:
    """Return the directories of what a known order names, the file that has it, and what it is to be called.

    Args:
        place: the store, which has traces.
        given: a file, or a trace.
        under: directory of relative paths; None for the one where this process is.
        steps: a file for the order of a trace, which the engine is given open.
    """
    file = Path(given)
    if file.exists():
        if not file.is_file():
            raise OrderError(f"{file} is no regular file, and an order is read twice; save it, or use {SOCKET}PATH")
        from stepwell.steer.orders import of_file

        return of_file(file, under or Path.cwd()), file, str(file.absolute())
    if not (given.isdecimal() or given == "last"):
        raise OrderError(f"{file} is neither a file nor the number of a trace nor {SOCKET}PATH; check its spelling")
    from stepwell.steer.traced import of_trace

    with place.reading() as store:
        number = trace_number(store, given)
        roots = of_trace(store, number, steps)
    steps.flush()
    return roots, Path(f"/proc/self/fd/{steps.fileno()}"), str(number)
