"""Who read what: the lists of processes, files and datasets."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stepwell.analysis import queries
from stepwell.analysis.ask import Queryable, Row, ask
from stepwell.analysis.model import Dataset, File, Reader, Software, Usage
from stepwell.analysis.naming import called
from stepwell.analysis.unique import unique

_SUMS = ("accesses", "bytes", "around_bytes", "unique_bytes")


class Who:
    """The lists for one trace, whole; the largest first, software after all data.

    Attributes:
        sampling: 1 when unique bytes are exact; n when estimated from one nth of the file space.
        folded: the software that reports fold, if any.
        files: the files; a column for each attribute of `File`, for there may be very many.
        shown: how many of them, the first ones, are not folded.
    """

    def __init__(self, store: Queryable, trace: int, *, fold: bool) -> None:
        touched = unique(store, trace)
        self.sampling = touched.sampling
        about, found = ask(store, queries.FILES, trace), ask(store, queries.VOLUMES, trace)
        opens, is_file = ask(store, queries.OPENS, trace), pc.is_valid(found["file"])
        files = _files(found.filter(is_file), about, opens, touched.of_file)
        self._rows = found.filter(pc.invert(is_file)).to_pylist()
        dataset = dict(zip(files["file"].to_pylist(), files["dataset"].to_pylist(), strict=True))
        self._touched: dict[tuple[int, str], int] = defaultdict(int)
        for (reader, number), octets in touched.of_reader.items():
            self._touched[reader, dataset[number]] += octets
        software = files["software"].to_numpy()
        fold = fold and not software.all()
        self.shown = int((~software).sum()) if fold else len(files)
        self.files = files.take(np.argsort(software, kind="stable")) if fold else files
        folded = self.files[self.shown :]
        self.folded = Software(files=len(folded), **{name: sum(folded[name].to_pylist()) for name in _SUMS})
        datasets = self._datasets(about)
        self.datasets = sorted(datasets, key=lambda dataset: dataset.software) if fold else datasets

    def _datasets(self, about: pa.Table) -> list[Dataset]:
        first: dict[str, int] = {}
        size: dict[str, int] = defaultdict(int)
        octets: dict[str, int] = defaultdict(int)
        columns = (self.files[name].to_pylist() for name in ("file", "dataset", "size", "unique_bytes"))
        for file, dataset, length, once in zip(*columns, strict=True):
            first.setdefault(dataset, file)
            size[dataset] += length
            octets[dataset] += once
        at = pc.index_in(pa.array(first.values(), about["file"].type), about["file"])
        filesystem = dict(zip(first, pc.fill_null(about["filesystem"].take(at), "").to_pylist(), strict=True))
        return [
            Dataset(
                dataset=row["dataset"],
                filesystem=filesystem[row["dataset"]],
                software=row["software"],
                files=row["files"],
                readers=row["readers"],
                size=size[row["dataset"]],
                accesses=row["accesses"],
                bytes=row["bytes"],
                unique_bytes=octets[row["dataset"]],
            )
            for row in self._rows
            if row["dataset"] is not None and row["reader"] is None
        ]

    def usage(self) -> list[Usage]:
        """Return what each process did with each dataset."""
        return [
            Usage(
                reader=row["reader"],
                dataset=row["dataset"],
                files=row["files"],
                accesses=row["accesses"],
                bytes=row["bytes"],
                unique_bytes=min(self._touched.get((row["reader"], row["dataset"]), 0), row["bytes"]),
            )
            for row in self._rows
            if row["reader"] is not None and row["dataset"] is not None
        ]

    def readers(self, described: list[Row], threads: list[Row]) -> list[Reader]:
        """Return the processes, out of the answers to `queries.READERS` and `queries.THREADS`."""
        of_reader: dict[int, list[Row]] = defaultdict(list)
        for row in threads:
            of_reader[row["reader"]].append(row)
        touched: dict[int, int] = defaultdict(int)
        for (reader, _), size in self._touched.items():
            touched[reader] += size
        facts = {row["reader"]: row for row in described}
        return [
            Reader(
                **facts[row["reader"]],
                name=called(facts[row["reader"]]["comm"], facts[row["reader"]]["command"]),
                threads=len(of_reader[row["reader"]]),
                files=row["files"],
                top_directory=row["top_directory"],
                accesses=row["accesses"],
                bytes=row["bytes"],
                unique_bytes=min(touched[row["reader"]], row["bytes"]),
                **{
                    key: sum(thread[key] for thread in of_reader[row["reader"]])
                    for key in ("stall_ns", "wait_ns", "wall_ns", "cpu_ns")
                },
            )
            for row in self._rows
            if row["reader"] is not None and row["dataset"] is None
        ]


def _files(found: pa.Table, about: pa.Table, opens: pa.Table, unique_bytes: dict[int, int]) -> pa.Table:
    """Return the files of these rows of the answer to `queries.VOLUMES`, with the columns of `File`."""
    facts, opened = pc.index_in(found["file"], about["file"]), pc.index_in(found["file"], opens["file"])

    def known(answer: pa.Table, name: str, at: pa.ChunkedArray, otherwise: Any) -> pa.ChunkedArray:
        return pc.fill_null(answer[name].take(at), otherwise)

    numbers = zip(found["file"].to_pylist(), found["bytes"].to_pylist(), strict=True)
    more = {
        "path": known(about, "path", facts, "unknown"),
        "size": known(about, "size", facts, 0),
        "deleted": known(about, "deleted", facts, False),
        "opens": known(opens, "opens", opened, 0),
        "unique_bytes": pa.array([min(unique_bytes.get(file, 0), octets) for file, octets in numbers], pa.int64()),
    }
    return pa.table({one.name: more[one.name] if one.name in more else found[one.name] for one in fields(File)})
