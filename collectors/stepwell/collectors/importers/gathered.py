"""Records with a text (programs, opens, events, counters), gathered until writing them costs little."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stepwell.trace.definition import COUNTER, EVENT, EXEC, OPEN
from stepwell.trace.layout import DTYPES
from stepwell.trace.spool import SpoolWriter

_TOGETHER = 1 << 14
"""Records of a kind that are gathered before they are written."""

_TEXT_TOGETHER = 1 << 22
"""Bytes of their texts that are gathered; a block of the spool file has at most 64 MiB."""


@dataclass
class _Kind:
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)
    text_bytes: int = 0


class Gathered:
    """Records on their way into a spool file; a time that is None becomes the trace's first when it is written."""

    def __init__(self, spool: SpoolWriter) -> None:
        self._spool = spool
        self._kinds = {kind: _Kind() for kind in (EXEC.kind, OPEN.kind, EVENT.kind, COUNTER.kind)}
        self.first_ns: int | None = None
        """The earliest time of the trace so far; None when there is none yet."""

    def add(self, kind: int, row: tuple[Any, ...], text: bytes) -> None:
        """Add a record of a kind: its members in their order, the kind first, and its text."""
        gathered = self._kinds[kind]
        gathered.rows.append(row)
        gathered.texts.append(text)
        gathered.text_bytes += len(text)
        if len(gathered.rows) == _TOGETHER or gathered.text_bytes >= _TEXT_TOGETHER:
            self._flush(kind)

    def flush(self) -> None:
        """Write all that is gathered."""
        for kind in self._kinds:
            self._flush(kind)

    def _flush(self, kind: int) -> None:
        gathered, self._kinds[kind] = self._kinds[kind], _Kind()
        if gathered.rows:
            unknown_ns = self.first_ns or 0
            rows = [
                tuple(unknown_ns if value is None else value for value in row) if None in row else row
                for row in gathered.rows
            ]
            self._spool.write(kind, np.array(rows, DTYPES[kind]), gathered.texts)
