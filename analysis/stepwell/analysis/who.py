"""Who read what: the lists of processes, files and datasets."""

from __future__ import annotations

from collections import defaultdict

from stepwell.analysis import queries
from stepwell.analysis.ask import Queryable, Row, rows
from stepwell.analysis.model import Dataset, File, Reader, Software, Usage
from stepwell.analysis.unique import unique

_NOWHERE: Row = {"path": "unknown", "size": 0, "deleted": False, "filesystem": ""}


class Who:
    """The lists for one trace, whole; the largest first, software after all data.

    Attributes:
        sampling: 1 when unique bytes are exact; n when estimated from one nth of the file space.
        folded: the software that reports fold, if any.
        shown: the files that they do not fold.
    """

    def __init__(self, store: Queryable, trace: int, *, fold: bool) -> None:
        touched = unique(store, trace)
        self.sampling = touched.sampling
        self._unique = touched.of_file
        self._about = {row["file"]: row for row in rows(store, queries.FILES, trace)}
        self._opens = {row["file"]: row["opens"] for row in rows(store, queries.OPENS, trace)}
        self.opens = sum(self._opens.values())
        self._rows = rows(store, queries.VOLUMES, trace)
        files = [self._file(row) for row in self._rows if row["file"] is not None]
        dataset = {file.file: file.dataset for file in files}
        self._touched: dict[tuple[int, str], int] = defaultdict(int)
        for (reader, number), octets in touched.of_reader.items():
            self._touched[reader, dataset[number]] += octets
        fold = fold and not all(file.software for file in files)
        folded = [file for file in files if fold and file.software]
        self.shown = [file for file in files if not (fold and file.software)]
        self.files = self.shown + folded
        self.folded = Software(
            files=len(folded),
            accesses=sum(file.accesses for file in folded),
            bytes=sum(file.bytes for file in folded),
            around_bytes=sum(file.around_bytes for file in folded),
            unique_bytes=sum(file.unique_bytes for file in folded),
        )
        datasets = self._datasets()
        self.datasets = sorted(datasets, key=lambda dataset: dataset.software) if fold else datasets

    def _file(self, row: Row) -> File:
        facts = self._about.get(row["file"], _NOWHERE)
        return File(
            file=row["file"],
            path=facts["path"],
            dataset=row["dataset"],
            size=facts["size"],
            deleted=facts["deleted"],
            software=row["software"],
            readers=row["readers"],
            opens=self._opens.get(row["file"], 0),
            runs=row["runs"],
            accesses=row["accesses"],
            bytes=row["bytes"],
            around_bytes=row["around_bytes"],
            unique_bytes=min(self._unique.get(row["file"], 0), row["bytes"]),
            latency_ns=row["latency_ns"],
            first_ns=row["first_ns"],
            last_ns=row["last_ns"],
        )

    def _datasets(self) -> list[Dataset]:
        members: dict[str, list[File]] = defaultdict(list)
        for file in self.files:
            members[file.dataset].append(file)
        return [
            Dataset(
                dataset=row["dataset"],
                filesystem=self._about.get(members[row["dataset"]][0].file, _NOWHERE)["filesystem"],
                software=row["software"],
                files=row["files"],
                readers=row["readers"],
                size=sum(file.size for file in members[row["dataset"]]),
                accesses=row["accesses"],
                bytes=row["bytes"],
                unique_bytes=sum(file.unique_bytes for file in members[row["dataset"]]),
            )
            for row in self._rows
            if row["dataset"] is not None and row["reader"] is None and row["file"] is None
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
