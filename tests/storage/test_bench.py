"""`stepwell bench` on a storage whose speed is known and whose reads are counted."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.kernel.tool import SECONDS, Stepwell, ended, wait_until
from tests.storage.conftest import Storage

from stepwell.bench.native.library import PLACE, Measurement
from stepwell.bench.reading import PATIENCE_S

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="this machine has no /dev/fuse"),
]

MIB = 1 << 20
PROBES = 22
LATENCY_US, BYTES_S = 4001, 50_000_000


@pytest.fixture(autouse=True)
def files(source: Path) -> None:
    for number in range(7):
        (source / str(number)).write_bytes(os.urandom(5 * MIB + 4097))
    (source / "small").write_bytes(b"x" * 4095)
    (source / "elsewhere").symlink_to("/etc/passwd")


def measured(stepwell: Stepwell, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = stepwell.run("bench", *arguments, "-o", "json")
    assert done.returncode == code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_read_goes_to_the_storage_and_is_accounted_for(stepwell: Stepwell, storage: Storage, mount: Path) -> None:
    with storage(latency_us=LATENCY_US, bytes_s=BYTES_S) as control:
        options = ("--block-size", "4KiB,64KiB,1MiB,4MiB", "--concurrency", "1,7", "--time", "2")
        found = measured(stepwell, str(mount), *options)
        counted, log = control.counters, control.reads()
    assert (found["status"], found["method"], found["filesystem"]) == ("complete", "direct", "fuse.slow")
    assert (found["files"], found["data_bytes"]) == (7, 7 * (5 * MIB + 4097))
    # Eleven places were read twice before, to see whether anybody keeps them.
    measured_bytes = sum(cell["reads"] * cell["block_bytes"] for cell in found["cells"])
    assert counted["bytes"] == found["read_bytes"] == measured_bytes + PROBES * 4096
    assert (found["certain"], found["doubts"]) == (True, [])
    assert [(cell["block_bytes"], cell["in_flight"]) for cell in found["cells"]] == [
        (block, threads) for block in (4096, 65_536, MIB, 4 * MIB) for threads in (1, 7)
    ]
    assert counted["most_in_flight"] == 7
    # The kernel asks for a MiB at most, so that blocks of 4 MiB are four reads.
    reads = sum(cell["reads"] * max(1, cell["block_bytes"] // MIB) for cell in found["cells"])
    assert counted["reads"] == len(log) == reads + PROBES
    assert found["request_bytes"] == MIB
    assert found["latency_ns"]["high"] >= LATENCY_US * 1000
    for cell in found["cells"]:
        assert cell["median_ns"] >= LATENCY_US * 1000 + cell["block_bytes"] * 10**9 // BYTES_S
        assert cell["p99_ns"] >= cell["median_ns"]
    choice = found["choice"]
    assert choice["bytes_s"] >= 0.9 * found["most_bytes_s"]


def test_the_page_has_what_was_measured(stepwell: Stepwell, storage: Storage, mount: Path) -> None:
    with storage(latency_us=LATENCY_US, bytes_s=BYTES_S):
        options = ("--block-size", "4KiB,1MiB", "--concurrency", "1,7", "--time", "2")
        done = stepwell.run("bench", str(mount), *options, "-o", "html")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("<!DOCTYPE html>")
    assert f"<bdi>{mount}</bdi>" in done.stdout
    assert [done.stdout.count(f'<th scope="row">{block}</th>') for block in ("4 KiB", "1 MiB")] == [2, 2]


def test_where_data_is_kept_on_the_way_every_place_is_read_once(
    stepwell: Stepwell, storage: Storage, mount: Path
) -> None:
    with storage(latency_us=20_011, keeps=1):
        found = measured(stepwell, str(mount), "--block-size", "4KiB", "--concurrency", "1,7", "--time", "5")
    # There are 14 granules of 4 MiB to read from, and eleven of them were for finding out.
    assert [(cell["in_flight"], cell["reads"], cell["repeated"]) for cell in found["cells"]] == [(1, 3, 0)]
    assert found["cells"][0]["median_ns"] >= 20_011_000
    assert found["certain"]
    assert "kept on the way" in found["doubts"][0]
    assert "1 combinations are left out" in found["doubts"][1]


def test_with_too_few_bytes_to_tell_it_is_not_sure(stepwell: Stepwell, storage: Storage, mount: Path) -> None:
    with storage():
        options = (str(mount), "--block-size", "4KiB", "--bytes")
        once = measured(stepwell, *options, str(7 * 4096), "--concurrency", "1")
        both = measured(stepwell, *options, str(17 * 4096), "--concurrency", "1,2")
    assert (once["certain"], once["doubts"], once["read_bytes"]) == (True, [], 7 * 4096)
    assert [(cell["reads"], cell["repeated"]) for cell in both["cells"]] == [(8, 0), (9, 3)]
    assert not both["certain"]
    assert "3 of 17 reads were of places read before" in both["doubts"][0]


def test_without_direct_reads_only_what_is_in_no_cache_is_read(
    stepwell: Stepwell, storage: Storage, source: Path, mount: Path
) -> None:
    with storage(refuse_direct=1) as control, (mount / "3").open("rb") as file:
        for number in range(7):
            (mount / str(number)).read_bytes()
        control.reset()
        # What is mapped and touched cannot be evicted.
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE):
            found = measured(stepwell, str(mount), "--block-size", "64KiB", "--concurrency", "1,3", "--time", "0.3")
        log = control.reads()
    assert found["method"] == "buffered"
    assert int(log["size"].sum()) == found["read_bytes"] > 0
    assert (source / "3").stat().st_ino not in set(log["inode"].tolist())
    assert any("because others use them" in doubt for doubt in found["doubts"])


def test_reads_that_fail_are_counted_and_left_out(stepwell: Stepwell, storage: Storage, mount: Path) -> None:
    with storage(fail_permille=300, seed=2) as control:
        found = measured(stepwell, str(mount), "--block-size", "4KiB", "--concurrency", "1,5", "--time", "0.7")
        failed = control.counters["failed"]
    assert 0 < sum(cell["failed"] for cell in found["cells"]) <= failed
    counted = sum(cell["failed"] for cell in found["cells"])
    assert any(f"{counted:,} reads failed" in doubt for doubt in found["doubts"])


def test_ctrl_c_ends_with_what_was_measured(stepwell: Stepwell, storage: Storage, mount: Path) -> None:
    with (
        storage(latency_us=LATENCY_US) as control,
        ended(stepwell.start("bench", str(mount), "--time", str(SECONDS), "-o", "json")) as process,
    ):
        wait_until(lambda: control.counters["reads"] >= 31, "nothing is read")
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    found = json.loads(output)
    assert found["status"] == "interrupted"
    assert sum(cell["reads"] for cell in found["cells"]) >= 31 - PROBES


def test_a_storage_that_hangs_is_told(stepwell: Stepwell, storage: Storage, mount: Path, tmp_path: Path) -> None:
    output, errors = tmp_path / "output", tmp_path / "errors"
    with storage(hang_at=29) as control:
        options = ("--block-size", "4KiB,64KiB", "--concurrency", "1", "--time", "1", "-o", "json")
        with output.open("w") as out, errors.open("w") as err:
            process = stepwell.start("bench", str(mount), *options, stdout=out, stderr=err)
        # The process cannot end before the mount does, and says so.
        wait_until(lambda: "have not come back" in errors.read_text(), "nothing is said")
        assert control.counters["hung"] == 1
    with ended(process):
        assert process.wait(SECONDS) == 1
    assert json.loads(output.read_text())["status"] == "hung"


def test_a_second_ctrl_c_waits_for_no_read(stepwell: Stepwell, storage: Storage, mount: Path, tmp_path: Path) -> None:
    output, errors = tmp_path / "output", tmp_path / "errors"
    with storage(hang_at=29) as control:
        options = ("--block-size", "4KiB", "--concurrency", "1", "--time", "10m", "-o", "json")
        with output.open("w") as out, errors.open("w") as err:
            process = stepwell.start("bench", str(mount), *options, stdout=out, stderr=err)
        wait_until(lambda: control.counters["hung"] == 1, "nothing hangs")
        before = waits(process.pid)
        process.send_signal(signal.SIGINT)
        # Once it has gone back to waiting, and from there to another wait, the first one has been heard.
        wait_until(lambda: waits(process.pid) >= before + 3, "it does nothing any more")
        process.send_signal(signal.SIGINT)
        wait_until(lambda: "have not come back" in errors.read_text(), "nothing is said")
    with ended(process):
        assert process.wait(SECONDS) == 130
    found = json.loads(output.read_text())
    assert found["status"] == "interrupted"
    assert found["elapsed_ns"] < PATIENCE_S * 1e9
    assert [cell["reads"] for cell in found["cells"]] == [28 - PROBES]


def waits(pid: int) -> int:
    """Return how often the first thread of a process has gone to sleep."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])


