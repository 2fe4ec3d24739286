"""Mounts that are in use, set otherwise and set back: by the kernel's settings, and JuiceFS by mounting it again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.bench.backends.juicefs import JuiceFS
from tests.kernel.tool import SECONDS, Stepwell, wait_until
from tests.storage.conftest import Storage
from tests.storage.slow import Settings, Slow
from tests.unit.prefetch.test_native import Workers

from stepwell.mounts import Mount, MountError, juicefs, kernel, mount_of, mounts
from stepwell.mounts.notes import left
from stepwell.mounts.tuned import Tuned, restore_left
from stepwell.prefetch.requests import Kind
from stepwell.steer.held_open import HeldOpen

SIZE = 523 << 20
"""Bytes of a file on JuiceFS: so many blocks that a reader at random does not soon find all of them in its cache."""
USUAL = {"prefetch": 1, "max-readahead": 32, "buffer-size": 300}
SPARSE = {"prefetch": 0, "max-readahead": 0}

READS = 401
READER = """
import hashlib, os, random, sys
fd, rng, digest = os.open(sys.argv[1], os.O_RDONLY), random.Random(7), hashlib.sha256()
for _ in range(int(sys.argv[2])):
    digest.update(os.pread(fd, 4096, rng.randrange(os.fstat(fd).st_size // 4096) * 4096))
print(digest.hexdigest(), flush=True)
"""


def here(point: Path) -> Mount:
    found = mount_of(str(point), mounts())
    assert found
    assert found.point == str(point)
    return found


def as_nobody(work: Callable[[], str]) -> str:
    """Return what a function says when an ordinary user calls it."""
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        os.setgroups([])
        os.setgid(65_534)
        os.setuid(65_534)
        os.write(writing, work().encode())
        os._exit(0)
    os.close(writing)
    said = os.read(reading, 1 << 16)
    os.close(reading)
    assert os.waitpid(pid, 0)[1] == 0
    return said.decode()


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "notes"


# ---- the kernel's settings ----


@pytest.fixture
def slow_mount(storage: Storage, source: Path, mount: Path) -> Iterator[Mount]:
    (source / "file").write_bytes(bytes(4096))
    with storage():
        yield here(mount)


def test_read_ahead_is_set_and_set_back(slow_mount: Mount, notes: Path) -> None:
    before = kernel.settings(slow_mount)["read_ahead_kb"]
    tuned = Tuned(slow_mount, notes)
    tuned.apply({"read_ahead_kb": 4096})
    assert kernel.settings(slow_mount)["read_ahead_kb"] == 4096
    tuned.restore()
    tuned.close()
    assert kernel.settings(slow_mount)["read_ahead_kb"] == before
    assert list(notes.iterdir()) == []


def test_what_the_kernel_refuses_leaves_all_as_it_was(slow_mount: Mount, notes: Path) -> None:
    before = kernel.settings(slow_mount)
    tuned = Tuned(slow_mount, notes)
    with pytest.raises(MountError, match="cannot be set to -1"):
        tuned.apply({"read_ahead_kb": -1})
    tuned.close()
    assert kernel.settings(slow_mount) == before


def test_one_run_at_a_time_changes_a_mount(slow_mount: Mount, notes: Path) -> None:
    tuned = Tuned(slow_mount, notes)
    with pytest.raises(MountError, match="another"):
        Tuned(slow_mount, notes)
    tuned.close()
    Tuned(slow_mount, notes).close()


KILLED = """
import os, signal, sys
from pathlib import Path
from stepwell.mounts import mount_of, mounts
from stepwell.mounts.tuned import Tuned
tuned = Tuned(mount_of(sys.argv[1], mounts()), Path(sys.argv[2]))
tuned.apply({name: int(value) for name, value in (word.split("=") for word in sys.argv[3:])})
os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(mount: Mount, notes: Path, *changes: str) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, mount.point, str(notes), *changes], check=False)
    assert done.returncode == -signal.SIGKILL


def test_what_a_killed_run_has_left_is_undone_by_the_next(slow_mount: Mount, notes: Path) -> None:
    before = kernel.settings(slow_mount)["read_ahead_kb"]
    killed(slow_mount, notes, "read_ahead_kb=4096")
    assert [change.point for change in left(notes)] == [slow_mount.point]
    (said,) = restore_left(notes)
    assert "as before" in said
    assert kernel.settings(slow_mount)["read_ahead_kb"] == before
    assert list(left(notes)) == []
    assert list(notes.iterdir()) == []


def test_what_somebody_has_set_since_then_stays(slow_mount: Mount, notes: Path) -> None:
    killed(slow_mount, notes, "read_ahead_kb=4096")
    kernel.change(slow_mount, "read_ahead_kb", 512)
    list(restore_left(notes))
    assert kernel.settings(slow_mount)["read_ahead_kb"] == 512


def test_a_note_of_a_mount_that_is_gone_is_nothing_to_undo(storage: Storage, mount: Path, notes: Path) -> None:
    with storage():
        killed(here(mount), notes, "read_ahead_kb=4096")
    assert list(left(notes)) == []
    assert list(notes.iterdir()) == []


def test_without_privileges_nothing_can_be_set(slow_mount: Mount) -> None:
    assert as_nobody(lambda: str(kernel.settings(slow_mount))) == "{}"


# ---- JuiceFS ----


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JuiceFS]:
    work = tmp_path_factory.mktemp("juicefs")
    yield JuiceFS.made(work / "volume", lambda directory: np.arange(SIZE // 4, dtype="<u4").tofile(directory / "large"))
    shutil.rmtree(work)


def content(offset: int) -> bytes:
    """Return the 4 KiB of the large file that begin at an offset."""
    return np.arange(offset // 4, offset // 4 + 1024, dtype="<u4").tobytes()


@contextlib.contextmanager
def reading(path: Path) -> Iterator[list[int]]:
    """Read at random with one open file, all the time; at the end each byte must have been the right one."""
    stop, counts = threading.Event(), [0]
    wrong: list[object] = []

    def read() -> None:
        descriptor, rng = os.open(path, os.O_RDONLY), random.Random(3)
        while not stop.is_set():
            offset = rng.randrange(SIZE // 4096) * 4096
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            try:
                if os.pread(descriptor, 4096, offset) != content(offset):
                    wrong.append(offset)
            except OSError as error:
                wrong.append(error)
            counts[0] += 1
        os.close(descriptor)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield counts
    finally:
        stop.set()
        thread.join(SECONDS)
    assert wrong == []


def test_open_files_are_read_on_while_juicefs_is_mounted_again(volume: JuiceFS, notes: Path) -> None:
    with volume.in_background(volume.objects) as point, reading(point / "large") as counts:
        tuned = Tuned(here(point), notes)
        assert tuned.refused == ""
        assert {name: tuned.settings[name] for name in juicefs.NAMES} == USUAL
        for _ in range(2):
            tuned.apply(SPARSE)
            assert juicefs.find(here(point)).options == {"prefetch": 0, "max-readahead": 0, "buffer-size": 300}
            before = counts[0]
            wait_until(lambda: counts[0] > before + 17, "nothing is read any more")  # noqa: B023
            tuned.restore()
        tuned.close()
        assert juicefs.find(here(point)).options == USUAL
        assert sum(one.point == str(point) for one in mounts()) == 1


def test_options_that_were_given_are_given_again(volume: JuiceFS, notes: Path) -> None:
    with volume.in_background(volume.objects, "--prefetch=2", "--buffer-size", "128") as point:
        arguments = juicefs.find(here(point)).arguments
        tuned = Tuned(here(point), notes)
        tuned.apply(SPARSE)
        tuned.restore()
        tuned.close()
        assert sorted(juicefs.find(here(point)).arguments) == sorted(
            "--prefetch" if word == "--prefetch=2" else word for word in (*arguments, "2")
        )


def test_a_client_that_refuses_to_be_mounted_again_serves_on(volume: JuiceFS, notes: Path) -> None:
    with volume.in_background(volume.objects) as point, reading(point / "large"):
        meta = volume.work / "meta.db"
        tuned = Tuned(here(point), notes)
        aside = meta.rename(volume.work / "aside.db")
        meta.mkdir()
        try:
            with pytest.raises(MountError, match="refuses to mount"):
                tuned.apply(SPARSE)
        finally:
            meta.rmdir()
            aside.rename(meta)
        tuned.close()
        assert juicefs.find(here(point)).options["prefetch"] == 1
        assert list(notes.iterdir()) == []


def test_what_is_mounted_on_top_is_taken_away_again(volume: JuiceFS) -> None:
    with volume.in_background(volume.objects) as point, reading(point / "large"):
        client = juicefs.find(here(point))
        other = replace(client, arguments=(*client.arguments[:2], "--max-fuse-io", "64K", *client.arguments[2:]))
        with pytest.raises(MountError, match="did not take"):
            juicefs.again(here(point), other, {"prefetch": "0"})
        assert sum(one.point == str(point) for one in mounts()) == 1
        assert juicefs.find(here(point)) == client


@pytest.mark.parametrize("held", [False, True])
def test_what_is_in_memory_of_a_file_that_is_open_stays_there_if_it_is_held_open_after_mounting_again(
    volume: JuiceFS, *, held: bool
) -> None:
    with volume.in_background(volume.objects) as point, (point / "large").open("rb", buffering=0) as file:
        juicefs.again(here(point), juicefs.find(here(point)), {"prefetch": "0"})
        held_open = HeldOpen()
        held_open.hold([file.name] if held else [])
        assert len(file.read(131_072)) == 131_072
        workers = Workers(point)
        assert (workers("large", 0, 131_072, Kind.LOOK).resident == 131_072) is held
        held_open.keep([])


def test_a_client_in_the_foreground_is_left_alone(volume: JuiceFS, notes: Path) -> None:
    with volume._serving("--read-only", "--cache-dir", str(volume.work / "cache")):
        tuned = Tuned(here(volume.point), notes)
        assert "foreground" in tuned.refused
        assert not SPARSE.keys() & tuned.settings.keys()
        tuned.close()


def test_juicefs_left_changed_by_a_killed_run_is_set_back(volume: JuiceFS, notes: Path) -> None:
    with volume.in_background(volume.objects) as point, reading(point / "large"):
        killed(here(point), notes, "prefetch=0", "max-readahead=0")
        assert juicefs.find(here(point)).options["prefetch"] == 0
        (said,) = restore_left(notes)
        assert "as before" in said
        assert juicefs.find(here(point)).options == USUAL


def test_of_another_user_s_client_nothing_is_changed(volume: JuiceFS) -> None:
    def asked(mount: Mount) -> str:
        try:
            return str(juicefs.find(mount))
        except MountError as error:
            return str(error)

    with volume.in_background(volume.objects) as point:
        assert "run as its user" in as_nobody(partial(asked, here(point)))


# ---- stepwell run --tune-mounts ----


@pytest.fixture
def far(volume: JuiceFS, slow_program: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Return a file on JuiceFS whose objects are 20 ms away."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    settings = Settings(open_us=20_000, direct=1)
    with (
        Slow(slow_program, volume.objects, volume.slow, settings).mounted(),
        volume.in_background(volume.slow) as point,
    ):
        yield point / "large"


def reader(file: Path, reads: int = READS) -> list[str]:
    return ["--", sys.executable, "-c", READER, str(file), str(reads)]


@pytest.fixture
def expected() -> str:
    rng, digest = random.Random(7), hashlib.sha256()
    for _ in range(READS):
        digest.update(content(rng.randrange(SIZE // 4096) * 4096))
    return digest.hexdigest() + "\n"


def options(file: Path) -> dict[str, int]:
    """Return the options of the client that serves a file; while it changes, the next one answers."""
    chunk = json.loads((file.parent / ".config").read_text())["Chunk"]
    return dict(zip(USUAL, (chunk["Prefetch"], chunk["Readahead"] >> 20, chunk["BufferSize"] >> 20), strict=True))


def wait_until_changed(file: Path, process: subprocess.Popen[str]) -> None:
    try:
        wait_until(lambda: options(file)["prefetch"] == 0, "the mount is not changed")
    except AssertionError:
        process.terminate()
        pytest.fail(str(process.communicate()[1]))


@pytest.mark.kernel
def test_run_keeps_juicefs_from_fetching_whole_blocks_while_it_lasts(
    stepwell: Stepwell, far: Path, expected: str
) -> None:
    done = stepwell.run("run", "--tune-mounts", *reader(far))
    assert (done.returncode, done.stdout) == (0, expected), done.stderr
    assert "set to prefetch 0, max-readahead 0" in done.stderr
    assert options(far) == USUAL
    ((plan,),) = stepwell.rows("select plan from plans where trace = 1")
    assert [(one["name"], one["value"]) for one in json.loads(plan)["settings"]] == [
        ("prefetch", "0"),
        ("max-readahead", "0"),
    ]


UNTIL_MORE_IS_READ_AHEAD = """
import json, os, sys
fd, config = os.open(sys.argv[1], os.O_RDONLY), os.path.join(os.path.dirname(sys.argv[1]), ".config")
while json.load(open(config))["Chunk"]["Readahead"] >> 20 != 128:
    if not sum(len(os.read(fd, 131_072)) for _ in range(73)):
        os.lseek(fd, 0, os.SEEK_SET)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
"""


@pytest.mark.kernel
def test_run_tries_whether_more_read_ahead_pays(stepwell: Stepwell, far: Path) -> None:
    done = stepwell.run("run", "--tune-mounts", "--", sys.executable, "-c", UNTIL_MORE_IS_READ_AHEAD, str(far))
    assert done.returncode == 0, done.stderr
    assert "max-readahead 128, buffer-size 600: it is read along files" in done.stderr
    assert options(far) == USUAL


@pytest.mark.kernel
def test_recommending_tells_the_command_and_changes_nothing(stepwell: Stepwell, far: Path, expected: str) -> None:
    arguments = juicefs.find(here(far.parent)).arguments
    done = stepwell.run("run", "--tune-mounts", "--mode", "recommend", *reader(far))
    assert (done.returncode, done.stdout) == (0, expected), done.stderr
    assert f"{shlex.join((*arguments[:2], '--prefetch', '0', '--max-readahead', '0', *arguments[2:]))}\n" in done.stderr
    assert juicefs.find(here(far.parent)).arguments == arguments


@pytest.mark.kernel
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_sets_the_mount_back(stepwell: Stepwell, far: Path, number: int) -> None:
    with stepwell.start("run", "--tune-mounts", *reader(far, 1_000_003)) as process:
        wait_until_changed(far, process)
        process.send_signal(number)
        assert process.wait(SECONDS) == 128 + number
    assert options(far) == USUAL


@pytest.mark.kernel
def test_when_run_is_killed_the_reader_reads_on_and_the_next_run_sets_the_mount_back(
    stepwell: Stepwell, far: Path, expected: str, tmp_path: Path
) -> None:
    with (
        (tmp_path / "out").open("w") as out,
        stepwell.start("run", "--tune-mounts", *reader(far), stdout=out) as process,
    ):
        wait_until_changed(far, process)
        process.kill()
    wait_until((tmp_path / "out").read_text, "the reader does not end")
    assert (tmp_path / "out").read_text() == expected
    assert options(far)["prefetch"] == 0
    assert str(far.parent) in stepwell.run("doctor").stdout
    assert "as before" in stepwell.run("run", "--", "true").stderr
    assert options(far) == USUAL


@pytest.mark.kernel
def test_settings_of_a_plan_hold_from_the_start_to_the_end(stepwell: Stepwell, far: Path, tmp_path: Path) -> None:
    assert stepwell.run("record", *reader(far, 211)).returncode == 0
    plan = tmp_path / "plan.yaml"
    plan.write_text(stepwell.run("plan", "1", "-o", "yaml").stdout)
    done = stepwell.run("run", "--plan", str(plan), "--tune-mounts", "--", "cat", str(far.parent / ".config"))
    assert done.returncode == 0, done.stderr
    chunk = json.loads(done.stdout)["Chunk"]
    assert (chunk["Prefetch"], chunk["Readahead"]) == (0, 0)
    assert "set to prefetch 0, max-readahead 0 as the plan says" in done.stderr
    assert options(far) == USUAL
    done = stepwell.run("run", "--plan", str(plan), "--", "cat", str(far.parent / ".config"))
    assert json.loads(done.stdout)["Chunk"]["Prefetch"] == 1, "a plan alone is no consent"
