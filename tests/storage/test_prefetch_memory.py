"""The prefetch engine where memory is short for real: in a cgroup that limits it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.kernel.caching import Group, hierarchy, limited
from tests.storage.conftest import Storage
from tests.storage.engine import running

from stepwell.prefetch.native.library import resident_pages
from stepwell.prefetch.protocol import Budget, Entry, Order

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="this machine has no /dev/fuse"),
    pytest.mark.skipif(hierarchy() is None, reason="no memory can be limited here"),
]

MIB = 1 << 20
STEPS, STEP = 97, 4 * MIB
HOT = 61 * MIB


def inside(group: Group) -> list[str]:
    """Return what runs a command in a group."""
    return ["sh", "-c", f'echo $$ > {group.path}/cgroup.procs && exec "$@"', "sh"]


def resident(path: Path) -> int:
    """Return how many bytes of a file are in memory."""
    file = os.open(path, os.O_RDONLY)
    try:
        return 4096 * (resident_pages(file, 0, os.fstat(file).st_size) or 0)
    finally:
        os.close(file)


def test_what_readers_use_stays_in_memory_and_the_engine_goes_on_when_there_is_more(
    storage: Storage, source: Path, mount: Path
) -> None:
    for name, size in (("hot", HOT), ("cold", STEPS * STEP)):
        with (source / name).open("wb") as file:
            file.truncate(size)
    steps = tuple(Entry("cold", step * STEP, STEP) for step in range(STEPS))
    with limited(229 * MIB) as group, storage(), running(mount, prefix=inside(group)) as engine:
        for _ in range(2):  # what was read twice is in use
            subprocess.run([*inside(group), "cat", mount / "hot"], check=True, stdout=subprocess.DEVNULL)
        engine.tell(Budget(memory_bytes=1 << 30), Order(steps))
        full = "bytes are ahead, of"
        status = engine.wait("memory is never short", lambda status: full in status.why and not status.in_flight)
        assert 0 < status.totals.ahead_bytes < (229 - 61) * MIB
        assert group.times_full == 0, "something had to go"
        # A machine that is busy elsewhere may take a few pages.
        assert 0.97 * status.totals.ahead_bytes < resident(mount / "cold") <= status.totals.ahead_bytes
        assert 0.97 * HOT < resident(mount / "hot") <= HOT
        group.limit(1 << 30)
        engine.wait("it does not go on", lambda status: status.totals.ahead_bytes == STEPS * STEP)
