"""What the eBPF collector cannot see or only estimates, and what it costs others: stated in every trace."""

from __future__ import annotations

from enum import IntFlag


class Feature(IntFlag):
    """What the programs that run on this kernel can do: `enum sw_feature`."""

    ON_FUNCTIONS = 1
    """System calls are seen at the kernel's functions, not at the tracepoints that all calls pass."""
    PAGE_FAULTS = 2
    POSITIONS = 4
    """Positions of descriptors that several threads read through are exact."""
    URING = 8


ALWAYS = (
    "mmap: an access is a page fault; touches of pages already mapped are not seen",
    "mmap: which page of a range that the kernel mapped around a fault (usually 64 KiB) was touched is not seen",
    "mmap: faults inside system calls (on a buffer that is a mapping) have latency 0: their time is the call's",
    "mmap: stores into a shared mapping are not told apart from loads",
    "mmap: a fault may map all pages that the kernel holds together (a large folio); only those around it are told",
    "mmap: on tmpfs, faults on pages that are not in memory, and stores, are not seen",
    "asynchronous reads: offsets in the order of submission; latencies by stream, not by run",
    "asynchronous accesses by appending or at the file's position: the offset is the one at submission, estimated",
    "io_uring with a polling thread: accesses are told as the process's main thread's",
    "io_uring: splice is not seen; a read into a buffer that the ring chooses may be told as asking for 0 bytes",
    "libaio completions taken from the ring in user space have no latency",
    "files that the kernel makes up (proc, sysfs, cgroup and the like) are not recorded",
    "system calls of 32-bit programs are counted, not recorded",
    "bytes that the kernel reads by itself (exec, module loading) are seen as page faults only",
    "opening and closing through io_uring is not seen: the open file is known from its first access on",
    "an open file that ends because a process ends or calls execve has no close event",
    "with --under, unlink, rename and truncate by path are not recorded",
    "a file known by its device and inode only is one without a path below the reader's root",
)
"""Limits on every kernel, one sentence each."""

WITHOUT = {
    Feature.ON_FUNCTIONS: "mmap: the latency of a fault is the time the thread slept in it, 0 if it did not sleep",
    Feature.PAGE_FAULTS: "mmap: page faults are not seen, because this kernel has no tracepoints for them",
    Feature.POSITIONS: "offsets are estimated while several threads read at the position of one descriptor",
    Feature.URING: "io_uring is not seen, because this kernel's tracepoints are unknown",
}
"""What is not or less well seen without a feature."""


COST = {
    Feature.ON_FUNCTIONS: "while recording, other programs pay a little for calls on files, else nothing",
    Feature(0): "while recording, every system call on the machine, recorded or not, takes about 0.1 us longer",
}
"""What recording costs others, by how system calls are seen."""


def name(features: Feature) -> str:
    """Return the collector's name, with the way that it sees system calls."""
    return "ebpf fexit" if Feature.ON_FUNCTIONS in features else "ebpf tp_btf"


def coverage(features: Feature) -> list[str]:
    """Return the collector's limits, and what it costs programs that are not recorded, one sentence each."""
    limits = [*ALWAYS, *(sentence for feature, sentence in WITHOUT.items() if feature not in features)]
    return [*limits, COST[features & Feature.ON_FUNCTIONS]]
