"""What the deeds of one module left in a trace: recorded once, asked often."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kernel.tool import Stepwell

from stepwell.store import Store

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Recorded:
    """A store with one trace, and the directory in which each deed had one of its own."""

    store: Store
    directory: Path

    def path(self, deed: str, name: str = "file") -> str:
        return str(self.directory / deed / name)

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.store.rows(sql, *parameters)

    def reads(self, path: str) -> list[tuple[Any, ...]]:
        """Return the runs of reads: open file and thread numbered from 0, first offset, stride, count, size, tail."""
        rows = self.rows(
            'SELECT open, thread, r."offset", stride, count, r.size, tail FROM runs r JOIN files USING (trace, file) '
            "WHERE path = ? AND op = 'read' ORDER BY start_ns",
            path,
        )
        opens, threads = (list(dict.fromkeys(row[column] for row in rows)) for column in (0, 1))
        return [(opens.index(row[0]), threads.index(row[1]), *row[2:]) for row in rows]

    def opens(self, path: str) -> list[tuple[int, int]]:
        """Return flags and state of each open file that was opened to be read."""
        return self.rows(
            "SELECT flags, state FROM opens JOIN files USING (trace, file) WHERE path = ? AND flags & 3 = 0 "
            "ORDER BY open",
            path,
        )

    def closes(self, path: str) -> int:
        """Return how often an open file for reading was closed."""
        ((count,),) = self.rows(
            "SELECT count(*) FROM events e JOIN opens o USING (trace, open) "
            "WHERE e.path = ? AND event = 'close' AND flags & 3 = 0",
            path,
        )
        return int(count)


@contextlib.contextmanager
def recorded(deeds: str, directory: Path, *options: str) -> Iterator[Recorded]:
    """Record the deeds of a module of `tests.kernel.deeds`; nothing may be lost."""
    work = directory / "work"
    work.mkdir()
    stepwell = Stepwell(directory / "store.duckdb")
    command = [sys.executable, "-m", "tests.kernel.deeds.run", deeds, str(work)]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = stepwell.run("record", *options, "--", *command, cwd=ROOT, env=environment)
        assert done.returncode == 0, done.stderr
        assert "nothing lost" in done.stderr, done.stderr
        with Store.open(stepwell.store, "r") as store:
            yield Recorded(store, work)
    finally:
        subprocess.run(["rm", "-rf", work], check=True)  # some of it is too deep for shutil.rmtree
