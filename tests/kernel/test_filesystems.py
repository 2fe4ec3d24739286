"""The same accesses on every kind of file system: right paths, sizes, offsets and datasets.

They are mounted in a mount namespace of their own, which ends with the recording: nothing is left behind.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kernel.expected import AT_0, AT_64K, CALLS
from tests.kernel.known import COUNT, FILE_BYTES, PAGE, SIZE, STRIDE, Recorded, accesses_of, make_file, one, run
from tests.kernel.tool import SECONDS, Stepwell

from stepwell.store import Store
from stepwell.trace.definition import RunFlag

pytestmark = pytest.mark.kernel

SCRIPT = """
set -e
ext4() { truncate -s 67M $1.img; mkfs.ext4 -q -b 4096 $1.img; mkdir -p $1; mount -o loop $1.img $1; }
xfs() { truncate -s 509M $1.img; mkfs.xfs -q $1.img; mkdir -p $1; mount -o loop $1.img $1; }
tmpfs() { mkdir -p $1; mount -t tmpfs tmpfs $1; }
overlay() {
    ext4 $1.parts
    mkdir -p $1 $1.parts/lower $1.parts/upper $1.parts/work
    for name in read update append; do cp source $1.parts/lower/$name; done
    mount -t overlay -o lowerdir=$1.parts/lower,upperdir=$1.parts/upper,workdir=$1.parts/work overlay $1
}
fuse() {
    mkdir -p $1 $1.under
    setpriv --pdeathsig KILL bindfs -f $1.under $1 &
    until mountpoint -q $1; do kill -0 $!; sleep 0.01; done
}
for kind in $KINDS; do
    $kind $kind
    for name in $FULL; do test -e $kind/$name || cp source $kind/$name; done
done
"$@"
for kind in $KINDS; do stat -c '%n %d %i %s' $kind/*; done
umount -l fuse
"""
"""Mounts every kind, records, and tells of every file its name, device, inode and size."""

KINDS = {"ext4": "ext4", "xfs": "xfs", "tmpfs": "tmpfs", "overlay": "overlay", "fuse": "fuse"}
"""By directory: what view `files` calls the file system."""

EMPTY = {"write", "huge"}
"""Workloads that make their file themselves."""

READS = ["read", "read_to_end", "pread64", "readv", "direct", "sendfile_file", "splice", "copy"]
WRITES = ["write", "append", "update"]
ASYNC = [run("read", COUNT, 0, STRIDE, flags=RunFlag.ASYNC)]
RUNS = {name: CALLS[name] for name in READS + WRITES} | {
    "uring_read": ASYNC,
    "aio_preadv": ASYNC,
    "mmap": [AT_0, AT_64K],
}

Status = dict[str, tuple[int, int, int]]


@pytest.fixture(scope="module")
def recording(workload: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Recorded, Status]]:
    for device in ("/dev/loop-control", "/dev/fuse"):
        if not Path(device).exists():
            pytest.skip(f"this machine has no {device}")
    directory = tmp_path_factory.mktemp("filesystems")
    stepwell = Stepwell(tmp_path_factory.mktemp("store") / "store.duckdb")
    make_file(directory / "source")
    every = shlex.join(RUNS)
    work = f'for kind in {shlex.join(KINDS)}; do "$0" $kind {every} || exit; done; "$0" tmpfs huge && "$0" xfs huge'
    argv = stepwell.argv("record", "--under", str(directory), "--", "sh", "-c", work, str(workload))
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", SCRIPT, "sh", *argv],
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        cwd=directory,
        env=os.environ | {"KINDS": " ".join(KINDS), "FULL": " ".join(RUNS.keys() - EMPTY)},
    )
    assert done.returncode == 0, done.stderr
    status = {}
    for line in done.stdout.splitlines():
        name, device, inode, size = line.split()
        status[name] = (os.major(int(device)) << 20 | os.minor(int(device)), int(inode), int(size))
    with Store.open(stepwell.store, "r") as store:
        yield Recorded(store, directory), status


@pytest.fixture(scope="module")
def recorded(recording: tuple[Recorded, Status]) -> Recorded:
    return recording[0]


@pytest.fixture(scope="module")
def status(recording: tuple[Recorded, Status]) -> Status:
    return recording[1]


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("kind", KINDS)
def test_accesses_on(recorded: Recorded, kind: str, name: str) -> None:
    if (kind, name) == ("fuse", "mmap"):  # opening it anew emptied its cache: it is read ahead
        touched = {page for _, at, size, _ in recorded.accesses("fuse/mmap") for page in range(at, at + size, PAGE)}
        assert touched == set(range(0, FILE_BYTES, PAGE))
        return
    assert recorded.runs(f"{kind}/{name}") == RUNS[name]
    assert recorded.accesses(f"{kind}/{name}") == accesses_of(RUNS[name])


@pytest.mark.parametrize("kind", ["tmpfs", "xfs"])
def test_offsets_near_2_to_the_62nd(recorded: Recorded, kind: str) -> None:
    ends = [one("read", 2**62 + 5 * STRIDE, SIZE, 0), one("read", 2**62 + 6 * STRIDE, SIZE, 0)]
    assert recorded.accesses(f"{kind}/huge") == accesses_of(
        [run("read", 5, 2**62, STRIDE), *ends, one("read", 0, SIZE, SIZE)]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_files_are_those_that_stat_tells_of(recorded: Recorded, status: Status, kind: str) -> None:
    sql = "SELECT path, dev, ino, size, filesystem, dataset FROM files WHERE starts_with(path, ?) ORDER BY path"
    directory = f"{recorded.directory}/{kind}"
    written = {"write", "append", "update", "sendfile_file.out", "splice.out", "copy.out"}
    expected = {
        (f"{recorded.directory}/{name}", *of, KINDS[kind], directory)
        for name, of in status.items()
        if name.startswith(f"{kind}/") and not name.endswith("/lost+found")
    }
    assert written | {"read"} <= {name.removeprefix(f"{kind}/") for name in status}
    assert set(recorded.rows(sql, f"{kind}/")) == expected


def test_nothing_is_lost_and_nothing_else_recorded(recorded: Recorded) -> None:
    assert recorded.store.rows("SELECT lost, degraded FROM traces") == [(0, "{}")]
    assert recorded.store.rows("SELECT count(*) FROM files WHERE path LIKE '%.parts/%' OR path LIKE '%.under/%'") == [
        (0,)
    ]
