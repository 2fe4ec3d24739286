"""Files of other tools into a store of their own, as `stepwell import` brings them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.collectors.importers import Import, TraceWriter, Written
from stepwell.store import Store, ingest
from stepwell.trace.spool import Spool, SpoolWriter


class Brought(NamedTuple):
    """A store that holds one imported trace, and what the importer said of it."""

    store: Store
    trace: int
    written: Written

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.store.rows(sql.replace("$trace", str(self.trace)))

    def accesses(self, columns: str = 'path, op::VARCHAR, "offset", size') -> list[tuple[Any, ...]]:
        """The accesses in the order of each thread."""
        return self.rows(f"SELECT {columns} FROM accesses WHERE trace = $trace ORDER BY reader, thread, seq")


def bring(store: Store, path: Path, format_name: str | None = None) -> Brought:
    with Import(path, path.parent, format_name) as bringing:
        written = bringing.write()
        return Brought(store, ingest(store, bringing.spool).trace, written)


def records(path: Path, format_name: str | None = None) -> list[object]:
    """What an import writes, but for the names of the file."""
    with Import(path, path.parent, format_name) as bringing:
        written = bringing.write()
        with Spool(bringing.spool) as spool:
            blocks = [block for block in spool.blocks() if not block.meta]
    texts = [block.texts.to_pylist() for block in blocks if block.texts is not None]
    return [written, texts, *((block.kind, block.records.tobytes()) for block in blocks)]


def told(store: Store, spool: Path, tell: Callable[[TraceWriter], None], **meta: Any) -> Brought:
    """The trace that comes of what a writer is told."""
    spool.unlink(missing_ok=True)
    with SpoolWriter(spool) as writer, TraceWriter(writer, uuid=os.urandom(16).hex(), **meta) as trace:
        tell(trace)
        trace.end()
    return Brought(store, ingest(store, spool).trace, Written(trace.skipped, trace.limits))


def stepwell(*arguments: str | Path, store: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-c", "from stepwell.cli.main import main; main()", "--store", store, *arguments]
    variables = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)} | environment
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=variables)