def test_reads_that_come_back_after_nobody_waits_harm_nothing(storage: Storage, mount: Path) -> None:
    with storage() as control, (mount / "3").open("rb") as file:
        tasks = Path("/proc/self/task")
        threads = len(list(tasks.iterdir()))
        places = np.zeros(13, PLACE)
        places["fd"], places["offset"] = file.fileno(), np.arange(13) * 65_536
        with control.stopped():
            running = Measurement(places, 65_536, 7, time.monotonic_ns() + SECONDS * 10**9)
            wait_until(lambda: blocked() == 7, "no read waits")
            timed = running.end()
            places["fd"] = -1  # neither is theirs
        wait_until(lambda: len(list(tasks.iterdir())) == threads, "threads do not end")
        assert control.counters["most_in_flight"] <= 7
    assert (timed["begin_ns"] > 0).sum() == 7
    assert not timed["end_ns"].any()


def blocked() -> int:
    """Return how many threads of this process wait for an answer of a FUSE file system, or for a page it is to fill."""
    found = 0
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += (task / "wchan").read_text() in {"request_wait_answer", "folio_wait_bit_common"}
    return found


def test_no_read_that_succeeds_is_an_error(stepwell: Stepwell, storage: Storage, mount: Path) -> None:
    with storage(fail_permille=1000):
        done = stepwell.run("bench", str(mount), "--block-size", "4KiB,64KiB", "--concurrency", "1", "-o", "json")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"no read of {mount} succeeded: 1,994 reads failed (Input/output error)" in done.stderr


