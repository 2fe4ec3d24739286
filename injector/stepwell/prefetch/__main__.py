"""`python -m stepwell.prefetch`: the engine as a program of its own."""

from __future__ import annotations

import argparse
import os
import resource
import socket
import sys
from pathlib import Path
from typing import NoReturn

from stepwell.prefetch.codec import encode
from stepwell.prefetch.connections import Connection, listen
from stepwell.prefetch.engine import Engine
from stepwell.prefetch.errors import PrefetchError
from stepwell.prefetch.order_file import read_order
from stepwell.prefetch.protocol import Budget, Root, Status
from stepwell.trace.errors import StepwellError
from stepwell.trace.format import octets, plural, size

_EXAMPLES = """\
examples:
  python -m stepwell.prefetch --root /data --order epoch.txt --memory 2GiB
      bring in the files of epoch.txt, in its order; with less memory than they need, as far ahead of a reader
      as the memory allows (its opens are seen by inotify)
  python -m stepwell.prefetch --root /data --socket /run/prefetch.sock --bandwidth 200MiB/s
      read ahead of what other programs tell by the protocol in PROTOCOL.md
"""


def main() -> NoReturn:
    """Run the engine and end the process, whatever its workers wait for."""
    code = 0
    try:
        _run(_parser().parse_args())
    except StepwellError as error:
        print(f"error: {error}", file=sys.stderr)
        code = error.exit_code
    sys.stdout.flush()
    sys.stderr.flush()
    # A worker that waits for a storage cannot be joined.
    os._exit(code)


def _run(given: argparse.Namespace) -> None:
    if not (given.root or given.socket or given.stdin):
        raise PrefetchError("nothing to read ahead; give --root DIR with --order FILE, --socket PATH or --stdin")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    told = given.socket or given.stdin
    engine = Engine(status_file=given.status, follow=not told)
    if given.parent:  # before anything looks at a storage
        engine.end_with(given.parent)
    _begin(engine, given)
    os.chdir("/")  # so that no mount is kept busy
    sockets = [(listen(path), path, path == given.order_socket) for path in (given.socket, given.order_socket) if path]
    for listener, _, orders in sockets:
        engine.listen(listener, orders=orders)
    if given.order_fd is not None:
        engine.listen(socket.socket(fileno=given.order_fd), orders=True, anywhere=given.order_anywhere)
    if given.stdin:
        engine.connect(Connection(sys.stdin.fileno(), sys.stdout.fileno()))
    try:
        status = engine.run(until_done=not sockets and given.order_fd is None and not told)
    finally:
        for _, path, _ in sockets:
            path.unlink(missing_ok=True)
    if not given.stdin:
        sys.stdout.write(encode(status).decode() if given.output == "json" else _summary(status))


def _begin(engine: Engine, given: argparse.Namespace) -> None:
    """Tell it what it is given from the start."""
    roots: list[Path] = []
    gone: list[Path] = []
    for root in given.root:
        (roots if root.is_dir() else gone).append(root)
    if gone and not roots:
        raise PrefetchError(f"{gone[0]} is no directory; give --root the directory that readers read in")
    for root in gone:
        print(f"{root} is no directory any more; it is left out", file=sys.stderr)
    for root in roots:
        engine.tell(Root(str(root.resolve())))
    engine.tell(Budget(given.memory, given.bandwidth, given.in_flight, given.cpu))
    if given.order:
        engine.feed(read_order(given.order))


def _summary(status: Status) -> str:
    totals = status.totals
    fates = {name: getattr(totals, f"{name}_bytes") for name in ("used", "late", "early", "wasted", "ahead")}
    brought = f"brought in {size(totals.brought_bytes)} of {plural(totals.opened_files, 'file')}"
    lines = [
        f"{brought}; {plural(totals.requests, 'request')}, {size(totals.resident_bytes)} had been in memory",
        "of these " + ", ".join(f"{size(octets)} {name}" for name, octets in fates.items()),
        *(f"{count} requests failed with {name}" for name, count in status.errors.items()),
        *(f"{mount.root}: {mount.mechanism}, {size(mount.block_bytes)} a request" for mount in status.mounts),
        *status.stops,
    ]
    return "\n".join(lines) + "\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stepwell.prefetch",
        description="Read ahead of programs, through the same mount, inside budgets.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--root", type=_path, action="append", default=[], metavar="DIR", help="read below this directory; repeatable")
    add("--order", type=_path, metavar="FILE", help="files in the order in which they will be read: text or Arrow")
    add("--order-socket", type=_path, metavar="PATH", help="take the same text lines at a unix socket")
    add("--order-fd", type=int, metavar="N", help="the same at a listening socket that is this open file")
    add("--order-anywhere", action="store_true", help="directories of what comes there become roots, too")
    add("--socket", type=_path, metavar="PATH", help="take messages at a unix socket (PROTOCOL.md)")
    add("--stdin", action="store_true", help="take messages from standard input and answer on standard output")
    add("--parent", type=int, metavar="PID", help="end when this process has ended")
    add("--memory", type=_octets, metavar="SIZE", help="most bytes ahead of readers, like 2GiB (1GiB)")
    add("--bandwidth", type=_rate, metavar="RATE", help="most bytes a second, like 200MiB/s (no limit)")
    add("--in-flight", type=int, metavar="N", help="most requests at once, up to 256 (32)")
    add("--cpu", type=int, metavar="PERMILLE", help="most of one processor for the engine itself (500)")
    add("--status", type=_path, metavar="FILE", help="keep the last status here, as JSON")
    add("-o", "--output", choices=("text", "json"), default="text", help="form of the last status (text)")
    return parser


def _path(text: str) -> Path:
    return Path(text).absolute()


def _octets(text: str) -> int:
    try:
        return octets(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write 4096, 64KiB, 1.5GiB") from None


def _rate(text: str) -> int:
    return _octets(text.removesuffix("/s"))


if __name__ == "__main__":
    main()
