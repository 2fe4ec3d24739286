"""A realistic reader to record: several processes that each read their data in their own way.

    python -m stepwell.cli.demo DIRECTORY

makes the files, if they are not there yet, and reads them; `--make` only makes
them, so that a recording holds the reading alone.  Everything is seeded: two
runs read the same bytes in the same order.
"""

from __future__ import annotations

import hashlib
import mmap
import multiprocessing
import os
import random
import shutil
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import click

Item = TypeVar("Item")

SEED = 20251
"""Seed of contents and of every order."""

MIB = 1 << 20

_HEADER = struct.Struct("<8sQQ")
_HEADER_BYTES = 4096
_HEADER_ROOM = bytes(_HEADER_BYTES)
_MAGIC = b"DEMOCONT"
_ROW_GROUP = 256 << 10
_COLUMN_CHUNK = 64 << 10


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--size-mib", default=300, show_default=True, type=click.IntRange(min=8), help="MiB of files, in all.")
@click.option("--seconds", default=5.0, show_default=True, help="Time each process computes, between reads.")
@click.option("--make", is_flag=True, help="Make the files and read nothing.")
def demo(directory: Path, size_mib: int, seconds: float, make: bool) -> None:
    """Read files in DIRECTORY as a data loader, a column scan, an index, a model and an archive reader would."""
    if not (directory / "complete").exists():
        shutil.rmtree(directory, ignore_errors=True)
        _make(directory, size_mib * MIB)
    if make:
        return
    _evict(directory)
    context = multiprocessing.get_context("fork")
    readers = [
        context.Process(target=reader, args=(directory, seconds, number), name=f"{reader.__name__}-{number}")
        for reader, number in ((images, 0), (images, 1), (columns, 0), (lookups, 0), (weights, 0), (archives, 0))
    ]
    for process in readers:
        process.start()
    for process in readers:
        process.join()
    failed = [process.name for process in readers if process.exitcode]
    if failed:
        raise click.ClickException(f"failed: {', '.join(failed)}")


def _make(directory: Path, octets: int) -> None:
    """Write the files: 3/10 images of about 100 KiB, 3/10 shards, 1/10 index, 2/10 weights, 1/10 containers."""
    source = random.Random(SEED)
    noise = source.randbytes(4 * MIB)

    def write(path: Path, size: int, header: bytes = b"") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(header)
            left = size - len(header)
            while left > 0:
                start = source.randrange(len(noise) // 2)
                left -= file.write(noise[start : start + min(left, len(noise) // 2)])
            file.flush()
            os.fsync(file.fileno())

    tenth = octets // 10
    for number in range(3 * tenth // (100 << 10)):
        size = source.randrange(50 << 10, 150 << 10)
        write(directory / "images" / f"class-{number % 10}" / f"img-{number:05}.jpg", size)
    for number in range(3):
        write(directory / "columns" / f"part-{number}.col", tenth // _ROW_GROUP * _ROW_GROUP)
    write(directory / "index" / "lookup.idx", tenth)
    for number in range(2):
        write(directory / "weights" / f"model-{number}.bin", tenth)
    for number in range(10):
        body = tenth // 10 - _HEADER_BYTES
        header = _HEADER.pack(_MAGIC, _HEADER_BYTES, body).ljust(_HEADER_BYTES, b"\0")
        write(directory / "archives" / f"batch-{number}.cont", _HEADER_BYTES + body, header)
    (directory / "complete").touch()


def _evict(directory: Path) -> None:
    """Drop our own files, which are on disk, from the page cache, so that reading them reads storage."""
    for path in directory.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def images(directory: Path, seconds: float, number: int) -> None:
    """Read whole small files in random order, a new one each epoch, as an image loader does."""
    mine = sorted((directory / "images").rglob("*.jpg"))[number::2]
    order = [path for epoch in range(2) for path in random.Random(SEED + epoch).sample(mine, len(mine))]
    for path in _paced(order, seconds):
        _work(path.read_bytes())


def columns(directory: Path, seconds: float, number: int) -> None:  # noqa: ARG001
    """Read one column chunk out of every row group, column after column, as a query over a few columns does."""
    parts = sorted((directory / "columns").iterdir())
    chunks = [
        (path, offset)
        for column in (0, 2)
        for path in parts
        for offset in range(column * _COLUMN_CHUNK, path.stat().st_size, _ROW_GROUP)
    ]
    files = {path: os.open(path, os.O_RDONLY) for path in parts}
    for path, offset in _paced(chunks, seconds):
        _work(os.pread(files[path], _COLUMN_CHUNK, offset))


def lookups(directory: Path, seconds: float, number: int) -> None:  # noqa: ARG001
    """Read 4 KiB pages at random offsets, some far more often than others, as an index does."""
    descriptor = os.open(directory / "index" / "lookup.idx", os.O_RDONLY)
    pages = os.fstat(descriptor).st_size // 4096
    source = random.Random(SEED)
    for page in _paced([int(pages * source.random() ** 2) for _ in range(20_000)], seconds):
        _work(os.pread(descriptor, 4096, page * 4096))


def weights(directory: Path, seconds: float, number: int) -> None:  # noqa: ARG001
    """Map a model's weights and touch them from front to back, as loaders of safetensors do."""
    for path in sorted((directory / "weights").iterdir()):
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as view:
            for offset in _paced(list(range(0, len(view), 128 << 10)), seconds / 2):
                _work(view[offset : offset + (128 << 10)])


def archives(directory: Path, seconds: float, number: int) -> None:  # noqa: ARG001
    """Read a header, seek, then read the body in large pieces, as npz and tar readers do."""
    steps = [(path, epoch) for epoch in range(3) for path in sorted((directory / "archives").iterdir())]
    for path, _ in _paced(steps, seconds):
        with path.open("rb", buffering=0) as file:
            magic, start, size = _HEADER.unpack(file.read(_HEADER.size))
            if magic != _MAGIC:
                raise ValueError(f"{path} is not a container; remove the directory and start again")
            file.seek(start)
            while size > 0:
                piece = file.read(min(size, 256 << 10))
                size -= len(piece)
                _work(piece)


def _work(data: bytes) -> None:
    """Do what a decoder would: touch every byte."""
    hashlib.blake2b(data).digest()


def _paced(items: list[Item], seconds: float) -> Iterator[Item]:
    """Yield items, computing between them for `seconds` in all."""
    share = seconds / max(len(items), 1)
    for item in items:
        yield item
        # perf_counter is no system call: a reader that asks the kernel all the time would be no realistic one.
        until = time.perf_counter() + share
        while time.perf_counter() < until:
            _work(_HEADER_ROOM)


if __name__ == "__main__":
    demo()
