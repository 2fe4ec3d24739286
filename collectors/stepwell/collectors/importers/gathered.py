"""Records with a text (programs, opens, events, counters), gathered until writing them costs little."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from stepwell.collectors.importers.bounds import Span
from stepwell.trace.definition import COUNTER, EVENT, EXEC, OPEN
from stepwell.trace.layout import DTYPES
from stepwell.trace.spool import SpoolWriter

_TOGETHER = 1 << 14
"""Records of a kind that are gathered before they are written."""

_TEXT_TOGETHER = 1 << 22
"""Bytes of their texts that are gathered; a block of the spool file has at most 64 MiB."""


@dataclass
class _Kind:
    members: list[int | bytes | None] = field(default_factory=list)
    """Of all records, flat: Python's garbage collector would look at tuples again and again."""
    texts: list[bytes] = field(default_factory=list)
    text_bytes: int = 0


class Gathered:
    """Records on their way into a spool file; a time that is None becomes the span's first when it is written."""

    def __init__(self, spool: SpoolWriter, span: Span) -> None:
        self._spool = spool
        self._span = span
        self._kinds = {kind: _Kind() for kind in (EXEC.kind, OPEN.kind, EVENT.kind, COUNTER.kind)}

    def add(self, kind: int, row: tuple[int | bytes | None, ...], text: bytes) -> None:
        """Add a record of a kind: its members in their order, the kind first, and its text."""
        gathered = self._kinds[kind]
        gathered.members += row
        gathered.texts.append(text)
        gathered.text_bytes += len(text)
        if len(gathered.texts) == _TOGETHER or gathered.text_bytes >= _TEXT_TOGETHER:
            self._flush(kind)

    def flush(self) -> None:
        """Write all that is gathered."""
        for kind in self._kinds:
            self._flush(kind)

    def _flush(self, kind: int) -> None:
        gathered, self._kinds[kind] = self._kinds[kind], _Kind()
        if not gathered.texts:
            return
        members = gathered.members
        if None in members:
            unknown_ns = self._span.first_ns or 0
            members = [unknown_ns if one is None else one for one in members]
        try:
            table = np.array(members, np.object_ if kind == EXEC.kind else np.int64)  # the former has a name in it
        except OverflowError:
            table = np.array(members, np.object_)
        made = np.zeros(len(gathered.texts), DTYPES[kind])
        for name, column in zip(made.dtype.names or (), table.reshape(len(made), -1).T, strict=True):
            made[name] = column
        self._spool.write(kind, made, gathered.texts)
