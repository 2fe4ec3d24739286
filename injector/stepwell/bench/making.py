"""Files that are made to measure a storage with, and removed again: by a process of its own, `maker`."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from stepwell.bench.errors import BenchError

PATIENCE_S = 5.0
"""Longest time, in seconds, that the removal of one file is waited for; it goes on without."""


@contextlib.contextmanager
def made(directory: Path, octets: int, progress: Callable[[int, int], None]) -> Iterator[Path]:
    """Make files of random bytes in a directory of their own below `directory`, and remove them again.

    Args:
        directory: where.
        octets: bytes in all, more than 0.
        progress: told bytes made, of how many.

    Raises:
        OSError: they cannot be written.
        BenchError: the process that makes them was killed, or they could not be removed yet.
    """
    maker = subprocess.Popen(
        [sys.executable, "-m", "stepwell.bench.maker", str(directory), str(octets)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # whoever reads ours waits for its end, and this process may outlive us
        cwd="/",  # modules are not to be found in the directory that is measured
        start_new_session=True,  # the terminal's signals are for us
    )
    try:
        yield _when_made(maker, directory, octets, progress)
    finally:
        _removed(maker, directory)


def _when_made(
    maker: subprocess.Popen[bytes], directory: Path, octets: int, progress: Callable[[int, int], None]
) -> Path:
    assert maker.stdout is not None
    for line in maker.stdout:
        told = json.loads(line)
        if "errno" in told:
            raise OSError(told["errno"], os.strerror(told["errno"]), str(directory))
        progress(told["made"], octets)
        if told["made"] == octets:
            return Path(told["directory"])
    raise BenchError(f"the process that makes files in {directory} was killed; remove .stepwell-bench-* there")


def _removed(maker: subprocess.Popen[bytes], directory: Path) -> None:
    """Let the files be removed, and wait for it as long as it goes on."""
    assert maker.stdin is not None
    assert maker.stdout is not None
    maker.stdin.close()
    with maker.stdout as removals:
        while select.select([removals], [], [], PATIENCE_S)[0]:
            if not os.read(removals.fileno(), 1 << 16):
                break
        else:
            raise BenchError(
                f"the files made in {directory} are not removed yet: the storage does not answer; they will be when it "
                "does"
            )
    if maker.wait():
        raise BenchError(f"the files made in {directory} could not be removed; remove .stepwell-bench-* there")
