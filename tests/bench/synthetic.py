"""Traces of any size, as a recorder would have left them.

`random`: single reads of 4 KiB at random offsets of 1,009 files by 17 threads, the worst case for the store.  `mixed`:
half of the blocks hold longer runs with histograms instead.  Besides, files read along in one run each, and very many
small files, read in epochs, whole or here and there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from stepwell.trace.definition import OPEN, RUN, RUN_SHORT, THREAD, Record
from stepwell.trace.layout import DTYPES
from stepwell.trace.spool import SpoolWriter

THREADS, FILES, BLOCK = 17, 1009, 16_384
ORIGIN_NS = 10**12


def records(record: Record, number: int, /, **values: Any) -> np.ndarray[Any, np.dtype[np.void]]:
    made = np.zeros(number, DTYPES[record.kind])
    made["kind"] = record.kind
    for name, value in values.items():
        made[name] = value
    return made


def single_reads(
    rng: np.random.Generator, count: int, first: int, waiting: float = 0.0
) -> np.ndarray[Any, np.dtype[np.void]]:
    latency = rng.gamma(2.0, 600.0, count).astype(np.uint64)
    waited = (rng.random(count) < waiting).astype(np.uint64)
    waits = waited * rng.gamma(2.0, 40_000.0, count).astype(np.uint64)
    return records(
        RUN_SHORT,
        count,
        thread=rng.integers(1, THREADS + 1, count),
        open=rng.integers(1, FILES + 1, count),
        count=1,
        seq=np.arange(first, first + count) // THREADS,
        start_ns=ORIGIN_NS + np.arange(first, first + count) * 1800 + rng.integers(0, 1800, count),
        offset=rng.integers(0, 1 << 18, count) * 4096,
        requested=4096,
        size=4096,
        tail=4096,
        latency_ns=latency + waits,
        latency_max_ns=latency + waits,
        wait_ns=waits,
        waited=waited,
        filled=waited * rng.integers(1, 9, count).astype(np.uint64),
    )


def long_runs(rng: np.random.Generator, count: int, first: int) -> np.ndarray[Any, np.dtype[np.void]]:
    made = records(RUN, count)
    single = single_reads(rng, count, first)
    for name in single.dtype.names or ():
        made[name] = single[name]
    made["kind"] = RUN.kind
    made["count"] = rng.integers(3, 40, count)
    made["stride"] = 4096
    made["seq_span"] = made["count"] - 1
    made["span_ns"] = made["seq_span"] * np.uint64(1500)
    made["latency_ns"] = made["count"] * made["latency_max_ns"] // 2
    made["histogram"][:, 1] = made["count"] // 2
    made["histogram"][:, 2] = made["count"] - made["count"] // 2
    return made


def _described(writer: SpoolWriter, path: Path, duration_ns: int) -> None:
    writer.meta(uuid=path.stem, start_monotonic_ns=ORIGIN_NS, end_monotonic_ns=ORIGIN_NS + duration_ns)
    numbers = np.arange(1, THREADS + 1)
    writer.write(
        THREAD.kind, records(THREAD, THREADS, thread=numbers, pid=numbers // 4, tid=numbers, start_ns=ORIGIN_NS)
    )
    numbers = np.arange(1, FILES + 1)
    opens = records(OPEN, FILES, open=numbers, ino=numbers, thread=1, start_ns=ORIGIN_NS)
    writer.write(OPEN.kind, opens, [b"f%d\0data\0" % number for number in numbers])


def write_spool(path: Path, runs: int, *, mixed: bool, waiting: float = 0.0) -> None:
    rng = np.random.default_rng(7)
    with SpoolWriter(path) as writer:
        _described(writer, path, runs * 1800)
        for index, first in enumerate(range(0, runs, BLOCK)):
            number = min(BLOCK, runs - first)
            if mixed and index % 2:
                writer.write(RUN.kind, long_runs(rng, number, first))
            else:
                writer.write(RUN_SHORT.kind, single_reads(rng, number, first, waiting))


def write_sequential(path: Path, accesses: int) -> None:
    """Every file read from start to end in one run by one of the threads; the first of 32 reads waits for the rest."""
    with SpoolWriter(path) as writer:
        each = accesses // FILES
        _described(writer, path, FILES * each * 1800)
        numbers = np.arange(1, FILES + 1)
        made = records(
            RUN, FILES, thread=numbers % THREADS + 1, open=numbers, count=each, stride=131_072, requested=131_072,
            size=131_072, tail=131_072, seq=(numbers - 1) // THREADS * each, seq_span=each - 1,
            start_ns=ORIGIN_NS + (numbers - 1) * each * 1800, span_ns=(each - 1) * 1800, latency_ns=each * 900,
            latency_max_ns=40_000, wait_ns=each // 32 * 20_000, waited=each // 32, filled=each * 32,
        )  # fmt: skip
        made["histogram"][:, 2] = each
        writer.write(RUN.kind, made)


def write_files(path: Path, opens: int, files: int, *, epochs: int = 3, workers: int = 8, places: int = 0) -> None:
    """Small files read in a new order every epoch, by workers that share them; the first epoch waits.

    They are read whole, or at so many places, ever further apart, so that no two reads make a run.
    """
    rng = np.random.default_rng(11)
    with SpoolWriter(path) as writer:
        writer.meta(uuid=path.stem, start_monotonic_ns=ORIGIN_NS, end_monotonic_ns=ORIGIN_NS + opens * 100_000)
        numbers = np.arange(1, workers + 1)
        writer.write(
            THREAD.kind, records(THREAD, workers, thread=numbers, pid=numbers, tid=numbers, start_ns=ORIGIN_NS)
        )
        each = opens // epochs
        lengths = [each] * (epochs - 1) + [opens - each * (epochs - 1)]
        order = np.concatenate([np.resize(rng.permutation(files), length) for length in lengths])
        for first in range(0, opens, BLOCK):
            at = np.arange(first, min(first + BLOCK, opens))
            file, start, waits = order[at], ORIGIN_NS + at * 100_000, (at < each).astype(np.uint64)
            made = records(
                OPEN, len(at), open=at + 1, ino=file + 1, thread=at % workers + 1, start_ns=start, latency_ns=9_000
            )
            writer.write(OPEN.kind, made, [b"%06d\0%03d\0data\0" % (one, one % 499) for one in file.tolist()])
            size = 4096 if places else 65_536 + file * 4
            for place in range(places or 1):
                single = records(
                    RUN_SHORT, len(at), thread=at % workers + 1, open=at + 1, count=1,
                    seq=at // workers * (places or 1) + place, start_ns=start + (place + 1) * 10_000,
                    offset=place**2 * 16_384, requested=4096 if places else 131_072, size=size, tail=size,
                    latency_ns=20_000 + waits * 500_000, latency_max_ns=20_000 + waits * 500_000,
                    wait_ns=waits * 500_000, waited=waits, filled=waits * 17,
                )  # fmt: skip
                writer.write(RUN_SHORT.kind, single)
