"""The collector in this process, beside a command that it records: limits can be small, and counters be looked at."""

from __future__ import annotations

import contextlib
import select
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.kernel.tool import SECONDS, ended

from stepwell.collectors.ebpf import Collector, Scope, ScopeKind
from stepwell.store import Store, ingest


def compile_many(directory: Path) -> str:
    """Return the program of `deeds/many.c`."""
    program, source = directory / "many", Path(__file__).parent / "deeds" / "many.c"
    subprocess.run(["cc", "-O2", "-Wall", "-Werror", "-pthread", "-o", program, source], check=True)
    return str(program)


def ask(process: subprocess.Popen[str]) -> None:
    """Give `many` a line and wait for its answer."""
    assert process.stdin
    assert process.stdout
    process.stdin.write("go\n")
    process.stdin.flush()
    assert select.select([process.stdout], [], [], SECONDS)[0], "no answer"
    assert process.stdout.readline() == ".\n"


@dataclass
class Collecting:
    """A command that is recorded from its execve on."""

    collector: Collector
    command: subprocess.Popen[str]
    spool: Path

    def end(self) -> Store:
        """Wait for the command's end, and return a store with what was recorded until then."""
        assert self.command.stdin
        self.command.stdin.close()
        assert self.command.wait(SECONDS) == 0
        self.collector.stop({})
        store = Store.open(self.spool.with_suffix(".duckdb"), "w")
        ingest(store, self.spool)
        return store


@contextlib.contextmanager
def collecting(spool: Path, under: Path, *argv: str) -> Iterator[Collecting]:
    popen = subprocess.Popen(
        ["sh", "-c", 'read -r line; exec "$@"', "sh", *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with ended(popen) as command:
        scope = Scope(ScopeKind.TREE, pids=(command.pid,), after_exec=True, under=under)
        with Collector(scope, spool) as collector:
            collector.meta({"uuid": "test", "start_monotonic_ns": time.monotonic_ns()})
            collector.start()
            assert command.stdin
            command.stdin.write("go\n")
            command.stdin.flush()
            yield Collecting(collector, command, spool)
