"""What the benchmark of predicted gains records: a reader with one property that can be changed.

python tests/bench/reader.py chunks DIRECTORY SIZE      whole files with O_DIRECT: a header, then SIZE at a time
python tests/bench/reader.py workers DIRECTORY NUMBER   whole files by NUMBER processes
python tests/bench/reader.py along DIRECTORY SIZE       whole files through the page cache, SIZE at a time
"""

from __future__ import annotations

import mmap
import multiprocessing
import os
import sys
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


if __name__ == "__main__":
    {"chunks": chunks, "workers": workers, "along": along}[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
