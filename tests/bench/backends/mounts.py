"""What every harness of a real backend makes sure of before anything is measured."""

from __future__ import annotations

import contextlib
import mmap
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.kernel.tool import SECONDS, wait_until
from tests.storage.slow import Control

from stepwell.mounts import mounts

PROBE = "probe"
"""File that is read to see whether reads come to the slow storage, and for nothing else."""

PROBE_BYTES = 8 << 20


def fill_probe(directory: Path, octets: int = PROBE_BYTES) -> None:
    """Leave the probe where a backend keeps its files; a small one where clients read on after a file is closed."""
    (directory / PROBE).write_bytes(os.urandom(octets))


def is_mounted(point: Path, kind: str) -> bool:
    """Whether a file system of this type is what is seen at a place."""
    return [mount.fstype for mount in mounts() if Path(mount.point) == point][-1:] == [kind]


@contextlib.contextmanager
def serving(argv: list[str], point: Path, kind: str, log: Path) -> Iterator[None]:
    """Run a client's process while it serves a mount, and unmount it.

    Raises:
        AssertionError: the mount does not come; the log says why.
    """
    with log.open("w") as stream:
        process = subprocess.Popen(argv, stdout=stream, stderr=stream)
    try:
        wait_until(lambda: process.poll() is not None or is_mounted(point, kind), f"no {kind}: {log.read_text()}")
        assert is_mounted(point, kind), f"no {kind}: {log.read_text()}"
        yield
    finally:
        if is_mounted(point, kind):
            subprocess.run(["umount", "--lazy", point], check=True)
        process.terminate()
        process.wait(SECONDS)


def check(point: Path, storage: Control) -> None:
    """Make sure that a read through a backend comes to the slow storage behind it, and takes as long as that does.

    Raises:
        AssertionError: it came from elsewhere, such as the local disk or a cache.
    """
    slow, before = storage.settings, storage.counters
    descriptor = os.open(point / PROBE, os.O_RDONLY | os.O_DIRECT)
    try:
        began = time.monotonic_ns()
        os.preadv(descriptor, [mmap.mmap(-1, 4096)], 0)
        took_us = (time.monotonic_ns() - began) / 1000
    finally:
        os.close(descriptor)
    after = storage.counters
    assert after["reads"] > before["reads"], "the read did not come to the slow storage"
    assert took_us >= slow.open_us + slow.latency_us, f"{slow} was asked, {took_us:.0f} us it took"
    storage.reset()
