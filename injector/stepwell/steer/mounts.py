"""The mounts that a program reads, set otherwise while the program runs, and set back at its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from stepwell.analysis.plans import Setting
from stepwell.analysis.plans.mounts import Choice
from stepwell.mounts import Mount, MountError
from stepwell.mounts.tuned import Tuned
from stepwell.prefetch.protocol import Message
from stepwell.steer.held_mount import HeldMount
from stepwell.steer.observed import Observed
from stepwell.steer.trial import Trial

INTERVAL = 0.1
"""Seconds between two looks, as of the session."""

PATIENCE = 150.0
"""Seconds that setting a mount, or setting it back at the end, may take: mounting JuiceFS again may wait for two
minutes."""

BRIEF = 2.0
"""Seconds that a mount is waited for at the end where nothing has been changed: it may hang."""

QUIET = 0.5
"""Seconds that the engine's last requests are waited for before a mount is mounted again: its client lets all that it
was asked for come before another one takes over, and readers wait meanwhile."""

LOOKS = 20
"""Looks in a row at which a mount is read in another way before it is set back: some reads of a header are none."""


class MountTuning:
    """Tries a change of the FUSE mount that is read, keeps it if it pays, and undoes it in any case at the end.

    When the mount is read in another way, what was kept is undone, and a change for that way is tried.

    All that may wait for a mount is done in a thread of its own: a mount that hangs holds up nothing else.

    Attributes:
        told: what was done and why, a sentence each.
        settings: those that paid, as a plan has them.
        holds: the engine is to ask for nothing, as a mount is being mounted again.
        stuck: a mount could not be set back.
    """

    def __init__(self, notes: Path, planned: Iterable[Setting] = ()) -> None:
        """Begin, and set mounts as a plan says.

        Args:
            notes: directory for notes of what was changed.
            planned: settings of a plan; their mounts are set so at once, and not tried any further.
        """
        self.told: list[str] = []
        self.settings: list[Setting] = []
        self.holds = self.stuck = False
        self._notes = notes
        self._observed = Observed()
        self._held: dict[Mount, HeldMount] = {}
        self._refused: set[Mount] = set()
        self._trial: Trial | None = None
        self._touched = False
        self._planned = tuple(planned)
        self._ready, self._read, self._stop = threading.Event(), threading.Event(), threading.Event()
        self._quiet = threading.Event()
        self._thread = threading.Thread(target=self._work, name="mounts", daemon=True)
        self._deadline = time.monotonic() + PATIENCE
        self._thread.start()

    def wait_set(self, seconds: float) -> bool:
        """Wait so long at most; return whether mounts are set as the plan says, or take too long."""
        return self._ready.wait(seconds) or time.monotonic() >= self._deadline

    @property
    def changes(self) -> int:
        """How often a mount has been set otherwise, or back."""
        return sum(held.changes for held in [*self._held.values()])

    @property
    def action(self) -> str:
        """What became of settings, as a verdict has it."""
        return "none" if not self._touched else "kept" if self.settings else "rolled back"

    @property
    def trying(self) -> bool:
        """Whether a trial or a change is under way: other measurements of the same readers mean nothing then."""
        return self.holds or (self._trial is not None and self._trial.kept is None)

    def see(self, messages: Iterable[Message], now_ns: int, octets: int, *, settled: bool) -> None:
        """Take in what happened; waits for nothing.

        Args:
            messages: what the engine is told.
            now_ns: nanoseconds since the trace's start.
            octets: bytes that readers got up to now.
            settled: whether the engine acts, or will not any more.
        """
        if self._observed.see(messages, now_ns, octets, settled=settled):
            self._read.set()

    def quiet(self) -> None:
        """Take in that the engine is held, and has nothing under way."""
        self._quiet.set()

    def finish(self) -> None:
        """Set the mount back; waits until that is done."""
        self._stop.set()
        self._read.set()
        self._quiet.set()
        self._thread.join(PATIENCE if self._touched else BRIEF)
        if self._touched and self._thread.is_alive():
            self.stuck = True
            self.told.append("a mount does not answer and could not be set back; the next `stepwell run` tries again")

    # ---- the thread ----

    def _work(self) -> None:
        try:
            self._prepare()
            self._ready.set()
            while True:
                # As soon as something is read: what a client fetches in vain it fetches all the time.
                self._read.wait(INTERVAL)
                if self._stop.is_set():
                    break
                self._read.clear()
                self._hold()
                for held in self._held.values():
                    held.keep_open()
                    if not held.tuned.changed:
                        self._try(held)
            for held in self._held.values():
                if held.tuned.changed or held.tried:
                    continue
                why = "nothing was read ahead that it could help" if held.choice.values else held.choice.reason
                self._say(held.tuned.mount, f"left as it is: {'; '.join(filter(None, (why, held.tuned.refused)))}")
        except Exception as error:  # whatever it is, the program and its recording go on
            self.told.append(str(error) or type(error).__name__)
        finally:
            self._ready.set()
            for held in self._held.values():
                self._give_up(held)

    def _prepare(self) -> None:
        """Set mounts as the plan says."""
        wanted: dict[Mount, dict[str, int]] = {}
        for setting in self._planned:
            mount = self._observed.mount_of(f"{setting.path}/")
            if mount and setting.value.isdecimal():
                wanted.setdefault(mount, {})[setting.name] = int(setting.value)
        self._observed.expect(wanted)
        self._hold()
        for mount, held in self._held.items():
            tuned = held.tuned
            values = {name: value for name, value in wanted[mount].items() if tuned.settings.get(name, value) != value}
            if values:
                self._touched = True
                if self._stop.is_set():  # nobody may wait for it any more
                    return
                try:
                    tuned.apply(values)
                except MountError as error:
                    self._say(mount, f"not set as the plan says: {error}")
                    continue
                self.settings += tuned.described(values, "the plan says so", "the plan")
                self._say(mount, f"set to {_listed(values)} as the plan says")
            elif tuned.refused:
                self._say(mount, f"not set as the plan says: {tuned.refused}")

    def _give_up(self, held: HeldMount) -> None:
        """Set a mount back, if it was changed."""
        try:
            held.close()
        except MountError as error:
            self.stuck = True
            self._say(held.tuned.mount, f"could not be set back, which the next `stepwell run` tries again: {error}")

    def _hold(self) -> None:
        """Take hold of mounts that files are opened on."""
        for mount in self._observed.mounts():
            if mount in self._held or mount in self._refused:
                continue
            try:
                self._held[mount] = HeldMount(Tuned(mount, self._notes), self._observed)
            except MountError as error:
                self._refused.add(mount)
                self._say(mount, f"left as it is: {error}")

    def _try(self, held: HeldMount) -> None:
        """Try the change for the way in which a mount is read, if there is one that has not been tried."""
        choice = held.choose()
        if choice is None:
            return
        held.choice = choice
        # What is to save time must save it beside the engine, if that acts; bytes are saved in any case.
        may = self._observed.settled or choice.saves_bytes
        if choice.values and may and choice.kind not in held.tried:
            held.tried.add(choice.kind)
            self._tune(held, choice)
            held.begin = held.moment()

    def _tune(self, held: HeldMount, choice: Choice) -> None:
        tuned = held.tuned
        self._trial = trial = Trial(held.begin if choice.saves_bytes else None)
        try:
            while not self._stop.is_set():
                trial.step(held.moment())
                if trial.kept is not None:
                    break
                self._set(held, choice, wanted=trial.wanted)
                held.keep_open()
                self._stop.wait(INTERVAL)
            if trial.kept is None:
                trial.kept, trial.why = False, "the program ended before its effect was known"
            self._set(held, choice, wanted=trial.kept)
            done = "set to" if trial.kept else "set back from"
            self._say(tuned.mount, f"{done} {_listed(choice.values)}: {choice.reason}; {trial.why}")
            if trial.kept:
                others = [one for one in self.settings if one.path != tuned.mount.point]
                self.settings = others + tuned.described(choice.values, choice.reason, choice.source)
                self._watch(held, choice)
        finally:
            trial.kept = bool(trial.kept)

    def _watch(self, held: HeldMount, choice: Choice) -> None:
        """Wait until the program ends, or its readers read in another way."""
        otherwise = 0
        while otherwise < LOOKS:
            if self._stop.wait(INTERVAL):
                return
            held.keep_open()
            otherwise = 0 if held.fits(choice) else otherwise + 1
        self._set(held, choice, wanted=False)
        why = "set back, as it was read in another way, or so much of it that whole blocks pay"
        self._say(held.tuned.mount, why)

    def _set(self, held: HeldMount, choice: Choice, *, wanted: bool) -> None:
        self._touched = self._touched or wanted
        self._quiet.clear()
        self.holds = held.mounts_again(choice, wanted=wanted) and not self._stop.is_set()
        try:
            if self.holds:
                self._quiet.wait(QUIET)
            if not (wanted and self._stop.is_set()):  # else nobody reads any more
                held.set(choice, wanted=wanted)
        finally:
            self.holds = False

    def _say(self, mount: Mount, what: str) -> None:
        self.told.append(f"mount {mount.point}: {what}")


def _listed(values: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
