"""Where traces are kept, and how every command opens the store: left-over recordings come in first."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from stepwell.cli.imports import without_pandas

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from stepwell.store import Store

PATIENCE = 5.0
"""Seconds to wait for a store that another process has open: recordings that end together take turns."""

_BETWEEN_TRIES = 0.1


def mount_notes() -> Path:
    """Return the directory that says what runs have changed in mounts: the user's own, as mounts belong to no store."""
    from platformdirs import PlatformDirs

    return PlatformDirs("stepwell").user_state_path / "mounts"


@dataclass(frozen=True)
class Place:
    """A store and the directory of spool files that belongs to it; the object of click's context."""

    store: Path
    spools: Path
    chosen: bool = False
    """The user gave `--store`."""
    spark: str | None = None
    """Spark's master URL, when a directory of exported traces is to be asked through it."""

    @classmethod
    def of(cls, store: Path | None, spark: str | None = None) -> Place:
        """Return the place of `--store`, or the user's own by the XDG rules."""
        if spark and not (store and store.is_dir()):
            raise click.UsageError("--spark asks exported traces: give their directory with --store.")
        if store is not None:
            return cls(store, store.with_name(store.name + ".spool"), chosen=True, spark=spark)
        from platformdirs import PlatformDirs

        directories = PlatformDirs("stepwell")
        return cls(directories.user_data_path / "stepwell.duckdb", directories.user_state_path / "spool")

    @property
    def command(self) -> str:
        """Return how the next command begins, for messages that name one."""
        import shlex

        return f"stepwell --store {shlex.quote(str(self.store))}" if self.chosen else "stepwell"

    @contextmanager
    def reading(self) -> Iterator[Store]:
        """Open the store to read, with left-over recordings and missing verdicts if they can be brought in now.

        Raises:
            StoreError: the store cannot be read.
            NoTraceError: there is no store.
        """
        without_pandas()
        from stepwell.analysis import ANALYSIS_VERSION
        from stepwell.store import ParquetStore

        if self.store.is_dir():
            with self._through(self.spark) if self.spark else ParquetStore.of(self.store) as exported:
                yield exported
            return
        behind = any(self.spools.glob("*.spool"))
        if behind:
            self._catch_up(f"recordings in {self.spools} are not in the store yet")
        store = self._open("r", PATIENCE)
        if not behind and store.unanalysed(ANALYSIS_VERSION):
            store.close()
            self._catch_up("some traces have no patterns yet")
            store = self._open("r", PATIENCE)
        with store:
            yield store

    def check_writable(self) -> None:
        """Refuse exported traces before something is done that would end up in them.

        Raises:
            UsageError: the store is a directory.
        """
        if self.store.is_dir():
            raise click.UsageError(f"{self.store} is a directory: traces in it can only be read. Give a --store file.")

    def _through(self, master: str) -> AbstractContextManager[Store]:
        from stepwell.store import StoreError

        try:
            from stepwell.store.spark import SparkStore
        except ImportError as error:
            raise StoreError("--spark needs Apache Spark; pip install 'stepwell[spark]'") from error
        return SparkStore.through(master, self.store)

    def _catch_up(self, otherwise: str) -> None:
        """Do what opening the store to write does, if that is possible at once."""
        from stepwell.store import StoreError

        try:
            with self.writing(patience=0):
                pass
        except StoreError as error:
            say(f"{otherwise}: {error}")

    def _open(self, mode: Literal["r", "w"], patience: float) -> Store:
        """Open the store, as soon as no other process has it open that excludes that."""
        from stepwell.store import Store, StoreLockedError

        deadline = time.monotonic() + patience
        while True:
            try:
                return Store.open(self.store, mode)
            except StoreLockedError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(_BETWEEN_TRIES)

    @contextmanager
    def writing(self, patience: float = PATIENCE, own: str = "") -> Iterator[Store]:
        """Open the store to write, with all left-over recordings brought in and verdicts on all traces.

        Args:
            patience: seconds to wait while another process has the store open.
            own: uuid of the caller's own recording, which is nothing to be told about.

        Raises:
            StoreError: the store cannot be written.
        """
        without_pandas()
        from stepwell.store import ingest_leftovers

        self.check_writable()
        with self._open("w", patience) as store:
            leftovers = ingest_leftovers(store, self.spools)
            for result in leftovers.ingested:
                if result.new and result.uuid != own:
                    say(f"recovered trace {result.trace} of a recording that had not come into the store")
            for path, error in leftovers.unusable:
                say(f"{path}: {error}")
            _analyse(store)
            yield store


def _analyse(store: Store) -> None:
    """Draw the verdicts that are missing; a trace is worth keeping without them, too."""
    from stepwell.analysis import ANALYSIS_VERSION, classify

    for trace in store.unanalysed(ANALYSIS_VERSION):
        try:
            store.set_patterns(trace, classify(store, trace), ANALYSIS_VERSION)
        except Exception as error:
            reason = str(error) or type(error).__name__
            say(f"error: trace {trace} has no patterns: {reason}; the next command tries again")


def trace_number(store: Store, trace: str) -> int:
    """Return the number of a trace given as number or `last`.

    Raises:
        NoTraceError: there is no such trace.
    """
    from stepwell.store import NoTraceError

    if trace == "last":
        return store.latest_trace()
    if not trace.isdecimal() or int(trace) not in (row["trace"] for row in store.traces()):
        raise NoTraceError(f"there is no trace {trace}; `stepwell traces` lists those there are, `last` is the newest")
    return int(trace)


def say(message: str) -> None:
    """Tell the user something that is not a result; a closed standard error stops nothing."""
    with suppress(OSError):
        click.echo(f"stepwell: {message}", err=True)
