"""A mount whose settings are changed and, on every way out, set back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from stepwell.analysis.plans import Setting
from stepwell.mounts import juicefs, kernel
from stepwell.mounts.errors import MountError
from stepwell.mounts.notes import Change, Note, left
from stepwell.mounts.table import Mount, mount_of, mounts

JUICEFS = "fuse.juicefs"


class Tuned:
    """One mount, held for changes by this process alone.  All methods may wait for the mount.

    Attributes:
        mount: the mount.
        settings: those that can be changed, with the values that they have.
        before: the values that they had in the beginning.
        refused: why others cannot be; empty where all can.
    """

    def __init__(self, mount: Mount, notes: Path) -> None:
        """Find out what can be changed, and undo what a process that was killed has left.

        Args:
            mount: the mount.
            notes: directory for the note of what was changed.

        Raises:
            MountError: another process changes it.
        """
        self.mount = mount
        self.refused = ""
        self._client: juicefs.Client | None = None
        self._former: dict[str, str | None] = {}
        self._note = Note(notes, mount)
        self.settings = kernel.settings(mount)
        if mount.fstype == JUICEFS:
            try:
                self._client = juicefs.find(mount)
                self.settings |= self._client.options
            except MountError as error:
                self.refused = str(error)
        if self._note.left is not None:
            self._undo(self._note.left)
        self.before = dict(self.settings)

    @property
    def changed(self) -> frozenset[str]:
        """The settings that may differ from what they were."""
        return frozenset(self._former)

    def apply(self, values: Mapping[str, int]) -> None:
        """Set settings to values; where one cannot be set all are set back.

        Raises:
            MountError: one cannot be set.
        """
        given = juicefs.given(self._client.arguments) if self._client else {}
        self._former = {name: given[name] if name in given else str(self.settings[name]) for name in values}
        mount = self.mount
        self._note.write(Change(mount.point, mount.dev, mount.fstype, self._former, dict(values)))
        try:
            self._set({name: str(value) for name, value in values.items()})
            for name, value in values.items():
                if self.settings[name] != value:
                    raise MountError(f"{mount.point} has {name} {self.settings[name]} instead of {value}; see its log")
        except MountError:
            self.restore()
            raise

    def restore(self) -> None:
        """Set all settings back.

        Raises:
            MountError: one cannot be set back; the note says so to the next run.
        """
        self._set(self._former)
        self._former = {}

    def described(self, values: Mapping[str, int], reason: str, source: str) -> list[Setting]:
        """Return settings as a plan has them, each with the command that sets it."""
        options = {name: str(value) for name, value in values.items() if name in juicefs.NAMES}
        again = juicefs.command(self._client, options) if self._client else ""
        return [
            Setting(
                engine="linux" if name in kernel.NAMES else "juicefs",
                path=self.mount.point,
                name=name,
                value=str(value),
                how=f"echo {value} > {kernel.place(self.mount, name)}" if name in kernel.NAMES else again,
                reason=reason,
                source=source,
            )
            for name, value in values.items()
        ]

    @property
    def cache(self) -> int | None:
        """Bytes that its client caches; None where it does not say."""
        return self._client.cache if self._client else None

    def fetched(self) -> int | None:
        """Return the bytes that its client has got from its storage since it began; None where it does not say."""
        return juicefs.fetched(self.mount) if self.mount.fstype == JUICEFS else None

    def close(self) -> None:
        """Give the mount up; what is still changed is left to the next run."""
        self._note.close(undone=not self._former)

    def _set(self, values: Mapping[str, str | None]) -> None:
        for name, value in values.items():
            if name in kernel.NAMES and value is not None:
                kernel.change(self.mount, name, int(value))
                self.settings[name] = kernel.settings(self.mount)[name]
        options = {name: value for name, value in values.items() if name in juicefs.NAMES}
        if self._client and options.items() - juicefs.given(self._client.arguments).items():
            self._client = juicefs.again(self.mount, self._client, options)
            self.settings |= self._client.options

    def _undo(self, change: Change) -> None:
        """Set back what was left, but for what somebody has set otherwise since then."""
        if change.mount != self.mount:
            return
        still = {name for name, value in change.now.items() if self.settings.get(name, value) == value}
        self._former = {name: value for name, value in change.former.items() if name in still}
        try:
            if not still <= self.settings.keys():
                raise MountError(self.refused or f"{', '.join(sorted(still))} cannot be set; run as root")
            self.restore()
        except MountError:
            self.close()
            raise


def restore_left(notes: Path) -> Iterator[str]:
    """Undo what processes that were killed have left changed; yield what was done, or why it could not be."""
    for change in left(notes):
        mount = change.mount
        assert mount is not None
        try:
            Tuned(mount, notes).close()
            yield f"{change.point} is set as before a run that was killed"
        except MountError as error:
            yield f"{change.point} is still set as a run that was killed left it: {error}"


def commands(settings: Iterable[Setting]) -> Iterator[str]:
    """Yield the command of each setting of a plan; for JuiceFS as the running client has to be called, all at once."""
    options: dict[Mount, dict[str, str | None]] = {}
    for setting in settings:
        mount = mount_of(setting.path, mounts())
        if setting.engine == "juicefs" and mount is not None and mount.fstype == JUICEFS:
            options.setdefault(mount, {})[setting.name] = setting.value
        yield f"{setting.path}: {setting.name} {setting.value}; {setting.reason}: {setting.how}"
    for mount, values in options.items():
        try:
            yield f"{mount.point}: {juicefs.command(juicefs.find(mount), values)}"
        except MountError as error:
            yield f"{mount.point} cannot be mounted again from here: {error}"
