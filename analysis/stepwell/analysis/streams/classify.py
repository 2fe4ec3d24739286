"""A consumer of runs that ends up with rows of the view `patterns`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stepwell.analysis.ask import Distributed
from stepwell.analysis.darshan import CounterVerdict
from stepwell.analysis.native.streams import EVIDENCE, Evidence, Streams
from stepwell.analysis.scan import Runs, columns_of, runs_sql
from stepwell.analysis.streams import rows
from stepwell.analysis.streams.decide import Circumstances, decide
from stepwell.analysis.streams.facts import Facts
from stepwell.analysis.streams.rollup import (
    STREAM,
    Groups,
    by_turns,
    condense,
    of_counters,
    settle,
    speakers,
    vote,
)
from stepwell.analysis.thresholds import streams as limits
from stepwell.trace.definition import Op

ANALYSIS_VERSION = 9
"""Raised when verdicts change, so that stored ones are drawn again."""

Records = np.ndarray[Any, np.dtype[np.void]]


LANE = ("reader", "file", "op")
"""What streams have in common that are of one lane."""

_EVIDENCE = pa.schema([("evidence", pa.binary())])

_TOGETHER = 1024
"""Records of evidence, of about 1 KiB, that travel together."""


def _evidence(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Return the evidence of the lanes whose runs these are, some at a time as bytes of records."""

    def packed(found: Evidence) -> Iterator[pa.RecordBatch]:
        for first in range(0, len(found), _TOGETHER):
            yield pa.record_batch([[found[first : first + _TOGETHER].tobytes()]], schema=_EVIDENCE)

    with Streams(limits.HeadLimits()) as engine:
        for batch in batches:
            for found in engine.feed(columns_of(batch)):
                yield from packed(found)
        for found in engine.finish():
            yield from packed(found)


