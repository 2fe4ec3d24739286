"""What memory the machine, or the cgroup, has left, and how long its processors idle: what the kernel tells of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

RESERVE = 20
"""One part in so many of the memory is left alone: below, the kernel begins to evict what others use."""

STALLED_PERCENT = 10.0
"""Where some task waits for memory for a tenth of the last ten seconds, nothing more is brought in."""

_UNIFIED = Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")
_MEMORY = Path("/sys/fs/cgroup/memory")
"""Where systemd and container runtimes mount the hierarchies of cgroup v2, and v1's one of memory."""


def room(available: int, total: int, stalled_percent: float) -> tuple[int, str]:
    """Return how many bytes may be brought in, those that are there included, and why when these are none.

    Args:
        available: bytes that can be had without evicting what is in use: so also those that were brought in, which
            nobody has used more than once.
        total: bytes of the machine or the cgroup.
        stalled_percent: `some avg10` of its PSI.
    """
    if stalled_percent >= STALLED_PERCENT:
        return 0, f"memory is short: tasks waited for it {stalled_percent:.0f} % of the last 10 s"
    left = available - total // RESERVE
    return (left, "") if left > 0 else (0, f"memory is short: {available >> 20} MiB of {total >> 20} MiB are left")


def measure() -> tuple[int, str]:
    """Return the least room of the machine and all cgroups above this process; what cannot be read limits nothing."""
    return min((room(*one) for one in _all()), default=(1 << 62, ""))


def processors() -> tuple[int, int] | None:
    """Return how long all processors together had nothing to do, of how long since boot, in ticks; None: nobody tells.

    Tasks of low priority count as nothing: they give way.
    """
    for line in _lines(Path("/proc/stat")):
        kind, *values = line.split()
        if kind == "cpu":
            # Time of guests is in user time, too (proc_stat(5)).
            _, nice, _, idle, waiting, *_ = ticks = [int(value) for value in values[:8]]
            return nice + idle + waiting, sum(ticks)
    return None


def _all() -> Iterator[tuple[int, int, float]]:
    information = _numbers(Path("/proc/meminfo"))
    if "MemAvailable:" in information:
        stalled = _stalled(Path("/proc/pressure/memory"))
        yield information["MemAvailable:"] * 1024, information["MemTotal:"] * 1024, stalled
    for line in _lines(Path("/proc/self/cgroup")):
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield from _limits(_UNIFIED, path, _of_group)
        elif "memory" in controllers.split(","):
            yield from _limits((_MEMORY,), path, _of_old_group)


def _limits(
    mounts: Iterable[Path], path: str, of_group: Callable[[Path], Iterator[tuple[int, int, float]]]
) -> Iterator[tuple[int, int, float]]:
    """Yield what all groups above a process have; in a container its own one is mounted as the root of all."""
    mount = next((one for one in mounts if one.is_dir()), None)
    if mount:
        inside = mount / path.lstrip("/")
        for group in (inside, *inside.parents):
            if group.is_relative_to(mount):
                yield from of_group(group)


def _of_group(group: Path) -> Iterator[tuple[int, int, float]]:
    limit, current = _lines(group / "memory.max"), _lines(group / "memory.current")
    if not limit or not current or not limit[0].isdecimal():
        return
    # Pages of files that were used once are given up without harm: they are as good as free.
    idle = _numbers(group / "memory.stat").get("inactive_file", 0)
    yield int(limit[0]) - int(current[0]) + idle, int(limit[0]), _stalled(group / "memory.pressure")


def _of_old_group(group: Path) -> Iterator[tuple[int, int, float]]:
    """The same by the files of cgroup v1, where nobody tells how long tasks wait for memory."""
    limit, current = _lines(group / "memory.limit_in_bytes"), _lines(group / "memory.usage_in_bytes")
    if limit and current:
        idle = _numbers(group / "memory.stat").get("total_inactive_file", 0)
        yield int(limit[0]) - int(current[0]) + idle, int(limit[0]), 0.0


def _stalled(path: Path) -> float:
    for line in _lines(path):
        kind, *values = line.split()
        if kind == "some":
            return float(values[0].partition("=")[2])
    return 0.0


def _numbers(path: Path) -> dict[str, int]:
    return {parts[0]: int(parts[1]) for line in _lines(path) if len(parts := line.split()) > 1 and parts[1].isdecimal()}


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
