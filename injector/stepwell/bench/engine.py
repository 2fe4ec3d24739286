"""Measures a storage: all combinations of block size and concurrency, within a time and a number of bytes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stepwell.analysis.storage import Bench, Reads, from_cache, judge
from stepwell.analysis.storage.model import VERSION
from stepwell.bench.errors import BenchError
from stepwell.bench.files import Files
from stepwell.bench.native.library import PLACE, Measurement
from stepwell.bench.places import Drawn, Places
from stepwell.prefetch.native.library import resident_pages

BLOCKS = tuple(4096 << power for power in range(0, 13, 2))
"""Block sizes, in bytes.  Default: 4 KiB to 16 MiB in steps of 4."""

CONCURRENCY = tuple(1 << power for power in range(7))
"""Reads at once.  Default: 1 to 64, doubling."""

ENOUGH = 997
"""Reads of a combination after which it is known.  Default 997: their 99 % quantile has ten above it."""

ROUNDS = 3
"""Reads that each thread of a combination should make at least, as far as time and bytes allow."""

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
    kept: list[Measurement] = field(default_factory=list)
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
        for number, (block, threads) in enumerate(cells):
            progress(number, len(cells), f"{threads} x {block}")
            slot = max(0, deadline - time.monotonic_ns()) // (len(cells) - number)
            count = _count(cells[number:], limits.octets - state.octets)
            if not count or _takes(state, block, threads) > 3 * slot:
                state.left_out += 1
            elif not _cell(files, places, state, (block, threads, count), slot):
                break
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


def _cell(files: Files, places: Places, state: _State, cell: tuple[int, int, int], slot: int) -> bool:
    """Measure one combination of block, threads and number of reads; whether to go on."""
    block, threads, count = cell
    drawn = places.draw(block, count)
    if not len(drawn.file):
        state.too_large.add(block)
        return True
    if not files.direct:
        drawn = _uncached(files, drawn, block, state)
    where = np.zeros(len(drawn.file), PLACE)
    where["fd"], where["offset"] = np.asarray(files.descriptors)[drawn.file], drawn.offset
    deadline = time.monotonic_ns() + slot
    try:
        running = Measurement(where, block, threads, deadline)
    except OSError as error:
        raise BenchError(
            f"cannot start {threads} threads: {error.strerror}; measure fewer with --concurrency"
        ) from None
    over = deadline + max(3 * slot, int(PATIENCE_S * 1e9))
    done = False
    try:
        while not done and time.monotonic_ns() < over:
            done = running.wait(_TICK_MS)
    finally:
        running.stop()
        # What is under way comes to its end, unless nothing does any more.
        while not done and time.monotonic_ns() < over:
            done = running.wait(_TICK_MS)
        timed = running.timed()
        mask = timed["end_ns"] > 0
        if mask.any():
            read = timed[mask]
            octets = np.where(read["bytes"] < 0, -1, read["bytes"])
            state.reads.append(Reads(block, threads, read["begin_ns"], read["end_ns"], octets, drawn.repeated[mask]))
            state.octets += int(octets[octets > 0].sum())
            places.mark(block, drawn.granule[mask])
        if done:
            running.end()
            if not files.direct:  # others' data is worth more in memory than ours
                for one in where[mask]:
                    os.posix_fadvise(int(one["fd"]), int(one["offset"]), block, os.POSIX_FADV_DONTNEED)
        else:
            state.kept.append(running)
            state.status = "hung"
    return done


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
    keeps = filesystem.startswith("fuse") or not files.direct
    cached = from_cache(state.reads) if keeps else []
    state.reads = [one for one in state.reads if all(one is not other for other in cached)]
    model = judge(state.reads)
    doubts = list(_doubts(filesystem, state, len(cached), keeps=keeps))
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
_MORE = "measure more data (--make), or fewer combinations (--block-size, --concurrency)"


def _doubts(filesystem: str, state: _State, cached: int, *, keeps: bool) -> Iterable[str]:
    """Return what to know about the numbers, in words."""
    if cached:
        yield f"{cached:,} combinations were served by a cache of the file system's client and are left out; {_MORE}"
    repeated = sum(int(one.repeated.sum()) for one in state.reads)
    if repeated and keeps:
        total = sum(len(one.bytes) for one in state.reads)
        yield (
            f"{_UNSURE}{repeated:,} of {total:,} reads were of places read before, which the file system's client may "
            f"have kept; {_MORE}"
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