class Patterns:
    """Takes the runs of one trace, gives the verdicts; use as a context manager.

    Args:
        facts: what the trace knows besides accesses.
        counted: verdicts on files without accesses, those of most bytes first; they count as a stream each.
    """

    columns = Streams.columns

    def __init__(self, facts: Facts, counted: Sequence[CounterVerdict] = ()) -> None:
        self._facts = facts
        self._counted = counted
        self._engine = Streams(limits.HeadLimits())
        self._all: list[Records] = []
        self._shown: list[Evidence] = []
        self._verdicts: list[Records] = []
        self._least = (-1, 0)  # bytes and open file of the last stream that would be shown

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._engine.__exit__(*error)

    def feed(self, runs: Runs) -> None:
        """Take the next runs."""
        for evidence in self._engine.feed(runs):
            self._conclude(evidence)

    def feed_apart(self, store: Distributed, trace: int) -> None:
        """Take all runs of a trace: each machine those of some lanes, of which evidence comes back."""
        found = store.apart(runs_sql(trace, self.columns), LANE, _evidence, _EVIDENCE)
        evidence = np.frombuffer(b"".join(found["evidence"].to_pylist()), EVIDENCE).copy()
        evidence["lane"] = Groups.by(*(evidence[name] for name in LANE)).of  # each machine numbers its own from 0
        self._conclude(evidence)

    def finish(self) -> pa.Table:
        """Return the rows of all scopes (`rows.SCHEMA`)."""
        for evidence in self._engine.finish():
            self._conclude(evidence)
        if not self._all and not self._counted:
            return rows.SCHEMA.empty_table()
        facts, streams = self._facts, np.concatenate([np.zeros(0, STREAM), *self._all])
        workloads = facts.readers["workload"].combine_chunks().dictionary_encode()
        datasets = facts.files["dataset"].combine_chunks().dictionary_encode()
        dataset = datasets.indices.to_numpy()
        settle(streams, Groups.by(streams["op"], dataset[facts.file(streams["file"])]))
        speaking = np.concatenate([speakers(streams), of_counters(self._counted)])
        workload = workloads.indices.to_numpy()[facts.reader(speaking["reader"])]
        groups = Groups.by(speaking["op"], speaking["file"], workload)
        files = vote(speaking, groups)
        by_turns(speaking, groups, files)
        about = speaking[groups.first]
        file, of_workload, op = facts.file(about["file"]), workload[groups.first], about["op"]
        data = ~facts.files["software"].to_numpy(zero_copy_only=False)[file]
        return pa.concat_tables(
            [
                self._streams(dataset),
                self._files(files, about, file),
                self._wholes("dataset", files, dataset[file], op, datasets.dictionary),
                self._wholes("workload", files, of_workload, op, workloads.dictionary, data),
            ]
        )

    def _conclude(self, evidence: Evidence) -> None:
        facts, file = self._facts, self._facts.file(evidence["file"])
        size = facts.files["size"].to_numpy()[file]
        exact = np.full(len(evidence), facts.exact) & (size >= 0)
        appending = np.isin(evidence["open"], facts.appending)
        verdicts = decide(evidence, Circumstances(size, exact, appending, facts.seen))
        kept = condense(evidence, verdicts)
        self._all.append(kept)
        octets, opened = self._least
        more = (kept["bytes"] > octets) | ((kept["bytes"] == octets) & (kept["open"] <= opened))
        shown = more & ~kept["is_lane"]
        self._shown.append(evidence[shown])
        self._verdicts.append(kept[shown])
        if sum(map(len, self._shown)) > 2 * limits.STREAM_ROWS:
            self._keep_largest()

    def _keep_largest(self) -> None:
        verdicts = np.concatenate(self._verdicts)
        largest = np.lexsort((verdicts["thread"], verdicts["open"], -verdicts["bytes"]))[: limits.STREAM_ROWS]
        self._shown = [np.concatenate(self._shown)[largest]]
        self._verdicts = [verdicts[largest]]
        if len(largest) == limits.STREAM_ROWS:
            self._least = int(verdicts["bytes"][largest[-1]]), int(verdicts["open"][largest[-1]])

    def _streams(self, dataset: np.ndarray[Any, Any]) -> pa.Table:
        if not self._all:
            return rows.SCHEMA.empty_table()
        self._keep_largest()
        (evidence,), (found,) = self._shown, self._verdicts
        settle(found, Groups.by(found["op"], dataset[self._facts.file(found["file"])]))
        subjects = [f"{thread}/{opened}" for thread, opened in found[["thread", "open"]].tolist()]
        paths = self._facts.files["path"].take(pa.array(self._facts.file(found["file"]))).combine_chunks()
        return rows.table("stream", subjects, paths, found["op"], found, rows.of_streams(evidence, found))

    def _files(self, files: Records, about: Records, file: np.ndarray[Any, Any]) -> pa.Table:
        groups = Groups.by(about["op"], file)
        files = vote(files, groups) if len(groups.first) < len(files) else files[groups.first]
        about, file = about[groups.first], file[groups.first]
        largest = np.argsort(-files["bytes"], kind="stable")[: limits.FILE_ROWS]
        found, about, file = files[largest], about[largest], file[largest]
        paths = self._facts.files["path"].take(pa.array(file)).combine_chunks()
        subjects = pc.cast(pa.array(about["file"]), pa.string())
        figures = {(one.file, Op[one.op.upper()]): one.evidence for one in reversed(self._counted)}
        drawn_from = {
            row: figures[about["file"][row], about["op"][row]] for row in np.flatnonzero(found["counted"]).tolist()
        }
        return rows.table("file", subjects, paths, about["op"], found, rows.of_groups(found, drawn_from))

    def _wholes(
        self,
        scope: str,
        files: Records,
        of: np.ndarray[Any, Any],
        op: np.ndarray[Any, Any],
        names: pa.Array,
        data: Any = None,
    ) -> pa.Table:
        """Return the verdicts on datasets or workloads; software counts only where there is no `data`."""
        groups = Groups.by(op, of)
        if data is not None:
            some = groups.sum(data)[groups.of] > 0
            chosen = data | ~some
            files, of, op = files[chosen], of[chosen], op[chosen]
            groups = Groups.by(op, of)
        found = vote(files, groups)
        name = names.take(pa.array(of[groups.first])).to_pylist()
        return rows.table(scope, name, name, op[groups.first], found, rows.of_groups(found))
