"""The command line under test, and waiting for what happens beside it."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepwell.mounts import mounts
from stepwell.store import Store

SECONDS = 60
"""Longest time any step of a test may take."""

STEPWELL = [sys.executable, "-c", "from stepwell.cli.main import main; main()"]


@dataclass
class Stepwell:
    """The command line with a store of its own."""

    store: Path

    @property
    def spools(self) -> list[Path]:
        return sorted(Path(f"{self.store}.spool").glob("*.spool"))

    def argv(self, *arguments: str) -> list[str]:
        return [*STEPWELL, "--store", str(self.store), *arguments]

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(*arguments), check=False, capture_output=True, text=True, timeout=SECONDS, **options
        )

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.argv(*arguments),
            text=True,
            **(dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE) | options),
        )

    def query(self, sql: str) -> list[dict[str, Any]]:
        done = self.run("query", sql, "-o", "json")
        assert done.returncode == 0, done.stderr
        answer: list[dict[str, Any]] = json.loads(done.stdout)
        return answer

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query, asked in this process: much faster than `query`."""
        with Store.open(self.store, "r") as store:
            return store.rows(sql, *parameters)


def wait_until(condition: Any, what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        select.select([], [], [], 0.02)


@contextlib.contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """End a process whatever happens to the test."""
    with process:
        try:
            yield process
        finally:
            process.kill()


def cgroup_hierarchies() -> list[str]:
    """Return the places of the unified hierarchy and of a version 1 one, as far as this machine has them."""
    kinds = {"cgroup2": "unified", "cgroup": "pids"}
    found = {(mount.fstype, mount.point) for mount in mounts() if mount.fstype in kinds}
    return sorted(point for kind, point in found if kind == "cgroup2" or Path(point).name == kinds[kind])
