"""A consumer of runs that ends up with the class of reuse of files, datasets and the workload, and with curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa

from stepwell.analysis.ask import Queryable, ask, rows
from stepwell.analysis.native.reuse import FILE, NO_SAMPLE, Numbers, Samples
from stepwell.analysis.reuse import questions
from stepwell.analysis.reuse.curve import knee, miss_ratios
from stepwell.analysis.reuse.decide import LOOPING, ONCE, UNKNOWN, Verdicts, decide
from stepwell.analysis.reuse.model import CacheCurve, CurvePoint
from stepwell.analysis.reuse.rows import Reused
from stepwell.analysis.scan import Runs
from stepwell.analysis.thresholds import reuse as limits
from stepwell.trace.format import percent
from stepwell.trace.format import size as in_words

_GIB = 1 << 30


@dataclass(frozen=True)
class Subjects:
    """What samples are taken of: files that were read, with most bytes first, and their datasets."""

    files: pa.Table
    datasets: list[str]
    table: np.ndarray[Any, Any]
    alone: int
    everything: int
    """Number of the sample of all data."""
    block: int
    duration_ns: int
    seen: float

    @classmethod
    def of(
        cls,
        store: Queryable,
        trace: int,
        software: np.ndarray[Any, Any] | None = None,
        block: int = 0,
        only: np.ndarray[Any, Any] | None = None,
        most_alone: int = limits.FILES,
    ) -> Subjects:
        """Ask for the files of a trace.

        Args:
            store: the store.
            trace: the trace.
            software: ids of files of programs, which do not count in the workload unless there is nothing else.
            block: bytes in a block; 0: as small as the trace's size allows.
            only: ids of the files to look at; default all.
            most_alone: files with a sample of their own.
        """
        (about,) = rows(store, "SELECT duration_ns, accesses, bytes, lost FROM traces WHERE trace = $1", trace)
        files = ask(store, questions.FILES, trace).combine_chunks()
        if only is not None:
            files = files.filter(pa.array(np.isin(files["file"].to_numpy(), only)))
        if not block:
            block = limits.BLOCK
            while float(about["bytes"]) / block + about["accesses"] > limits.MOST_REFERENCES and block < limits.LARGEST:
                block *= 2
        weights = files.group_by("dataset").aggregate([("bytes", "sum")]).sort_by([("bytes_sum", "descending")])
        names = weights["dataset"].to_pylist()[: limits.DATASETS]
        place = {name: number for number, name in enumerate(names)}
        alone = min(len(files), most_alone)
        table = np.zeros(len(files), FILE)
        table["id"] = files["file"].to_numpy()
        table["samples"] = NO_SAMPLE
        table["samples"][:alone, 0] = np.arange(alone)
        dataset = np.array([place.get(name, -1) for name in files["dataset"].to_pylist()], np.int64)
        table["samples"][:, 1] = np.where(dataset >= 0, alone + dataset, NO_SAMPLE)
        data = np.ones(len(files), bool) if software is None else ~np.isin(table["id"], software)
        data |= not data.any()
        # One dataset that is all there is needs no second sample.
        seat = np.unique(dataset[data])
        everything = alone + len(names)
        if len(seat) == 1 and seat[0] >= 0 and data[dataset == seat[0]].all():
            everything = alone + int(seat[0])
        else:
            table["samples"][data, 2] = everything
        seen = about["accesses"] / max(about["accesses"] + about["lost"], 1)
        return cls(files, names, table, alone, everything, block, int(about["duration_ns"] or 0), seen)


class Reuse:
    """Takes the runs of one trace, gives verdicts on reuse and curves; use as a context manager."""

    columns = Samples.columns

    def __init__(self, subjects: Subjects, given: limits.ReuseLimits | None = None) -> None:
        self._subjects, kept = subjects, given or limits.ReuseLimits()
        self._window_ns = subjects.duration_ns // kept.windows + 1
        self._samples = Samples(
            subjects.table,
            subjects.alone,
            len(subjects.datasets) + 1,
            shift=subjects.block.bit_length() - 1,
            window_ns=self._window_ns,
            limits=kept,
        )
        self.late = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._samples.__exit__(*error)

    def feed(self, runs: Runs) -> None:
        """Take the next runs."""
        self._samples.feed(runs)

    def finish(self) -> None:
        """Take what still waits for its turn; nothing more can be fed."""
        self.late = self._samples.finish()

    def verdicts(self) -> Reused:
        """Return the verdicts on files, datasets and the workload; after `finish`."""
        subjects = self._subjects
        data = np.any(subjects.table["samples"] == subjects.everything, axis=1)
        dataset = subjects.table["samples"][:, 1]
        sizes, octets, accesses = (self._sums(name, data) for name in ("size", "bytes", "accesses"))
        verdicts = decide(
            self._samples.evidence(), self._samples.uses, block=subjects.block, seen=subjects.seen, size=sizes,
            access=octets / np.maximum(accesses, 1),
        )  # fmt: skip
        _as_datasets(verdicts, dataset[: subjects.alone])
        wholes = {("dataset", name): number for number, name in enumerate(subjects.datasets, subjects.alone)}
        return Reused(
            verdicts, subjects.table["id"][: subjects.alone], wholes | {("workload", ""): subjects.everything}
        )

    def _sums(self, name: str, data: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return a figure of files for each sample: of a file, of those of a dataset, of all with data."""
        subjects = self._subjects
        dataset, of_files = subjects.table["samples"][:, 1], subjects.files[name].to_numpy()
        of_files = of_files.astype(np.int64 if name == "size" else np.float64)
        sums = np.zeros(subjects.alone + len(subjects.datasets) + 1, of_files.dtype)
        sums[: subjects.alone] = of_files[: subjects.alone]
        inside = dataset != NO_SAMPLE
        np.add.at(sums, dataset[inside], of_files[inside])
        sums[subjects.everything] = of_files[data].sum()
        return sums

    def curves(self) -> tuple[CacheCurve, ...]:
        """Return the curves of all datasets and, last, of everything together; after `finish`."""
        alone = self._subjects.alone
        evidence = self._samples.evidence(alone)
        numbers = dict(enumerate(self._subjects.datasets, alone))
        return tuple(
            self._curve(name, number, evidence[number - alone])
            for number, name in [*numbers.items(), (self._subjects.everything, "")]
            if evidence[number - alone]["references"]
        )

    def _curve(self, name: str, number: int, found: Any) -> CacheCurve:
        histogram, windows = self._samples.curve(number)
        block, references = self._subjects.block, float(found["references"])
        unique = float(found["blocks"]) / float(found["rate"])
        sizes, misses = miss_ratios(histogram, found, self._samples.limits.per_octave)
        end = min(int(np.searchsorted(sizes, unique)) + 1, len(sizes))
        sizes, misses = sizes[:end], misses[:end]
        best = knee(sizes, misses)
        return CacheCurve(
            dataset=name,
            block=block,
            references=round(references),
            unique_bytes=round(unique * block),
            sampling=float(found["rate"]),
            curve=_points(sizes * block, misses, references * block),
            policies=(),
            working_set=tuple(int(blocks * block) for blocks in windows),
            window_ns=self._window_ns,
            recommended=None if best is None else int(sizes[best] * block),
            reason=_reason(sizes * block, misses, best),
        )


