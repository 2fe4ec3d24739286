"""What a process that is not recorded pays per system call while another is."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from tests.bench.figures import Spread, Table
from tests.bench.loop import Loop, Times, compile_loop
from tests.bench.tracers import LATENCY, STEPWELL, tracefs


@contextmanager
def _watching(command: list[str], ready: str) -> Iterator[None]:
    """Run a tracer from when it says that it is ready."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as tracer:
        try:
            assert tracer.stdout is not None
            for line in tracer.stdout:
                if ready in line:
                    break
            else:
                raise SystemExit(f"{command[0]} ended before it was ready")
            yield
        finally:
            tracer.terminate()
            tracer.communicate()


def bystander(work: Path, *, quick: bool) -> list[Table]:
    program, data = compile_loop(work)
    repetitions, batches = (1, 5) if quick else (7, 50)
    table = Table(f"Added to a call of a process that is not recorded; {repetitions} repetitions in turns")
    with subprocess.Popen(["sleep", "infinity"]) as other, tracefs():
        stepwell = [str(STEPWELL), "--store", str(work / "store.duckdb"), "record", "--pid", str(other.pid)]
        # The last probe is attached last: when it fires all are.
        script = LATENCY.replace("{ @start", f"/pid == {other.pid}/ {{ @start", 1)
        bpftrace = ["bpftrace", "-e", script + 'interval:ms:100 { printf("ready\\n"); }']
        tracers: dict[str, Callable[[], AbstractContextManager[None]]] = {
            "nothing recorded": nullcontext,
            "stepwell records another": lambda: _watching(stepwell, "recording pid"),
            "bpftrace's histogram of another": lambda: _watching(bpftrace, "ready"),
        }
        for call in ("getppid", "sequential"):
            turns = [_turn(Loop(program, data, call, 1, batches), tracers) for _ in range(repetitions)]
            base = next(iter(tracers))
            for name in tracers:
                row = table.rows.setdefault(f"{call.replace('sequential', 'pread')}: {name}", {})
                row["us a call"] = Spread.of(turn[name].median / 1000 for turn in turns)
                if name != base:
                    row["added us"] = Spread.of((turn[name].median - turn[base].median) / 1000 for turn in turns)
                    row["added us, fastest"] = Spread.of(
                        (turn[name].fastest - turn[base].fastest) / 1000 for turn in turns
                    )
        other.terminate()
    return [table]


def _turn(loop: Loop, tracers: dict[str, Callable[[], AbstractContextManager[None]]]) -> dict[str, Times]:
    turn = {}
    for name, watch in tracers.items():
        with watch():
            subprocess.run(loop.argv(), check=True)
        turn[name] = loop.times()
    return turn
