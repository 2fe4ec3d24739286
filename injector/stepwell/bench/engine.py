"""Measures a storage: all combinations of block size and concurrency, within a time and a number of bytes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stepwell.analysis.storage import Bench, Reads, judge, keeps
from stepwell.analysis.storage.model import VERSION
from stepwell.bench.errors import BenchError
from stepwell.bench.files import Files
from stepwell.bench.native.library import PLACE, Measurement
from stepwell.bench.places import PAGE, Drawn, Places
from stepwell.prefetch.native.library import resident_pages

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

PATIENCE_S = 5.0
"""Least time, in seconds, that reads under way are waited for after the end of their combination."""

_TICK_MS = 50
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


@dataclass
class _State:
    """What has been measured so far."""

    reads: list[Reads] = field(default_factory=list)
    octets: int = 0
    status: str = "complete"
    left_out: int = 0
    """Combinations that time or bytes did not suffice for."""
    in_use: int = 0
    """Places that stayed in the page cache, because others use them, and were not read."""
    untold: bool = False
    """The kernel does not tell what is in the page cache."""
    too_large: set[int] = field(default_factory=set)
    """Block sizes that no file has."""
    keeps: bool | None = False
    """Whether somebody on the way keeps what was read; None: it cannot be told."""
    exhausted: int = 0
    """Combinations that no fresh places were left for, where that matters."""
    hanging: list[Measurement] = field(default_factory=list)
    """Threads that hang; they still write to their memory."""


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
        BenchError: nothing could be read, or threads cannot be started.
    """
    began, state, places = time.monotonic_ns(), _State(), Places(files.sizes, _SEED)
    cells = [(block, threads) for threads in sorted(limits.concurrency) for block in sorted(limits.blocks)]
    deadline = began + int(limits.seconds * 1e9)
    try:
        if filesystem.startswith(_CLIENTS):
            state.keeps = _probe(files, places, state, limits)
        for number, (block, threads) in enumerate(cells):
            if state.status != "complete":
                break
            progress(number, len(cells), f"{threads} x {block}")
            slot = max(0, deadline - time.monotonic_ns()) // (len(cells) - number)
            count = _count(cells[number:], limits.octets - state.octets)
            if not count or _takes(state, block, threads) > 3 * slot:
                state.left_out += 1
            else:
                _cell(files, places, state, (block, threads, count), slot)
    except KeyboardInterrupt:
        state.status = "interrupted"
    return _result(path, filesystem, files, state, time.monotonic_ns() - began)


