"""Reads places by threads, timed, and past the page cache."""

from __future__ import annotations

import contextlib
import os
import time

import numpy as np

from stepwell.bench.errors import BenchError
from stepwell.bench.files import Files
from stepwell.bench.findings import Findings
from stepwell.bench.native.library import PLACE, Measurement
from stepwell.bench.places import Drawn
from stepwell.prefetch.native.library import resident_pages

PATIENCE_S = 5.0
"""Least time, in seconds, that reads under way are waited for after the end of their combination; the most after
Ctrl-C."""

_TICK_MS = 50


def timed_reads(files: Files, drawn: Drawn, how: tuple[int, int], deadline: int, findings: Findings) -> np.ndarray:
    """Read places, and return each read as it was when all, or patience, ended; a second Ctrl-C ends patience.

    Args:
        files: the files; they are told whether reads are still under way.
        drawn: the places.
        how: bytes of a block, and threads.
        deadline: when no further read begins, CLOCK_MONOTONIC in ns.
        findings: are told how it ended.

    Raises:
        BenchError: threads cannot be started.
    """
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
    files.busy = True
    try:
        _wait(running, over, files)
        if files.busy:
            findings.status = "hung"
    except KeyboardInterrupt:
        findings.status = "interrupted"
        running.stop()
        # What is under way comes to its end, unless nothing does any more, or the user does not wait for that, either.
        with contextlib.suppress(KeyboardInterrupt):
            _wait(running, time.monotonic_ns() + int(PATIENCE_S * 1e9), files)
    return running.end()


def _wait(running: Measurement, until: int, files: Files) -> None:
    while files.busy and time.monotonic_ns() < until:
        files.busy = not running.wait(_TICK_MS)


def uncached(files: Files, drawn: Drawn, block: int, findings: Findings) -> Drawn:
    """Return the places that are not in the page cache, now that they were asked to leave it, each once."""
    drawn = drawn.only(np.sort(np.unique(drawn.granule, return_index=True)[1]))
    gone = np.ones(len(drawn.file), bool)
    for number, (file, offset) in enumerate(zip(drawn.file.tolist(), drawn.offset.tolist(), strict=True)):
        descriptor = files.descriptors[file]
        os.posix_fadvise(descriptor, offset, block, os.POSIX_FADV_DONTNEED)
        left = resident_pages(descriptor, offset, block)
        findings.untold |= left is None
        gone[number] = not left
    findings.in_use += int((~gone).sum())
    return drawn.only(gone)
