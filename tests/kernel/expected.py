"""What known workloads are known to do."""

from __future__ import annotations

import errno

from tests.kernel.known import COUNT, FILE_BYTES, PAGE, SIZE, STRIDE, Run, one, run

from stepwell.trace.definition import RunFlag

CALLS: dict[str, list[Run]] = {
    "read": [run("read", COUNT, 0, SIZE)],
    "read_to_end": [Run("read", 15, 0, 8191, 8191, 8191, 395), one("read", FILE_BYTES, 8191, 0)],
    "lseek": [run("read", COUNT, 22 * STRIDE, -STRIDE)],
    "pread64": [run("read", COUNT, 0, STRIDE)],
    "readv": [run("read", COUNT, 0, SIZE)],
    "preadv": [run("read", COUNT, 0, STRIDE)],
    "preadv2": [run("read", COUNT, 0, STRIDE)],
    "preadv2_position": [run("read", COUNT, 0, SIZE)],
    "preadv2_nowait": [run("read", 2, STRIDE, 0)],
    "write": [run("write", COUNT, 0, SIZE)],
    "pwrite64": [run("write", COUNT, 0, STRIDE)],
    "writev": [run("write", COUNT, 0, SIZE)],
    "pwritev": [run("write", COUNT, 0, STRIDE)],
    "pwritev2": [run("write", COUNT, 0, STRIDE)],
    "append": [run("write", COUNT, FILE_BYTES, SIZE)],
    "append_pwrite": [run("write", COUNT, FILE_BYTES, SIZE)],
    "append_once": [run("write", COUNT + 1, FILE_BYTES, SIZE)],
    "update": [run("read", COUNT, 0, SIZE + 11), run("write", COUNT, SIZE, SIZE + 11, 11)],
    "direct": [
        run("read", 8, 0, 3 * PAGE, PAGE),
        run("read", 8, PAGE, 3 * PAGE, PAGE),
        run("read", 7, 2 * PAGE, 3 * PAGE, PAGE),
        one("read", 28 * PAGE, 2 * PAGE, FILE_BYTES - 28 * PAGE),
    ],
    "direct_write": [run("write", COUNT, 0, PAGE, PAGE)],
    "end_of_file": [
        Run("read", 2, FILE_BYTES - 7, 7, SIZE, 7, 0),
        one("read", FILE_BYTES + 13, SIZE, 0),
        one("read", 17, 0, 0),
        Run("read", 2, 2**62 + 19, 2**62 - 20 - SIZE, SIZE, 0, 0),
    ],
    "hole": [
        run("read", COUNT, 2**32 - 7, STRIDE),
        one("read", 2**42, SIZE, 1),
        one("write", 2**41 + 3, SIZE, SIZE),
    ],
    "sparse": [run("read", COUNT, 2**33, SIZE)],
    "failing": [one("read", 29, SIZE, 11)],
    "sendfile_socket": [run("sendfile", COUNT, 0, SIZE)],
    "sendfile_pipe": [run("sendfile", COUNT, 0, STRIDE)],
    "sendfile_file": [
        Run("sendfile", 3, 0, 50021, 50021, 50021, FILE_BYTES - 2 * 50021),
        one("sendfile", FILE_BYTES, 50021, 0),
    ],
    "sendfile_file.out": [
        Run("write", 3, 0, 50021, 50021, 50021, FILE_BYTES - 2 * 50021),
        one("write", FILE_BYTES, 50021, 0),
    ],
    "splice": [run("splice", COUNT, 0, SIZE)],
    "splice.out": [run("write", COUNT, 0, SIZE)],
    "splice_offset": [one("splice", 7, 100003, 65536 - 7)],
    "splice_offset.out": [one("write", 13, 100003, 65536 - 7)],
    "copy": [run("copy", COUNT, 0, SIZE)],
    "copy.out": [run("write", COUNT, 0, SIZE)],
    "copy_offset": [run("copy", COUNT, 0, STRIDE)],
    "copy_offset.out": [run("write", COUNT, 22 * SIZE, -SIZE)],
    "tee": [one("read", 0, SIZE, SIZE)],
    "copy_failing": [],
    "copy_failing.out": [],
}
"""By file: the runs that its workload makes."""

ERRORS = {
    "failing": [("read", errno.EFAULT), ("read", errno.EINVAL), ("write", errno.EBADF), ("read", errno.EBADF)],
    "copy_failing": [("copy", errno.EBADF), ("sendfile", errno.EINVAL)],
    "copy_failing.out": [("write", errno.EINVAL)],
}
"""By file: the calls that fail. EAGAIN is none: the caller asked not to wait."""

AROUND = 65536
"""Pages around a fault that Linux maps with it where they are in the page cache, in bytes."""

AT_0 = one("mmap", 0, AROUND, AROUND, RunFlag.FAULT_AROUND)
AT_64K = one("mmap", AROUND, 29 * PAGE - AROUND, FILE_BYTES - AROUND, RunFlag.FAULT_AROUND)
