"""The workers and what the kernel tells, on real files."""

from __future__ import annotations

import errno
import os
import resource
import select
import subprocess
import sys
from pathlib import Path

import pytest
from tests.kernel.tool import wait_until

from stepwell.prefetch.native.inotify import Inotify
from stepwell.prefetch.native.library import Answer, Pool, open_directory
from stepwell.prefetch.requests import Kind

SIZE = 1_000_003
PAGES = -(-SIZE // 4096)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    for name in ("file", "deep/file"):
        (tmp_path / name).write_bytes(os.urandom(SIZE))
    os.sync()
    evict(tmp_path / "file")
    return tmp_path


def evict(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


class Workers:
    def __init__(self, root: Path) -> None:
        self.pool = Pool()
        self.root = self.pool.root(str(root))
        self.number = 0

    def __call__(self, path: str, offset: int, size: int, kind: Kind = Kind.READ) -> Answer:
        self.number += 1
        self.pool.submit(self.number, self.root, path, offset, size, kind)
        assert select.select([self.pool.event], [], [], 60)[0]
        (answer,) = self.pool.take()
        assert answer.number == self.number
        assert answer.begin_ns <= answer.end_ns
        return answer


@pytest.mark.parametrize("kind", [Kind.READ, Kind.WILLNEED])
def test_what_is_asked_for_comes_and_nothing_else(root: Path, kind: Kind) -> None:
    workers = Workers(root)
    assert workers("file", 0, SIZE, Kind.LOOK).resident == 0
    answer = workers("file", 40_960, 131_072, kind)
    assert (answer.brought, answer.resident, answer.file_size, answer.error) == (131_072, 0, SIZE, 0)
    assert workers("file", 0, SIZE, Kind.LOOK).resident == 131_072
    # Where a file begins, the kernel would read ahead by itself.
    assert workers("file", 0, 4096, kind).brought == 4096
    assert workers("file", 0, SIZE, Kind.LOOK).resident == 131_072 + 4096
    stat = (root / "file").stat()
    assert (answer.dev, answer.ino) == (stat.st_dev, stat.st_ino)


def test_each_block_has_an_open_file_of_its_own(root: Path) -> None:
    workers = Workers(root)
    for offset, opened in ((0, 1), (65_536, 1)):
        answer = workers("file", offset, 65_536, Kind.BLOCK)
        assert (answer.brought, answer.error, answer.opened) == (65_536, 0, opened)
    answers = [workers("file", offset, 4096) for offset in (200_704, 204_800)]
    assert [answer.opened for answer in answers] == [1, 0]


def test_what_is_there_is_not_read_again(root: Path) -> None:
    workers = Workers(root)
    workers("file", 0, 65_536)
    answer = workers("file", 0, 65_536)
    assert (answer.brought, answer.resident) == (0, 65_536)
    answer = workers("file", 32_768, 65_536)
    assert (answer.brought, answer.resident) == (32_768, 32_768)


def test_requests_end_where_the_file_ends(root: Path) -> None:
    workers = Workers(root)
    assert workers("file", SIZE - 17, 131_072).brought == 17
    answer = workers("file", SIZE + 4096, 131_072)
    assert (answer.brought, answer.resident, answer.error) == (0, 0, 0)


def test_what_is_dropped_is_gone(root: Path) -> None:
    workers = Workers(root)
    workers("file", 0, SIZE)
    workers("file", 0, 65_536, Kind.DROP)
    assert workers("file", 0, 65_536, Kind.LOOK).resident == 0
    assert workers("file", 65_536, SIZE, Kind.LOOK).resident == SIZE - 65_536


def test_only_files_below_the_root_are_opened(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "secret").write_bytes(b"secret")
    (root / "link").symlink_to("file")
    (root / "out").symlink_to(other)
    os.mkfifo(root / "fifo")
    workers = Workers(root)
    errors = {
        path: workers(path, 0, 4096).error
        for path in ("link", "out/secret", f"../{other.name}/secret", "fifo", "deep", "absent", "deep/../file")
    }
    assert errors == {
        "link": errno.EINVAL,
        "out/secret": errno.ELOOP,
        f"../{other.name}/secret": errno.EXDEV,
        "fifo": errno.EINVAL,
        "deep": errno.EISDIR,
        "absent": errno.ENOENT,
        "deep/../file": 0,
    }
    assert sorted(os.listdir(open_directory(str(root), "deep"))) == ["file"]  # noqa: PTH208
    for path, code in ((f"../{other.name}", errno.EXDEV), ("out", errno.ENOTDIR), ("file", errno.ENOTDIR)):
        with pytest.raises(OSError, match=path) as raised:
            open_directory(str(root), path)
        assert raised.value.errno == code


def test_files_that_nothing_is_asked_of_are_closed_and_read_without_changing_their_time(root: Path) -> None:
    workers, before = Workers(root), (root / "file").stat().st_atime_ns

    def is_open() -> bool:
        return any(str(root) in os.path.realpath(f"/proc/self/fd/{one}") for one in os.listdir("/proc/self/fd"))  # noqa: PTH208

    workers("file", 0, 4096)
    wait_until(lambda: not is_open(), "it stays open")
    assert (root / "file").stat().st_atime_ns == before


def test_many_small_files_need_few_descriptors(root: Path) -> None:
    for number in range(1009):
        (root / f"{number}").write_bytes(b"small")
    workers = Workers(root)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        assert {workers(f"{number}", 0, 131_072).error for number in range(1009)} == {0}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_replaced_file_is_another_one_within_a_second_or_so(root: Path) -> None:
    workers = Workers(root)
    first = workers("file", 0, 4096).ino
    (root / "new").write_bytes(bytes(17))
    (root / "new").rename(root / "file")
    wait_until(lambda: workers("file", 0, 1, Kind.LOOK).ino != first, "the old file stays")
    assert workers("file", 0, 4096).file_size == 17


def test_many_at_once_are_all_answered(root: Path) -> None:
    pool = Pool()
    number = pool.root(str(root))
    for one in range(251):
        pool.submit(one, number, "file", one * 4096, 4096, Kind.READ)
    answers: list[Answer] = []

    def all_answered() -> bool:
        answers.extend(pool.take())
        return len(answers) == 251

    wait_until(all_answered, "not all are answered")
    assert sorted(one.number for one in answers) == list(range(251))
    assert sum(one.brought + one.resident for one in answers) == min(251 * 4096, SIZE)


def test_opens_are_told_by_inotify(root: Path) -> None:
    (root / "other").write_bytes(b"")
    inotify = Inotify()
    inotify.watch(str(root))
    inotify.watch(str(root))
    for name in ("file", "other", "file", "deep/file"):
        (root / name).read_bytes()
    os.close(os.open(root / "other", os.O_PATH))
    assert inotify.opened() == [str(root / name) for name in ("file", "other", "file")]
    assert inotify.opened() == []
    with pytest.raises(FileNotFoundError):
        inotify.watch(str(root / "absent"))
    os.close(inotify.descriptor)


WITHOUT_CACHESTAT = """
import ctypes, struct, sys
sys.path[:0] = {path!r}
# seccomp: system call 451 does not exist, all others do
code = [(0x20, 0, 0, 0), (0x15, 0, 1, 451), (0x06, 0, 0, 0x00050000 | 38), (0x06, 0, 0, 0x7FFF0000)]
table = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in code))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(table)))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0
from pathlib import Path
from tests.unit.prefetch.test_native import SIZE, Kind, Workers
workers = Workers(Path({root!r}))
print(workers("file", 0, SIZE, Kind.LOOK).resident, workers("file", 40_960, 131_072).brought,
      workers("file", 0, 131_072).resident, workers("file", 0, SIZE, Kind.LOOK).resident)
"""


def test_older_kernels_are_asked_by_mincore(root: Path) -> None:
    program = WITHOUT_CACHESTAT.format(path=sys.path, root=str(root))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "131072", "90112", "172032"]
