"""The one definition of what a collector writes.

Every record of a trace is described here once.  From it come the C structs
(`record.h`, compiled into the BPF programs and the native library), the numpy
and Arrow types (`layout.py`), the DuckDB tables and the documentation table.
`tests/unit/test_record_definition.py` fails when any of them differs.

Units are in the descriptions; times are CLOCK_MONOTONIC nanoseconds unless a
name says otherwise; all integers are little-endian on disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag

FORMAT_VERSION = 3
"""Version of the records and of the spool file; raised when either changes. Version 1 had no counters."""

UNKNOWN_ID = (1 << 32) - 1
"""A user id that is not known; no user has it (chown(2) takes it for "leave as it is")."""

UNKNOWN_NS = (1 << 64) - 1
"""A processor time that is not known."""

HISTOGRAM_BUCKETS = 24
"""Latency buckets of a run: bucket k counts [2^(k+8), 2^(k+9)) ns, open at both ends."""

HISTOGRAM_SHIFT = 8
"""log2 of the lower edge, in nanoseconds, of latency bucket 0's nominal range."""


class Op(IntEnum):
    """What kind of access it was; the public name is the lower-case member."""

    READ = 0
    WRITE = 1
    MMAP = 2
    SENDFILE = 3
    SPLICE = 4
    COPY = 5


class RunFlag(IntFlag):
    """Facts about all accesses of one run."""

    ASYNC = 1
    """Issued by io_uring or libaio, in issue order; latencies follow in runs of count 0."""
    ESTIMATED_OFFSET = 2
    """The descriptor's position was moved by somebody else meanwhile; offset is the likeliest."""
    FAULT_AROUND = 4
    """A page fault that mapped a whole range of cached pages; which of them was touched is unknown."""


class OpenFlag(IntFlag):
    """Facts about one open file that its open(2) flags do not tell."""

    DELETED = 1
    """The name had been unlinked when the file was first seen."""
    NO_PATH = 2
    """The path could not be found out; only device and inode are known."""
    TRUNCATED_PATH = 4
    """The path is longer than the collector keeps; its start is missing."""
    BEFORE = 8
    """Opened before tracing began, or received from a process that is not traced."""


class EventKind(IntEnum):
    """What happened to a file besides accesses."""

    CLOSE = 0
    UNLINK = 1
    RENAME_FROM = 2
    RENAME_TO = 3
    TRUNCATE = 4
    SYNC = 5
    ERROR = 6


@dataclass(frozen=True)
class Field:
    """One member of a record.

    `ctype` is a C integer type (u8 ... s64), or `char` with a length.
    """

    name: str
    ctype: str
    doc: str
    length: int = 1


@dataclass(frozen=True)
class Record:
    """One kind of record: a packed-by-layout C struct, optionally followed by text."""

    name: str
    kind: int
    doc: str
    fields: tuple[Field, ...]
    text: str = ""
    """What the bytes behind the struct hold; empty when there are none."""


_HEADER = Field("kind", "u32", "kind of this record")

RUN = Record(
    "run",
    1,
    "a maximal series of accesses by one thread on one open file with the same request size "
    "and the same start-to-start stride; access i starts at offset + i * stride (mod 2^64)",
    (
        _HEADER,
        Field("op", "u8", "0 read, 1 write, 2 mmap, 3 sendfile, 4 splice, 5 copy"),
        Field("flags", "u8", "1 asynchronous, 2 estimated offset, 4 fault-around"),
        Field("reserved", "u16", "zero"),
        Field("thread", "u32", "thread, by its `thread` record"),
        Field("count", "u32", "accesses in the run; 0 carries only latencies of asynchronous accesses"),
        Field("open", "u64", "open file, by its `open` record"),
        Field("seq", "u64", "number of the first access among all accesses of the thread"),
        Field("seq_span", "u64", "number of the last access minus `seq`"),
        Field("start_ns", "u64", "start of the first access"),
        Field("span_ns", "u64", "start of the last access minus `start_ns`"),
        Field("offset", "u64", "file offset of the first access, in bytes"),
        Field("stride", "s64", "distance from one access's start to the next, in bytes; 0 if count < 2"),
        Field("requested", "u64", "bytes asked for by each access"),
        Field("size", "u64", "bytes transferred by each access but the last"),
        Field("tail", "u64", "bytes transferred by the last access (equal to `size` unless cut short)"),
        Field("latency_ns", "u64", "sum of the latencies"),
        Field("latency_max_ns", "u64", "largest latency"),
        Field("wait_ns", "u64", "latencies of those accesses during which the thread slept"),
        Field("waited", "u32", "accesses during which the thread slept (storage, or a lock)"),
        Field("filled", "u32", "pages the thread put into the page cache during the accesses, read-ahead included"),
        Field("histogram", "u32", "accesses by latency: bucket k is [2^(k+8), 2^(k+9)) ns", HISTOGRAM_BUCKETS),
    ),
)

RUN_SHORT = Record(
    "run_short",
    2,
    "a run of at most two accesses without its histogram, which the sum and the maximum imply",
    RUN.fields[:-1],
)

