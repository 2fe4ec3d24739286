"""What the benchmark of predicted gains records: a reader with one property that can be changed.

python tests/bench/reader.py chunks DIRECTORY SIZE      whole files with O_DIRECT: a header, then SIZE at a time
python tests/bench/reader.py workers DIRECTORY NUMBER   whole files by NUMBER processes
python tests/bench/reader.py along DIRECTORY SIZE       whole files through the page cache, SIZE at a time

python tests/bench/reader.py rows DIRECTORY SIZE        tiles of an array that is stored by rows, SIZE bytes of each row
python tests/bench/reader.py chunks-of DIRECTORY SIZE   the same tiles, each stored in one piece

What the benchmark of plans records works a millisecond after each piece, and prints how many seconds it took:

python tests/bench/reader.py along-working DIRECTORY SIZE   the first file, SIZE at a time
python tests/bench/reader.py steps DIRECTORY STRIDE         64 KiB of the first file every STRIDE bytes
python tests/bench/reader.py named DIRECTORY EPOCHS         whole files by name; no epoch finds them in memory
python tests/bench/reader.py shuffled DIRECTORY EPOCHS      the same, in a new order in every epoch
"""

from __future__ import annotations

import hashlib
import mmap
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

HEADER = 4096


def digest(data: bytes | mmap.mmap) -> int:
    """Do a little work on the data, as a decoder would."""
    return sum(data[:HEADER])


def chunks(directory: Path, size: int) -> None:
    header, body = mmap.mmap(-1, HEADER), mmap.mmap(-1, size)
    for path in _files(directory):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
        at = os.preadv(fd, [header], 0)
        while got := os.preadv(fd, [body], at):
            digest(body)
            at += got
        os.close(fd)


def _files(directory: Path) -> list[Path]:
    return [directory / str(number) for number in range(int(os.environ["FILES"]))]


def _read(paths: list[Path]) -> None:
    for path in paths:
        with path.open("rb", buffering=0) as file:
            digest(file.read())


def workers(directory: Path, number: int) -> None:
    files = _files(directory)
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=_read, args=(files[first::number],)) for first in range(number)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def along(directory: Path, size: int) -> None:
    for path in _files(directory):
        fd = os.open(path, os.O_RDONLY)
        while data := os.read(fd, size):
            digest(data)
        os.close(fd)


def _tiles(size: int) -> tuple[int, int, list[tuple[int, int]]]:
    """Return the bytes of a row of the array, the rows of a tile, and where the tiles begin: row and byte in it."""
    row, height, rows, number = (int(os.environ[name]) for name in ("ROW", "TILE_ROWS", "ROWS", "TILES"))
    tiles = [(top, left) for top in range(0, rows, height) for left in range(0, row, size)]
    if os.environ["ORDER"] == "shuffled":
        random.Random(7).shuffle(tiles)
    return row, height, tiles[:number]


def rows(directory: Path, size: int) -> None:
    row, height, tiles = _tiles(size)
    fd = os.open(directory / "array", os.O_RDONLY)
    for top, left in tiles:
        digest(b"".join(os.pread(fd, size, (top + line) * row + left) for line in range(height)))
    os.close(fd)


def chunks_of(directory: Path, size: int) -> None:
    row, height, tiles = _tiles(size)
    fd = os.open(directory / "array", os.O_RDONLY)
    for top, left in tiles:
        digest(os.pread(fd, size * height, top * row + left * height))
    os.close(fd)


def _work() -> None:
    """Compute for about a millisecond of processor time."""
    hashlib.sha256(_WORKED_ON).digest()


_WORKED_ON = bytes(1 << 20)


def _timed(pieces: Iterator[object]) -> None:
    began = time.perf_counter()
    for _ in pieces:
        _work()
    print(time.perf_counter() - began)


def along_working(directory: Path, size: int) -> None:
    with (directory / "0").open("rb", buffering=0) as file:
        _timed(iter(lambda: file.read(size), b""))


def steps(directory: Path, stride: int) -> None:
    fd = os.open(directory / "0", os.O_RDONLY)
    _timed(os.pread(fd, 65_536, at) for at in range(0, os.fstat(fd).st_size, stride))
    os.close(fd)


def named(directory: Path, epochs: int) -> None:
    _timed(_epochs(_files(directory), epochs, None))


def shuffled(directory: Path, epochs: int) -> None:
    _timed(_epochs(_files(directory), epochs, random.Random(7)))


def _epochs(files: list[Path], epochs: int, shuffler: random.Random | None) -> Iterator[bytes]:
    """Yield the files' bytes, epoch by epoch; afterwards they leave the memory, as of a set larger than it."""
    for _ in range(epochs):
        if shuffler:
            shuffler.shuffle(files)
        for path in files:
            yield path.read_bytes()
        for path in files:
            fd = os.open(path, os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


KINDS = {
    "chunks": chunks, "workers": workers, "along": along, "along-working": along_working, "steps": steps,
    "named": named, "shuffled": shuffled, "rows": rows, "chunks-of": chunks_of,
}  # fmt: skip

if __name__ == "__main__":
    KINDS[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
