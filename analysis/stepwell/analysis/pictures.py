"""What is drawn: bytes over time, files over time, offsets over time."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import numpy as np

from stepwell.analysis import queries
from stepwell.analysis.ask import Queryable, Row, ask, rows
from stepwell.analysis.bands import Band, bands
from stepwell.analysis.model import File, HeatRow, Picture, Timeline
from stepwell.analysis.software import LABEL

SLICES = 160
"""Slices of time in timeline and heat strip: what a wide terminal or a page has room for."""

LINES = 2_000
"""Most runs in one picture: more cannot be told apart."""

ALL_LINES = 36_000
"""Most runs in all pictures together: a page of them stays within a few megabytes."""

SMALL = 16 << 10
"""Files below this size, in bytes, get no picture unless all are: there is nothing to be seen in a few pages."""

TELLING = 0.005
"""Files with a smaller share of all bytes and of all accesses get no picture unless all are as small."""


def over_time(
    store: Queryable, trace: int, end_ns: int, files: list[File], shown: int, most: int
) -> tuple[Timeline, tuple[HeatRow, ...]]:
    """Return all bytes over time, and the heat strip.

    Args:
        store: where the public views are.
        trace: number of the trace.
        end_ns: end of the trace.
        files: all files.
        shown: how many of them have rows of their own; all others are software and share the last row.
        most: most rows of the heat strip.
    """
    width = max(1, -(-max(end_ns, *(file.last_ns + 1 for file in files), 1) // SLICES))
    table = ask(store, queries.SLICES, trace, width, SLICES)
    columns = {name: table[name].to_numpy() for name in table.column_names}
    folded = len(files) - shown
    own = files[:shown]
    found = bands([file.path for file in own], [file.bytes for file in own], most - bool(folded))
    if folded:
        found.append(Band(LABEL, tuple(range(shown, len(files)))))
    row_of = {files[i].file: number for number, band in enumerate(found) for i in band.files}
    where = np.array([row_of[file] for file in columns["file"].tolist()], dtype=np.intp)
    cells = np.zeros((len(found), SLICES))
    np.add.at(cells, (where, columns["slice"]), columns["bytes"])

    def total(column: str, chosen: np.ndarray[Any, Any]) -> tuple[int, ...]:
        return _integers(np.bincount(columns["slice"][chosen], columns[column][chosen], SLICES))

    write = columns["write"].astype(bool)
    timeline = Timeline(width, total("bytes", ~write), total("bytes", write), total("stall_ns", write | ~write))
    heat = tuple(
        HeatRow(
            label=band.label,
            files=len(band.files),
            software=band.files[0] >= shown,
            bytes=sum(files[i].bytes for i in band.files),
            cells=_integers(cells[number]),
        )
        for number, band in enumerate(found)
    )
    return timeline, heat


def _integers(values: np.ndarray[Any, Any]) -> tuple[int, ...]:
    return tuple(np.rint(values).astype(np.int64).tolist())


def pictures(store: Queryable, trace: int, files: list[File], most: int) -> tuple[Picture, ...]:
    """Return the pictures of the `most` telling ones of `files`."""
    chosen = files_of_interest(files)[:most]
    lines: dict[int, list[Row]] = defaultdict(list)
    for row in rows(store, queries.PICTURES, trace, [file.file for file in chosen], min(LINES, ALL_LINES // most)):
        lines[row["file"]].append(row)
    columns = ("reader", "write", "line", "start_ns", "end_ns", "offset", "last")
    return tuple(
        Picture(
            file.file,
            file.path,
            file.size,
            file.runs,
            *(tuple(line[column] for line in lines[file.file]) for column in columns),
        )
        for file in chosen
    )


def files_of_interest(files: list[File]) -> list[File]:
    """Return the most telling ones first: by share of bytes or accesses, the k-th of one directory by 1/k of that."""
    octets = max(sum(file.bytes for file in files), 1)
    accesses = max(sum(file.accesses for file in files), 1)
    shares = [
        (max(file.bytes / octets, file.accesses / accesses), file)
        for file in [file for file in files if file.size >= SMALL] or files
    ]
    shares = [pair for pair in shares if pair[0] >= TELLING] or shares[:1]
    seen: Counter[str] = Counter()
    ranked = []
    for share, file in sorted(shares, key=lambda pair: -pair[0]):
        directory = file.path.rpartition("/")[0]
        seen[directory] += 1
        ranked.append((share / seen[directory], file))
    return [file for _, file in sorted(ranked, key=lambda pair: -pair[0])]