def _count(cells: list[tuple[int, int]], octets: int) -> int:
    """Return how many reads the first of the combinations to come may make.

    Each gets one read of each thread, as far as the bytes suffice, and an equal part of the bytes beyond.
    """
    block, threads = cells[0]
    beyond = max(0, octets - sum(one * each for one, each in cells)) // len(cells)
    count = min(max(ENOUGH, threads * ROUNDS), threads + beyond // block)
    return count if count * block <= octets else 0


def _takes(state: _State, block: int, threads: int) -> float:
    """Return how long one read of each thread may take, in ns: as if more threads, or bytes, brought no more."""
    known = [one for one in state.reads if one.block_bytes <= block and one.in_flight <= threads]
    if not known:
        return 0.0
    rate = max(one.cell().bytes_s for one in known)
    return block * threads * 1e9 / max(rate, 1)


def _probe(files: Files, places: Places, state: _State, limits: Limits) -> bool | None:
    """Read some places twice, and return whether somebody on the way keeps what was read."""
    if limits.octets < 2 * PROBES * PAGE * PROBED:
        return None
    drawn = places.draw(PAGE, PROBES)
    drawn = drawn.only(np.flatnonzero(~drawn.repeated))
    times = []
    for _ in range(2):
        if not files.direct:
            drawn = _uncached(files, drawn, PAGE, state)
        read = _read(files, drawn, (PAGE, 1), time.monotonic_ns() + int(limits.seconds * 1e9) // PROBING, state)
        good = read[(read["bytes"] > 0) & (read["end_ns"] > 0)]
        times.append(good["end_ns"] - good["begin_ns"])
        state.octets += PAGE * len(good)
    found = keeps(*times)
    if found is not False:
        places.mark(PAGE, drawn.granule)
    return found


def _cell(files: Files, places: Places, state: _State, cell: tuple[int, int, int], slot: int) -> None:
    """Measure one combination of block, threads and number of reads."""
    block, threads, count = cell
    drawn = places.draw(block, count)
    if not len(drawn.file):
        state.too_large.add(block)
        return
    if state.keeps:
        drawn = drawn.only(~drawn.repeated)
        if len(drawn.file) < threads:
            state.exhausted += 1
            return
    if not files.direct:
        drawn = _uncached(files, drawn, block, state)
    timed = _read(files, drawn, (block, threads), time.monotonic_ns() + slot, state)
    mask = timed["end_ns"] > 0
    if mask.any():
        read = timed[mask]
        octets = np.where(read["bytes"] < 0, -1, read["bytes"])
        state.reads.append(Reads(block, threads, read["begin_ns"], read["end_ns"], octets, drawn.repeated[mask]))
        state.octets += int(octets[octets > 0].sum())
        places.mark(block, drawn.granule[mask])
    if not files.direct:  # others' data is worth more in memory than ours
        for file, offset in zip(drawn.file[mask].tolist(), drawn.offset[mask].tolist(), strict=True):
            os.posix_fadvise(files.descriptors[file], offset, block, os.POSIX_FADV_DONTNEED)


def _read(files: Files, drawn: Drawn, how: tuple[int, int], deadline: int, state: _State) -> np.ndarray:
    """Read places, in blocks and by threads, until a time; return each read as it was when all, or patience, ended."""
    block, threads = how
    where = np.zeros(len(drawn.file), PLACE)
    where["fd"], where["offset"] = np.asarray(files.descriptors)[drawn.file], drawn.offset
    slot = max(0, deadline - time.monotonic_ns())
    over = deadline + max(3 * slot, int(PATIENCE_S * 1e9))
    try:
        running = Measurement(where, block, threads, deadline)
    except OSError as error:
        raise BenchError(
            f"cannot start {threads} threads: {error.strerror}; measure fewer with --concurrency"
        ) from None
    done = False
    try:
        while not done and time.monotonic_ns() < over:
            done = running.wait(_TICK_MS)
    except KeyboardInterrupt:
        state.status = "interrupted"
        running.stop()
        # What is under way comes to its end, unless nothing does any more.
        while not done and time.monotonic_ns() < over:
            done = running.wait(_TICK_MS)
    timed = running.timed()
    if done:
        running.end()
        return timed
    state.hanging.append(running)
    state.status = "hung"
    return timed.copy()


def _uncached(files: Files, drawn: Drawn, block: int, state: _State) -> Drawn:
    """Return the places that are not in the page cache, now that they were asked to leave it, each once."""
    drawn = drawn.only(np.sort(np.unique(drawn.granule, return_index=True)[1]))
    gone = np.ones(len(drawn.file), bool)
    for number, (file, offset) in enumerate(zip(drawn.file.tolist(), drawn.offset.tolist(), strict=True)):
        descriptor = files.descriptors[file]
        os.posix_fadvise(descriptor, offset, block, os.POSIX_FADV_DONTNEED)
        left = resident_pages(descriptor, offset, block)
        state.untold |= left is None
        gone[number] = not left
    state.in_use += int((~gone).sum())
    return drawn.only(gone)


def _result(path: Path, filesystem: str, files: Files, state: _State, elapsed_ns: int) -> Bench:
    model = judge(state.reads)
    doubts = list(_doubts(filesystem, state))
    sure = not any(doubt.startswith(_UNSURE) for doubt in doubts)
    return Bench(
        version=VERSION,
        path=str(path),
        filesystem=filesystem,
        method="direct" if files.direct else "buffered",
        certain=sure,
        doubts=tuple(doubts),
        status=state.status,
        files=len(files.sizes),
        data_bytes=sum(files.sizes),
        read_bytes=state.octets,
        elapsed_ns=elapsed_ns,
        open_ns=int(np.median(files.open_ns)),
        **vars(model),
    )


_UNSURE = "not sure: "

_CLIENTS = ("fuse", "nfs", "ceph", "smb", "cifs", "9p", "lustre")
"""File systems whose client, or server, may keep what was read, whatever O_DIRECT says."""


def _doubts(filesystem: str, state: _State) -> Iterable[str]:
    """Return what to know about the numbers, in words."""
    if state.keeps:
        yield "what was read is kept on the way to the storage, so that each place was read once"
    if state.exhausted:
        yield (
            f"{state.exhausted:,} combinations are left out, because everything had been read; measure more data "
            "(--make), or fewer combinations (--block-size, --concurrency)"
        )
    repeated = sum(int(one.repeated.sum()) for one in state.reads)
    if repeated and state.keeps is None:
        total = sum(len(one.bytes) for one in state.reads)
        yield (
            f"{_UNSURE}{repeated:,} of {total:,} reads were of places read before, and it cannot be told whether "
            "somebody on the way kept them"
        )
    if state.untold:
        yield (
            f"{_UNSURE}O_DIRECT does not work there, and the kernel does not tell this user what is in the page cache; "
            "measure as the files' owner"
        )
    if state.in_use:
        yield f"{state.in_use:,} places stay in the page cache, because others use them, and were not read"
    if filesystem in {"tmpfs", "ramfs"}:
        yield f"{_UNSURE}{filesystem} is memory, not storage"
    failed = sum(int((one.bytes < 0).sum()) for one in state.reads)
    if failed:
        yield f"{failed:,} reads failed and are left out"
    if state.too_large:
        sizes = ", ".join(f"{block >> 10:,} KiB" for block in sorted(state.too_large))
        yield f"no file is large enough for blocks of {sizes}"
    if state.left_out:
        yield f"{state.left_out:,} combinations would have taken more than is left of --time and --bytes"
