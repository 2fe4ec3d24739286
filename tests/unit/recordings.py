"""Stores for the report's tests, filled through the ingest of spool files as a recorder leaves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from stepwell.store import Store, ingest
from stepwell.trace.definition import EXEC, OPEN, RUN, THREAD, THREAD_END, Record
from stepwell.trace.layout import DTYPES
from stepwell.trace.spool import SpoolWriter

T0 = 7_000_000_000_000
"""Start of every recording, in CLOCK_MONOTONIC nanoseconds."""

MS = 1_000_000


class Recording:
    """A spool file that becomes one trace; `start` and `at` are nanoseconds since its start."""

    def __init__(self, path: Path, **meta: Any) -> None:
        self.path = path
        self._writer = SpoolWriter(path)
        self._writer.meta(
            uuid=path.stem, start_monotonic_ns=T0, start_realtime_ns=1_764_000_000_123_456_789, host="test",
            **{"command": ["cat", "x"], "scope": "command"} | meta,
        )  # fmt: skip

    def add(self, kind: Record, text: bytes | None = None, **values: Any) -> None:
        """Write one record; values that are arrays write as many."""
        made = np.zeros(max(len(np.atleast_1d(value)) for value in values.values()), DTYPES[kind.kind])
        made["kind"] = kind.kind
        for name, value in values.items():
            made[name] = value
        self._writer.write(kind.kind, made, [] if text is None else [text])

    def thread(
        self, number: int, comm: bytes = b"cat", *, start: int = 0, end: int | None = None, cpu: int = 0
    ) -> None:
        """Describe a thread that is a process of its own, with pid 1,000 + number."""
        pid = 1000 + number
        self.add(THREAD, thread=number, pid=pid, tid=pid, ppid=1, start_ns=T0 + start, process_start_ns=3, comm=comm)
        self.add(EXEC, comm + b"\0x\0", thread=number, start_ns=T0 + start, comm=comm)
        if end is not None:
            self.add(THREAD_END, thread=number, end_ns=T0 + end, user_ns=cpu, exited=1)

    def open(self, number: int, path: bytes, size: int = 0, thread: int = 1) -> None:
        """Describe an open file by its absolute path."""
        text = b"".join(part + b"\0" for part in reversed(path.strip(b"/").split(b"/")))
        self.add(OPEN, text, thread=thread, open=number, start_ns=T0, ino=number, dev=8 << 20 | 1, size=size)

    def run(self, open: int, thread: int = 1, at: Any = 0, **values: Any) -> None:  # noqa: A002
        """Write runs; their accesses take 1 us each, in the bucket of that."""
        all_alike = {"count": 1, "size": 4096, "requested": 4096} | values
        count = np.asarray(all_alike["count"])
        histogram = np.zeros((np.size(at), 24), np.uint32)
        histogram[:, 1] = count
        derived: dict[str, Any] = {
            "thread": thread,
            "open": open,
            "start_ns": T0 + np.asarray(at),
            "seq_span": count - 1,
            "tail": all_alike["size"],
            "latency_ns": count * 1000,
            "latency_max_ns": 1000,
            "histogram": histogram,
        }
        self.add(RUN, **derived | all_alike)

    def end(self, duration: int, **meta: Any) -> None:
        """Close the spool file."""
        self._writer.meta(end_monotonic_ns=T0 + duration, **{"exit_code": 0} | meta)
        self._writer.__exit__(None, None, None)

    def stored(self) -> Path:
        """Return a store beside the spool file that holds the trace as its newest."""
        store = self.path.with_name("store.duckdb")
        with Store.open(store, "w") as opened:
            ingest(opened, self.path)
        return store
