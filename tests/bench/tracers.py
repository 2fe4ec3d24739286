"""Stepwell and its peers: each runs the loop, and tells how long its calls took, what it lost and what it wrote."""

from __future__ import annotations

import gzip
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.loop import Loop, Times

from stepwell.store import Store

TRACEFS = Path("/sys/kernel/tracing")

STEPWELL = Path(sys.executable).with_name("stepwell")

COUNT = "tracepoint:syscalls:sys_enter_pread64 { @[comm] = count(); }"
LATENCY = """
tracepoint:syscalls:sys_enter_pread64 { @start[tid] = nsecs; }
tracepoint:syscalls:sys_exit_pread64 /@start[tid]/ { @took = hist(nsecs - @start[tid]); delete(@start[tid]); }
END { clear(@start); }
"""


@dataclass(frozen=True)
class Traced:
    """One run under a tracer; `seen` is None where there is none, `trace_bytes` where it only counts."""

    times: Times
    seen: int | None = None
    trace_bytes: int | None = None


def _run(command: list[str], **environment: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def untraced(loop: Loop) -> Traced:
    _run(loop.argv())
    return Traced(loop.times())


def stepwell(loop: Loop) -> Traced:
    with tempfile.TemporaryDirectory() as directory:
        store = Path(directory) / "store.duckdb"
        _run([str(STEPWELL), "--store", str(store), "record", "--", *loop.argv()])
        with Store.open(store, "r") as opened:
            seen = opened.rows("SELECT count(*) FROM accesses WHERE path = ? AND requested = 4096", str(loop.data))
        return Traced(loop.times(), int(seen[0][0]), store.stat().st_size)


def bpftrace_count(loop: Loop) -> Traced:
    out = _run(["bpftrace", "-c", " ".join(loop.argv()), "-e", COUNT])
    return Traced(loop.times(), sum(map(int, re.findall(r"@\[loop\]: (\d+)", out))))


def bpftrace_latency(loop: Loop) -> Traced:
    out = _run(["bpftrace", "-c", " ".join(loop.argv()), "-e", LATENCY])
    return Traced(loop.times(), sum(map(int, re.findall(r"\[\w+, \w+\)\s+(\d+) ", out))))


def strace(loop: Loop) -> Traced:
    """Much slower than all others, so it is given fewer calls."""
    few = loop.shorter(20)
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "log"
        _run(["strace", "-f", "-e", "trace=pread64", "-o", str(log), *few.argv()])
        calls = log.read_text().count("pread64(")
        return Traced(few.times(), calls * 20, log.stat().st_size * 20)


def dftracer(loop: Loop) -> Traced:
    found = importlib.util.find_spec("dftracer")
    if not found or not found.submodule_search_locations:
        raise SystemExit("DFTracer is not installed: uv sync --group bench")
    (preload,) = Path(found.submodule_search_locations[0]).rglob("libdftracer_preload.so")
    with tempfile.TemporaryDirectory() as directory:
        _run(
            loop.argv(), LD_PRELOAD=str(preload), DFTRACER_ENABLE="1", DFTRACER_INIT="PRELOAD",
            DFTRACER_DATA_DIR=str(loop.data.parent), DFTRACER_LOG_FILE=f"{directory}/trace", DFTRACER_INC_METADATA="1",
        )  # fmt: skip
        files = [path for path in Path(directory).iterdir() if ".pfw" in path.name]
        seen = sum(_text(path).count(b'"pread') for path in files)
        return Traced(loop.times(), seen, sum(path.stat().st_size for path in files))


def _text(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


TRACERS: dict[str, Callable[[Loop], Traced]] = {
    "untraced": untraced,
    "stepwell": stepwell,
    "bpftrace, count by comm": bpftrace_count,
    "bpftrace, latency histogram": bpftrace_latency,
    "strace": strace,
    "dftracer": dftracer,
}
"""In the order in which they take turns."""


@contextmanager
def tracefs() -> Iterator[None]:
    """Bpftrace wants tracefs: mounted where it is not, and unmounted after."""
    if any(TRACEFS.iterdir()):
        yield
        return
    subprocess.run(["mount", "-t", "tracefs", "tracefs", str(TRACEFS)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(TRACEFS)], check=True)


def missing() -> list[str]:
    """Return what has to be installed before the peers can be measured."""
    programs = [name for name in ("cc", "bpftrace", "strace") if not shutil.which(name)]
    return programs + ([] if importlib.util.find_spec("dftracer") else ["dftracer"])
