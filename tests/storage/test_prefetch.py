"""The prefetch engine beside a reader on a slow storage: what the storage is asked for, and that nothing breaks."""

from __future__ import annotations

import errno
import json
import os
import random
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from tests.kernel.tool import SECONDS, wait_until
from tests.storage.engine import PROGRAM, Reader, running
from tests.storage.slow import Control, Settings, Slow, is_waiting

from stepwell.prefetch.issuer import Issuer, Told
from stepwell.prefetch.native.library import Pool
from stepwell.prefetch.protocol import Budget, Entry, Order, Policy, Stop
from stepwell.prefetch.requests import Kind

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="this machine has no /dev/fuse"),
]

BLOCK = 128 << 10
COUNT = 61

Storage = Callable[..., AbstractContextManager[Control]]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    (source / "big").write_bytes(random.Random(1).randbytes(COUNT * BLOCK - 1009))
    with (source / "sparse").open("wb") as file:
        file.truncate(COUNT * (8 << 20))
    for number in range(COUNT):
        (source / f"{number:03d}").write_bytes(random.Random(number).randbytes(20_011))
    return source


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    (tmp_path / "mount").mkdir()
    return tmp_path / "mount"


@pytest.fixture
def storage(slow_program: Path, source: Path, mount: Path) -> Storage:
    def mounted(**settings: int) -> AbstractContextManager[Control]:
        return Slow(slow_program, source, mount, Settings(**({"latency_us": 5003} | settings))).mounted()

    return mounted


