"""The mount that a program reads most, set otherwise while the program runs, and set back at its end."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from stepwell.analysis.plans import Setting
from stepwell.analysis.plans.mounts import Choice, choose, dense
from stepwell.mounts import Mount, MountError, mount_of, mounts
from stepwell.mounts.opened import renew
from stepwell.mounts.tuned import Tuned
from stepwell.prefetch.protocol import Close, Message, Open, Run
from stepwell.steer.asked import Asked
from stepwell.steer.held_open import HeldOpen
from stepwell.steer.trial import Moment, Trial

INTERVAL = 0.1
"""Seconds between two looks, as of the session."""

PATIENCE = 150.0
"""Seconds that setting a mount back may take at the end: mounting JuiceFS again may wait for two minutes."""

BRIEF = 2.0
"""Seconds that a mount is waited for at the end where nothing has been changed: it may hang."""

LOOKS = 20
"""Looks in a row at which a mount is read in another way before it is set back: some reads of a header are none."""


@dataclass
class _Held:
    """A mount that can be changed, and where its readers were when that began, or its last trial ended."""

    tuned: Tuned
    begin: Moment
    choice: Choice = field(default=Choice("too little has been read to tell how"))
    tried: set[str] = field(default_factory=set)
    """The ways of reading for which a change has been tried: each once."""
    files: HeldOpen = field(default_factory=HeldOpen)


class MountTuning:
    """Tries a change of the FUSE mount that is read, keeps it if it pays, and undoes it in any case at the end.

    When the mount is read in another way, what was kept is undone, and a change for that way is tried.

    All that may wait for a mount is done in a thread of its own: a mount that hangs holds up nothing else.

    Attributes:
        told: what was done and why, a sentence each.
        changes: how often a mount has been set otherwise, or back.
        settings: those that paid, as a plan has them.
    """

    def __init__(self, notes: Path, planned: Iterable[Setting] = ()) -> None:
        """Begin, and set mounts as a plan says; waits until that is done.

        Args:
            notes: directory for notes of what was changed.
            planned: settings of a plan; their mounts are set so at once, and not tried any further.
        """
        self.told: list[str] = []
        self.changes = 0
        self.settings: list[Setting] = []
        self._notes = notes
        self._mounts: dict[str, Mount | None] = {}
        self._asked: dict[Mount, Asked] = {}
        self._refused: set[Mount] = set()
        self._lock = threading.Lock()
        self._now = (0, 0)
        self._settled = False
        self._trial: Trial | None = None
        self._touched = False
        self._planned = tuple(planned)
        self._ready, self._read, self._stop = threading.Event(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="mounts", daemon=True)
        self._thread.start()
        self._ready.wait(PATIENCE)

    @property
    def trying(self) -> bool:
        """Whether a trial is under way: other measurements of the same readers mean nothing then."""
        return self._trial is not None and self._trial.kept is None

    def see(self, messages: Iterable[Message], now_ns: int, octets: int, *, settled: bool) -> None:
        """Take in what happened; waits for nothing.

        Args:
            messages: what the engine is told.
            now_ns: nanoseconds since the trace's start.
            octets: bytes that readers got up to now.
            settled: whether the engine acts, or will not any more.
        """
        told: dict[Mount, list[Message]] = {}
        for message in messages:
            if isinstance(message, Open | Run | Close) and (mount := self._mount_of(message.path)):
                told.setdefault(mount, []).append(message)
        with self._lock:
            self._now = now_ns, octets
            self._settled = settled
            for mount, of_mount in told.items():
                self._asked.setdefault(mount, Asked()).see(of_mount)
        if told:
            self._read.set()

    def finish(self) -> None:
        """Set the mount back; waits until that is done."""
        self._stop.set()
        self._read.set()
        self._thread.join(PATIENCE if self._touched else BRIEF)
        if self._touched and self._thread.is_alive():
            self.told.append("a mount does not answer and could not be set back; the next `stepwell run` tries again")

    # ---- the thread ----

    def _work(self) -> None:
        held: dict[Mount, _Held] = {}
        try:
            self._prepare(held)
            self._ready.set()
            while True:
                # As soon as something is read: what a client fetches in vain it fetches all the time.
                self._read.wait(INTERVAL)
                if self._stop.is_set():
                    break
                self._read.clear()
                self._hold(held)
                for one in held.values():
                    one.files.keep(self._open_files(one))
                    if not one.tuned.changed:
                        self._try(one)
            for one in held.values():
                if one.tuned.changed or one.tried:
                    continue
                why = "nothing was read ahead that it could help" if one.choice.values else one.choice.reason
                self._say(one.tuned.mount, f"left as it is: {'; '.join(filter(None, (why, one.tuned.refused)))}")
        except Exception as error:  # whatever it is, the program and its recording go on
            self.told.append(str(error) or type(error).__name__)
        finally:
            self._ready.set()
            for one in held.values():
                self._give_up(one.tuned)
                one.files.keep(())

    def _prepare(self, held: dict[Mount, _Held]) -> None:
        """Set mounts as the plan says."""
        wanted: dict[Mount, dict[str, int]] = {}
        for setting in self._planned:
            mount = self._mount_of(f"{setting.path}/")
            if mount and setting.value.isdecimal():
                wanted.setdefault(mount, {})[setting.name] = int(setting.value)
        with self._lock:
            self._asked |= {mount: Asked() for mount in wanted}
        self._hold(held)
        for mount, one in held.items():
            tuned = one.tuned
            values = {name: value for name, value in wanted[mount].items() if tuned.settings.get(name, value) != value}
            if values:
                self._touched = True
                tuned.apply(values)
                self.settings += tuned.described(values, "the plan says so", "the plan")
                self._say(mount, f"set to {_listed(values)} as the plan says")
            elif tuned.refused:
                self._say(mount, f"not set as the plan says: {tuned.refused}")

    def _give_up(self, tuned: Tuned) -> None:
        """Set a mount back, if it was changed."""
        try:
            if tuned.changed:
                tuned.restore()
        except MountError as error:
            self._say(tuned.mount, f"could not be set back, which the next `stepwell run` tries again: {error}")
        tuned.close()

    def _hold(self, held: dict[Mount, _Held]) -> None:
        """Take hold of mounts that files are opened on."""
        with self._lock:
            new = [mount for mount in self._asked if mount not in held and mount not in self._refused]
        for mount in new:
            try:
                tuned = Tuned(mount, self._notes)
                held[mount] = _Held(tuned, self._moment(tuned))
            except MountError as error:
                self._refused.add(mount)
                self._say(mount, f"left as it is: {error}")

    def _choose(self, held: _Held) -> Choice | None:
        """Return what to set in a mount, from how it has been read since it is held; None while that is not known."""
        mount = held.tuned.mount
        with self._lock:
            reading = self._asked[mount].reading()
        if not reading.kind:
            return None
        if reading.kind == "sparse":
            now = self._moment(held.tuned)
            fetched = (now.fetched or 0) - (held.begin.fetched or 0)
            octets, cache = now.octets - held.begin.octets, held.tuned.cache
            reading = replace(reading, bytes=octets, fetched=fetched, cache=cache)
        return choose(mount.fstype, held.tuned.before, reading)

    def _try(self, held: _Held) -> None:
        """Try the change for the way in which a mount is read, if there is one that has not been tried."""
        choice = self._choose(held)
        if choice is None:
            return
        held.choice = choice
        # What is to save time must save it beside the engine, if that acts; bytes are saved in any case.
        if choice.values and (self._settled or choice.saves_bytes) and choice.kind not in held.tried:
            held.tried.add(choice.kind)
            self._tune(held, choice)
            held.begin = self._moment(held.tuned)

    def _tune(self, held: _Held, choice: Choice) -> None:
        tuned = held.tuned
        self._trial = trial = Trial(held.begin if choice.saves_bytes else None)
        try:
            while not self._stop.is_set():
                trial.step(self._moment(tuned))
                if trial.kept is not None:
                    break
                self._set(held, choice, wanted=trial.wanted)
                held.files.keep(self._open_files(held))
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

    def _watch(self, held: _Held, choice: Choice) -> None:
        """Wait until the program ends, or its readers read in another way."""
        tuned, otherwise = held.tuned, 0
        while otherwise < LOOKS:
            if self._stop.wait(INTERVAL):
                return
            held.files.keep(self._open_files(held))
            with self._lock:
                reading = self._asked[tuned.mount].reading()
                octets = self._now[1]
            fits = reading.kind in {"", choice.kind}
            fits = fits and not (choice.saves_bytes and dense(replace(reading, bytes=octets, cache=tuned.cache)))
            otherwise = 0 if fits else otherwise + 1
        self._set(held, choice, wanted=False)
        self._say(tuned.mount, "set back, as it was read in another way, or so much of it that whole blocks pay")

    def _moment(self, tuned: Tuned) -> Moment:
        with self._lock:
            now_ns, octets = self._now
        return Moment(now_ns, octets, tuned.fetched())

    def _set(self, held: _Held, choice: Choice, *, wanted: bool) -> None:
        tuned = held.tuned
        if wanted is tuned.changed:
            return
        if wanted:
            self._touched = True
            tuned.apply(choice.values)
        else:
            tuned.restore()
        held.files.hold(self._open_files(held))
        if "read_ahead_kb" in choice.values:
            with self._lock:
                readers = self._asked[tuned.mount].readers()
            renew(tuned.mount, readers)
        self.changes += 1

    def _open_files(self, held: _Held) -> list[str]:
        with self._lock:
            return self._asked[held.tuned.mount].open_files()

    def _say(self, mount: Mount, what: str) -> None:
        self.told.append(f"mount {mount.point}: {what}")

    def _mount_of(self, path: str) -> Mount | None:
        """Return the FUSE mount of a file."""
        directory = path.rpartition("/")[0]
        if directory not in self._mounts:
            found = mount_of(path, mounts())
            self._mounts[directory] = found if found and found.fstype.startswith("fuse") else None
        return self._mounts[directory]


def _listed(values: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
