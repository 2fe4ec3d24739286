"""`stepwell run` beside plain readers and what others offer, over an object storage of known latency.

Seconds are the reader's own, from its first read to its last, and those of a warm-up before it; the whole command's,
with recording and verdict, are told beside.  All contenders read the same bytes, which is checked, and take turns.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from tests.bench.backends.cold import Backend, Bare, Bucket, Volume, kernel_reads_ahead
from tests.bench.figures import Figure, Spread, Table
from tests.bench.readings import (
    BARE,
    BEST,
    HAND,
    KNOWN,
    MIB,
    PLAIN,
    PLANNED,
    SIDECAR,
    STEERED,
    TOUCH,
    TUNED,
    WARMED,
    WARMUP,
    Sizes,
    Workload,
    fill,
    workloads,
)
from tests.bench.tracers import STEPWELL
from tests.storage.slow import compile_slow

from stepwell.store import Store

READER, SIDECAR_PROGRAM = (Path(__file__).with_name(name) for name in ("follow.py", "sidecar.py"))


@dataclass
class Taken:
    """What each turn of one contender took."""

    seconds: list[float] = field(default_factory=list)
    command: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    """Processor seconds beside the reader's own, without those of the mount."""
    fetched: list[float] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)
    most: list[int] = field(default_factory=list)
    unused: list[float] = field(default_factory=list)
    """MiB read ahead that no reader came for."""
    verdicts: list[str] = field(default_factory=list)


class Contest:
    """Readers of one backend."""

    def __init__(self, work: Path, backend: Backend) -> None:
        self.work, self.backend = work, backend
        self.store = work / "store.duckdb"
        self.digests: dict[str, str] = {}

    def turn(self, workload: Workload, contender: str, taken: Taken) -> None:
        """Let one contender read what nothing has in a cache."""
        order, known = self.work / "order", self.work / "known"
        order.write_text("\n\n".join("\n".join(steps) for steps in workload.epochs))
        known.write_text("".join(f"{step}\n" for steps in workload.epochs for step in steps))
        flags = workload.best[self.backend.name] if contender == BEST else ()
        with ExitStack() as stack:
            point, storage = stack.enter_context(self.backend.cold(workload.latency_ms, flags))
            reader = [sys.executable, str(READER), str(order), str(point), *workload.reader]
            if contender == BARE:
                reader += ["--how", "unaided"]
            if contender == HAND:
                stack.enter_context(kernel_reads_ahead(point, 16 << 10))
            if workload.cached:
                subprocess.run(reader, check=True, capture_output=True)
                storage.reset()
            used, began = _children(), time.perf_counter()
            self._warm(contender, point / workload.data)
            ready = time.perf_counter() - began
            beside = None
            if contender == SIDECAR:
                beside = subprocess.Popen([sys.executable, str(SIDECAR_PROGRAM), str(point / workload.data)])
            steered = contender in {STEERED, KNOWN, TUNED, PLANNED}
            more: dict[str, list[str | Path]] = {
                KNOWN: ["--order-from", known],
                TUNED: ["--tune-mounts"],
                PLANNED: ["--tune-mounts", "--plan", self.work / "plan.yaml"],
            }
            argv = [*self._steering(workload, point, more.get(contender, [])), *reader]
            done = subprocess.run(argv if steered else reader, check=True, capture_output=True, text=True)
            taken.command.append(time.perf_counter() - began)
            if beside:
                beside.terminate()
                beside.wait()
            said = json.loads(done.stdout)
            taken.cpu.append(_children() - used - said["cpu"])
            counted = storage.counters
        taken.seconds.append(said["seconds"] + ready)
        taken.fetched.append(counted["bytes"] / workload.octets)
        taken.requests.append(counted[self.backend.request])
        taken.most.append(counted["most_in_flight"])
        if steered:
            with Store.open(self.store, "r") as store:
                ((unused, verdict),) = store.rows(
                    "SELECT brought_bytes - used_bytes - late_bytes, verdict FROM verdicts ORDER BY trace DESC LIMIT 1"
                )
            taken.unused.append(unused / MIB)
            taken.verdicts.append(verdict)
        if contender == STEERED:
            planned: list[str | Path] = [STEPWELL, "--store", self.store, "plan", "-o", "yaml"]
            (self.work / "plan.yaml").write_bytes(subprocess.run(planned, check=True, capture_output=True).stdout)
        digest = self.digests.setdefault(workload.name, said["digest"])
        assert digest == said["digest"], f"{contender} read other bytes"

    def _warm(self, contender: str, path: Path) -> None:
        argv: list[str | Path] = []
        if contender == WARMED:
            argv = [STEPWELL, "warm", "--restart", path]
        elif contender == TOUCH:
            argv = ["vmtouch", "-t", "-q", path]
        elif contender == WARMUP:
            assert isinstance(self.backend, Volume)
            argv = [*self.backend.warmup(path)]
        if argv:
            subprocess.run(argv, check=True, capture_output=True)

    def _steering(self, workload: Workload, point: Path, more: list[str | Path]) -> list[str | Path]:
        where: list[str | Path] = ["--store", self.store, "run", "-q", "--under", point]
        memory = ["--memory", workload.memory] if workload.memory else []
        return [STEPWELL, *where, *memory, *more, "--"]

    def table(self, workload: Workload, turns: int) -> Table:
        """Let all contenders read, in turns."""
        taken = {contender: Taken() for contender in workload.contenders}
        for _ in range(turns):
            for contender, one in taken.items():
                self.turn(workload, contender, one)
        table = Table(f"prefetch: {workload.name}, {workload.latency_ms} ms a request; over {self.backend.what}")
        for contender, one in taken.items():
            table.rows[contender] = _row(one, taken[PLAIN], workload.octets)
        if BEST in taken:
            table.notes.append(f"{BEST}: {' '.join(workload.best[self.backend.name])}")
        return table


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _row(one: Taken, plain: Taken, octets: int) -> dict[str, Figure]:
    row: dict[str, Figure] = {
        "s": Spread.of(one.seconds),
        "MiB/s": octets / MIB / Spread.of(one.seconds).median,
        "times as fast as plain": Spread.of(a / b for a, b in zip(plain.seconds, one.seconds, strict=True)),
        "whole command, s": Spread.of(one.command).median,
        "bytes fetched a byte": Spread.of(one.fetched),
        "requests": Spread.of(one.requests).median,
        "most at once": max(one.most),
        "CPU beside, s": Spread.of(one.cpu).median,
    }
    if one.verdicts:
        row |= {"unused MiB": Spread.of(one.unused), "verdicts": ", ".join(sorted(set(one.verdicts)))}
    return row


