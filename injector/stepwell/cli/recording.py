"""One recording, from the start of the collector to a complete spool file."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from stepwell.cli import facts
from stepwell.cli.ahead import Ahead
from stepwell.cli.errors import RecordError
from stepwell.cli.launch import Command
from stepwell.cli.live import INTERVAL, LiveLine
from stepwell.cli.place import say
from stepwell.trace.errors import SpoolError, StepwellError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stepwell.cli.launch import Signals
    from stepwell.collectors.ebpf import Collector, Scope


@dataclass(frozen=True)
class Plan:
    """What to record and for how long; `command` may be empty, then `pids` or a signal end it."""

    command: tuple[str, ...] = ()
    pids: tuple[int, ...] = ()
    cgroup: Path | None = None
    everything: bool = False
    under: Path | None = None
    seconds: float | None = None
    """Longest time to record; None for no limit."""

    def describe(self) -> str:
        """Return the scope in words, for the trace."""
        if self.pids:
            what = "pid " + ", ".join(map(str, self.pids))
        elif self.cgroup:
            what = f"cgroup {self.cgroup}"
        else:
            what = "all" if self.everything else "command"
        return f"{what} under {self.under}" if self.under else what

    def scope(self, child: int | None) -> Scope:
        """Return the collector's scope; `child` is the command's process id."""
        from stepwell.collectors.ebpf import Scope, ScopeKind

        if self.cgroup:
            return Scope(ScopeKind.CGROUP, cgroup=self.cgroup, under=self.under)
        if self.everything:
            return Scope(ScopeKind.ALL, under=self.under)
        if self.pids or child is None:
            return Scope(ScopeKind.TREE, pids=self.pids, under=self.under)
        return Scope(ScopeKind.TREE, pids=(child,), after_exec=True, under=self.under)


@dataclass(frozen=True)
class Ending:
    """How a recording ended, under the names of the META block."""

    exit_code: int | None = None
    """The command's, 128 + N when signal N killed it; None while it runs on, or without a command."""
    interrupted: bool = False
    """A signal ended it before its time."""


class Observer(Protocol):
    """Looks on while a recording goes on, and may act on what it sees."""

    @property
    def interval(self) -> float:
        """Seconds up to the next look."""

    def begin(self, spool: Path, origin_ns: int) -> None:
        """Take note that the recording into this spool file has begun, at this CLOCK_MONOTONIC; nothing ran yet."""

    def tick(self, recorder: Collector) -> None:
        """Look; must not raise."""

    def end(self, now_ns: int) -> None:
        """Look at the whole spool file; the command ended at this CLOCK_MONOTONIC, and all work ahead is done."""


class Targets:
    """The processes given by `--pid`, watched through their pidfds, which no later process can inherit."""

    def __init__(self, pids: tuple[int, ...]) -> None:
        self._descriptors = contextlib.ExitStack()
        self._poll = select.poll()
        self._running = 0
        for pid in pids:
            descriptor = os.pidfd_open(pid)
            self._descriptors.callback(os.close, descriptor)
            self._poll.register(descriptor, select.POLLIN)
            self._running += 1

    def __bool__(self) -> bool:
        """Whether any of them still runs."""
        for descriptor, _ in self._poll.poll(0):
            self._poll.unregister(descriptor)
            self._running -= 1
        return self._running > 0

    def close(self) -> None:
        """Close the pidfds."""
        self._descriptors.close()


