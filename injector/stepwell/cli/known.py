"""A known order, as the engine of `stepwell run` is given it: a file, a trace, or a socket at which it comes."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from stepwell.cli.interrupts import apart
from stepwell.cli.place import trace_number
from stepwell.prefetch.errors import OrderError

if TYPE_CHECKING:
    import socket

    from stepwell.cli.place import Place

SOCKET = "unix:"
"""What an order begins with that comes by a socket."""


@dataclass(frozen=True)
class Known:
    """What an engine is started with."""

    options: tuple[str, ...]
    roots: tuple[str, ...]
    """Directories in which it may read."""
    files: tuple[BinaryIO | socket.socket, ...] = ()
    """Open files that options name; they are closed once the engine has them."""
    name: str | None = None
    """What the order is to be called."""


@contextlib.contextmanager
def known_order(place: Place, given: str, under: Path | None) -> Iterator[Known]:
    """Yield a known order, and put away what it needs.

    Args:
        place: the store, which has traces.
        given: a file, a trace, or `SOCKET` and a path.
        under: directory of relative paths; None for the one where this process is.

    Raises:
        StepwellError: there is no such order.
    """
    base = under or Path.cwd()
    if given.startswith(SOCKET):
        from stepwell.prefetch.connections import listen

        path = Path(given.removeprefix(SOCKET)).absolute()
        with listen(path) as listener:  # it is there before the command begins
            options = (f"--root={base}", f"--order-fd={listener.fileno()}", *([] if under else ["--order-anywhere"]))
            try:
                yield Known(options, (str(under),) if under else (), (listener,), f"{SOCKET}{path}")
            finally:
                path.unlink(missing_ok=True)
        return
    with tempfile.TemporaryFile() as steps:  # of a trace; nobody has to remove it
        file, roots, name = apart(partial(_found, place, given, base, steps))
        yield Known((*(f"--root={root}" for root in roots), f"--order={file}"), tuple(roots), (steps,), name)


def _found(place: Place, given: str, base: Path, steps: BinaryIO) -> tuple[Path, list[str], str]:
    """Return the file that has an order, the directories of what it names, and what it is to be called."""
    file = Path(given)
    if file.exists():
        if not file.is_file():
            raise OrderError(f"{file} is no regular file, and an order is read twice; save it, or use {SOCKET}PATH")
        from stepwell.steer.orders import of_file

        return file, of_file(file, base), str(file.absolute())
    if not (given.isdecimal() or given == "last"):
        raise OrderError(f"{file} is neither a file nor the number of a trace nor {SOCKET}PATH; check its spelling")
    from stepwell.steer.traced import of_trace

    with place.reading() as store:
        number = trace_number(store, given)
        roots = of_trace(store, number, steps)
    steps.flush()
    return Path(f"/proc/self/fd/{steps.fileno()}"), roots, str(number)
