"""What a summary holds; the same words, units and order as in the JSON report.

Times are nanoseconds since the start of the trace, sizes are bytes.  Every field
carries its description, from which the published JSON Schema is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from stepwell.analysis.naming import titled


@dataclass(frozen=True)
class Trace:
    """The recording itself."""

    trace: Annotated[int, "number of the trace in its store"]
    uuid: Annotated[str, "name of the trace everywhere"]
    command: Annotated[str, "recorded command, quoted for a shell; empty when none was started"]
    scope: Annotated[str, "what was recorded, in words"]
    cwd: Annotated[str, "directory the recording was started in"]
    host: Annotated[str, "name of the machine"]
    kernel: Annotated[str, "release of its kernel"]
    collector: Annotated[str, "how accesses were seen"]
    version: Annotated[str, "version of Stepwell that recorded"]
    started: Annotated[str, "start, ISO 8601 with time zone"]
    duration_ns: Annotated[int, "length of the recording"]
    status: Annotated[str, "complete or interrupted"]
    exit_code: Annotated[int | None, "exit code of the command, if it ended"]


@dataclass(frozen=True)
class Loss:
    """Something that happened and is not in the trace."""

    hop: Annotated[str, "where it was lost"]
    count: Annotated[int, "how many records or events"]


@dataclass(frozen=True)
class Totals:
    """The whole trace in one line."""

    readers: Annotated[int, "processes that made accesses"]
    threads: Annotated[int, "threads that made accesses"]
    files: Annotated[int, "files with accesses"]
    opens: Annotated[int, "open files seen"]
    runs: Annotated[int, "runs, the unit of the trace"]
    accesses: Annotated[int, "accesses of every kind"]
    read_bytes: Annotated[int, "bytes read, by every way of reading"]
    written_bytes: Annotated[int, "bytes written"]
    around_bytes: Annotated[int, "part of read_bytes: ranges that the kernel mapped around page faults, used or not"]
    unique_bytes: Annotated[int, "bytes of files touched at least once"]
    stall_ns: Annotated[int, "time threads spent inside accesses, or asleep waiting for asynchronous ones"]
    wait_ns: Annotated[int, "part of it spent asleep"]
    wall_ns: Annotated[int, "time those threads existed while traced, summed"]
    cpu_ns: Annotated[int, "processor time of those threads, user and system"]
    queued_ns: Annotated[int, "time that they were ready outside of accesses but had no processor; at least"]


@dataclass(frozen=True)
class Software:
    """Files of programs and libraries, when there is data besides; otherwise all is 0.

    They come last in `files` and `datasets`, share one row of `heat` and have no pictures, unless that was asked for.
    """

    files: Annotated[int, "files"]
    accesses: Annotated[int, "accesses"]
    bytes: Annotated[int, "bytes transferred"]
    around_bytes: Annotated[int, "of these, ranges that the kernel mapped around page faults, used or not"]
    unique_bytes: Annotated[int, "bytes touched at least once"]


@dataclass(frozen=True)
class Operation:
    """All accesses of one kind."""

    op: Annotated[str, "read, write, mmap, sendfile, splice or copy"]
    runs: Annotated[int, "runs"]
    accesses: Annotated[int, "accesses"]
    bytes: Annotated[int, "bytes transferred"]
    waited: Annotated[int, "accesses during which the thread slept: storage, or a lock; the others came from the cache"]
    wait_ns: Annotated[int, "time of those accesses"]
    latency_ns: Annotated[int, "time of all accesses, asynchronous ones included"]
    latency_max_ns: Annotated[int, "longest of them"]
    filled: Annotated[int, "pages put into the page cache by them, read-ahead included"]


@dataclass(frozen=True)
class Reader:
    """One process."""

    reader: Annotated[int, "number of the process in this trace"]
    pid: Annotated[int, "process id"]
    ppid: Annotated[int, "process id of its parent"]
    name: Annotated[str, "what it is called: its name, of an interpreter that of its script or module"]
    comm: Annotated[str, "short name"]
    command: Annotated[str, "last command line seen"]
    threads: Annotated[int, "threads that made accesses"]
    files: Annotated[int, "files it accessed"]
    top_directory: Annotated[str, "directory it transferred most bytes from and to"]
    accesses: Annotated[int, "accesses"]
    bytes: Annotated[int, "bytes transferred"]
    unique_bytes: Annotated[int, "bytes of files it touched at least once"]
    stall_ns: Annotated[int, "time its threads spent in accesses or waiting for them"]
    wait_ns: Annotated[int, "part of it spent asleep"]
    wall_ns: Annotated[int, "time its accessing threads existed while traced, summed"]
    cpu_ns: Annotated[int, "processor time of those threads"]
    start_ns: Annotated[int, "start, or begin of the trace"]
    end_ns: Annotated[int, "end, or end of the trace"]

    @property
    def title(self) -> str:
        """Return its name and pid."""
        return titled(self.name, [self.pid])


@dataclass(frozen=True)
class Thread:
    """One thread that made accesses."""

    reader: Annotated[int, "its process"]
    thread: Annotated[int, "number of the thread in this trace"]
    tid: Annotated[int, "thread id"]
    comm: Annotated[str, "short name"]
    accesses: Annotated[int, "accesses"]
    bytes: Annotated[int, "bytes transferred"]
    stall_ns: Annotated[int, "time spent in accesses or waiting for them"]
    wait_ns: Annotated[int, "part of it spent asleep"]
    wall_ns: Annotated[int, "time it existed while traced"]
    cpu_ns: Annotated[int, "processor time"]
    queued_ns: Annotated[int, "time it was ready outside of accesses but had no processor; at least"]


@dataclass(frozen=True)
class Dataset:
    """One tree of files."""

    dataset: Annotated[str, "its root directory; empty when a file belongs to none"]
    filesystem: Annotated[str, "type of its file system"]
    software: Annotated[bool, "whether all of its files are software"]
    files: Annotated[int, "files accessed"]
    readers: Annotated[int, "processes that accessed it"]
    size: Annotated[int, "size of those files"]
    accesses: Annotated[int, "accesses"]
    bytes: Annotated[int, "bytes transferred"]
    unique_bytes: Annotated[int, "bytes touched at least once"]


@dataclass(frozen=True)
class Usage:
    """What one process did with one dataset."""

    reader: Annotated[int, "the process"]
    dataset: Annotated[str, "the dataset"]
    files: Annotated[int, "files accessed"]
    accesses: Annotated[int, "accesses"]
    bytes: Annotated[int, "bytes transferred"]
    unique_bytes: Annotated[int, "bytes touched at least once"]


@dataclass(frozen=True)
class File:
    """One file."""

    file: Annotated[int, "number of the file in this trace"]
    path: Annotated[str, "its path, or major:minor:inode where that is all that is known"]
    dataset: Annotated[str, "the dataset it belongs to"]
    size: Annotated[int, "its size"]
    deleted: Annotated[bool, "whether its name was gone when first seen"]
    software: Annotated[bool, "whether it is part of a program, by the rule of stepwell.analysis.software"]
    readers: Annotated[int, "processes that accessed it"]
    opens: Annotated[int, "open files seen"]
    runs: Annotated[int, "runs"]
    accesses: Annotated[int, "accesses"]
    bytes: Annotated[int, "bytes transferred"]
    around_bytes: Annotated[int, "of these, ranges that the kernel mapped around page faults, used or not"]
    unique_bytes: Annotated[int, "bytes touched at least once"]
    latency_ns: Annotated[int, "time of all its accesses"]
    first_ns: Annotated[int, "first access"]
    last_ns: Annotated[int, "last run's start"]


@dataclass(frozen=True)
class RequestSize:
    """Accesses that asked for the same number of bytes."""

    op: Annotated[str, "kind of access"]
    requested: Annotated[int, "bytes asked for"]
    accesses: Annotated[int, "accesses"]
    bytes: Annotated[int, "bytes transferred"]


@dataclass(frozen=True)
class SizeBucket:
    """Accesses by the power of two their request falls into."""

    op: Annotated[str, "kind of access"]
    low: Annotated[int, "smallest request among them"]
    high: Annotated[int, "largest request among them"]
    accesses: Annotated[int, "accesses"]
    bytes: Annotated[int, "bytes transferred"]


@dataclass(frozen=True)
class Shape:
    """Accesses by the shape of the run they are part of."""

    op: Annotated[str, "kind of access"]
    shape: Annotated[str, "consecutive, strided, backward or single"]
    runs: Annotated[int, "runs"]
    accesses: Annotated[int, "accesses"]
    bytes: Annotated[int, "bytes transferred"]


@dataclass(frozen=True)
class Stride:
    """Strided and backward runs with the same step and request."""

    op: Annotated[str, "kind of access"]
    stride: Annotated[int, "distance from one access's start to the next"]
    requested: Annotated[int, "bytes asked for by each"]
    runs: Annotated[int, "runs"]
    accesses: Annotated[int, "accesses"]
    bytes: Annotated[int, "bytes transferred"]


@dataclass(frozen=True)
class Latency:
    """How long accesses of one kind took."""

    op: Annotated[str, "kind of access"]
    untimed: Annotated[int, "accesses without a latency, such as page faults that did not sleep; not counted below"]
    counts: Annotated[tuple[int, ...], "accesses by latency; bucket k is [2^(k+8), 2^(k+9)) ns, open at both ends"]
    mean_ns: Annotated[int, "mean"]
    p50_ns: Annotated[int, "median, interpolated within its bucket"]
    p90_ns: Annotated[int, "90 % took at most this long, interpolated within the bucket"]
    p99_ns: Annotated[int, "99 % took at most this long, interpolated within the bucket"]
    max_ns: Annotated[int, "longest, exact"]


@dataclass(frozen=True)
class Timeline:
    """The trace cut into equal slices of time; a run counts evenly from its start to its end."""

    slice_ns: Annotated[int, "length of a slice"]
    read_bytes: Annotated[tuple[int, ...], "bytes read in each slice"]
    written_bytes: Annotated[tuple[int, ...], "bytes written in each slice"]
    stall_ns: Annotated[tuple[int, ...], "time spent in synchronous accesses in each slice, by all threads"]


@dataclass(frozen=True)
class HeatRow:
    """A file, or several beside each other that share a row."""

    label: Annotated[str, "path of the file, or of what the files have in common"]
    files: Annotated[int, "files in the row"]
    software: Annotated[bool, "whether it is the row of all software"]
    bytes: Annotated[int, "bytes transferred"]
    cells: Annotated[tuple[int, ...], "bytes transferred in each slice of the timeline"]


@dataclass(frozen=True)
class Picture:
    """Where in one file accesses went, over time: run k goes from (start, offset) to (end, last).

    Columns, one entry per run drawn: all runs, or a sample in which runs count by their bytes.
    """

    file: Annotated[int, "the file"]
    path: Annotated[str, "its path"]
    size: Annotated[int, "its size"]
    runs: Annotated[int, "runs on the file"]
    reader: Annotated[tuple[int, ...], "process"]
    write: Annotated[tuple[bool, ...], "whether it writes"]
    line: Annotated[tuple[bool, ...], "whether accesses lie on the way, or only at both ends"]
    start_ns: Annotated[tuple[int, ...], "start of its first access"]
    end_ns: Annotated[tuple[int, ...], "start of its last access"]
    offset: Annotated[tuple[int, ...], "offset of its first access"]
    last: Annotated[tuple[int, ...], "offset at which its last access ended"]


@dataclass(frozen=True)
class Summary:
    """Everything a report shows of one trace.

    Lists are sorted, the largest first, and cut; `totals` and `datasets` cover what was cut away.
    """

    trace: Trace
    totals: Totals
    software: Software
    losses: Annotated[tuple[Loss, ...], "what is missing; empty when nothing was lost"]
    degraded: Annotated[dict[str, int], "what the collector could not keep, and how often"]
    coverage: Annotated[tuple[str, ...], "what the collector cannot see, and what it costs others, in words"]
    unique_sampling: Annotated[int, "1: unique bytes are exact; n: estimated from one nth of the file space"]
    operations: tuple[Operation, ...]
    readers: tuple[Reader, ...]
    threads: tuple[Thread, ...]
    datasets: tuple[Dataset, ...]
    usage: tuple[Usage, ...]
    files: tuple[File, ...]
    sizes: Annotated[tuple[RequestSize, ...], "the most frequent exact request sizes"]
    size_buckets: tuple[SizeBucket, ...]
    shapes: tuple[Shape, ...]
    strides: Annotated[tuple[Stride, ...], "the most frequent strides"]
    latencies: tuple[Latency, ...]
    timeline: Timeline
    heat: Annotated[tuple[HeatRow, ...], "files over time, in the order of their paths"]
    pictures: Annotated[tuple[Picture, ...], "files of interest: those with the most bytes or accesses"]