@dataclass
class Recording:
    """A recording in progress and the command it may have started."""

    plan: Plan
    uuid: str
    spool: Path
    signals: Signals
    quiet: bool = False
    """No live line, and no word when a recording without command has begun."""
    observer: Observer | None = None
    ahead: tuple[Callable[[], None], ...] = ()
    """What is done meanwhile, in a thread of its own, because it is needed only while the command runs or later."""
    child: Command | None = field(default=None, init=False)

    def run(self) -> Ending:
        """Record until the end; afterwards the spool file is whole, closed and unlocked.

        Raises:
            StepwellError: recording could not begin; nothing was run and no spool file is left.
        """
        from stepwell.collectors.ebpf import Collector, drop_ambient

        with contextlib.ExitStack() as cleanup:
            targets = cleanup.enter_context(contextlib.closing(Targets(self.plan.pids)))
            if self.plan.command:
                self.child = Command.fork(self.plan.command, self.signals, drop_ambient)
            ahead = cleanup.enter_context(Ahead(self.ahead))  # after the fork, which would copy a half-done thread
            try:
                scope = self.plan.scope(self.child.pid if self.child else None)
                collector = cleanup.enter_context(Collector(scope, self.spool))
                start = self._begin(collector)
                if self.child:
                    self.child.release()
                elif not self.quiet:
                    say(f"recording {self.plan.describe()}; Ctrl-C ends it")
            except BaseException as error:
                if self.child:
                    self.child.abandon()
                with contextlib.suppress(OSError):
                    self.spool.unlink()
                raise self._reason(error) from error
            ending = self._watch(collector, targets, start)
            ended_ns = time.monotonic_ns()
            self._end(collector, ending)
            ahead.join()
            if ahead.error:
                say(f"error: {ahead.error}")
            if self.observer:
                self.observer.end(ended_ns)
            return ending

    def _reason(self, error: BaseException) -> BaseException:
        """Return the error as the user is to see it when recording could not begin."""
        if isinstance(error, OSError):
            error = SpoolError(f"cannot record into {self.spool}: {error.strerror}; make that possible, or use --store")
        if self.plan.command and isinstance(error, StepwellError) and not isinstance(error, RecordError):
            return RecordError(str(error))
        return error

    def _end(self, collector: Collector, ending: Ending) -> None:
        """End the trace; what cannot be written is said, because the command's exit code matters more."""
        try:
            collector.stop(asdict(ending))
        except (StepwellError, OSError) as error:
            say(f"error: the end of the trace is not complete: {error}")

    def _begin(self, collector: Collector) -> float:
        from stepwell.collectors.ebpf import coverage

        facts_at_start: dict[str, Any] = {
            "uuid": self.uuid,
            "command": [facts.text(os.fsencode(word)) for word in self.plan.command],
            "scope": self.plan.describe(),
            "acts": self.observer is not None,
            "collector": coverage.name(collector.features),
            "coverage": coverage.coverage(collector.features),
            "start_realtime_ns": time.time_ns(),
            "start_monotonic_ns": time.monotonic_ns(),
        }
        collector.meta(facts_at_start | facts.machine())
        collector.start()
        if self.observer:
            self.observer.begin(self.spool, facts_at_start["start_monotonic_ns"])
        return time.monotonic()

    def _watch(self, collector: Collector, targets: Targets, start: float) -> Ending:
        deadline = start + self.plan.seconds if self.plan.seconds is not None else None
        asked: set[int] = set()
        live = sys.stderr.isatty() and not self.quiet
        with LiveLine(sys.stderr, collector.counters()) if live else contextlib.nullcontext() as line:
            while True:
                if self.child and (code := self.child.poll()) is not None:
                    return Ending(code, interrupted=code - 128 in asked)
                if not self.child and self.plan.pids and not targets:
                    return Ending()
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return Ending()
                tick = INTERVAL if line or (self.plan.pids and not self.child) else None
                look = self.observer.interval if self.observer else None
                info = self.signals.wait(min((wait for wait in (left, tick, look) if wait is not None), default=None))
                if info and info.si_signo != signal.SIGCHLD:
                    if not self.child:
                        # Without a planned end a signal is the planned end.
                        return Ending(interrupted=bool(self.plan.pids) or deadline is not None)
                    asked.add(info.si_signo)
                    self.child.forward(info)
                if line:
                    line.update(collector.counters())
                if self.observer:
                    self.observer.tick(collector)

    def finish(self) -> int:
        """Wait for a command that outlives its recording, and return its exit code."""
        assert self.child is not None
        while (code := self.child.poll()) is None:
            info = self.signals.wait(None)
            if info and info.si_signo != signal.SIGCHLD:
                self.child.forward(info)
        return code
