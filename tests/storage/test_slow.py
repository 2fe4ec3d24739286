"""The slow storage does what it is told, and says what it did."""

from __future__ import annotations

import errno
import mmap
import os
import subprocess
import threading
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from tests.kernel.tool import SECONDS, wait_until
from tests.storage.conftest import Storage
from tests.storage.slow import Control, Settings, Slow

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="this machine has no /dev/fuse"),
]

SIZE = 1_000_003
BLOCK = 65_536
GONE = {errno.ENOTCONN, errno.ECONNABORTED}
"""What is read from a file system whose process has ended."""


@pytest.fixture(autouse=True)
def files(source: Path) -> None:
    (source / "deep").mkdir()
    (source / "file").write_bytes(os.urandom(SIZE))
    (source / "deep" / "file").write_bytes(b"small")
    (source / "link").symlink_to("deep/file")


class Reader:
    """A file read block by block past the page cache; each read is one request."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_DIRECT)
        self.error = 0

    def read(self, block: int = 0) -> bytes:
        page = mmap.mmap(-1, BLOCK)
        return page[: os.preadv(self.descriptor, [page], block * BLOCK)]

    def attempt(self, block: int = 0) -> int:
        self.error = 0
        try:
            self.read(block)
        except OSError as error:
            self.error = error.errno or 0
        return self.error


def beside(work: Callable[..., object], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments)
    thread.start()
    return thread


def test_all_settings_arrive_where_they_belong(slow_program: Path, source: Path, mount: Path, tmp_path: Path) -> None:
    primes = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 0, 53, 0, 67, 59, 65_536, 131_072, 61, 1]
    wanted = Settings(*primes)
    assert len(primes) == len(fields(Settings))
    slow = Slow(slow_program, source, mount, wanted)
    program, *told = slow.argv("true")
    subprocess.run([program, "-c", tmp_path / "control", *told], check=True)
    assert Control(tmp_path / "control").settings == wanted


def test_files_are_the_sources(storage: Storage, source: Path, mount: Path) -> None:
    with storage():
        assert sorted(path.relative_to(mount) for path in mount.rglob("*")) == sorted(
            path.relative_to(source) for path in source.rglob("*")
        )
        assert (mount / "file").read_bytes() == (source / "file").read_bytes()
        assert (mount / "link").readlink() == Path("deep/file")
        for name in ("file", "deep", "link"):
            seen, real = (mount / name).lstat(), (source / name).lstat()
            for field in ("st_ino", "st_size", "st_mode", "st_uid", "st_mtime_ns", "st_ctime_ns"):
                assert getattr(seen, field) == getattr(real, field)
        with pytest.raises(OSError, match="Read-only"):
            (mount / "other").touch()
    assert not list(mount.iterdir())


def test_every_read_is_counted_and_logged(storage: Storage, source: Path, mount: Path) -> None:
    order = [7, 3, 13, 2, 11]
    with storage(latency_us=1009) as control:
        reader = Reader(mount / "file")
        for block in order:
            assert reader.read(block) == (source / "file").read_bytes()[block * BLOCK : (block + 1) * BLOCK]
        counted = control.counters
        assert (counted["reads"], counted["opens"]) == (len(order), 1)
        assert (counted["bytes"], counted["in_flight"], counted["most_in_flight"]) == (5 * BLOCK, 0, 1)
        log = control.reads(source / "file")
        assert log["offset"].tolist() == [block * BLOCK for block in order]
        assert set(log["size"].tolist()) == {BLOCK}
        assert (log["end_ns"] - log["begin_ns"]).min() >= 1_009_000
        assert len(control.reads(source / "deep" / "file")) == 0


def test_time_is_latency_and_bytes_through_the_connection_and_the_line(storage: Storage, mount: Path) -> None:
    with storage(latency_us=2003, bytes_s=50_000_000) as control:
        reader = Reader(mount / "file")
        reader.read()
        (alone,) = control.reads()
        assert alone["end_ns"] - alone["begin_ns"] >= 2_003_000 + BLOCK * 20
        control.set(total_bytes_s=10_000_000)
        threads = [beside(reader.read, block) for block in range(7)]
        for thread in threads:
            thread.join()
        together = control.reads()[1:]
        assert together["end_ns"].max() - together["begin_ns"].min() >= 2_003_000 + 7 * BLOCK * 100
        control.set(total_bytes_s=0, slow_inode=(mount / "file").stat().st_ino, slow_percent=500)
        reader.read()
        slowed = control.reads()[-1]
        assert slowed["end_ns"] - slowed["begin_ns"] >= 5 * (2_003_000 + BLOCK * 20)


def test_a_block_that_is_kept_costs_nothing_again(storage: Storage, mount: Path) -> None:
    with storage(keeps=1, latency_us=200_003) as control:
        reader = Reader(mount / "file")
        for block in (0, 3, 0, 5):
            reader.read(block)
        log = control.reads()
        took = (log["end_ns"] - log["begin_ns"]).tolist()
        assert took[0] >= 200_003_000 > min(took[1:])


def test_jitter_has_a_tail_and_shortens_nothing(storage: Storage, mount: Path) -> None:
    with storage(latency_us=503, jitter_us=997, seed=3) as control:
        reader = Reader(mount / "file")
        for _ in range(47):
            reader.read()
        log = control.reads()
        waited = log["end_ns"] - log["begin_ns"]
        assert waited.min() >= 503_000
        assert waited.max() >= 503_000 + 2 * 997_000


def test_reads_under_way_are_counted_and_end_with_the_mount(storage: Storage, mount: Path) -> None:
    with storage() as control:
        control.set(latency_us=10 * SECONDS * 1_000_000)
        readers = [Reader(mount / "file") for _ in range(11)]
        threads = [beside(reader.attempt) for reader in readers]
        wait_until(lambda: control.counters["in_flight"] == 11, "eleven reads are not under way")
        assert control.counters["most_in_flight"] == 11
    for thread in threads:
        thread.join(SECONDS)
    assert {reader.error for reader in readers} <= GONE


def test_the_read_that_is_to_fail_fails(storage: Storage, mount: Path) -> None:
    with storage(fail_at=3, fail_errno=errno.ESTALE) as control:
        reader = Reader(mount / "file")
        assert [reader.attempt() for _ in range(5)] == [0, 0, errno.ESTALE, 0, 0]
        assert control.counters["failed"] == 1


def test_failures_are_the_same_with_the_same_seed(storage: Storage, mount: Path) -> None:
    found = []
    for seed in (5, 5, 7):
        with storage(fail_permille=200, seed=seed):
            reader = Reader(mount / "file")
            found.append([reader.attempt() for _ in range(211)])
    assert found[0] == found[1] != found[2]
    assert set(found[0]) == {0, errno.EIO}
    assert 0.1 < np.mean(np.array(found[0]) > 0) < 0.3


def test_a_read_that_hangs_hangs_alone_until_the_mount_ends(storage: Storage, mount: Path) -> None:
    with storage(hang_at=2) as control:
        reader, hung = Reader(mount / "file"), Reader(mount / "file")
        assert reader.attempt() == 0
        thread = beside(hung.attempt)
        wait_until(lambda: control.counters["hung"] == 1, "no read hangs")
        assert reader.attempt() == 0
        assert thread.is_alive()
    thread.join(SECONDS)
    assert hung.error in GONE


def test_a_mount_that_dies_leaves_errors(storage: Storage, mount: Path) -> None:
    with storage(die_at=3):
        reader = Reader(mount / "file")
        assert [reader.attempt() == 0 for _ in range(3)] == [True, True, False]
        assert reader.attempt() in GONE
        with pytest.raises(OSError, match=r"not connected|connection abort"):
            list(mount.iterdir())
    assert not list(mount.iterdir())


def test_what_is_kept_is_kept_and_what_is_direct_is_not(storage: Storage, mount: Path) -> None:
    for direct, times in ((0, 1), (1, 3)):
        with storage(direct=direct) as control:
            for _ in range(3):
                (mount / "deep" / "file").read_bytes()
            # A reader asks once more, for the end, where no page says that it is there.
            ends = sum(1 for read in control.reads() if read["offset"])
            assert control.counters["reads"] - ends == times


def test_changes_of_the_source_are_seen(storage: Storage, source: Path, mount: Path) -> None:
    with storage(valid_ms=0):
        with (mount / "file").open("rb") as held:
            (source / "new").write_bytes(b"other")
            (source / "new").rename(source / "file")
            assert (mount / "file").read_bytes() == b"other"
            with pytest.raises(OSError, match="Stale"):
                Path(f"/proc/self/fd/{held.fileno()}").read_bytes()
        (source / "file").unlink()
        assert not (mount / "file").exists()


def test_one_command_alone_sees_it(slow_program: Path, source: Path, mount: Path) -> None:
    slow = Slow(slow_program, source, mount)
    assert subprocess.run(slow.argv("cmp", str(mount / "file"), str(source / "file")), check=False).returncode == 0
    assert subprocess.run(slow.argv("sh", "-c", "exit 7"), check=False).returncode == 7
    assert not list(mount.iterdir())


def test_readahead_of_the_mount_is_set(storage: Storage, mount: Path) -> None:
    with storage(readahead_bytes=4 << 20):
        device = mount.stat().st_dev
        bdi = Path(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb")
        assert int(bdi.read_text()) == 4096


def test_a_storage_that_is_not_as_asked_is_not_measured(slow_program: Path, source: Path, mount: Path) -> None:
    slow = Slow(slow_program, source, mount, Settings(latency_us=5003))
    with slow.mounted() as control:
        control.set(latency_us=0)
        with pytest.raises(AssertionError, match="5003 us were asked"):
            slow.check(control)
    with pytest.raises(AssertionError, match="ended before"), Slow(slow_program, source, mount / "none").mounted():
        pass
    assert not slow.is_mounted()
