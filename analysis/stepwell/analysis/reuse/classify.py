"""A consumer of runs that ends up with the class of reuse of files, datasets and the workload, and with curves."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
import pyarrow as pa

from stepwell.analysis.ask import Queryable, ask, rows
from stepwell.analysis.native.reuse import FILE, NO_SAMPLE, Samples
from stepwell.analysis.reuse import questions
from stepwell.analysis.reuse.curve import knee, miss_ratios
from stepwell.analysis.reuse.decide import Verdict, decide
from stepwell.analysis.reuse.model import CacheCurve, CurvePoint
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
    ) -> Subjects:
        """Ask for the files of a trace.

        Args:
            store: the store.
            trace: the trace.
            software: ids of files of programs, which do not count in the workload unless there is nothing else.
            block: bytes in a block; 0: as small as the trace's size allows.
            only: ids of the files to look at; default all.
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
        alone = min(len(files), limits.FILES)
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

    def finish(self) -> dict[tuple[str, str], Verdict]:
        """Return verdicts by scope (file, dataset or workload) and subject, as in the view `patterns`."""
        self.late = self._samples.finish()
        subjects = self._subjects
        evidence = self._samples.evidence()
        sizes = [int(size) for size in subjects.files["size"].to_pylist()]
        datasets = subjects.files["dataset"].to_pylist()
        whole: dict[str, int] = {}
        for name, size in zip(datasets, sizes, strict=True):
            whole[name] = whole.get(name, 0) + size
        found = {
            ("dataset", name): self._decide(evidence, number, whole[name])
            for number, name in enumerate(subjects.datasets, subjects.alone)
        }
        data = np.any(subjects.table["samples"] == subjects.everything, axis=1)
        total = int(np.dot(data, sizes)) if sizes else 0
        found["workload", ""] = self._decide(evidence, subjects.everything, total)
        for number, file in enumerate(subjects.files["file"].to_pylist()[: subjects.alone]):
            verdict = self._decide(evidence, number, sizes[number])
            found["file", str(file)] = _as_all(verdict, found.get(("dataset", datasets[number])))
        return found

    def _decide(self, evidence: Any, number: int, size: int) -> Verdict:
        return decide(
            evidence[number],
            partial(self._samples.uses, number),
            block=self._subjects.block,
            seen=self._subjects.seen,
            size=size,
        )

    def curves(self) -> tuple[CacheCurve, ...]:
        """Return the curves of all datasets and, last, of everything together; after `finish`."""
        evidence = self._samples.evidence()
        numbers = dict(enumerate(self._subjects.datasets, self._subjects.alone))
        return tuple(
            self._curve(name, number, evidence[number])
            for number, name in [*numbers.items(), (self._subjects.everything, "")]
            if evidence[number]["references"]
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


def _as_all(verdict: Verdict, dataset: Verdict | None) -> Verdict:
    """Return a file's verdict: that of its dataset, if the file is too small to tell but looks like it."""
    if verdict.reuse != "unknown" or dataset is None or verdict.evidence.get("likely") != dataset.reuse:
        return verdict
    if dataset.reuse not in {"once", "looping"}:
        return verdict
    period = round(verdict.evidence["blocks"] * verdict.evidence["block"] / verdict.evidence["sampled"])
    return Verdict(
        dataset.reuse,
        period if dataset.reuse == "looping" else None,
        None,
        dataset.confidence,
        verdict.evidence | {"as_its_dataset": True},
    )


def with_reuse(patterns: pa.Table, found: dict[tuple[str, str], Verdict]) -> pa.Table:
    """Return rows of the view `patterns` with what is known of reuse; of writes nothing is said.

    A stream has its file's where that must be its own: no byte of the file was used twice, or nobody else read it.
    """
    rows = patterns.select(["scope", "subject", "path", "op", "accesses", "evidence"]).to_pylist()
    files: dict[str, set[str]] = {}
    accesses: dict[str, int] = {}
    for row in rows:
        if row["scope"] == "file" and row["op"] != "write" and row["path"]:
            files.setdefault(row["path"], set()).add(row["subject"])
            accesses[row["path"]] = accesses.get(row["path"], 0) + row["accesses"]

    def known(row: dict[str, Any]) -> Verdict | None:
        if row["op"] == "write":
            return None
        if row["scope"] != "stream":
            return found.get((row["scope"], "" if row["scope"] == "workload" else row["subject"]))
        named = files.get(row["path"], set())
        verdict = found.get(("file", next(iter(named)))) if len(named) == 1 else None
        is_its_own = verdict and (verdict.reuse == "once" or row["accesses"] == accesses[row["path"]])
        return verdict if is_its_own else None

    reuse, period, evidence = [], [], []
    for row in rows:
        verdict, said = known(row), row["evidence"]
        reuse.append(verdict.reuse if verdict else "unknown")
        period.append(verdict.period if verdict else None)
        if verdict:
            shown = verdict.evidence | {"confidence": verdict.confidence}
            said = json.dumps(json.loads(said) | {"reuse": shown}, separators=(",", ":"))
        evidence.append(said)
    made = {"reuse": pa.array(reuse, pa.string()), "reuse_period": pa.array(period, pa.int64())}
    made["evidence"] = pa.array(evidence, pa.string())
    for name, column in made.items():
        patterns = patterns.set_column(patterns.schema.get_field_index(name), name, column)
    return patterns
