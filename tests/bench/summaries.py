"""Another tool's trace until its report is there: Stepwell beside the tool's own, as whole processes, in turns.

dfanalyzer is installed into an environment of its own, from PyPI: its release 0.0.9 wants functions of dftracer-utils
that releases since 0.0.13 no longer have under those names, so 0.0.12 is asked for.
"""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from tests.bench.darshan import LOGS
from tests.bench.figures import Spread, Table
from tests.bench.importing import FORMATS
from tests.bench.tracers import STEPWELL

ANALYZER = ("dftracer-analyzer==0.0.9", "dftracer-utils==0.0.12")
DARSHAN = ("sample.darshan", "dxt.darshan", "sample-badost.darshan")
EVENTS = (100_000, 1_000_000)

Deed = Callable[[Path], list[list[str | Path]]]
"""Returns the commands of one repetition, given an empty directory."""


def summaries(work: Path, *, quick: bool) -> list[Table]:
    table = Table("Seconds from another tool's trace to a report")
    repetitions = 1 if quick else 3
    for name in DARSHAN[:1] if quick else DARSHAN:
        log = LOGS[name]
        peers: dict[str, Deed] = {
            "Stepwell, s": _stepwell(log),
            "the tool's own, s": lambda place, log=log: [  # type: ignore[misc]
                [sys.executable, "-m", "darshan", "summary", log, "--output", place / "report.html"]
            ],
        }
        table.rows[f"{name}, {log.stat().st_size / 1e3:,.0f} kB"] = _in_turns(work, peers, repetitions)
    analyzer = _analyzer()
    for events in (10_000,) if quick else EVENTS:
        trace = work / "trace" / "some.pfw.gz"
        trace.parent.mkdir(exist_ok=True)
        _write(trace, FORMATS["dftracer"][0](events))
        peers = {"Stepwell, s": _stepwell(trace), "the tool's own, s": _analyzed(analyzer, trace)}
        row = _in_turns(work, peers, repetitions)
        table.rows[f"DFTracer, {events:,} events, {trace.stat().st_size / 1e6:.1f} MB"] = row
        trace.unlink()
    table.notes.append(
        "Stepwell: import, and report as a page. Darshan: its summary. DFTracer: dfanalyzer, preset posix."
    )
    return [table]


def _stepwell(file: Path) -> Deed:
    tool: list[str | Path] = [STEPWELL, "--store"]
    return lambda place: [[*tool, place / "s", "import", file], [*tool, place / "s", "report", "-o", "html"]]


def _analyzed(analyzer: Path, trace: Path) -> Deed:
    def commands(place: Path) -> list[list[str | Path]]:
        shutil.copy(trace, place)  # the index that it writes beside a trace is not to be found the next time
        options = ["analyzer/preset=posix", "cluster=local", f"hydra.run.dir={place / 'run'}"]
        return [[analyzer, f"trace_path={place}", *options]]

    return commands


def _analyzer() -> Path:
    """Return dfanalyzer's command, after its installation."""
    place = Path("build/dfanalyzer").resolve()
    if not (place / "bin/dfanalyzer").exists():
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, place], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", place / "bin/python", *ANALYZER], check=True)
    return place / "bin/dfanalyzer"


def _write(path: Path, lines: Iterator[str]) -> None:
    with gzip.open(path, "wt", compresslevel=1) as file:
        while some := "".join(islice(lines, 10_000)):
            file.write(some)


def _in_turns(work: Path, peers: dict[str, Deed], repetitions: int) -> dict[str, Spread | float | int | str]:
    took: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(repetitions):
        for name, deed in peers.items():
            place = work / "place"
            place.mkdir()
            commands = deed(place)
            began = time.perf_counter()
            for command in commands:
                _run(command)
            took[name].append(time.perf_counter() - began)
            shutil.rmtree(place)
    return {name: Spread.of(seconds) for name, seconds in took.items()}


def _run(command: list[str | Path]) -> None:
    environment = os.environ | {"USER": os.environ.get("USER", "bench")}  # which dfanalyzer wants
    done = subprocess.run(command, check=False, capture_output=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{command}: {done.stderr.decode(errors='replace')[-2000:]}")
