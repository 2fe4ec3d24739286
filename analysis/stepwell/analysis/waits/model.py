"""What the study of waiting finds.  Times are nanoseconds, sizes bytes, rates bytes a second; shares are of 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from stepwell.analysis.naming import titled


@dataclass(frozen=True)
class Interval:
    """A number and the bounds it lies in with 90 % confidence."""

    value: Annotated[float, "best estimate"]
    low: Annotated[float, "lower bound"]
    high: Annotated[float, "upper bound"]


@dataclass(frozen=True)
class FetchSize:
    """Fetches of about one size."""

    size: Annotated[int, "mean bytes that one brought"]
    fetches: Annotated[int, "how many"]
    median_ns: Annotated[int, "time that half of them did not exceed"]
    p99_ns: Annotated[int, "time that 99 % did not exceed"]
    mean_ns: Annotated[int, "mean time"]


@dataclass(frozen=True)
class Depth:
    """Parts of the trace in which about so many fetches were under way at once."""

    depth: Annotated[float, "mean number under way (Little's law)"]
    fetches: Annotated[int, "fetches"]
    latency_ns: Annotated[int, "mean time of a fetch"]
    bytes_s: Annotated[float, "bytes a second, of all together"]


@dataclass(frozen=True)
class Throttle:
    """A rate that the storage does not exceed, whatever is asked of it."""

    unit: Annotated[str, "bytes or fetches: what is limited"]
    rate: Annotated[float, "the limit, a second"]
    burst: Annotated[float, "the rate before the limit set in, a second"]
    spread: Annotated[float, "relative spread of the rate while it was held"]


@dataclass(frozen=True)
class SlowFile:
    """A file whose fetches take longer than those of other files in its dataset, in the same moments or around them."""

    file: Annotated[int, "number of the file in this trace"]
    path: Annotated[str, "its path"]
    factor: Annotated[
        float, "its time over that of others in the same moments, or just before and after, at equal sizes"
    ]
    fetches: Annotated[int, "fetches"]
    excess_ns: Annotated[int, "time it took longer, in all"]


@dataclass(frozen=True)
class Storage:
    """What a dataset's storage gave in one direction, as far as the trace shows it: time = latency + bytes / rate."""

    dataset: Annotated[str, "directory of the dataset; empty when unknown"]
    filesystem: Annotated[str, "type of its file system"]
    device: Annotated[str, "major:minor of its device; empty when unknown"]
    direction: Annotated[str, "read or write"]
    fetches: Annotated[int, "accesses that went to storage: those that slept, and asynchronous ones"]
    bytes: Annotated[int, "bytes that they brought, read-ahead included"]
    ns: Annotated[int, "time they took"]
    latency_ns: Annotated[Interval | None, "time of a fetch of no bytes; null when sizes are too alike to tell"]
    bytes_s: Annotated[Interval | None, "bytes a second of one fetch once it flows; null when that cannot be told"]
    error: Annotated[float, "mean relative error of the model's times over the sizes seen"]
    depth: Annotated[float, "mean number of fetches under way while there was one"]
    most_bytes_s: Annotated[float, "highest rate of all fetches together that was held for 23 of them"]
    scales: Annotated[bool | None, "whether more at once brought more; null when concurrency hardly varied"]
    throttle: Annotated[Throttle | None, "the limit it ran into, if any"]
    tail: Annotated[float, "share of the time in fetches of over 10 times the median of their size"]
    sizes: Annotated[tuple[FetchSize, ...], "its fetches by size"]
    depths: Annotated[tuple[Depth, ...], "its fetches by concurrency"]

    @property
    def mean_ns(self) -> float:
        """Return the mean time of a fetch."""
        return self.ns / max(self.fetches, 1)

    @property
    def mean_bytes(self) -> float:
        """Return the mean bytes of a fetch."""
        return self.bytes / max(self.fetches, 1)


@dataclass(frozen=True)
class Account:
    """Where time went; the parts sum up to `wall_ns`."""

    wall_ns: Annotated[int, "time that threads existed while traced, summed"]
    cpu_ns: Annotated[int, "on a processor, copying from the page cache included"]
    read_ns: Annotated[int, "asleep in reads and page faults, or waiting for asynchronous accesses"]
    write_ns: Annotated[int, "asleep in writes and syncs"]
    metadata_ns: Annotated[int, "waiting in open, close, unlink, rename, truncate"]
    queued_ns: Annotated[int, "ready but without a processor, outside of accesses; at least, 0 when not known"]
    other_ns: Annotated[int, "waiting for anything else: each other, a queue, a network"]

    @property
    def storage_ns(self) -> int:
        """Return the time spent waiting for storage."""
        return self.read_ns + self.write_ns + self.metadata_ns

    def share(self, part_ns: float) -> float:
        """Return a part as a share of the whole."""
        return part_ns / self.wall_ns if self.wall_ns else 0.0


@dataclass(frozen=True)
class Verdict:
    """What something is bound by."""

    bound: Annotated[
        str,
        "latency, bandwidth, metadata, write, throttled, slow-file, imbalance, compute, cached, elsewhere or unknown",
    ]
    confidence: Annotated[float, "from 0 to 1"]
    because: Annotated[str, "the reason, in words"]
    evidence: Annotated[dict[str, float], "the numbers it was drawn from; names end with their unit"]


