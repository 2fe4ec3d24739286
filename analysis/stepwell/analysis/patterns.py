"""The verdicts on a trace: drawn out of one pass over its runs, and asked for again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc

from stepwell.analysis import darshan
from stepwell.analysis.ask import Distributed, Queryable, rows
from stepwell.analysis.orders import directory_ordered, orders, with_directories
from stepwell.analysis.reuse import Reuse, Subjects, with_reuse
from stepwell.analysis.scan import scan
from stepwell.analysis.streams import ANALYSIS_VERSION, Patterns
from stepwell.analysis.streams.facts import Facts

__all__ = ["ANALYSIS_VERSION", "Pattern", "classify", "patterns"]

ROWS = """
SELECT scope, subject, coalesce(path, '') AS path, op::VARCHAR AS op, pattern, stride, request_size, reuse,
    reuse_period, confidence, accesses, bytes::BIGINT AS bytes, evidence::VARCHAR AS evidence
FROM patterns
WHERE trace = $1 AND (scope IN ('workload', 'dataset')
    OR scope = 'file' AND list_contains($2::BIGINT[], TRY_CAST(subject AS BIGINT))
    OR scope = 'stream' AND list_contains($3::BIGINT[], TRY_CAST(split_part(subject, '/', 2) AS BIGINT)))
ORDER BY scope = 'workload' DESC, scope = 'dataset' DESC, scope = 'file' DESC, bytes DESC, subject, op
"""

_COUNTED = """
SELECT file, coalesce(dataset, '') AS dataset
FROM (
    SELECT TRY_CAST(subject AS BIGINT) AS file, max(bytes) AS bytes FROM patterns
    WHERE trace = $1 AND scope = 'file' AND evidence::VARCHAR LIKE '{"counters":%' GROUP BY subject
) JOIN (SELECT file, dataset FROM files WHERE trace = $1) USING (file)
ORDER BY bytes DESC, file
"""


@dataclass(frozen=True)
class Pattern:
    """How something is read or written; a row of the view `patterns`."""

    scope: Annotated[str, "workload, dataset, file or stream"]
    subject: Annotated[str, "the workload, the dataset's directory, the file's number, or THREAD/OPEN of a stream"]
    path: Annotated[str, "path of the file or dataset; the command line of a workload"]
    op: Annotated[str, "kind of access"]
    pattern: Annotated[
        str,
        "sequential, strided, backward, random, whole-file, header-then-body, append, mixed, directory-ordered or "
        "unknown",
    ]
    stride: Annotated[int | None, "distance from one access's start to the next one's, where it is regular"]
    request_size: Annotated[int | None, "typical bytes asked for at once"]
    reuse: Annotated[str, "once, looping, clustered, popularity-skewed or unknown"]
    reuse_period: Annotated[int | None, "bytes between two uses of the same byte, when looping"]
    confidence: Annotated[float, "from 0 to 1"]
    accesses: Annotated[int, "accesses the verdict rests on"]
    bytes: Annotated[int, "bytes the verdict rests on"]
    evidence: Annotated[dict[str, Any], "the figures that the verdict was drawn from"]


def classify(store: Queryable, trace: int) -> pa.Table:
    """Return the rows of the view `patterns` for a trace, but for the column `trace`; `evidence` as JSON text.

    Accesses decide where there are any; files of which only Darshan's counters are known have verdicts from these.
    """
    facts, counted = Facts.of(store, trace), darshan.of_trace(store, trace)
    software = facts.files.filter(facts.files["software"])["file"].to_numpy()
    with Patterns(facts, counted) as patterns, Reuse(Subjects.of(store, trace, software)) as reuse:
        if isinstance(store, Distributed):
            patterns.feed_apart(store, trace)
            scan(store, trace, [reuse])
        else:
            scan(store, trace, [patterns, reuse])
        reuse.finish()
        rows = with_reuse(patterns.finish(), reuse.verdicts())
    if not _some_dataset_is_read_whole(rows):  # the order of files, which takes a look at all visits, would not matter
        return rows
    return with_directories(rows, directory_ordered(orders(store, trace)))


def _some_dataset_is_read_whole(rows: pa.Table) -> bool:
    patterns = pc.filter(rows["pattern"], pc.equal(rows["scope"], "dataset"))
    return "whole-file" in pc.unique(patterns).to_pylist()


def patterns(store: Queryable, trace: int, files: Sequence[int], opens: Sequence[int] = ()) -> tuple[Pattern, ...]:
    """Return the verdicts on all workloads and datasets, on these files and on the streams of these open files."""
    return tuple(
        Pattern(**row | {"evidence": json.loads(row["evidence"] or "{}")})
        for row in rows(store, ROWS, trace, list(files), list(opens))
    )


def counted_files(store: Queryable, trace: int) -> dict[int, str]:
    """Return the files whose verdicts rest on counters, for want of accesses, and their datasets; most bytes first."""
    return {row["file"]: row["dataset"] for row in rows(store, _COUNTED, trace)}
