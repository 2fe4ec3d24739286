"""How fast files of DFTracer and JuiceFS become spool files, and in how much memory.

.venv/bin/python -m tests.bench.formats [EVENTS]
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from stepwell.collectors.importers import Import


def dftracer(count: int) -> Iterator[str]:
    """Reads at random places of one file."""
    name = {"name": "FH", "cat": "dftracer", "pid": 7, "tid": 7, "ph": 4, "args": {"name": "/d/a", "value": "fa"}}
    yield json.dumps(name)
    for i in range(count):
        given = {"hhash": "h", "ret": 4096, "count": 4096, "offset": i * 7919 % 100_003 * 4096, "fhash": "fa"}
        event = {"id": i, "name": "pread64", "cat": "POSIX", "pid": 7, "tid": 7, "ts": i * 3, "dur": 2, "ph": 1}
        yield json.dumps(event | {"args": given})


def juicefs(count: int) -> Iterator[str]:
    """The same through JuiceFS."""
    for i in range(count):
        at = f"2021.01.15 08:{i // 3_000_000 % 60:02}:{i // 50_000 % 60:02}.{i * 20 % 1_000_000:06}"
        offset = i * 7919 % 100_003 * 4096
        yield f"{at} [uid:0,gid:0,pid:7] read (4,4096,{offset},5): (4096) - OK <0.000009>"


def imported(path: str, directory: str, name: str) -> None:
    """Import a file in a process of its own, so that its memory can be told."""
    start = time.perf_counter()
    with Import(Path(path), Path(directory), name) as bringing:
        bringing.write()
        took, made = time.perf_counter() - start, bringing.spool.stat().st_size
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = Path(path).stat().st_size
    print(f"{name}: {took:.1f} s, {size / took / 1e6:.0f} MB/s of text, spool {made / 1e6:.0f} MB, peak {peak:.0f} MiB")


def main(count: int) -> None:
    for make in (dftracer, juicefs):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "events"
            with path.open("w") as file:
                file.writelines(line + "\n" for line in make(count))
            process = multiprocessing.get_context("spawn").Process(
                target=imported, args=(str(path), directory, make.__name__)
            )
            process.start()
            process.join()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000)