@dataclass(frozen=True)
class Use:
    """What one team of threads did with one dataset in one direction."""

    dataset: Annotated[str, "directory of the dataset"]
    direction: Annotated[str, "read or write"]
    files: Annotated[int, "files accessed"]
    file_bytes: Annotated[int, "size of those files"]
    accesses: Annotated[int, "accesses"]
    bytes: Annotated[int, "bytes transferred"]
    request: Annotated[int, "mean bytes asked for"]
    waited: Annotated[int, "accesses that slept"]
    asleep_ns: Annotated[int, "time they took"]
    awake_ns: Annotated[int, "time of accesses that did not sleep"]
    fetched: Annotated[int, "bytes put into the page cache"]
    consecutive: Annotated[float, "share of the bytes in runs that follow on, or that are the whole file"]
    direct: Annotated[bool, "whether files were opened with O_DIRECT"]
    synchronous: Annotated[bool, "whether files were opened with O_SYNC or O_DSYNC"]
    asynchronous: Annotated[int, "accesses through io_uring or libaio"]
    mapped: Annotated[int, "accesses by page fault"]
    untimed: Annotated[int, "accesses without a latency"]
    opens: Annotated[int, "times that files were opened for this direction"]
    opened: Annotated[int, "files that were so opened, those of each thread and access mode counted apart"]
    metadata_ns: Annotated[int, "waiting in those opens, in their closes and, for writing, in unlink and the like"]
    split: Annotated[int, "accesses that touch a page more than they need to, because they begin inside one"]


@dataclass(frozen=True)
class Team:
    """Threads that read side by side: sibling processes such as a loader's workers, or the threads of one process."""

    name: Annotated[str, "what its processes are called"]
    workload: Annotated[str, "command line of its processes, or of their parent"]
    readers: Annotated[tuple[int, ...], "its processes"]
    pids: Annotated[tuple[int, ...], "their process ids"]
    threads: Annotated[int, "threads that read or write data"]
    width: Annotated[float, "how many of these lived at once, on average"]
    start_ns: Annotated[int, "start of the first"]
    elapsed_ns: Annotated[int, "from the first one's start to the last one's end"]
    account: Annotated[Account, "where the time of these threads went"]
    consumer: Annotated[int | None, "process that they work for, if it was traced: their parent"]
    consumer_cpu_ns: Annotated[int, "time that its busiest thread was on a processor or waited for storage itself"]
    critical_low: Annotated[float, "share of the elapsed time that waiting for storage delays at least"]
    critical_high: Annotated[float, "the same, at most"]
    straggler: Annotated[int | None, "process, or thread of a single process, that is behind its siblings, if any"]
    uneven_ns: Annotated[int, "elapsed time that an even distribution of the work would save"]
    uses: Annotated[tuple[Use, ...], "its datasets, most stall first"]
    verdict: Annotated[Verdict, "what it is bound by"]

    @property
    def title(self) -> str:
        """Return its process with the pid, or how many there are of which name."""
        return titled(self.name, self.pids)


@dataclass(frozen=True)
class Process:
    """One process."""

    reader: Annotated[int, "number of the process in this trace"]
    pid: Annotated[int, "process id"]
    ppid: Annotated[int, "process id of its parent"]
    name: Annotated[str, "what it is called: its name, of an interpreter that of its script or module"]
    comm: Annotated[str, "short name"]
    command: Annotated[str, "command line"]
    elapsed_ns: Annotated[int, "how long it lived while traced"]
    account: Annotated[Account, "where the time of its threads went"]
    verdict: Annotated[Verdict, "what it is bound by"]

    @property
    def title(self) -> str:
        """Return its name and pid."""
        return titled(self.name, [self.pid])


@dataclass(frozen=True)
class Dataset:
    """One tree of data."""

    dataset: Annotated[str, "its directory; empty when unknown"]
    filesystem: Annotated[str, "type of its file system"]
    stall_ns: Annotated[int, "time that threads waited for it: reads, writes and metadata"]
    stall_share: Annotated[float, "the same, as a share of those threads' time"]
    accesses: Annotated[int, "accesses"]
    waited: Annotated[int, "accesses that slept"]
    bytes: Annotated[int, "bytes transferred"]
    verdict: Annotated[Verdict, "what reading it is bound by"]
    slow: Annotated[tuple[SlowFile, ...], "files that are slower than the rest, most time lost first"]


@dataclass(frozen=True)
class Waits:
    """Where the time of a trace went, and why."""

    trace: Annotated[int, "number of the trace"]
    elapsed_ns: Annotated[int, "length of the recording"]
    timed: Annotated[bool, "whether the trace has latencies at all"]
    seen: Annotated[bool, "whether what slept, what came from storage and processor time was seen; not in other tools'"]
    teams: Annotated[tuple[Team, ...], "who reads, most time lost first"]
    processes: Annotated[tuple[Process, ...], "all processes, most stall first"]
    datasets: Annotated[tuple[Dataset, ...], "all data, most stall first"]
    storages: Annotated[tuple[Storage, ...], "what each dataset's storage gave"]
