"""Files that are open already take over the read-ahead of their mount."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.kernel.tool import wait_until
from tests.storage.conftest import Storage
from tests.storage.test_mounts import as_nobody, here

from stepwell.mounts import Mount, kernel
from stepwell.mounts.opened import renew

KIB, MIB = 1 << 10, 1 << 20
READER = """
import os, sys
file = os.open(sys.argv[1], int(sys.argv[2]))
print("open", flush=True)
for line in sys.stdin:
    print(len(os.read(file, int(line))), os.lseek(file, 0, os.SEEK_CUR), flush=True)
"""


@contextmanager
def reader(path: Path, flags: int = os.O_RDONLY) -> Iterator[subprocess.Popen[str]]:
    """A process that has a file open, and reads as much of it as it is told."""
    argv = [sys.executable, "-c", READER, str(path), str(flags)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        yield process
        process.stdin.close()  # type: ignore[union-attr]


def read(process: subprocess.Popen[str], size: int) -> str:
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{size}\n")
    process.stdin.flush()
    return process.stdout.readline()


@pytest.mark.kernel
def test_an_open_file_is_read_ahead_of_as_its_mount_is_set_now(storage: Storage, source: Path, mount: Path) -> None:
    (source / "file").write_bytes(os.urandom(23 * MIB))
    with storage() as control, reader(mount / "file") as process:
        point = here(mount)
        assert kernel.settings(point)["read_ahead_kb"] == 128

        def ahead(at: int) -> int:
            """Bytes that have come from the storage beyond what was read, once no more come."""
            wait_until(lambda: control.counters["in_flight"] == 0, "the storage does not answer")
            return control.counters["bytes"] - at

        assert read(process, 256 * KIB) == f"{256 * KIB} {256 * KIB}\n"
        assert ahead(256 * KIB) <= 256 * KIB
        kernel.change(point, "read_ahead_kb", 4096)
        assert read(process, 256 * KIB) == f"{256 * KIB} {512 * KIB}\n"
        assert ahead(512 * KIB) <= 256 * KIB, "an open file keeps what it was opened with"
        assert renew(point, [process.pid, os.getpid()]) == 1
        for at in range(512 * KIB, 3 * MIB, 128 * KIB):
            assert read(process, 128 * KIB) == f"{128 * KIB} {at + 128 * KIB}\n"
        wait_until(lambda: ahead(3 * MIB) >= 2 * MIB, "it is read ahead of as before")
        assert renew(point, [process.pid]) == 1
        assert int(as_nobody(lambda: str(renew(point, [process.pid])))) == 0
    process.wait()
    assert renew(point, [process.pid]) == 0


@pytest.mark.kernel
@pytest.mark.parametrize(("flags", "renewed"), [(os.O_RDONLY, 1), (os.O_RDWR, 0), (os.O_WRONLY, 0)])
def test_what_is_open_for_writing_is_left_alone(tmp_path: Path, flags: int, renewed: int) -> None:
    file = tmp_path / "file"
    file.touch()
    device = file.stat().st_dev
    point = Mount(os.major(device) << 20 | os.minor(device), str(tmp_path), "", "")
    with reader(file, flags) as process:
        assert renew(point, [process.pid]) == renewed
        assert renew(replace(point, dev=point.dev + 1), [process.pid]) == 0, "it is on another mount"