def pages(reads: np.ndarray) -> list[int]:
    """Numbers of all pages that the storage was asked for, each as often as it was."""
    return [
        page
        for read in reads
        for page in range(int(read["offset"]) // 4096, -(-int(read["offset"] + read["size"]) // 4096))
    ]


def text(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def read_all(path: Path, order: list[str]) -> subprocess.CompletedProcess[bytes]:
    """Read files by another process, which prints all bytes."""
    program = "import sys; [sys.stdout.buffer.write(open(name, 'rb').read()) for name in sys.argv[1:]]"
    argv = [sys.executable, "-c", program, *(str(path / name) for name in order)]
    return subprocess.run(argv, capture_output=True, check=True)


def test_ahead_of_a_sequential_reader_every_byte_comes_once(storage: Storage, source: Path, mount: Path) -> None:
    with storage() as control, running(mount) as engine:
        reader = Reader(engine, mount / "big")
        data = b"".join(reader.read(number * BLOCK, BLOCK) for number in range(COUNT))
        reader.close()
        totals = engine.end().totals
        assert data == (source / "big").read_bytes()
        assert sorted(pages(control.reads(source / "big"))) == list(range(-(-len(data) // 4096)))
        assert control.counters["most_in_flight"] > 1
    assert totals.used_bytes + totals.late_bytes == totals.brought_bytes > len(data) // 2


def test_a_touch_asks_a_client_for_a_page_of_each_block_and_fills_no_page_cache(
    storage: Storage, source: Path, mount: Path
) -> None:
    """A block that the client has by then comes at once: nothing was brought in."""
    with storage(keeps=1) as control:
        pool = Pool()
        root = pool.root(str(mount))

        def bring(offset: int, kind: Kind) -> tuple[int, int, int]:
            pool.submit(1, root, "sparse", offset, 4 << 20, kind)
            assert select.select([pool.event], [], [], SECONDS)[0]
            (answer,) = pool.take()
            return answer.brought, answer.resident, answer.error

        assert bring(8 << 20, Kind.TOUCH) == (4 << 20, 0, 0)
        assert bring(12 << 20, Kind.TOUCH) == (4 << 20, 0, 0)
        assert bring(8 << 20, Kind.TOUCH) == (0, 4 << 20, 0)
        assert bring(8 << 20, Kind.LOOK) == (0, 0, 0)
        reads = control.reads(source / "sparse")
        assert [(read["offset"], read["size"]) for read in reads] == [(at << 20, 4096) for at in (8, 12, 8)]


def test_ahead_of_a_strided_reader_only_the_strides_come(storage: Storage, source: Path, mount: Path) -> None:
    with storage() as control, running(mount) as engine:
        reader = Reader(engine, mount / "sparse")
        for number in range(COUNT):
            reader.read(number << 23, 64 << 10)
            if number == 7:
                engine.wait("the stride is not found", lambda status: status.totals.requests > 0)
        found = engine.end()
        wanted = [page + (number << 11) for number in range(COUNT) for page in range(16)]
        assert sorted(pages(control.reads(source / "sparse"))) == wanted
    assert [head.policy for head in found.heads] == [Policy.STRIDED]


def test_a_known_order_is_followed_by_inotify(storage: Storage, source: Path, mount: Path, tmp_path: Path) -> None:
    """Without a collector: the reader's opens are seen, the engine's own are not taken for them."""
    order = [f"{number:03d}" for number in range(COUNT)]
    random.Random(3).shuffle(order)
    (tmp_path / "order").write_text("".join(f"{name}\n" for name in order))
    with storage() as control:
        engine = subprocess.Popen(
            [*PROGRAM, "--root", mount, "--order", tmp_path / "order", "--memory", "256KiB", "-o", "json",
             "--status", tmp_path / "status"],
            stdout=subprocess.PIPE,
        )  # fmt: skip
        wait_until(lambda: b"bytes are ahead" in text(tmp_path / "status"), "the memory is not filled")
        # 256 KiB hold 13 of 61 files at most, so that the rest waits for the reader.
        assert 7 <= control.counters["reads"] <= 13
        done = read_all(mount, order)
        out, _ = engine.communicate(timeout=SECONDS)
        assert done.stdout == b"".join((source / name).read_bytes() for name in order)
        assert control.counters["reads"] == COUNT
    status = json.loads(out)
    assert status["most_ahead_bytes"] <= 256 << 10
    assert status["totals"]["used_bytes"] > COUNT * 20_011 // 2
    assert status["order_length"] == COUNT


def test_an_order_that_fits_is_brought_in_at_once(storage: Storage, mount: Path, tmp_path: Path) -> None:
    (tmp_path / "order").write_text("big\t131072\t262144\n001\nbig\t7340032\t999999999\n")
    with storage() as control:
        done = subprocess.run(
            [*PROGRAM, "--root", mount, "--order", tmp_path / "order"], capture_output=True, check=True, text=True
        )
        tail = COUNT * BLOCK - 1009 - 7340032
        assert sum(control.reads()["size"].tolist()) >= 262144 + 20_011 + tail
        assert "of 2 files; " in done.stdout
        before = control.counters["reads"]
        assert (mount / "001").read_bytes()
        assert control.counters["reads"] == before


def test_an_ordinary_user_may_run_it(storage: Storage, mount: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:3]:
        parent.chmod(parent.stat().st_mode | 0o055)
    user = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all")
    with storage() as control, running(mount, prefix=user) as engine:
        engine.tell(Order(tuple(Entry(f"{number:03d}") for number in range(COUNT)), done=True))
        status = engine.wait("not all comes", lambda status: status.totals.requests == COUNT)
        assert (status.errors, status.totals.brought_bytes) == ({}, COUNT * 20_011)
        assert control.counters["reads"] == COUNT


def test_only_files_below_the_root_are_opened(storage: Storage, source: Path, mount: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret" * 1009)
    (source / "out").symlink_to(tmp_path / "secret")
    (source / "in").symlink_to("001")
    (source / "directory").mkdir()
    os.mkfifo(source / "fifo")
    names = ["out", "in", "directory", "directory/../../secret", "fifo", "absent", "/etc/passwd", "nul\0"]
    with storage() as control, running(mount) as engine:
        engine.tell(Order(tuple(Entry(name) for name in names)), Order((Entry("002"),)))
        status = engine.wait("the good one does not come", lambda status: status.totals.brought_bytes > 0)
        # What lies beside the root is no business of the engine, so it does not even fail.
        assert (status.totals.requests, sum(status.errors.values())) == (8, 7)
        assert control.counters["opens"] == 1


@pytest.mark.parametrize("what", ["delete", "truncate", "replace"])
def test_files_that_change_under_it_are_survived(storage: Storage, source: Path, mount: Path, what: str) -> None:
    with storage(valid_ms=0) as control, running(mount) as engine:
        reader = Reader(engine, mount / "big")
        for number in range(COUNT):
            if number == 11:
                if what == "delete":
                    (source / "big").unlink()
                elif what == "truncate":
                    os.truncate(source / "big", 17 * BLOCK)
                else:
                    (source / "new").write_bytes(bytes(31 * BLOCK))
                    (source / "new").rename(source / "big")
            try:
                reader.read(number * BLOCK, BLOCK)
            except OSError:
                break
        engine.tell(Order((Entry("001"),)))
        engine.wait("it does not go on", lambda status: status.order_position == 1 or status.totals.opened_files == 2)
        assert control.counters["reads"] > 11


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ENOTCONN])
def test_errors_of_the_storage_are_counted_by_name(storage: Storage, mount: Path, code: int) -> None:
    with storage(fail_permille=1000, fail_errno=code) as control, running(mount) as engine:
        engine.tell(Order(tuple(Entry(f"{number:03d}") for number in range(11))))
        status = engine.wait("not all fails", lambda status: status.totals.failed_requests == 11)
        assert status.errors == {errno.errorcode[code]: 11}
        control.set(fail_permille=0)
        engine.tell(Order((Entry("big"),)))
        engine.wait("it does not go on", lambda status: status.totals.brought_bytes == COUNT * BLOCK - 1009)


def test_a_hung_read_holds_up_neither_others_nor_the_end(storage: Storage, mount: Path) -> None:
    with storage(hang_at=3) as control, running(mount) as engine:
        engine.tell(Budget(in_flight=4), Order(tuple(Entry(f"{number:03d}") for number in range(COUNT))))
        status = engine.wait("the others do not come", lambda status: status.totals.requests == COUNT - 1)
        assert (status.in_flight, control.counters["hung"]) == (1, 1)
        engine.tell(Stop())
        wait_until(lambda: bool(engine.statuses) and engine.status.state == "ended", "it does not end")
        assert engine.process.wait(SECONDS) == 0


@pytest.mark.parametrize("how", ["term", "parent"])
def test_it_ends_where_not_even_a_name_is_looked_up(storage: Storage, source: Path, mount: Path, how: str) -> None:
    (source / "below").mkdir()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as parent, storage() as control, control.stopped():
        argv = [*PROGRAM, "--root", str(mount / "below"), "--stdin", "--parent", str(parent.pid)]
        with subprocess.Popen(argv, stdin=subprocess.PIPE) as engine:
            try:
                wait_until(lambda: is_waiting(engine.pid), "it does not look at the storage")
                (engine if how == "term" else parent).send_signal(signal.SIGTERM)
                assert engine.wait(SECONDS) == 1
            finally:
                engine.kill()
                parent.kill()


def test_a_storage_that_answers_nothing_keeps_no_other_from_being_asked(
    storage: Storage, source: Path, mount: Path, tmp_path: Path
) -> None:
    issuer = Issuer()
    (source / "below").mkdir()
    with storage() as control:
        with control.stopped():
            issuer.add_root(str(mount / "below"))
            wait_until(lambda: bool(issuer._asking), "nobody asks")
            for root in (tmp_path, mount / "below"):
                issuer.add_root(str(root), anew=True)
            assert select.select([issuer.told], [], [], SECONDS)[0]
            assert [told.root for told in issuer.answers()] == [str(tmp_path)]
        # Asked while the first question was open, the second follows it.
        answers: list[Told] = []
        while len(answers) < 2:
            assert select.select([issuer.told], [], [], SECONDS)[0]
            answers += issuer.answers()
    assert [(told.root, told.mounted is not None) for told in answers] == [(str(mount / "below"), True)] * 2


def test_the_storage_may_die(storage: Storage, mount: Path) -> None:
    with storage(die_at=7) as control, running(mount) as engine:
        engine.tell(Order(tuple(Entry(f"{number:03d}") for number in range(COUNT))))
        status = engine.wait("not all ends", lambda status: status.totals.requests == COUNT)
        assert status.totals.failed_requests > COUNT // 2
        assert control.counters["reads"] >= 7
        assert engine.end().state == "ended"


def test_it_keeps_no_mount_from_being_unmounted(storage: Storage, mount: Path) -> None:
    with storage(), running(mount) as engine:
        engine.tell(Order((Entry("big"), Entry("001"), Entry("sparse", 0, 4096))))
        engine.wait("nothing comes", lambda status: status.totals.opened_files == 3)
        umount = ["umount", str(mount)]
        wait_until(lambda: not subprocess.run(umount, check=False, stderr=subprocess.DEVNULL).returncode, "it is busy")
        assert engine.process.poll() is None


@pytest.mark.parametrize("how", ["input", "stop", "term", "parent"])
def test_it_ends_with_a_last_status_when_told(how: str, mount: Path) -> None:
    parent = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    with running(mount, "--parent", str(parent.pid)) as engine:
        engine.wait("it does not begin", lambda status: status.state == "acting")
        if how == "stop":
            engine.tell(Stop())
        elif how == "term":
            engine.process.send_signal(signal.SIGTERM)
        elif how == "parent":
            parent.kill()
            parent.wait()
        if how != "input":
            assert engine.process.wait(SECONDS) == 0
        assert engine.end().state == "ended"
    parent.kill()
    parent.communicate()


def test_a_killed_engine_changes_nothing_for_the_reader(storage: Storage, source: Path, mount: Path) -> None:
    with storage(), running(mount) as engine:
        reader = Reader(engine, mount / "big")
        data = [reader.read(number * BLOCK, BLOCK) for number in range(31)]
        engine.process.kill()
        engine.process.wait(SECONDS)
        with (mount / "big").open("rb") as file:
            file.seek(31 * BLOCK)
            data.append(file.read())
        assert b"".join(data) == (source / "big").read_bytes()
