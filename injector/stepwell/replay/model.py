"""What a replay did; the same words, units and order as in the JSON of `stepwell replay`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True)
class LeftOut:
    """What of the trace is not replayed."""

    software_files: Annotated[int, "files of programs and libraries"]
    software_accesses: Annotated[int, "accesses to them"]
    elsewhere_files: Annotated[int, "files outside the recorded directory that was asked for"]
    elsewhere_accesses: Annotated[int, "accesses to them"]
    writes: Annotated[int, "writes"]
    nameless_files: Annotated[int, "files whose path is not known"]
    nameless_accesses: Annotated[int, "accesses to them"]


@dataclass(frozen=True)
class Side:
    """Accesses of one kind, as recorded or as replayed."""

    accesses: Annotated[int, "accesses"]
    bytes: Annotated[int, "bytes transferred"]
    latency_ns: Annotated[int, "time of all of them, summed"]
    p50_ns: Annotated[int, "median latency, interpolated within its power of two; 0 when none was timed"]
    p90_ns: Annotated[int, "90 % took at most this long, interpolated likewise"]
    p99_ns: Annotated[int, "99 % took at most this long, interpolated likewise"]
    max_ns: Annotated[int, "longest, exact"]


@dataclass(frozen=True)
class Operation:
    """Accesses of one kind, before and now."""

    op: Annotated[str, "kind of access, as recorded; sendfile, splice and copy are replayed as sendfile to nowhere"]
    recorded: Side
    replayed: Side
    other_size: Annotated[int, "replayed accesses that transferred another number of bytes than recorded"]


@dataclass(frozen=True)
class Late:
    """How far the replay fell behind its times; all 0 at full speed, which has none."""

    accesses: Annotated[int, "accesses that began more than 1 ms after their time"]
    mean_ns: Annotated[int, "delay of an access, mean of all"]
    max_ns: Annotated[int, "longest delay"]


@dataclass(frozen=True)
class Replay:
    """One replay."""

    trace: Annotated[int, "number of the trace in its store"]
    directory: Annotated[str, "where it was replayed"]
    root: Annotated[str, "directory of the recorded files that it stood for"]
    speed: Annotated[float, "pace against the recording; 0 is as fast as possible"]
    status: Annotated[str, "complete, or interrupted by Ctrl-C"]
    threads: Annotated[int, "recorded threads"]
    workers: Annotated[int, "threads used: several for one that made asynchronous accesses"]
    files: Annotated[int, "files"]
    planned: Annotated[int, "accesses to issue"]
    issued: Annotated[int, "accesses issued, failed ones included"]
    recorded_ns: Annotated[int, "from the first access to the end of the last, as recorded"]
    replayed_ns: Annotated[int, "the same as replayed"]
    recorded_stall_ns: Annotated[int, "time of all accesses, summed over threads, as recorded"]
    replayed_stall_ns: Annotated[int, "the same as replayed"]
    late: Late
    operations: tuple[Operation, ...]
    errors: Annotated[dict[str, int], "accesses that failed, by name of the error"]
    undirect: Annotated[int, "open files that the file system does not let be opened with O_DIRECT, as recorded"]
    smaller_files: Annotated[int, "files that are smaller than recorded"]
    left_out: LeftOut
