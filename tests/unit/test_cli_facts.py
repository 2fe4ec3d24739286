from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from stepwell.cli import facts
from stepwell.mounts import Mount, parse_mounts
from stepwell.mounts.table import numbers

LINES = rb"""22 27 0:21 / /proc rw,relatime - proc proc rw
36 35 259:1 /home /mnt/with\040space rw,noatime master:1 shared:2 - ext4 /dev/root\134x rw,errors=continue
40 35 0:50 / /caf\303\251 rw - fuse.juicefs JuiceFS:x rw
"""


def test_a_device_may_be_mounted_at_several_places() -> None:
    again = b"97 35 8:1 /sub /elsewhere ro - xfs /dev/sda1 ro\n"
    first = b"36 35 8:1 / /here rw shared:1 - xfs /dev/sda1 rw\n"
    other = b"11 35 8:2 / /other rw - xfs /dev/sda2 rw\n"
    assert numbers(first + other + again, 8 << 20 | 1) == {36, 97}


def test_parse_mounts() -> None:
    assert parse_mounts(LINES) == [
        Mount(21, "/proc", "proc", "proc"),
        Mount(259 << 20 | 1, "/mnt/with space", "ext4", "/dev/root\\x"),
        Mount(50, "/café", "fuse.juicefs", "JuiceFS:x"),
    ]


@given(st.binary(min_size=1).filter(lambda point: b"\0" not in point))
def test_mount_points_of_any_bytes(point: bytes) -> None:
    # What the kernel escapes there (show_mountinfo in fs/proc_namespace.c).
    escaped = b"".join(b"\\%03o" % byte if byte in b" \t\n\\#" else bytes([byte]) for byte in point)
    (mount,) = parse_mounts(b"36 35 8:1 / " + escaped + b" rw shared:1 - xfs /dev/sda1 rw\n")
    assert mount == Mount(8 << 20 | 1, point.decode("utf-8", "replace"), "xfs", "/dev/sda1")


def test_machine_matches_the_system() -> None:
    machine = facts.machine()
    assert machine["cwd"] == str(Path.cwd())
    assert machine["kernel"] == os.uname().release
    root = Path("/").stat().st_dev
    assert [os.major(root) << 20 | os.minor(root), "/"] in [mount[:2] for mount in machine["mounts"]]


def test_environment_is_the_one_at_the_start() -> None:
    os.environ["STEPWELL_TEST_LATER"] = "1"
    try:
        environment = facts.environment()
    finally:
        del os.environ["STEPWELL_TEST_LATER"]
    assert b"STEPWELL_TEST_LATER" not in environment
    assert environment[b"PATH"] == os.environb[b"PATH"]