def test_symbolic_links_are_what_they_lead_to(stepwell: Stepwell, source: Path, tmp_path: Path) -> None:
    few = ("--block-size", "4KiB", "--concurrency", "1", "--bytes", "68KiB")
    for target, files in ((source, 7), (source / "3", 1)):
        link = tmp_path / f"link to {target.name}"
        link.symlink_to(target)
        found = measured(stepwell, str(link), *few)
        assert (found["path"], found["files"], found["read_bytes"]) == (str(target), files, 17 * 4096)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("moment", ["making", "reading"])
def test_nothing_that_was_made_is_left_behind(
    stepwell: Stepwell, mount: Path, number: signal.Signals, moment: str
) -> None:
    options = ("--block-size", "4MiB", "--bytes", "1TiB", "--time", "10m", "-o", "json")
    size = {"making": "1GiB", "reading": "13MiB"}[moment]
    with ended(stepwell.start("bench", str(mount), "--make", size, *options)) as process:
        begun = {"making": lambda: list(mount.glob("*/0")), "reading": lambda: octets_read(process.pid) > 1 << 29}[
            moment
        ]
        wait_until(begun, "it does not begin")
        process.send_signal(number)
        output, _ = process.communicate(timeout=SECONDS)
    if number == signal.SIGKILL:
        wait_until(lambda: not list(mount.iterdir()), "files are left behind")
        return
    assert process.returncode == 128 + number
    assert list(mount.iterdir()) == []
    assert moment == "making" or json.loads(output)["status"] == "interrupted"


def octets_read(pid: int) -> int:
    """Return what a process has read, in bytes."""
    return int(Path(f"/proc/{pid}/io").read_text().split()[1])


def test_a_full_disk_is_told_and_left_as_it_was(stepwell: Stepwell, mount: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=9m", "none", mount], check=True)
    try:
        done = stepwell.run("bench", str(mount), "--make", "13MiB")
        left = list(mount.iterdir())
    finally:
        subprocess.run(["umount", mount], check=True)
    assert (done.returncode, done.stdout, left) == (1, "", [])
    assert f"{mount}: No space left on device" in done.stderr


def test_files_are_made_and_removed(stepwell: Stepwell, mount: Path) -> None:
    (mount / "own").write_bytes(b"mine")
    few = ("--block-size", "4KiB", "--concurrency", "1,3", "--time", "1")
    found = measured(stepwell, str(mount), "--make", "7MiB", *few)
    assert (found["files"], found["data_bytes"]) == (1, 7 * MIB)
    assert [path.name for path in mount.iterdir()] == ["own"]


def test_what_cannot_be_measured_is_one_clear_error(stepwell: Stepwell, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    os.mkfifo(tmp_path / "pipe")
    for arguments, code, problem in (
        ((str(tmp_path / "pipe"),), 1, "neither a file nor a directory"),
        ((str(empty),), 1, "has no file of 4 KiB"),
        ((str(empty), "--block-size", "5000"), 2, "powers of two"),
        ((str(empty), "--make", "100"), 2, "4KiB at least"),
        ((str(tmp_path / "none"),), 2, "does not exist"),
    ):
        done = stepwell.run("bench", *arguments)
        assert done.returncode == code
        assert problem in done.stderr
        assert not done.stdout


def test_it_is_drawn_for_people(stepwell: Stepwell, storage: Storage, mount: Path) -> None:
    with storage(latency_us=LATENCY_US, bytes_s=BYTES_S):
        options = ("--block-size", "4KiB,64KiB,1MiB", "--concurrency", "1,7", "--time", "1.5")
        done = stepwell.run("bench", str(mount), *options)
    assert done.returncode == 0, done.stderr
    for words in ("A request takes 4.", "Cheapest way", "Little's law", "Time of a read", "Rate of more at once", "█"):
        assert words in done.stdout
    assert done.stdout.count("*") == 2  # in the table, and where it is explained
