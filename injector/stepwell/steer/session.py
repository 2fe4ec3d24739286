"""One recording whose readers are helped while it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from stepwell.analysis.plans import Plan, Target
from stepwell.analysis.verdicts import Ahead, Deeds, Window
from stepwell.prefetch.protocol import Gap, Message, Mode, Open, Policy, Root, Status, Totals
from stepwell.steer.carry import Done, messages
from stepwell.steer.engine import Engine
from stepwell.steer.feed import KINDS, Feed, Records
from stepwell.steer.meter import Meter, Waits
from stepwell.steer.progress import Progress
from stepwell.steer.tune import Tuning
from stepwell.steer.turns import Turns
from stepwell.trace.definition import RUN
from stepwell.trace.errors import SpoolError
from stepwell.trace.layout import DTYPES
from stepwell.trace.spool import Spool

if TYPE_CHECKING:
    from stepwell.steer.mounts import MountTuning

INTERVAL = 0.1
"""Seconds between two looks at the readers: eight requests of 20 ms pass in 0.16, and one look costs about 1 ms."""

SHORT_INTERVAL, FIRST_LOOKS = 0.025, 47
"""Seconds between the first looks at readers who wait, and how many are that close: a pattern shows meanwhile, and what
is ahead of it grows from look to look. Those who open one file after the other are looked at as often all along: of a
directory of ten files there is soon nothing left."""


class Recorder(Protocol):
    """What is asked of a collector."""

    def open_runs(self) -> Records:
        """Return the runs that are open now."""

    def calls(self) -> Records:
        """Return the calls under way now that read much."""

    def catch_up(self) -> None:
        """Bring all runs that have ended into the spool file."""


@dataclass(frozen=True)
class Outcome:
    """What became of it."""

    windows: tuple[Window, ...]
    deeds: Deeds
    ahead: Ahead | None
    """What of it was used; None where the engine told nothing."""
    failed: bool
    """The engine ended by itself; the program did not notice."""
    given_up: bool = False
    """Acting was ended before the program was, for it did not pay."""
    tuned: str = "none"
    """What became of other settings of mounts, as a verdict's action."""