def _points(sizes: Any, misses: Any, amount: float) -> tuple[CurvePoint, ...]:
    """Return the points where the curve changes, eight an octave at most."""
    kept: list[CurvePoint] = []
    size_before, miss_before = 0.0, 1.0
    for size, miss in zip(sizes, misses, strict=True):
        if size < size_before * 2**0.125 and size < sizes[-1]:
            continue
        slope = (miss_before - miss) * amount / max((size - size_before) / _GIB, 1e-12)
        kept.append(CurvePoint(int(size), round(float(miss), 5), round(float(max(slope, 0.0)))))
        size_before, miss_before = size, miss
    return tuple(kept)


def _reason(sizes: Any, misses: Any, best: int | None) -> str:
    if best is None:
        return f"no cache serves more than {percent(1 - float(misses.min()))} of what is read: it is hardly read again"
    beyond = float(misses[best] - misses.min())
    return (
        f"{in_words(float(sizes[best]))} serve {percent(1 - float(misses[best]))}; the "
        f"{in_words(float(sizes[-1] - sizes[best]))} beyond, up to all that is read, serve {percent(beyond)} more"
    )


def _as_datasets(verdicts: Verdicts, dataset: Numbers) -> None:
    """Give files that are too small to tell, but look like their datasets, the verdicts of those.

    Args:
        verdicts: to be changed.
        dataset: the sample of the dataset of each file; files have the first samples.
    """
    known = dataset != NO_SAMPLE
    records = verdicts.records
    whole = records[np.where(known, dataset, 0)]
    file = records[: len(dataset)]
    alike = known & (file["reuse"] == UNKNOWN) & (file["likely"] == whole["reuse"])
    found = np.flatnonzero(alike & np.isin(whole["reuse"], (ONCE, LOOPING)))
    looping = found[whole["reuse"][found] == LOOPING]
    verdicts.period[looping] = np.rint(file["blocks"][looping] * verdicts.block / file["sampled"][looping])
    for name in ("reuse", "confidence"):
        file[name][found] = whole[name][found]
    file["as_its_dataset"][found] = True