THREAD = Record(
    "thread",
    3,
    "a thread that is traced, when tracing of it begins",
    (
        _HEADER,
        Field("thread", "u32", "number of the thread in this trace; never reused"),
        Field("pid", "u32", "process id (thread group) in the initial namespace"),
        Field("tid", "u32", "thread id in the initial namespace"),
        Field("ppid", "u32", "process id of the parent"),
        Field("uid", "u32", "real user id in the initial namespace; 2^32 - 1 when unknown"),
        Field("start_ns", "u64", "when tracing of the thread began"),
        Field(
            "process_start_ns", "u64", "start of the process since boot (CLOCK_BOOTTIME); with pid it names the process"
        ),
        Field("cgroup", "u64", "id of the thread's cgroup in the unified (v2) hierarchy"),
        Field("mount_namespace", "u32", "inode number of the mount namespace"),
        Field("existed", "u32", "1 if the thread ran before tracing began"),
        Field("comm", "char", "name of the thread", 16),
    ),
)

EXEC = Record(
    "exec",
    4,
    "a program start by execve, or the program of a process that was running already",
    (
        _HEADER,
        Field("thread", "u32", "thread that called execve"),
        Field("start_ns", "u64", "when"),
        Field("comm", "char", "new name of the thread", 16),
    ),
    text="command line, arguments separated by NUL; cut after 2,048 bytes",
)

THREAD_END = Record(
    "thread_end",
    5,
    "a thread's end, or its state when tracing ended",
    (
        _HEADER,
        Field("thread", "u32", "thread"),
        Field("end_ns", "u64", "when"),
        Field("user_ns", "u64", "processor time in user mode since tracing began; 2^64 - 1 when unknown"),
        Field("system_ns", "u64", "processor time in the kernel since then; 2^64 - 1 when unknown"),
        Field("async_wait_ns", "u64", "time in io_uring_enter, io_submit, io_getevents while the thread slept there"),
        Field("queued_ns", "u64", "time since then in which it was ready but had no processor; 2^64 - 1 when unknown"),
        Field("accesses", "u64", "accesses that the collector saw the thread make"),
        Field("exited", "u32", "1 if the thread ended, 0 if tracing ended first"),
        Field("exit_code", "s32", "wait status of the process, as wait(2) encodes it"),
        Field("comm", "char", "name of the thread at its end", 16),
    ),
)

OPEN = Record(
    "open",
    6,
    "an open file (open file description) of a regular file, when first seen; twice, if it was opened before tracing "
    "and two threads came to it at the same moment",
    (
        _HEADER,
        Field("thread", "u32", "thread that opened it, or used it first"),
        Field("open", "u64", "number of the open file in this trace; never reused"),
        Field("start_ns", "u64", "start of open(2), or when first seen"),
        Field("latency_ns", "u64", "time open(2) took; 0 when not seen"),
        Field("ino", "u64", "inode number"),
        Field("size", "u64", "file size in bytes when first seen"),
        Field("mtime_ns", "s64", "last change of the data when first seen, nanoseconds since 1970; 0 when unknown"),
        Field("dev", "u32", "device of the file system, major << 20 | minor"),
        Field("generation", "u32", "inode generation: tells apart files that reuse an inode number"),
        Field("magic", "u32", "file system type, as statfs(2) gives it"),
        Field("flags", "u32", "open(2) flags, Linux's values for the architecture"),
        Field("state", "u32", "1 deleted, 2 path unknown, 4 start of path missing, 8 opened before tracing"),
        Field("reserved", "u32", "zero"),
    ),
    text="path as the thread sees it (its root, its mount namespace): components from the last to the "
    "first, each ended by NUL",
)

EVENT = Record(
    "event",
    7,
    "something other than an access happened to a file",
    (
        _HEADER,
        Field("thread", "u32", "thread that did it"),
        Field("event", "u32", "0 close, 1 unlink, 2 rename_from, 3 rename_to, 4 truncate, 5 sync, 6 error"),
        Field("op", "u32", "for an error: the access that failed, as in `run`"),
        Field("open", "u64", "open file, 0 when named by path"),
        Field("start_ns", "u64", "when the call began"),
        Field("latency_ns", "u64", "time the call took"),
        Field("value", "s64", "truncate: new size; error: errno; rename: flags of renameat2; otherwise 0"),
        Field("argument_bytes", "u32", "how many bytes of the text are the path argument"),
        Field("state", "u32", "of the directory: 2 outside the thread's root, 4 its start is missing"),
    ),
    text="path argument as given; when it is relative, followed by the directory it is relative to as "
    "components from the last to the first, each ended by NUL",
)

RESULT = Record(
    "result",
    8,
    "an asynchronous access that transferred other than its run says",
    (
        _HEADER,
        Field("thread", "u32", "thread that issued it"),
        Field("open", "u64", "open file"),
        Field("seq", "u64", "number of the access among all accesses of the thread"),
        Field("result", "s64", "bytes transferred, or minus errno"),
        Field("op", "u32", "as in `run`"),
        Field("reserved", "u32", "zero"),
    ),
)

COUNTER = Record(
    "counter",
    9,
    "a figure that another tool had counted over one file; only in imported traces",
    (
        _HEADER,
        Field("thread", "u32", "thread of the process that it was counted for"),
        Field("open", "u64", "open file, by its `open` record"),
        Field("value", "u64", "value in the unit that the counter's own name implies, as the bits of a double"),
        Field("module_bytes", "u32", "how many bytes of the text are the module's name"),
        Field("reserved", "u32", "zero"),
    ),
    text="name of the tool's module that counted, followed by the counter's own name",
)

RECORDS = (RUN, RUN_SHORT, THREAD, EXEC, THREAD_END, OPEN, EVENT, RESULT, COUNTER)

META_KIND = 100
"""Spool block whose text is one JSON object; later objects override earlier ones key by key."""