class Session:
    """Follows a recording, tells the engine of it, and acts in turns."""

    def __init__(
        self,
        engine: Engine,
        feed: Feed,
        plan: Plan,
        roots: Iterable[str] = (),
        order: str | None = None,
        mounts: MountTuning | None = None,
    ) -> None:
        """Take over a running engine.

        Args:
            engine: the engine; it is closed by `finish`.
            feed: makes messages of records.
            plan: its budgets, and its datasets if they are known.
            roots: further directories in which it may read.
            order: where the known order came from that the engine has been given.
            mounts: changes mounts, where that is allowed.
        """
        self._budget = plan.budget
        self._order = order
        self._done = Done()
        self._engine = engine
        self._feed = feed
        self._turns = Turns(known=order is not None)
        self._spool: Spool | None = None
        self._origin_ns = 0
        self._failure = self._why = ""
        self._last = Progress(0, 0, 0)
        self._waits = Waits()
        self._long_calls = False
        """Whether calls were under way at the last look that take as long as turns do."""
        self._tuning = Tuning(plan.budget)
        self._mounts = mounts
        self._acts = self._turns.acting
        """Whether the engine was told to act."""
        self._changes = 0
        self._set_otherwise = False
        """A mount was, and what was measured before is still in the turns."""
        self._roots: dict[str, Root] = {}
        self._looks = self._opens = 0
        self._tell([Mode(act=self._acts), *messages(plan, ordered=order is not None), *map(Root, roots)])

    @property
    def interval(self) -> float:
        """Seconds up to the next look."""
        soon = self._looks < FIRST_LOOKS or self._opens > 0
        return SHORT_INTERVAL if self._waits.now and soon else INTERVAL

    def begin(self, spool: Path, origin_ns: int) -> None:
        """Follow a spool file whose recording has begun; `origin_ns` is the start of the trace, CLOCK_MONOTONIC."""
        self._origin_ns = origin_ns
        try:
            self._spool = Spool(spool)
        except SpoolError as error:  # the program and its recording go on
            self._failure = str(error)

    def tick(self, recorder: Recorder) -> None:
        """Look at the readers once."""
        self._carefully(lambda spool: self._look(spool, recorder))

    def _carefully(self, look: Callable[[Spool], None]) -> None:
        """Look; what goes wrong with that ends acting, and nothing else."""
        if self._spool is None or self._failure:
            return
        try:
            look(self._spool)
        except Exception as error:  # whatever it is, the program and its recording go on
            self._failure = str(error) or type(error).__name__

    def end(self, now_ns: int) -> None:
        """Look for the last time, at a spool file that is whole.

        Args:
            now_ns: when the readers ended, CLOCK_MONOTONIC.
        """
        nothing = np.zeros(0, DTYPES[RUN.kind])
        self._carefully(lambda spool: self._take(spool, nothing, nothing, now_ns))

    def _look(self, spool: Spool, recorder: Recorder) -> None:
        calls = recorder.calls()  # first, so that those that end meanwhile are told as accesses after that
        runs = recorder.open_runs()
        recorder.catch_up()  # now all that came before the open runs is in the file
        self._take(spool, runs, calls, time.monotonic_ns())

    def _take(self, spool: Spool, runs: Records, calls: Records, clock_ns: int) -> None:
        told = self._feed.tell(spool.follow(KINDS), runs, calls, clock_ns, waiting=self._waits.now)
        now_ns = clock_ns - self._origin_ns
        meter = self._feed.meter
        self._last = _progress(now_ns, self._origin_ns, meter, self._engine.status)
        self._looks += meter.octets > 0
        self._opens = sum(isinstance(message, Open) for message in told)
        # What a call has read is told when it has ended: not even that moment can be measured.
        long_calls, before = self._feed.long_calls, self._long_calls
        self._long_calls = long_calls
        self._waits.see(now_ns, meter.octets, meter.waited_ns, in_calls=long_calls)
        acting = self._turns.acting and not long_calls
        trying = self._mounts is not None and self._mounts.trying
        if trying or long_calls or before:
            self._turns.skip(self._last)
        else:
            self._turns.step(self._last)
        if self._mounts:
            self._mounts.see(told, now_ns, meter.octets, settled=acting or self._turns.reason != "")
        changes = self._mounts.changes if self._mounts else 0
        changed, self._changes = changes != self._changes, changes
        self._set_otherwise |= changed
        if self._set_otherwise and not trying:
            self._turns.restart(self._last)
            self._set_otherwise = False
        if self._tuning.step(now_ns, meter.octets, meter.waited_ns, acting=acting and not trying) or changed:
            self._tell([replace(root, remounted=changed) for root in self._roots.values()])
        self._tell(told)
        if self._turns.gap:
            self._tell([Gap(self._turns.gap)])
            self._turns.gap = 0
        holds = self._mounts is not None and self._mounts.holds
        # While a call takes long nothing can be measured, but it is known what is needed.
        acts = self._turns.acting or (long_calls and not self._turns.reason)
        if self._acts is not (acts and not holds):
            self._acts = not self._acts
            self._tell([Mode(act=self._acts, pays=self._turns.pays)])
        self._listen()
        status = self._engine.status
        if self._mounts and holds and status and status.state == "watching" and not status.in_flight:
            self._mounts.quiet()

    def _tell(self, messages: Iterable[Message]) -> None:
        """Tell the engine, datasets with the setting that is tried at the moment."""
        tuned: list[Message] = []
        for message in messages:
            if isinstance(message, Root):
                self._roots[message.path] = replace(message, remounted=False)
                tuned.append(self._tuning.set(message))
            else:
                tuned.append(message)
        self._engine.tell(tuned)

    def _listen(self) -> None:
        self._engine.listen()
        if status := self._engine.status:
            self._done.see(status)
            if status.state != "watching":
                self._why = status.why
            tunable = [mount for mount in status.mounts if mount.parts]
            if self._tuning.tuner is None and tunable:
                self._tuning.start(max(tunable, key=lambda mount: mount.request_ns))

    def finish(self) -> Outcome:
        """End the engine, and return what was done and measured."""
        self._turns.end(self._last)
        if self._mounts:
            self._mounts.finish()
        if self._spool:
            self._spool.__exit__(None, None, None)
        self._engine.close()
        if (status := self._engine.status) and status.state == "ended":
            self._done.see(status)
        stopped = self._failure or self._turns.reason
        if not stopped and (status is None or not status.totals.brought_bytes):
            never = "it ended before there was anything to compare with"
            why = status.why if status and self._acts else self._why  # it only watches while it may not act
            stopped = why if status and self._turns.acted else never
        return Outcome(
            windows=tuple(self._turns.measured),
            deeds=_deeds(status, stopped),
            ahead=_ahead(status.totals) if status else None,
            failed=bool(self._failure),
            given_up=bool(self._turns.reason),
            tuned=self._mounts.action if self._mounts else "none",
        )

    def done(self) -> Plan:
        """Return what was done as a plan, as far as the engine found it out by itself."""
        plan = self._done.plan(self._budget, self._order, self._tuning)
        settings = tuple(self._mounts.settings) if self._mounts else ()
        if settings and not plan.targets:
            plan = replace(plan, targets=(Target(settings[0].path, "none", "its mount was set otherwise, no more"),))
        return replace(plan, settings=settings)


def _progress(now_ns: int, origin_ns: int, meter: Meter, status: Status | None) -> Progress:
    """Return how far readers are, and the engine as far as it has told."""
    began_ns = now_ns if meter.began_ns is None else meter.began_ns - origin_ns
    now = Progress(now_ns, meter.octets, meter.waited_ns, began_ns=began_ns)
    if status is None:
        return now
    return replace(
        now,
        # Looks at files are under way as well, but bring in nothing.
        requests=status.totals.requests + (status.in_flight_bytes > 0),
        used=status.totals.used_bytes,
        gap=status.gap,
        alone=status.alone,
        invests=any(head.policy is Policy.RANDOM for head in status.heads),
    )


def _deeds(status: Status | None, stopped: str) -> Deeds:
    if status is None:
        return Deeds(stopped=stopped)
    totals = status.totals
    return Deeds(
        files=totals.opened_files,
        # Those that found everything in memory were no deed.
        requests=totals.requests if totals.brought_bytes else 0,
        brought_bytes=totals.brought_bytes,
        used_bytes=totals.used_bytes,
        late_bytes=totals.late_bytes,
        wasted_bytes=totals.early_bytes + totals.wasted_bytes,
        stopped="; ".join(filter(None, (stopped, *status.stops))),
    )


def _ahead(totals: Totals) -> Ahead:
    return Ahead(totals.used_bytes + totals.late_bytes, totals.alone_ns)


def own_namespace() -> int:
    """Return the inode number of this process's mount namespace, as THREAD records have it."""
    return Path("/proc/self/ns/mnt").stat().st_ino
