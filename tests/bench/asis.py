"""Programs as they are, alone and in `run`, in turns: over the slow storage itself, and over JuiceFS.

The time is that of the program, from its own beginning to its own end; a turn in which the two print other things ends
the benchmark.
"""

from __future__ import annotations

import contextlib
import io
import random
import sqlite3
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet
from tests.bench.backends.cold import Volume
from tests.bench.figures import Spread, Table
from tests.bench.tracers import STEPWELL
from tests.storage.slow import Settings, Slow, compile_slow

MIB = 1 << 20
LATENCY_MS = 20

LOADER = """
import glob, multiprocessing, random, sys
def get(path):
    return sum(open(path, "rb").read()[::997])
files = sorted(glob.glob(sys.argv[1] + "/images/*/*"))
random.Random(7).shuffle(files)
with multiprocessing.Pool(4) as pool:
    print(sum(pool.imap(get, files, chunksize=1)))
"""

RECORDS = """
import random, struct, sys
def records(path):
    with open(path, "rb") as file:
        while size := file.read(4):
            yield file.read(*struct.unpack("<I", size))
paths = [f"{sys.argv[1]}/records/{number}" for number in random.Random(5).sample(range(12), 12)]
live, octets = [records(path) for path in paths[:8]], 0
del paths[:8]
while live:
    for one in [*live]:
        record = next(one, None)
        octets += len(record or b"")
        if record is None:
            live.remove(one)
            live += [records(paths.pop()) for _ in paths[:1]]
print(octets)
"""
"""Eight files by turns, as a loader interleaves them: a record of each."""

SHARDS = """
import random, sys, tarfile
paths = [f"{sys.argv[1]}/shards/{number}.tar" for number in random.Random(5).sample(range(24), 24)]
shards = map(tarfile.open, paths)
print(sum(len(shard.extractfile(member).read()) for shard in shards for member in shard))
"""

PROGRAMS = {
    "cp -r, 400 files in 7 directories": "cp -r {data}/tree {work}/copy; rm -r {work}/copy",
    "tar, the same": "tar cf {work}/tar {data}/tree; rm {work}/tar",
    "grep -r, the same": "grep -rc nothing {data}/tree | sort | sha256sum",
    "grep -r, 800 files in 156 directories": "grep -rc nothing {data}/small | sort | sha256sum",
    "sha256sum, one file": "sha256sum < {data}/large",
    "np.load, one call": "import numpy; print(numpy.load('{data}/array.npy').sum())",
    "shutil.copyfile, one call": "import shutil; shutil.copyfile('{data}/large', '{work}/copy')",
    "SQLite, a scan": "import sqlite3; d = sqlite3.connect('file:{data}/table.db?immutable=1', uri=True); "
    "print(d.execute('select sum(length(v)) from t').fetchone())",
    "SQLite, 200 rows at random": "import random, sqlite3; r = random.Random(3); "
    "d = sqlite3.connect('file:{data}/table.db?immutable=1', uri=True); "
    "print([d.execute('select length(v) from t where k = ?', (r.randrange(100000),)).fetchone() for _ in range(200)])",
    "Parquet, all row groups": "from pyarrow import parquet; f = parquet.ParquetFile('{data}/table.parquet'); "
    "print([f.read_row_group(k).num_rows for k in range(f.num_row_groups)])",
    "Parquet, one column": "from pyarrow import parquet; "
    "print(parquet.read_table('{data}/table.parquet', columns=['c3']).num_rows)",
    "zip, in order": "import zipfile; z = zipfile.ZipFile('{data}/files.zip'); "
    "print(sum(len(z.read(name)) for name in z.namelist()))",
    "zip, 300 of 1,000 shuffled": "import random, zipfile; z = zipfile.ZipFile('{data}/files.zip'); "
    "n = z.namelist(); random.Random(2).shuffle(n); print(sum(len(z.read(name)) for name in n[:300]))",
    "600 shuffled images, 4 workers": LOADER,
    "12 files of records, 8 by turns": RECORDS,
    "24 tar files in no order": SHARDS,
    "wc -l": "wc -l < {data}/large",
}
"""Shell commands, and programs in Python, which import or assign something."""


