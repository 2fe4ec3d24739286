"""Measures a storage: all combinations of block size and concurrency, within a time and a number of bytes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stepwell.analysis.storage import UNSURE, Bench, Reads, judge, keeps
from stepwell.analysis.storage.model import VERSION
from stepwell.bench.errors import BenchError
from stepwell.bench.files import Files
from stepwell.bench.findings import Findings
from stepwell.bench.places import PAGE, Places
from stepwell.bench.reading import timed_reads, uncached

BLOCKS = tuple(4096 << power for power in range(0, 13, 2))
"""Block sizes, in bytes.  Default: 4 KiB to 16 MiB in steps of 4."""

CONCURRENCY = tuple(1 << power for power in range(7))
"""Reads at once.  Default: 1 to 64, doubling."""

ENOUGH = 997
"""Reads of a combination after which it is known.  Default 997: their 99 % quantile has ten above it."""

ROUNDS = 3
"""Reads that each thread of a combination should make at least, as far as time and bytes allow."""

PROBES = 11
"""Places that are read twice to see whether they are kept on the way.  Default 11: between the first and the second
time there are ten more latencies, in which a client has fetched the rest of a block."""

PROBED = 100
"""Parts of the bytes allowed, of which probing may take one; with fewer it is left out."""

PROBING = 5
"""Parts of the time allowed, of which each round of probing may take one."""

_CLIENTS = ("fuse", "nfs", "ceph", "smb", "cifs", "9p", "lustre")
"""File systems whose client, or server, may keep what was read, whatever O_DIRECT says."""

_SEED = 11


@dataclass(frozen=True)
class Limits:
    """What measuring may take."""

    seconds: float
    """Time, in seconds; reads that are under way then are waited for."""
    octets: int
    """Bytes to read."""
    blocks: tuple[int, ...] = BLOCKS
    """Block sizes, in bytes: powers of two from 4 KiB to 64 MiB."""
    concurrency: tuple[int, ...] = CONCURRENCY
    """Reads at once."""


def measure(
    path: Path, filesystem: str, files: Files, limits: Limits, progress: Callable[[int, int, str], None]
) -> Bench:
    """Read from a storage in all combinations, and return what it is like; Ctrl-C ends it with what was measured.

    Args:
        path: what is measured, as the user named it.
        filesystem: type of its file system, which says who else may keep data.
        files: what to read.
        limits: what it may take.
        progress: told combinations measured, of how many, and which comes next.

    Raises:
        BenchError: no read succeeded, or threads cannot be started.
    """
    began, findings, places = time.monotonic_ns(), Findings(sparse=files.sparse), Places(files.sizes, _SEED)
    cells = [(block, threads) for threads in sorted(limits.concurrency) for block in sorted(limits.blocks)]
    deadline = began + int(limits.seconds * 1e9)
    try:
        if filesystem.startswith(_CLIENTS):
            findings.keeps = _probe(files, places, findings, limits)
        for number, (block, threads) in enumerate(cells):
            if findings.status != "complete":
                break
            progress(number, len(cells), f"{threads} x {block}")
            slot = max(0, deadline - time.monotonic_ns()) // (len(cells) - number)
            count = _count(cells[number:], limits.octets - findings.octets)
            if not count or _takes(findings, block, threads) > 3 * slot:
                findings.left_out += 1
            else:
                _cell(files, places, findings, (block, threads, count), slot)
    except KeyboardInterrupt:
        findings.status = "interrupted"
    if findings.status == "complete" and not any((one.bytes > 0).any() for one in findings.reads):
        raise BenchError(
            f"no read of {path} succeeded: {'; '.join(findings.doubts(filesystem))}; look at what serves it, measure "
            "other files there, or with other options"
        )
    return _result(path, filesystem, files, findings, time.monotonic_ns() - began)


def _count(cells: list[tuple[int, int]], octets: int) -> int:
    """Return how many reads the first of the combinations to come may make.

    Each gets one read of each thread, as far as the bytes suffice, and an equal part of the bytes beyond.
    """
    block, threads = cells[0]
    beyond = max(0, octets - sum(one * each for one, each in cells)) // len(cells)
    count = min(max(ENOUGH, threads * ROUNDS), threads + beyond // block)
    return count if count * block <= octets else 0


def _takes(findings: Findings, block: int, threads: int) -> float:
    """Return how long one read of each thread may take, in ns: as if more threads, or bytes, brought no more."""
    known = [
        one for one in findings.reads if one.block_bytes <= block and one.in_flight <= threads and (one.bytes > 0).any()
    ]
    if not known:
        return 0.0
    rate = max(one.cell().bytes_s for one in known)
    return block * threads * 1e9 / max(rate, 1)


def _probe(files: Files, places: Places, findings: Findings, limits: Limits) -> bool | None:
    """Read some places twice, and return whether somebody on the way keeps what was read."""
    if limits.octets < 2 * PROBES * PAGE * PROBED:
        return None
    drawn = places.draw(PAGE, PROBES)
    drawn = drawn.only(np.flatnonzero(~drawn.repeated))
    slot, times = int(limits.seconds * 1e9) // PROBING, []
    for _ in range(2):
        if not files.direct:
            drawn = uncached(files, drawn, PAGE, findings)
        done = timed_reads(files, drawn, (PAGE, 1), time.monotonic_ns() + slot, findings)
        good = done[(done["bytes"] > 0) & (done["end_ns"] > 0)]
        times.append(good["end_ns"] - good["begin_ns"])
        findings.octets += PAGE * len(good)
        if findings.status != "complete":
            return None
    found = keeps(*times)
    if found is not False:
        places.mark(PAGE, drawn.granule)
    return found


def _cell(files: Files, places: Places, findings: Findings, cell: tuple[int, int, int], slot: int) -> None:
    """Measure one combination of block, threads and number of reads."""
    block, threads, count = cell
    drawn = places.draw(block, count)
    if not len(drawn.file):
        findings.too_large.add(block)
        return
    if findings.keeps:
        drawn = drawn.only(~drawn.repeated)
        if len(drawn.file) < threads:
            findings.exhausted += 1
            return
    if not files.direct:
        drawn = uncached(files, drawn, block, findings)
    timed = timed_reads(files, drawn, (block, threads), time.monotonic_ns() + slot, findings)
    mask = timed["end_ns"] > 0
    if mask.any():
        read = timed[mask]
        failed = read["bytes"] <= 0  # 0: the file has become shorter
        findings.errors.update((-read["bytes"][failed]).tolist())
        octets = np.where(failed, -1, read["bytes"])
        findings.reads.append(Reads(block, threads, read["begin_ns"], read["end_ns"], octets, drawn.repeated[mask]))
        findings.octets += int(octets[octets > 0].sum())
        places.mark(block, drawn.granule[mask])
    if not files.direct:  # others' data is worth more in memory than ours
        for file, offset in zip(drawn.file[mask].tolist(), drawn.offset[mask].tolist(), strict=True):
            os.posix_fadvise(files.descriptors[file], offset, block, os.POSIX_FADV_DONTNEED)


def _result(path: Path, filesystem: str, files: Files, findings: Findings, elapsed_ns: int) -> Bench:
    model = judge(findings.reads)
    doubts = list(findings.doubts(filesystem))
    sure = not any(doubt.startswith(UNSURE) for doubt in doubts)
    return Bench(
        version=VERSION,
        path=str(path),
        filesystem=filesystem,
        method="direct" if files.direct else "buffered",
        certain=sure,
        doubts=tuple(doubts),
        status=findings.status,
        files=len(files.sizes),
        data_bytes=sum(files.sizes),
        read_bytes=findings.octets,
        elapsed_ns=elapsed_ns,
        open_ns=int(np.median(files.open_ns)),
        **vars(model),
    )
