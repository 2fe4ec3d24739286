"""`stepwell bench`: what a mount's storage can do, measured by reading from it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stepwell.cli import format as human
from stepwell.cli.interrupts import deadly_interrupts, stopped_in_order
from stepwell.cli.output import schema_option, write_page
from stepwell.cli.place import say
from stepwell.cli.progress import ProgressLine
from stepwell.cli.values import Octets, Seconds, Several, StoragePath

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stepwell.analysis.storage import Bench

_HUNG = 1
_SMALLEST, _LARGEST, _MOST_THREADS = 4096, 64 << 20, 256
_OPENING = 0.1
"""Share of the time that looking for files and opening them may take each."""


def _schema() -> Any:
    from stepwell.analysis.storage import schema

    return schema()


@click.command(
    epilog="""\b
Examples:
  stepwell bench /mnt/data                         half a minute of reading files that are there
  stepwell bench /mnt/data --make 2GiB             files made for it, and removed again
  stepwell bench /mnt/data --block-size 128KiB,4MiB --concurrency 1,8,32 --time 10s
  stepwell bench /mnt/data -o json > data.json     for: stepwell plan --storage data.json
  stepwell bench /mnt/data -o html > data.html     its curves and the fitted model, as a page

\b
PATH is a file or a directory on the mount. Without --make nothing is written. Reads are
O_DIRECT where the file system allows it, otherwise of what is not in the page cache.
Places that nothing was read near are read first, because clients of storages keep what
they fetch; whether it is sure that all reads went to the storage is said with the result.

\b
Latency and rate are those of a request: time = latency + bytes / rate, fitted to reads
that were alone. Reads at once by Little's law: rate x time of a read / block size.
Ctrl-C ends with what was measured until then.

\b
Exit codes: 0 measured; 1 nothing can be measured there, no read succeeded, or the storage
hangs; 2 wrong usage; 130 stopped by Ctrl-C, the result is what was measured until then.
A second Ctrl-C waits for no read. With --make SIGTERM and SIGHUP are as Ctrl-C: 143, 129."""
)
@click.argument("path", type=StoragePath(exists=True, resolve_path=True, path_type=Path))
@click.option(
    "--block-size",
    "blocks",
    type=Several(Octets()),
    help="Sizes of reads, powers of two.  [default: 4KiB to 16MiB, x 4]",
)
@click.option(
    "--concurrency",
    type=Several(click.IntRange(1, _MOST_THREADS)),
    metavar="N[,N...]",
    help="Reads at once.  [default: 1 to 64, x 2]",
)
@click.option("--time", "seconds", type=Seconds(), default="30s", show_default=True, help="At most.")
@click.option("--bytes", "octets", type=Octets(), default="4GiB", show_default=True, help="Bytes to read at most.")
@click.option("--make", type=Octets(), help="Make files of so many bytes to read, in PATH; they are removed again.")
@schema_option(_schema)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "html"]),
    default="table",
    show_default=True,
    help="Form of the result: for the terminal, for programs, or one self-contained page; on a terminal that goes to "
    "stepwell-bench.html.",
)
def bench(
    path: Path,
    blocks: tuple[int, ...] | None,
    concurrency: tuple[int, ...] | None,
    seconds: float,
    octets: int,
    make: int | None,
    output: str,
) -> int:
    """Measure latency and bandwidth of the storage behind PATH, by block size and concurrency."""
    from stepwell.bench import BLOCKS, CONCURRENCY, Limits, find, measure, opened

    for block in blocks or ():
        if block & (block - 1) or not _SMALLEST <= block <= _LARGEST:
            raise click.BadParameter("sizes are powers of two from 4KiB to 64MiB", param_hint="--block-size")
    limits = Limits(seconds, octets, blocks or BLOCKS, concurrency or CONCURRENCY)
    line = ProgressLine()
    came: list[int] = []
    try:
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(line.clear)
            if make is not None:
                came = cleanup.enter_context(stopped_in_order())
            data = cleanup.enter_context(_data(path, make, line))
            with deadly_interrupts():
                filesystem = _filesystem(data)
                found = find(data, time.monotonic() + _OPENING * seconds)
                files = cleanup.enter_context(opened(found, time.monotonic() + _OPENING * seconds))
            result = measure(
                path,
                filesystem,
                files,
                limits,
                lambda done, total, next_: line.show(f"{done} of {total} combinations measured; {next_}"),
            )
            line.clear()
            _show(result, output)
            if files.busy:
                say(
                    f"error: reads of {path} have not come back, and this process may not end before they do; look at "
                    "what serves the mount, or end it with umount -f. What was measured before is above"
                )
    except KeyboardInterrupt:
        return 128 + (came or [signal.SIGINT])[0]
    if result.status == "interrupted":
        return 128 + (came or [signal.SIGINT])[0]
    return _HUNG if result.status == "hung" else 0


def _show(result: Bench, output: str) -> None:
    """Print the result, all of it before anything is waited for."""
    from stepwell.analysis.storage import dump
    from stepwell.cli.measured import show

    if output == "json":
        click.echo(dump(result), nl=False)
    elif output == "html":
        from stepwell.cli.measured_page import page

        write_page(page(result), None, "stepwell-bench.html")
    else:
        show(result)
    sys.stdout.flush()


@contextlib.contextmanager
def _data(path: Path, make: int | None, line: ProgressLine) -> Iterator[Path]:
    """Yield where to read: the path, or files that are made in it and removed again."""
    if make is None:
        yield path
        return
    from stepwell.bench import made

    if not path.is_dir():
        raise click.BadParameter(f"makes files in a directory; {path} is none", param_hint="--make")
    if make < _SMALLEST:
        raise click.BadParameter("must be 4KiB at least", param_hint="--make")
    with made(
        path, make, lambda done, all_: line.show(f"making files: {human.size(done)} of {human.size(all_)}")
    ) as at:
        line.clear()
        yield at


def _filesystem(path: Path) -> str:
    """Return the type of the file system that a path is on."""
    from stepwell.mounts import mounts

    status = path.stat()
    device = os.major(status.st_dev) << 20 | os.minor(status.st_dev)
    return next((mount.fstype for mount in reversed(mounts()) if mount.dev == device), "unknown")