def asis(work: Path, *, quick: bool) -> list[Table]:
    """Return how long programs take alone and in `run`."""
    program, large = compile_slow(work), (8 if quick else 96) * MIB
    source, mount = work / "source", work / "mount"
    source.mkdir()
    mount.mkdir()
    _fill(source, large)
    slow = Slow(program, source, mount, Settings(latency_us=1000 * LATENCY_MS))
    (work / "juicefs").mkdir()
    volume = Volume(program, work / "juicefs" / "data", partial(_fill, large=large))

    @contextlib.contextmanager
    def itself() -> Iterator[Path]:
        with slow.mounted():
            yield mount

    @contextlib.contextmanager
    def client() -> Iterator[Path]:
        with volume.cold(LATENCY_MS, ()) as (path, _):
            yield path

    table = Table(f"programs as they are, {LATENCY_MS} ms a request; seconds of the program")
    for name in PROGRAMS:
        for where, mounted in (("the storage itself", itself), ("JuiceFS", client)):
            row = _turns(name, work, mounted, 1 if quick else 3)
            table.rows.setdefault(name, {}).update({f"{where}: {column}": each for column, each in row.items()})
    return [table]


def _turns(
    name: str, work: Path, mounted: Callable[[], AbstractContextManager[Path]], turns: int
) -> dict[str, Spread | str]:
    times: dict[str, list[float]] = {"alone": [], "run": []}
    for _ in range(turns):
        printed = set()
        for how, each in times.items():
            with mounted() as data:
                seconds, said = _once(name, data, work, [] if how == "alone" else _run(work))
            each.append(seconds)
            printed.add(said)
        assert len(printed) == 1, f"{name}: {printed}"
    gain = Spread.of(one / other for one, other in zip(*times.values(), strict=True))
    return {**{how: Spread.of(each) for how, each in times.items()}, "times as fast": gain}


def _run(work: Path) -> list[str]:
    return [str(STEPWELL), "--store", str(work / "store.duckdb"), "run", "-q", "--"]


def _once(name: str, data: Path, work: Path, prefix: list[str]) -> tuple[float, str]:
    """Return how long a program took, and what it printed."""
    script = PROGRAMS[name].replace("{data}", str(data)).replace("{work}", str(work))
    is_python = "import " in script
    (work / "script").write_text(script)
    argv = f"{sys.executable} {work}/script {data}" if is_python else f"sh {work}/script"
    timed = f"a=$(date +%s%N); {argv} || exit; b=$(date +%s%N); echo $((b - a)) > {work}/took"
    done = subprocess.run([*prefix, "bash", "-c", timed], check=True, capture_output=True, text=True)
    return int((work / "took").read_text()) / 1e9, done.stdout


def _fill(directory: Path, large: int) -> None:
    numbers, bits = random.Random(1), np.random.default_rng(1)
    for folder, count, least, most in (("tree", 400, 2_000, 60_000), ("images", 600, 60_000, 200_000)):
        for number in range(count):
            path = directory / folder / str(number % 7) / f"{numbers.randrange(10**9)}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(numbers.randbytes(numbers.randrange(least, most)))
    for number in range(800):
        below = [str(number // each % 5) for each in (4, 20, 100)][: number % 4]
        path = Path(directory, "small", *below, str(numbers.randrange(10**9)))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(numbers.randbytes(numbers.randrange(2_000, 20_000)))
    (directory / "records").mkdir()
    for number in range(12):
        record = (20_000).to_bytes(4, "little") + numbers.randbytes(20_000)
        (directory / "records" / str(number)).write_bytes(record * (large // 8 // len(record)))
    (directory / "shards").mkdir()
    for number in range(24):
        with tarfile.open(directory / "shards" / f"{number}.tar", "w") as shard:
            for member in range(large // MIB // 2):
                found = tarfile.TarInfo(f"{member}.jpg")
                found.size = 80_000
                shard.addfile(found, io.BytesIO(numbers.randbytes(found.size)))
    (directory / "large").write_bytes(bits.bytes(large))
    np.save(directory / "array.npy", bits.integers(0, 255, large, np.uint8))
    with contextlib.closing(sqlite3.connect(directory / "table.db")) as database, database:
        database.execute("create table t (k integer primary key, v text)")
        database.executemany("insert into t values (?, ?)", ((number, "x" * 300) for number in range(100_000)))
    columns = pa.table({f"c{column}": bits.random(large // 80) for column in range(8)})
    parquet.write_table(columns, directory / "table.parquet", row_group_size=100_000)
    with zipfile.ZipFile(directory / "files.zip", "w") as archive:
        for number in range(1000):
            archive.writestr(f"{number}", numbers.randbytes(30_000))
