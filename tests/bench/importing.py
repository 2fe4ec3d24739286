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
    """Files that are opened, looked at, read three times and closed, by turns."""
    data = '"' + r"x\0\1\"" * 8 + '"...'
    for i in range(count):
        path = f"/data/set/part-{i // 6 % 997:05}.bin"
        call = (
            f'openat(AT_FDCWD</data>, "{path}", O_RDONLY|O_CLOEXEC) = 3<{path}>',
            f"fstat(3<{path}>, {{st_mode=S_IFREG|0644, st_size=1073741824, ...}}) = 0",
            f"read(3<{path}>, {data}, 4096) = 4096",
            f"pread64(3<{path}>, {data}, 4096, {i * 7919 % 2**30}) = 4096",
            f"read(3<{path}>, {data}, 4096) = 4096",
            f"close(3<{path}>) = 0",
        )[i % 6]
        yield f"7 {i // 10**6:010}.{i % 10**6:06} {call} <0.000011>\n"


def _blkparse(count: int) -> Iterator[str]:
    for i in range(count // 2):
        at, sector = f"{i // 10**6}.{i % 10**6:06}000", i * 7919 % 2**30 * 8
        yield f"  8,0    1 {i:8}     {at}  4162  Q   R {sector} + 8 [dd]\n"
        yield f"  8,0    1 {i:8}     {at}     0  C   R {sector} + 8 [0]\n"


def _dftracer(count: int) -> Iterator[str]:
    """As DFTracer 2.2 writes: files that are opened, read twice at the position and once elsewhere, and closed."""
    names = {number: f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" for number in range(997)}
    host = '"args":{"hhash":"6882804a826580cd",'
    for number, name in names.items():
        about = f'"name":"/data/set/part-{number:05}.bin","value":"{name}"'
        yield f'{{"name":"FH","cat":"dftracer","type":1,"pid":989,"tid":989,"ph":4,{host}{about}}}}}\n'
    calls = (
        ("open64", '"flags":524288,'), ("read", '"ret":4096,"count":4096,'), ("read", '"ret":4096,"count":4096,'),
        ("pread64", '"ret":4096,"count":4096,"offset":{},'), ("close", '"ret":0,'),
    )  # fmt: skip
    for i in range(count - len(names)):
        name, given = calls[i % 5]
        times = f'"ts":{1795624851507392 + i * 3},"dur":2,"ph":1,{host}'
        file = names[i // 5 % len(names)]
        yield (
            f'{{"id":{i},"name":"{name}","cat":"POSIX","type":3,"pid":989,"tid":989,{times}'
            f'{given.format(i * 7919 % 2**30)}"fhash":"{file}"}}}}\n'
        )


def _juicefs(count: int) -> Iterator[str]:
    for i in range(count):
        at = f"2021.01.15 08:{i // 3_000_000 % 60:02}:{i // 50_000 % 60:02}.{i * 20 % 1_000_000:06}"
        yield f"{at} [uid:0,gid:0,pid:7] read (4,4096,{i * 7919 % 2**30},5): (4096) - OK <0.000009>\n"


FORMATS: dict[str, tuple[Callable[[int], Iterator[str]], int]] = {
    "csv": (_csv, 17_000_000),  # 1 GB
    "fio": (_fio, 2_000_000),
    "strace": (_strace, 1_000_000),
    "blkparse": (_blkparse, 1_000_000),
    "dftracer": (_dftracer, 1_000_000),
    "juicefs": (_juicefs, 1_000_000),
}
"""What writes so many lines of a format, and how many."""


def _measure(path: Path, database: Path, name: str, count: int) -> dict[str, Figure]:
    """Import to a spool file, then into the store; in a process of its own for the sake of the memory's peak."""
    began, busy = time.perf_counter(), time.process_time()
    with Import(path, path.parent, name) as bringing:
        bringing.write()
        read, busy = time.perf_counter() - began, time.process_time() - busy
        figures: dict[str, Figure] = {
            "MB": path.stat().st_size / 1e6,
            "k lines/s": count / read / 1e3,
            "k lines a processor second": count / busy / 1e3,
            "peak MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        with Store.open(database, "w") as store:
            figures["accesses"] = ingest(store, bringing.spool).accesses
    figures["with ingest, k lines/s"] = count / (time.perf_counter() - began) / 1e3
    figures["with ingest, peak MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return figures


def importing(work: Path, *, quick: bool) -> list[Table]:
    table = Table("Importing text: first byte to a complete spool file, and to the store's commit")
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
    table.notes += [
        "csv, fio, blkparse and juicefs: random reads, the worst case, for every access is a run of its own.",
        "strace and dftracer: files that are opened, read here and there, and closed.",
    ]
    return [table]
