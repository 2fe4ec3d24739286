"""One directory of exported traces, opened by both engines once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.unit.acts import acted, verdict
from tests.unit.recordings import MS, T0, Recording

from stepwell.analysis import ANALYSIS_VERSION, classify, plans
from stepwell.analysis.verdicts import table
from stepwell.store import ParquetStore, Store, export
from stepwell.store.spark import SparkStore
from stepwell.trace.definition import EVENT, OPEN, EventKind, Op, RunFlag

NUMBER = 53


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory of traces: 1 has all kinds of values, 2 has nothing in it, another machine's 1 becomes 3.

    The last is measured against itself, which is 3, too.
    """
    place = tmp_path_factory.mktemp("engines")
    full = Recording(place / "full.spool", coverage=["a 'quoted' gap"])
    _ordinary(full)
    _odd(full)
    full.end(9_001 * MS, losses={"ring": 7})
    store = full.stored()
    empty = Recording(place / "empty.spool")
    empty.end(11 * MS)
    empty.stored()
    with Store.open(store, "w") as opened:
        opened.set_patterns(1, classify(opened, 1), ANALYSIS_VERSION)
        opened.set_acts(1, *acted("/data/set1"))
    with Store.open(store, "r") as opened:
        for trace in (1, 2):
            export(opened, trace, place / f"exports/of trace's {trace}")
    (place / "other").mkdir()
    other = Recording(place / "other/other.spool")
    other.thread(1)
    other.open(1, b"/data/other")
    other.run(1, at=np.arange(NUMBER), count=[3, 5] * (NUMBER // 2) + [7], stride=4096, seq=8 * np.arange(NUMBER))
    other.end(13 * MS)
    path = other.stored()
    with Store.open(path, "w") as opened:
        opened.set_acts(1, plans.table(()), table([replace(verdict(), baseline=1)]))
    with Store.open(path, "r") as opened:
        export(opened, 1, place / "exports/other machine's 1")
    return place / "exports"


def _ordinary(recording: Recording) -> None:
    """Write three processes that read 37 files each in many ways, and wait for some."""
    random = np.random.default_rng(3)
    for thread in (1, 2, 3):
        recording.thread(thread, b"python", end=(8_000 + thread) * MS if thread < 3 else None, cpu=101 * MS)
        for number in range(37):
            opened = thread * 100 + number
            recording.open(opened, b"/data/set%d/file%d.bin" % (thread % 2, number), size=1 << 20, thread=thread)
            at = np.sort(random.integers(0, 8_000 * MS, NUMBER))
            count = random.choice([1, 1, 1, 2, 3, 23], NUMBER)
            latency = random.integers(200, 40_000_000, NUMBER)
            recording.run(
                opened, thread, at,
                op=random.choice([Op.READ, Op.READ, Op.WRITE, Op.MMAP], NUMBER),
                offset=random.integers(0, 1 << 30, NUMBER), count=count,
                size=random.choice([4096, 5003], NUMBER), tail=random.choice([4096, 1021], NUMBER),
                stride=random.choice([4096, 8192, -4096, 0, 3 << 20], NUMBER),
                seq=np.arange(NUMBER) * 31 + 3_700 * number, span_ns=np.where(count > 1, count * 10_007, 0),
                latency_ns=latency * count, latency_max_ns=latency, wait_ns=latency * (number % 2) // 2,
                waited=number % 2, filled=random.integers(0, 40, NUMBER),
            )  # fmt: skip


def _odd(recording: Recording) -> None:
    """Write what engines differ over: ends of ranges, names, nothing known, nothing done."""
    names = [
        "/data/naïve/日本 \U0001f40d.pyc\n", "/usr/lib/a\\b.so.1", "/odd/it's \"quoted\"; --\t", "/usr/bin/python",
        "/data/set1/x.pyc", "/data/new\nline/f",
    ]  # fmt: skip
    recording.thread(11, "naïve".encode())
    for number, name in enumerate(names, 2_001):
        recording.open(number, name.encode(), thread=11)
        recording.run(number, 11, 10 * number, seq=number, op=Op.MMAP if "bin" in name else Op.READ)
    last = 2**63 - 1
    recording.run(2_001, 11, 3 * MS, offset=last - 4096, seq=3_001)
    recording.run(2_001, 11, 4 * MS, offset=last - 3 * 4096, count=3, stride=4096, seq=3_002)
    recording.run(2_001, 11, 4 * MS, offset=2**62, count=3, stride=-(2**61), seq=3_007)
    recording.run(2_002, 11, 5 * MS, size=0, tail=0, requested=2**61, seq=3_011)
    recording.run(2_002, 11, 5 * MS, size=0, tail=0, count=5, stride=7, seq=3_013)
    recording.run(2_003, 11, 6 * MS, count=2, flags=RunFlag.ASYNC, seq=3_023)
    recording.run(2_003, 11, 6 * MS, count=0, size=0, tail=0, latency_ns=77_777, flags=RunFlag.ASYNC, seq=3_025)
    recording.run(2_004, 11, 7 * MS, op=Op.SENDFILE, seq=3_037, wait_ns=401, waited=1)
    recording.run(2_003, 11, 7 * MS, op=Op.WRITE, seq=3_038, wait_ns=401, waited=1)
    for power in range(8, 34):
        recording.run(2_005, 11, 8 * MS + power, size=1 << power % 20, seq=4_000 + power, filled=power,
                      latency_ns=1 << power, latency_max_ns=1 << power, wait_ns=1 << power, waited=1)  # fmt: skip
    recording.add(OPEN, b"log\0", thread=11, open=2_011, start_ns=T0, ino=2**64 - 1, flags=os.O_APPEND | os.O_DIRECT)
    recording.add(EVENT, b"", thread=11, open=2_011, event=EventKind.SYNC, start_ns=T0 + MS, latency_ns=3 * MS)
    for number in range(59):  # a file opened anew for each access, in order: only all of them together show it
        opened = 3_001 + number
        recording.add(
            OPEN, b"again\0data\0", thread=11, open=opened, start_ns=T0, ino=4_001, dev=8 << 20 | 1, size=1 << 20
        )
        recording.run(opened, 11, 8 * MS + 1_000 * number, offset=4096 * number, seq=5_000 + number)
    recording.run(9_001, 12, 9 * MS, seq=1)  # neither the open file nor the thread was described


@pytest.fixture(scope="session")
def duckdb(exports: Path) -> Iterator[ParquetStore]:
    with ParquetStore.of(exports) as store:
        yield store


@pytest.fixture(scope="session")
def spark(exports: Path) -> Iterator[SparkStore]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")  # compiling for speed takes longer than it saves
        with SparkStore.through("local[2]", exports) as store:
            yield store
