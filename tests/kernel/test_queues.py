"""Requests in the queues of io_uring and libaio, by fio over a storage that takes them beside each other or not."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.kernel.tool import SECONDS, Stepwell
from tests.storage.slow import Settings, Slow, compile_slow

from stepwell.analysis.advice import Finding, advise, facts
from stepwell.analysis.waits import Waits
from stepwell.store import Store

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="this machine has no /dev/fuse"),
]

COUNT, BLOCK = 211, 16_384
DEPTH = 4  # fio makes rings of io_uring a power of two deep
LATENCY_US = 3000


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_slow(tmp_path_factory.mktemp("slow"))


def recorded(
    stepwell: Stepwell, program: Path, directory: Path, engine: str, beside: int
) -> tuple[Waits, dict[str, Finding]]:
    """Return what is found of random reads, `DEPTH` of them handed over at once."""
    source, mount = directory / "source", directory / "mount"
    source.mkdir()
    mount.mkdir()
    (source / "data").write_bytes(os.urandom(COUNT * BLOCK))
    fio = [
        "fio", "--name=x", f"--filename={mount}/data", f"--size={COUNT * BLOCK}", f"--bs={BLOCK}", "--rw=randread",
        "--direct=1", f"--ioengine={engine}", f"--iodepth={DEPTH}",
    ]  # fmt: skip
    slow = Slow(program, source, mount, Settings(latency_us=LATENCY_US, async_direct=beside))
    command = slow.argv(*stepwell.argv("record", "--under", str(mount), "--", *fio))
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    with Store.open(stepwell.store, "r") as store:
        known = facts(store, store.latest_trace(), (), [])
    return known.waits, {one.kind: one for one in advise(known)}


@pytest.mark.parametrize("engine", ["io_uring", "libaio"])
def test_a_queue_that_fills_could_be_deeper(stepwell: Stepwell, program: Path, tmp_path: Path, engine: str) -> None:
    found, findings = recorded(stepwell, program, tmp_path, engine, 1)
    (storage,), (team,) = found.storages, found.teams
    (use,) = (use for use in team.uses if use.dataset == storage.dataset)
    assert (use.asynchronous, use.waited) == (COUNT, 0)
    assert storage.depth == pytest.approx(DEPTH, rel=0.1)
    given = {one.name: one.value for one in findings["queue-depth"].inputs}
    assert given["requests in flight now"] == pytest.approx(DEPTH, rel=0.1)
    assert given["concurrency proposed"] >= 2 * DEPTH
    assert f"iodepth={given['concurrency proposed']:.0f}" in findings["queue-depth"].setting


@pytest.mark.parametrize("engine", ["io_uring", "libaio"])
def test_handing_over_that_waits_is_told_from_a_queue(
    stepwell: Stepwell, program: Path, tmp_path: Path, engine: str
) -> None:
    found, findings = recorded(stepwell, program, tmp_path, engine, 0)
    (storage,), (team,) = found.storages, found.teams
    (use,) = (use for use in team.uses if use.dataset == storage.dataset)
    assert (use.asynchronous, use.waited) == (COUNT, COUNT)
    assert use.asleep_ns >= COUNT * LATENCY_US * 1000
    assert "queue-depth" not in findings
    assert "one at a time, because handing a request over waits" in findings["submission"].sentence
