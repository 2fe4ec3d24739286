"""What the eBPF collector cannot see or only estimates, and what it costs others: stated in every trace."""

from __future__ import annotations

COVERAGE = (
    "mmap: an access is a page fault; touches of pages already mapped are not seen",
    "mmap: which page of a range that the kernel mapped around a fault (usually 64 KiB) was touched is not seen",
    "mmap: the latency of a fault is the time the thread slept in it; faults that did not sleep have latency 0",
    "mmap: stores into a shared mapping are not told apart from loads",
    "asynchronous reads: offsets in the order of submission; latencies by stream, not by run",
    "libaio completions taken from the ring in user space have no latency",
    "system calls of 32-bit programs are counted, not recorded",
    "bytes that the kernel reads by itself (exec, module loading) are seen as page faults only",
    "opening and closing through io_uring is not seen: the open file is known from its first access on",
    "an open file that ends because a process ends or calls execve has no close event",
    "with --under, unlink, rename and truncate by path are not recorded",
    "a file known by its device and inode only is one without a path below the reader's root",
)
"""Limits of the collector, one sentence each."""

OVERHEAD = (
    "while recording, every system call on the machine, recorded or not, passes two tracepoints: about 0.1 us a call",
)
"""What other processes pay while a recording runs."""
