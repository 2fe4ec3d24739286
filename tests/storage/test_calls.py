"""Calls that read much, seen while they are under way: their storage is slow until the test has looked."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.kernel.collecting import collecting
from tests.kernel.tool import wait_until
from tests.storage.conftest import Storage

from stepwell.trace.definition import Op

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="this machine has no /dev/fuse"),
]

MIB = 1 << 20
SIZE = 3 * MIB + 1009

CALLS = {
    "read": ("os.lseek(fd, 4097, 0); os.read(fd, 2 * MIB)", 4097, 2 * MIB, Op.READ),
    "pread": ("os.pread(fd, MIB, 8191)", 8191, MIB, Op.READ),
    "readv": ("os.readv(fd, [bytearray(MIB), bytearray(17)])", 0, MIB + 17, Op.READ),
    "preadv": ("os.preadv(fd, [bytearray(MIB), bytearray(MIB)], 11)", 11, 2 * MIB, Op.READ),
    "a whole file": ("open(fd, 'rb', closefd=False).read()", 0, SIZE + 1, Op.READ),
    "sendfile": ("os.sendfile(other, fd, 4096, 1 << 40)", 4096, 1 << 40, Op.SENDFILE),
}

PROGRAM = """
import os, sys
MIB, path = 1 << 20, sys.argv[1]
fd, other = os.open(path, os.O_RDONLY), os.open(sys.argv[2], os.O_RDWR | os.O_CREAT)
print("open", flush=True)
sys.stdin.readline()
{}
os.pread(fd, MIB - 1, 0)  # small
print("done", flush=True)
"""


@pytest.mark.parametrize("what", CALLS)
def test_it_is_told_with_its_place_until_it_ends(
    storage: Storage, source: Path, mount: Path, tmp_path: Path, what: str
) -> None:
    body, offset, octets, op = CALLS[what]
    (source / "big").write_bytes(bytes(SIZE))
    argv = [sys.executable, "-c", PROGRAM.format(body), str(mount / "big"), str(tmp_path / "copy")]
    with (
        storage(latency_us=503_000) as control,
        collecting(tmp_path / "spool", mount, *argv) as recording,
    ):
        collector, command = recording.collector, recording.command
        assert command.stdin
        assert command.stdout
        assert command.stdout.readline() == "open\n"
        command.stdin.write("go\n")
        command.stdin.flush()
        wait_until(lambda: len(collector.calls()), "it is not told")
        (call,) = collector.calls()
        assert call[["offset", "bytes", "op", "thread"]].tolist() == (offset, octets, op, 1)
        control.set(latency_us=0)
        assert command.stdout.readline() == "done\n"
        wait_until(lambda: command.poll() is not None, "it does not end")
        assert len(collector.calls()) == 0
        assert command.returncode == 0


def test_a_reader_that_is_killed_in_it_is_told_no_more(
    storage: Storage, source: Path, mount: Path, tmp_path: Path
) -> None:
    (source / "big").write_bytes(bytes(SIZE))
    argv = [sys.executable, "-c", PROGRAM.format("os.read(fd, 2 * MIB)"), str(mount / "big"), str(tmp_path / "copy")]
    with storage(hang_at=1), collecting(tmp_path / "spool", mount, *argv) as recording:
        assert recording.command.stdin
        recording.command.stdin.write("go\n")
        recording.command.stdin.flush()
        wait_until(lambda: len(recording.collector.calls()), "it is not told")
        recording.command.kill()
        wait_until(lambda: not len(recording.collector.calls()), "it is told for ever")
