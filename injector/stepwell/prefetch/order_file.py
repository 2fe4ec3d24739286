"""A known order as a file or as lines: PROTOCOL.md has the forms."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stepwell.prefetch.errors import OrderError
from stepwell.prefetch.protocol import Entry

BATCH = 4096
"""Steps at once: enough that a batch costs little, few enough that the first requests need not wait for millions."""

LARGEST = 10**18
"""Bytes, which no file has."""

SHOWN = 60
"""Most characters of a line that a message repeats: a file that is no order may have a single one."""

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
    if len(parts) == 3 and parts[0] and all(part.isdecimal() and len(part) < 19 for part in parts[1:]):
        return Entry(parts[0], int(parts[1]), int(parts[2]))
    shown = repr(line.rstrip()[:SHOWN])
    raise OrderError(f"{shown} is no step of an order; write PATH, or PATH<TAB>OFFSET<TAB>SIZE in bytes")


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
            for name in names:
                if file.schema.names.count(name) > 1:
                    raise OrderError(f"{path} has several columns {name}; leave one of them")
                kind = file.schema.field(name).type
                if not _fits(kind, name, pa):
                    wanted = "text" if name == "path" else "integers"
                    raise OrderError(f"{path}: the column {name} is of type {kind}; write it as {wanted}")
            batches = (file.get_batch(number).select(names) for number in range(file.num_record_batches))
            rows = (row for batch in batches for row in zip(*(one.to_pylist() for one in batch.columns), strict=True))
            for number, row in enumerate(rows, 1):
                given = dict(zip(names, row, strict=True))
                step = Entry(given["path"], given.get("offset") or 0, given.get("size"))
                if not step.path or not (0 <= step.offset < LARGEST and 0 <= (step.size or 0) < LARGEST):
                    what = f"{path}, row {number}: {given} is no step of an order"
                    raise OrderError(f"{what}; write a path in each row, and no bytes below 0")
                yield step
    except pa.ArrowException as error:
        raise OrderError(f"{path} cannot be read as an Arrow file: {error}; write it again") from error


def _fits(kind: Any, name: str, pa: Any) -> bool:
    """Return whether a column may have a type of Arrow; a dictionary's values count."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if name == "path":
        return kind in (pa.string(), pa.large_string())
    return bool(pa.types.is_integer(kind) or pa.types.is_null(kind))