def _chosen(backend: type[Backend], sizes: Sizes, only: str) -> list[Workload]:
    """Return the workloads of a backend whose names fit, each with the contenders that there are."""
    absent = {Volume: set(), Bucket: {BARE, HAND, SIDECAR, TOUCH, KNOWN}, Bare: {WARMUP, BEST}}[backend]
    return [
        replace(one, contenders=tuple(name for name in one.contenders if name not in absent))
        for one in workloads(sizes)
        if re.search(only, f"{backend.name} {one.name}, {one.latency_ms} ms")
        and (backend is not Bucket or BEST in one.contenders)
    ]


def prefetch(work: Path, *, quick: bool, only: str = "") -> list[Table]:
    """Measure; with `only`, no more than the workloads whose "BACKEND NAME, LATENCY ms" that pattern is found in."""
    program, turns = compile_slow(work), 1 if quick else 5
    tables: list[Table] = []
    full = Sizes(41, 128 * MIB, 17, (3,)) if quick else Sizes(1000, 1024 * MIB, 503)
    for backend in (Volume, Bucket, Bare):
        # Without a client that reads ahead, and with one line for all, a quarter takes long enough.
        sizes = full if backend is Volume else replace(full, files=full.files // 4, large=full.large // 4)
        chosen = _chosen(backend, sizes, only)
        if not chosen:
            continue
        place = work / backend.name
        place.mkdir()
        contest = Contest(place, backend(program, place / "data", partial(fill, {one.data for one in chosen}, sizes)))
        tables += [contest.table(one, turns) for one in chosen]
    assert tables, f"no workload is called {only}"
    tables[-1].notes.append("seconds include a warm-up before reading; CPU is without the reader's and the mount's")
    return tables
