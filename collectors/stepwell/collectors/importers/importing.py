"""From another tool's file to a spool file that the store can ingest: the whole way, or nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import NAMESPACE_URL, uuid5

from stepwell.collectors.importers.formats import Format, find
from stepwell.collectors.importers.source import Input, Progress
from stepwell.collectors.importers.writer import TraceWriter
from stepwell.trace.errors import SpoolError
from stepwell.trace.spool import SpoolWriter

SUFFIX = ".import"
"""Of a spool file in the making; what is left over under this name is nobody's trace and is deleted."""


@dataclass(frozen=True)
class Written:
    """What came out of a file: how often something was skipped, by reason, and what its format cannot say."""

    skipped: dict[str, int]
    limits: list[str]


class Import:
    """One file on its way; a context manager that leaves no spool file behind.

    The spool file is called `UUID.import`, not `.spool`, so that an import that was killed is never taken for a
    recording that was interrupted, and is locked as long as the context lasts.

    Attributes:
        format: what the file is.
        uuid: follows from the content and the format, so that the same file is the same trace.
        spool: where `write` puts the trace.

    Raises:
        InputError: the file cannot be read, or is of no known format.
    """

    def __init__(self, path: Path, directory: Path, format_name: str | None = None, progress: Progress | None = None):  # noqa: ANN204
        self.source = Input(path, progress)
        try:
            self.format: Format = find(self.source, format_name)
            self._digest = self.source.digest()
            self.uuid = str(uuid5(NAMESPACE_URL, f"stepwell:import:{self.format.name}:{self._digest}"))
            self.spool = directory / f"{self.uuid}{SUFFIX}"
        except BaseException:
            self.source.__exit__(None, None, None)
            raise
        self._writer: SpoolWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.source.__exit__(kind, error, traceback)
        if self._writer:
            self.spool.unlink(missing_ok=True)
            self._writer.__exit__(kind, error, traceback)

    def write(self, **meta: Any) -> Written:
        """Read the file into the spool file, and return what was left out.

        Args:
            meta: facts about this machine and moment that the file itself does not tell.

        Raises:
            InputError: the file is not what its format says; the place is in the message.
            SpoolError: the spool file cannot be written.
        """
        try:
            self._writer = self._begin()
            with TraceWriter(self._writer, **self._facts(), **meta) as trace:
                self.format.read(self.source, trace)
                self.source.check_unchanged()
                trace.end()
        except OSError as error:
            reason = error.strerror or error
            raise SpoolError(f"cannot write {self.spool}: {reason}; make that possible, or use --store") from error
        return Written(trace.skipped, trace.limits)

    def _begin(self) -> SpoolWriter:
        try:
            return SpoolWriter(self.spool)
        except FileNotFoundError:
            self.spool.parent.mkdir(mode=0o700, parents=True)
            return SpoolWriter(self.spool)
        except FileExistsError:
            raise SpoolError(f"{self.spool} is there already; another import of this file runs, wait for it") from None

    def _facts(self) -> dict[str, Any]:
        path = os.fsencode(self.source.path.absolute()).decode("utf-8", "replace")
        return {
            "uuid": self.uuid,
            "collector": f"import {self.format.name}",
            "scope": f"import of {path}",
            "imported": {"file": path, "format": self.format.name, "sha256": self._digest},
            "start_realtime_ns": self.source.mtime_ns,
        }
