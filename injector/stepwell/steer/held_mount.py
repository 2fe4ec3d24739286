"""A mount that can be changed, with the files that its readers have open."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from stepwell.analysis.plans.mounts import Choice, choose, dense
from stepwell.mounts import juicefs
from stepwell.mounts.opened import renew
from stepwell.mounts.tuned import Tuned
from stepwell.steer.held_open import HeldOpen
from stepwell.steer.observed import Observed
from stepwell.steer.trial import Moment


class HeldMount:
    """A mount that can be changed.  What it does waits for the mount.

    Attributes:
        tuned: its settings.
        begin: where its readers were when it was taken hold of, or when its last trial ended.
        choice: what is to be set, as far as that is known.
        tried: the ways of reading for which a change has been tried: each once.
        changes: how often it has been set otherwise, or back.
    """

    def __init__(self, tuned: Tuned, observed: Observed) -> None:
        self.tuned = tuned
        self.choice = Choice("too little has been read to tell how")
        self.tried: set[str] = set()
        self.changes = 0
        self._observed = observed
        self._files = HeldOpen()
        self.begin = self.moment()

    def moment(self) -> Moment:
        """Return where its readers are, and how much was fetched for them."""
        now_ns, octets = self._observed.now()
        return Moment(now_ns, octets, self.tuned.fetched())

    def choose(self) -> Choice | None:
        """Return what to set, from how it has been read since `begin`; None while that is not known."""
        reading = self._observed.reading(self.tuned.mount)
        if not reading.kind:
            return None
        if reading.kind == "sparse":
            now, begin = self.moment(), self.begin
            octets, fetched = now.octets - begin.octets, (now.fetched or 0) - (begin.fetched or 0)
            reading = replace(reading, bytes=octets, fetched=fetched, cache=self.tuned.cache)
        return choose(self.tuned.mount.fstype, self.tuned.before, reading)

    def fits(self, choice: Choice) -> bool:
        """Return whether it is still read in the way that a choice was made for."""
        reading = self._observed.reading(self.tuned.mount)
        if reading.kind not in {"", choice.kind}:
            return False
        octets = self._observed.now()[1]
        return not (choice.saves_bytes and dense(replace(reading, bytes=octets, cache=self.tuned.cache)))

    def mounts_again(self, choice: Choice, *, wanted: bool) -> bool:
        """Return whether setting it as chosen, or back, has another client take it over."""
        return wanted is not bool(self.tuned.changed) and bool(choice.values.keys() & juicefs.NAMES)

    def set(self, choice: Choice, *, wanted: bool) -> None:
        """Set it as chosen, or back; nothing if it is so already."""
        if wanted is bool(self.tuned.changed):
            return
        if wanted:
            self.tuned.apply(choice.values)
        else:
            self.tuned.restore()
        self._files.hold(self._observed.open_files(self.tuned.mount))
        self._take_over(choice.values)
        self.changes += 1

    def keep_open(self) -> None:
        """Let go of files that no reader has open any more."""
        self._files.keep(self._observed.open_files(self.tuned.mount))

    def close(self) -> None:
        """Set it back if it was changed, and let go of it.

        Raises:
            MountError: it could not be set back.
        """
        changed = self.tuned.changed
        try:
            if changed:
                self.tuned.restore()
                self._take_over(changed)
        finally:
            self.tuned.close()
            self._files.keep(())

    def _take_over(self, names: Collection[str]) -> None:
        """Let files that are open have what was just set, where that does not come by itself."""
        if "read_ahead_kb" in names:
            renew(self.tuned.mount, self._observed.readers(self.tuned.mount))
