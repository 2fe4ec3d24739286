"""A loader of files with worker processes, in the manner of PyTorch's: a batch to each worker in turn.

    python -m tests.kernel.deeds.loaders DIRECTORY ORDER WORKERS EPOCHS [--anew] [--all] [--probe]

ORDER is name, listed (as os.scandir gives), size, shuffled (anew for each epoch), once (shuffled once) or drawn (with
replacement).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
from collections.abc import Iterator
from itertools import cycle
from multiprocessing.connection import Connection
from pathlib import Path

BATCH = 3
AHEAD = 2
SEED = 23


def listed(directory: Path) -> Iterator[Path]:
    """Yield the files below a directory as the file system lists them."""
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from listed(Path(entry.path))
            else:
                yield Path(entry.path)


def epochs(directory: Path, order: str, number: int) -> Iterator[list[Path]]:
    """Yield the files of each epoch."""
    files = list(listed(directory))
    if order == "size":
        files.sort(key=lambda path: path.stat().st_size)
    elif order != "listed":
        files.sort(key=lambda path: (path.parent.name, int(path.stem)))
    draw = random.Random(SEED)
    if order == "once":
        draw.shuffle(files)
    for _ in range(number):
        if order == "shuffled":
            draw.shuffle(files)
        yield draw.choices(files, k=len(files)) if order == "drawn" else list(files)


def read(path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        while file.read(1 << 16):
            pass


def work(pipe: Connection) -> None:
    """Read what is asked for, until there is nothing more."""
    while batch := pipe.recv():
        for path in batch:
            read(path)
        pipe.send(len(batch))


def epoch_of(files: list[Path], pipes: list[Connection], *, everyone: bool) -> None:
    """Have the workers read the files, each two batches ahead of what is taken from them in turn."""
    batches = [files[first : first + BATCH] for first in range(0, len(files), BATCH)]
    tasks = [(pipe, batch) for batch in batches for pipe in pipes] if everyone else list(zip(cycle(pipes), batches))
    ahead = AHEAD * len(pipes)
    for pipe, batch in tasks[:ahead]:
        pipe.send(batch)
    for place, (pipe, _) in enumerate(tasks):
        pipe.recv()
        for later, batch in tasks[place + ahead : place + ahead + 1]:
            later.send(batch)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("order")
    parser.add_argument("workers", type=int)
    parser.add_argument("epochs", type=int)
    parser.add_argument("--anew", action="store_true", help="new workers for each epoch")
    parser.add_argument("--all", action="store_true", help="each worker reads all files")
    parser.add_argument("--probe", action="store_true", help="look at the first 512 bytes of each file before")
    arguments = parser.parse_args()
    context = multiprocessing.get_context("fork")
    if arguments.probe:
        for path in sorted(listed(arguments.directory)):
            with path.open("rb", buffering=0) as file:
                file.read(512)
    workers: list[tuple[multiprocessing.process.BaseProcess, Connection]] = []

    def end() -> None:
        for process, pipe in workers:
            pipe.send([])
            process.join()
        workers.clear()

    for files in epochs(arguments.directory, arguments.order, arguments.epochs):
        while len(workers) < arguments.workers:
            own, other = context.Pipe()
            process = context.Process(target=work, args=(other,))
            process.start()
            workers.append((process, own))
        epoch_of(files, [pipe for _, pipe in workers], everyone=arguments.all)
        if arguments.anew:
            end()
    end()


if __name__ == "__main__":
    main()
