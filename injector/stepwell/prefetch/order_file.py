"""A known order as a file or as lines: PROTOCOL.md has the forms."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from stepwell.prefetch.errors import OrderError
from stepwell.prefetch.protocol import Entry

BATCH = 4096
"""Steps at once: enough that a batch costs little, few enough that the first requests need not wait for millions."""

_ARROW = b"ARROW1"


def entry_of(line: str) -> Entry | None:
    """Return the step of a text line, None for an empty one.

    Raises:
        OrderError: it is no step.
    """
    parts = line.rstrip("\r\n").split("\t")
    if parts == [""]:
        return None
    if len(parts) == 1:
        return Entry(parts[0])
    if len(parts) == 3 and all(part.isdecimal() and len(part) < 19 for part in parts[1:]):
        return Entry(parts[0], int(parts[1]), int(parts[2]))
    raise OrderError(f"{line.rstrip()!r} is no step of an order; write PATH, or PATH<TAB>OFFSET<TAB>SIZE in bytes")


def read_order(path: Path) -> Iterator[tuple[Entry, ...]]:
    """Return the steps of an order file in batches.

    Raises:
        OrderError: it cannot be read, or a line is no step.
    """
    try:
        with path.open("rb") as file:
            arrow = file.read(len(_ARROW)) == _ARROW
        entries = _arrow(path) if arrow else _text(path)
        while batch := tuple(itertools.islice(entries, BATCH)):
            yield batch
    except OSError as error:
        raise OrderError(f"cannot read the order {path}: {error.strerror}; give a file with a path a line") from error


def _text(path: Path) -> Iterator[Entry]:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        for number, line in enumerate(file, 1):
            try:
                entry = entry_of(line)
            except OrderError as error:
                raise OrderError(f"{path}, line {number}: {error}") from None
            if entry:
                yield entry


def _arrow(path: Path) -> Iterator[Entry]:
    try:
        import pyarrow as pa
        from pyarrow import ipc
    except ImportError:
        raise OrderError(f"{path} is an Arrow file, which needs pyarrow; pip install pyarrow, or write text") from None
    try:
        with pa.memory_map(str(path)) as source, ipc.open_file(source) as file:
            names = [name for name in ("path", "offset", "size") if name in file.schema.names]
            if "path" not in names:
                raise OrderError(f"{path} has no column path, but {', '.join(file.schema.names)}; rename the right one")
            for number in range(file.num_record_batches):
                batch = file.get_batch(number).select(names)
                for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    given = dict(zip(names, row, strict=True))
                    yield Entry(given["path"], given.get("offset") or 0, given.get("size"))
    except pa.ArrowException as error:
        raise OrderError(f"{path} cannot be read as an Arrow file: {error}; write it again") from error
