"""What is drawn: bytes over time, files over time, offsets over time."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
    store: Queryable, trace: int, end_ns: int, files: pa.Table, shown: int, most: int
) -> tuple[Timeline, tuple[HeatRow, ...]]:
    """Return all bytes over time, and the heat strip.

    Args:
        store: where the public views are.
        trace: number of the trace.
        end_ns: end of the trace.
        files: all files, with the columns of `File`.
        shown: how many of them have rows of their own; all others are software and share the last row.
        most: most rows of the heat strip.
    """
    last_ns, octets = files["last_ns"].to_numpy(), files["bytes"].to_pylist()
    width = max(1, -(-max(end_ns, int(last_ns.max(initial=0)) + 1, 1) // SLICES))
    table = ask(store, queries.SLICES, trace, width, SLICES)
    columns = {name: table[name].to_numpy() for name in table.column_names}
    folded = len(files) - shown
    found = bands(files["path"][:shown].to_pylist(), octets[:shown], most - bool(folded))
    if folded:
        found.append(Band(LABEL, tuple(range(shown, len(files)))))
    row_of = np.zeros(len(files), np.intp)
    for number, band in enumerate(found):
        row_of[list(band.files)] = number
    where = row_of[pc.index_in(table["file"], files["file"]).to_numpy()]
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
            bytes=sum(octets[i] for i in band.files),
            cells=_integers(cells[number]),
        )
        for number, band in enumerate(found)
    )
    return timeline, heat


def _integers(values: np.ndarray[Any, Any]) -> tuple[int, ...]:
    return tuple(np.rint(values).astype(np.int64).tolist())


def pictures(store: Queryable, trace: int, files: pa.Table, most: int) -> tuple[Picture, ...]:
    """Return the pictures of the `most` telling ones of `files`, which have the columns of `File`."""
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


def files_of_interest(files: pa.Table) -> list[File]:
    """Return the most telling ones first: by share of bytes or accesses, the k-th of one directory by 1/k of that."""
    share = np.zeros(len(files))
    for name in ("bytes", "accesses"):
        amount = files[name].to_numpy().astype(np.float64)
        share = np.maximum(share, amount / max(amount.sum(), 1))
    large = np.flatnonzero(files["size"].to_numpy() >= SMALL)
    chosen = large if len(large) else np.arange(len(files))
    telling = chosen[share[chosen] >= TELLING]
    chosen = telling if len(telling) else chosen[:1]
    chosen = chosen[np.argsort(-share[chosen], kind="stable")]
    seen: Counter[str] = Counter()
    ranked = []
    for part, row in zip(share[chosen].tolist(), files.take(chosen).to_pylist(), strict=True):
        directory = row["path"].rpartition("/")[0]
        seen[directory] += 1
        ranked.append((part / seen[directory], File(**row)))
    return [file for _, file in sorted(ranked, key=lambda pair: -pair[0])]
