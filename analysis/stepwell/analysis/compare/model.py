"""What a comparison holds; the same words, units and order as in the JSON of `stepwell compare`.

Times are nanoseconds, sizes are bytes; `a` is the first trace named, `b` the second.
Programs and libraries (`stepwell.analysis.software`) are left out, but for duration, processor time, processes and
threads, unless there is nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True)
class Side:
    """One of the two traces."""

    trace: Annotated[int, "number of the trace in its store"]
    command: Annotated[str, "recorded command; its scope when none was started"]
    started: Annotated[str, "start, ISO 8601 with time zone"]
    status: Annotated[str, "complete or interrupted"]
    lost: Annotated[int, "records lost; above 0 its counts are too low"]
    root: Annotated[str, "deepest directory common to its data; files are matched below it when no path is in both"]


@dataclass(frozen=True)
class Change:
    """One figure in both traces."""

    scope: Annotated[str, "what it is about: trace, op, process or dataset"]
    subject: Annotated[str, "which of them; empty for the trace"]
    name: Annotated[str, "what is measured, such as duration, stall, accesses, p99"]
    unit: Annotated[str, "ns, bytes or count"]
    a: Annotated[int, "in the first trace"]
    b: Annotated[int, "in the second trace"]
    ratio: Annotated[float | None, "b over a; null when a is 0"]
    low: Annotated[float | None, "lower end of the ratio's 95 % interval; null for counts, and where none is known"]
    high: Annotated[float | None, "upper end of it"]
    verdict: Annotated[
        str, "real, noise, small (less than 10 ms in all), equal, or unknown: nothing tells how it varies"
    ]
    basis: Annotated[str, "what the verdict rests on: exact (a count), slices (within the traces), runs (other traces)"]


@dataclass(frozen=True)
class FileChange:
    """One file that was not used alike."""

    path: Annotated[str, "path below the roots, or whole when the traces share paths"]
    where: Annotated[str, "a, b or both"]
    accesses_a: Annotated[int, "accesses in the first trace"]
    accesses_b: Annotated[int, "accesses in the second trace"]
    bytes_a: Annotated[int, "bytes transferred in the first trace"]
    bytes_b: Annotated[int, "bytes transferred in the second trace"]


@dataclass(frozen=True)
class Files:
    """Files of data."""

    only_a: Annotated[int, "files in the first trace alone"]
    only_b: Annotated[int, "files in the second trace alone"]
    both: Annotated[int, "files in both"]
    again_a: Annotated[int, "files of which 1.5 times their size or more was read in the first trace"]
    again_b: Annotated[int, "the same in the second trace"]
    changed: Annotated[tuple[FileChange, ...], "those that differ in accesses or bytes, the most bytes first; cut"]


@dataclass(frozen=True)
class SizeChange:
    """Accesses that asked for the same number of bytes."""

    op: Annotated[str, "kind of access"]
    requested: Annotated[int, "bytes asked for"]
    accesses_a: Annotated[int, "accesses in the first trace"]
    accesses_b: Annotated[int, "accesses in the second trace"]


@dataclass(frozen=True)
class PatternChange:
    """A verdict that differs."""

    scope: Annotated[str, "dataset or workload"]
    path: Annotated[str, "directory or command line, of the second trace if it is in both"]
    op: Annotated[str, "kind of access"]
    pattern_a: Annotated[str, "pattern in the first trace; unknown when there is none"]
    pattern_b: Annotated[str, "pattern in the second trace"]
    reuse_a: Annotated[str, "reuse in the first trace"]
    reuse_b: Annotated[str, "reuse in the second trace"]
    confidence: Annotated[float, "the lower one of the two verdicts'; from 0 to 1"]


@dataclass(frozen=True)
class Comparison:
    """Everything that `stepwell compare` shows."""

    a: Side
    b: Side
    runs: Annotated[int, "traces of the same command that showed how much runs differ, these included; 0: too few"]
    changes: tuple[Change, ...]
    files: Files
    sizes: Annotated[tuple[SizeChange, ...], "request sizes whose number of accesses differs, the largest first; cut"]
    patterns: tuple[PatternChange, ...]
