"""How fast, and in how much memory, other tools' files come into the store."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from tests.bench.figures import Figure, Table

from stepwell.collectors.importers import Import
from stepwell.store import Store, ingest


def _csv(count: int) -> Iterator[str]:
    yield "path,op,offset,size,tid,start_ns\n"
    for i in range(count):
        yield f"/data/set/part-{i % 997:05}.bin,read,{i * 7919 % 2**30},4096,{i % 7},{i * 1009}\n"


def _fio(count: int) -> Iterator[str]:
    yield "fio version 3 iolog\n"
    for i in range(count):
        yield f"{i} /data/set/part-00001.bin read {i * 7919 % 2**30} 4096\n"


def _strace(count: int) -> Iterator[str]:
    data = '"' + r"x\0\1\"" * 8 + '"...'
    for i in range(count):
        at = f"{i // 10**6:010}.{i % 10**6:06}"
        yield f"7 {at} pread64(3</data/set/part-00001.bin>, {data}, 4096, {i * 7919 % 2**30}) = 4096 <0.000011>\n"


def _blkparse(count: int) -> Iterator[str]:
    for i in range(count // 2):
        at, sector = f"{i // 10**6}.{i % 10**6:06}000", i * 7919 % 2**30 * 8
        yield f"  8,0    1 {i:8}     {at}  4162  Q   R {sector} + 8 [dd]\n"
        yield f"  8,0    1 {i:8}     {at}     0  C   R {sector} + 8 [0]\n"


FORMATS: dict[str, tuple[Callable[[int], Iterator[str]], int]] = {
    "csv": (_csv, 17_000_000),  # 1 GB
    "fio": (_fio, 2_000_000),
    "strace": (_strace, 1_000_000),
    "blkparse": (_blkparse, 1_000_000),
}
"""What writes so many lines of a format, and how many."""


def _measure(path: Path, database: Path, name: str, count: int) -> dict[str, Figure]:
    """Import to a spool file, then into the store; in a process of its own for the sake of the memory's peak."""
    began = time.perf_counter()
    with Import(path, path.parent, name) as bringing:
        bringing.write()
        read = time.perf_counter() - began
        figures: dict[str, Figure] = {
            "MB": path.stat().st_size / 1e6,
            "k lines/s": count / read / 1e3,
            "peak MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        with Store.open(database, "w") as store:
            figures["accesses"] = ingest(store, bringing.spool).accesses
    figures["with ingest, k lines/s"] = count / (time.perf_counter() - began) / 1e3
    figures["with ingest, peak MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return figures


def importing(work: Path, *, quick: bool) -> list[Table]:
    table = Table("Importing random reads from text: first byte to a complete spool file, and to the store's commit")
    for name, (lines, most) in FORMATS.items():
        count = 100_000 if quick else most
        path, database = work / "trace.txt", work / "store.duckdb"
        with path.open("w") as file:
            made = lines(count)
            while some := "".join(islice(made, 10_000)):
                file.write(some)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            table.rows[f"{name}, {count:,} lines"] = pool.apply(_measure, (path, database, name, count))
        path.unlink()
        database.unlink()
    table.notes += ["random reads are the worst case: every access is a run of its own."]
    return [table]
