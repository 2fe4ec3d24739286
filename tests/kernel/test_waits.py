"""What programs wait for, recorded on this kernel over a storage whose latency and bandwidth are known."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.kernel.tool import SECONDS, Stepwell
from tests.storage.slow import Settings, Slow, compile_slow

from stepwell.analysis.advice import Finding, advise, facts
from stepwell.analysis.waits import Team, Waits
from stepwell.store import Store

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="this machine has no /dev/fuse"),
]

FILES = 97
LATENCY_US, BYTES_S = 3000, 50_000_000
SIZES = (8192, 32_768, 65_536, 131_072)

WHOLE = """
import os, sys
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    with open(f"{sys.argv[1]}/{number}", "rb", buffering=0) as file:
        file.read()
"""
# Both get a processor when they want it, whatever else runs: waiting for one would be neither of what they are to show.
COMPUTING = """
import os, sys, time
os.nice(-20)
data = open(f"{sys.argv[1]}/0", "rb", buffering=0).read()
while time.process_time() < 0.5:
    sum(data)
"""
CACHED = """
import os, sys, time
os.nice(-20)
fd = os.open(f"{sys.argv[1]}/3", os.O_RDONLY)
while time.process_time() < 0.5:
    os.pread(fd, 131072, 0)
"""
UNEVEN = """
import multiprocessing, os, sys
def work(first, last):
    for number in range(first, last):
        with open(f"{sys.argv[1]}/{number}", "rb", buffering=0) as file:
            file.read()
fork = multiprocessing.get_context("fork")
parts = [(0, 7), (7, 14), (14, 97)]
processes = [fork.Process(target=work, args=part) for part in parts]
[process.start() for process in processes]
[process.join() for process in processes]
"""
AGAIN = """
import mmap, os, sys
for _ in range(13):
    fd = os.open(f"{sys.argv[1]}/5", os.O_RDONLY | os.O_DIRECT)
    page = mmap.mmap(-1, 4096)
    for block in range(8):
        os.preadv(fd, [page], block * 4096)
    os.close(fd)
"""

MANY = """
import mmap, os, sys
page = mmap.mmap(-1, 4096)
files = [os.open(f"{sys.argv[1]}/{number}", os.O_RDONLY | os.O_DIRECT) for number in range(13)]
for _ in range(11):
    for fd in files:
        os.preadv(fd, [page], 0)
"""

IN_A_ROW = """
import mmap, os, sys
page = mmap.mmap(-1, 4096)
for number in range(13):
    fd = os.open(f"{sys.argv[1]}/{number}", os.O_RDONLY | os.O_DIRECT)
    for block in range(31):
        os.preadv(fd, [page], 0)
    os.close(fd)
"""

Study = Callable[..., tuple[Waits, tuple[Finding, ...]]]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_slow(tmp_path_factory.mktemp("slow"))


@pytest.fixture
def study(stepwell: Stepwell, program: Path, tmp_path: Path) -> Study:
    """Return a function that records a program over a slow storage and returns what is found."""
    source, mount = tmp_path / "source", tmp_path / "mount"
    source.mkdir()
    mount.mkdir()
    for number in range(FILES):
        (source / str(number)).write_bytes(os.urandom(SIZES[number % len(SIZES)]))

    def run(script: str, *arguments: str, slow_file: str = "", **speed: int) -> tuple[Waits, tuple[Finding, ...]]:
        settings = Settings(**{"latency_us": LATENCY_US, "bytes_s": BYTES_S} | speed)
        if slow_file:
            settings = replace(settings, slow_inode=(source / slow_file).stat().st_ino)
        slow = Slow(program, source, mount, settings)
        command = stepwell.argv(
            "record", "--under", str(mount), "--", sys.executable, "-c", script, str(mount), *arguments
        )
        done = subprocess.run(slow.argv(*command), check=False, capture_output=True, text=True, timeout=SECONDS)
        assert done.returncode == 0, done.stderr
        with Store.open(stepwell.store, "r") as store:
            known = facts(store, store.latest_trace(), (), [])
        return known.waits, advise(known)

    return run


def only(found: Waits) -> Team:
    (team,) = found.teams
    return team


def test_latency_and_bandwidth_of_the_storage_are_seen(study: Study) -> None:
    found, findings = study(WHOLE, "0", str(FILES))
    (storage,) = found.storages
    assert storage.latency_ns is not None
    assert storage.bytes_s is not None
    # The storage sleeps a little longer than it is told to, and the kernel passes messages.
    assert LATENCY_US * 1e3 <= storage.latency_ns.value <= LATENCY_US * 1e3 * 1.3
    assert storage.bytes_s.value == pytest.approx(BYTES_S, rel=0.3)
    assert storage.depth == pytest.approx(1.0, rel=0.01)
    team = only(found)
    assert team.verdict.bound == "latency"
    assert team.critical_high > 0.5
    assert "concurrency" in {finding.kind for finding in findings}


def test_computing_is_left_alone(study: Study) -> None:
    found, findings = study(COMPUTING)
    assert only(found).verdict.bound == "compute"
    assert [finding.kind for finding in findings] == ["leave-alone"]


def test_reading_from_memory_is_left_alone(study: Study) -> None:
    found, findings = study(CACHED)
    assert only(found).verdict.bound == "cached"
    assert [finding.kind for finding in findings] == ["leave-alone"]


def test_slow_opens_are_metadata(study: Study) -> None:
    found, _ = study(WHOLE, "0", str(FILES), latency_us=100, bytes_s=0, open_us=5000)
    team = only(found)
    assert team.verdict.bound == "metadata"
    assert team.uses[0].opens == FILES
    assert FILES * 5_000_000 <= team.account.metadata_ns <= team.account.wall_ns


def test_a_worker_with_most_of_the_work_is_found(study: Study) -> None:
    found, findings = study(UNEVEN)
    team = only(found)
    assert len(team.pids) == 3
    assert team.verdict.bound == "imbalance"
    assert team.consumer is not None
    assert "imbalance" in {finding.kind for finding in findings}


def test_a_slow_file_is_found(study: Study) -> None:
    found, findings = study(MANY, slow_file="7", slow_percent=4000, latency_us=500)
    slow = found.datasets[0].slow[0]  # what else runs on the machine may slow a second one down
    assert slow.path.endswith("/7")
    assert slow.fetches == 11
    assert slow.factor > 7
    assert found.datasets[0].verdict.bound == "slow-file"
    assert "slow-file" in {finding.kind for finding in findings}


def test_a_slow_file_that_is_read_alone_is_found(study: Study) -> None:
    found, _ = study(WHOLE, "0", str(FILES), slow_file="7", slow_percent=1000, latency_us=500)
    assert found.datasets[0].slow == ()  # one fetch: too little to tell
    found, findings = study(IN_A_ROW, slow_file="7", slow_percent=1000, latency_us=500)
    slow = found.datasets[0].slow[0]
    assert slow.path.endswith("/7")
    assert slow.fetches == 31
    assert slow.factor > 5
    assert found.datasets[0].verdict.bound == "slow-file"
    assert "slow-file" in {finding.kind for finding in findings}


def test_direct_reads_of_the_same_data_are_told(study: Study) -> None:
    found, findings = study(AGAIN)
    team = only(found)
    assert team.uses[0].direct
    assert team.uses[0].bytes == 13 * 8 * 4096
    (direct,) = (finding for finding in findings if finding.kind == "direct")
    assert direct.speedup.high > 2
