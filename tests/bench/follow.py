"""A reader that reads what a list says, in its order: `python tests/bench/follow.py ORDER ROOT [options]`.

Each line is `PATH`, a whole file, or `PATH<TAB>OFFSET<TAB>SIZE`; an empty line ends an epoch.  With several epochs each
file leaves the page cache when it was read, as those of a set larger than the memory do.  Workers are processes that
begin anew with each epoch; the n-th takes every n-th line.  Printed are the seconds that took, the processor time, and
a digest of all bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import mmap
import os
import resource
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

Parts = list[list[str]]
"""Offset and size of each part of a file that is to be read; no part is the whole file."""


def read(path: str, parts: Parts, advice: int = os.POSIX_FADV_NORMAL) -> Iterator[bytes]:
    """Read the parts of a file, or all of it, 128 KiB at a time."""
    descriptor = os.open(path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, advice)
    for part in parts:
        if part:
            yield os.pread(descriptor, int(part[1]), int(part[0]))
        else:
            while data := os.read(descriptor, 1 << 17):
                yield data
    os.close(descriptor)


def unaided(path: str, parts: Parts) -> Iterator[bytes]:
    """Read the same, and let the kernel read nothing ahead."""
    return read(path, parts, os.POSIX_FADV_RANDOM)


def whole(path: str, _: Parts) -> Iterator[bytes]:
    """Load a file by one call, as `np.load`, `torch.load` and `Path.read_bytes` do."""
    yield Path(path).read_bytes()


def npz(path: str, _: Parts) -> Iterator[bytes]:
    """Load what numpy saved, as MLPerf Storage's readers of UNet3D do."""
    with np.load(path) as file:
        yield file["x"].tobytes()


def tensors(path: str, _: Parts) -> Iterator[bytes]:
    """Map a file of safetensors and copy one tensor after the other.

    The format: https://huggingface.co/docs/safetensors (8 bytes of length, a JSON header, the tensors).
    """
    with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:
        begin = 8 + int.from_bytes(data[:8], "little")
        for about in json.loads(data[8:begin]).values():
            first, last = about["data_offsets"]
            yield data[begin + first : begin + last]


HOW: dict[str, Callable[[str, Parts], Iterator[bytes]]] = {
    reader.__name__: reader for reader in (read, unaided, whole, npz, tensors)
}


def take(steps: list[list[str]], options: argparse.Namespace) -> str:
    """Read some steps; after each piece compute, or wait for an accelerator."""
    digest = hashlib.blake2b()
    for name, group in groupby(steps, lambda step: step[0]):
        path = f"{options.root}/{name}"
        for data in HOW[options.how](path, [part for _, *part in group]):
            digest.update(data)
            until = time.thread_time() + options.work_ms / 1000
            while time.thread_time() < until:
                hashlib.sha256(_WORKED_ON).digest()
            if options.pause_ms:
                time.sleep(options.pause_ms / 1000)
        if options.forget:
            forget(path)
    return digest.hexdigest()


_WORKED_ON = bytes(1 << 17)


def forget(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("order")
    parser.add_argument("root")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--how", choices=HOW, default="read")
    parser.add_argument("--work-ms", type=float, default=0, help="processor time after each piece")
    parser.add_argument("--pause-ms", type=float, default=0, help="time asleep after each piece")
    options = parser.parse_args()
    epochs = [
        [line.split("\t") for line in epoch.splitlines()] for epoch in Path(options.order).read_text().split("\n\n")
    ]
    options.forget = len(epochs) > 1
    workers: Any = partial(take, options=options)
    began, digest = time.perf_counter(), hashlib.blake2b()
    for steps in epochs:
        if options.workers == 1:
            digest.update(take(steps, options).encode())
            continue
        with get_context("fork").Pool(options.workers) as pool:
            parts = [steps[first :: options.workers] for first in range(options.workers)]
            digest.update("".join(pool.map(workers, parts, chunksize=1)).encode())
            pool.close()
            pool.join()
    took = time.perf_counter() - began
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(one.ru_utime + one.ru_stime for one in used)
    print(json.dumps({"seconds": took, "cpu": cpu, "digest": digest.hexdigest()}))


if __name__ == "__main__":
    main()
