"""Recordings of real pairs, compared."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import pytest
from tests.kernel.tool import Stepwell

pytestmark = pytest.mark.kernel

# It paces itself, as a program does that computes between its reads: a second in all, so that two runs last as long and
# differ in what was asked for alone.
READER = """
import os, sys, time
file, request, cold = os.open(sys.argv[1], os.O_RDONLY), int(sys.argv[2]), sys.argv[3] == "cold"
size = os.fstat(file).st_size
begun = time.monotonic()
if cold:
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)
for piece in range(0, size, 65536):
    for offset in range(piece, min(piece + 65536, size), request):
        os.pread(file, request, offset)
    while time.monotonic() < begun + 1.0 * piece / size:
        time.sleep(0.001)
"""


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Return comparisons of a reader with itself, with smaller reads and with an empty cache."""
    work = tmp_path_factory.mktemp("compare")
    data = work / "data"
    data.mkdir()
    with (data / "file").open("wb") as file:
        file.write(bytes(range(251)) * 131_071)
        file.flush()
        os.fsync(file.fileno())
    stepwell = Stepwell(work / "store.duckdb")
    for arguments in ("65536 warm", "65536 warm", "4096 warm", "4096 cold"):
        command = [sys.executable, "-c", READER, str(data / "file"), *arguments.split()]
        done = stepwell.run("record", "--under", str(data), "--", *command)
        assert done.returncode == 0, done.stderr
    pairs = {"same": ("1", "2"), "smaller": ("2", "3"), "cold": ("3", "4")}
    found = {}
    for name, pair in pairs.items():
        done = stepwell.run("compare", *pair, "-o", "json")
        assert done.returncode == 0, done.stderr
        found[name] = json.loads(done.stdout)
    return found


def real(found: dict[str, Any], scope: str = "trace") -> set[str]:
    return {one["name"] for one in found["changes"] if one["scope"] == scope and one["verdict"] == "real"}


def test_the_same_workload_twice_shows_no_count_that_differs(compared: dict[str, dict[str, Any]]) -> None:
    """Times may really differ: other things happen on a machine."""
    counts = {one["name"] for one in compared["same"]["changes"] if one["unit"] != "ns"}
    assert counts >= {"accesses", "read", "files", "processes"}
    assert {name for scope in ("trace", "op") for name in real(compared["same"], scope)} & counts == set()


def test_smaller_reads_are_said(compared: dict[str, dict[str, Any]]) -> None:
    found = compared["smaller"]
    assert "accesses" in real(found)
    assert "read" not in real(found)
    assert {(one["requested"], one["accesses_a"] > 0) for one in found["sizes"]} == {(65536, True), (4096, False)}


def test_an_empty_cache_is_said(compared: dict[str, dict[str, Any]]) -> None:
    found = compared["cold"]
    assert real(found) >= {"stall"}
    assert "accesses" not in real(found)
    (stall,) = (one for one in found["changes"] if one["scope"] == "trace" and one["name"] == "stall")
    assert stall["ratio"] > 2
    assert stall["low"] > 1
