"""What `stepwell compare` calls real, on synthetic pairs of traces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner, Result
from tests.unit.recordings import MS, Recording

from stepwell.analysis.compare import noise
from stepwell.cli.main import cli
from stepwell.store import Store, ingest

ACCESSES = 997


def add(
    store: Path,
    name: str,
    *,
    each_ns: int = 1000,
    gap_ns: int = MS,
    start_ns: int = 0,
    accesses: int = ACCESSES,
    root: bytes = b"/data",
    size: int = 4096,
    twice: bool = False,
    command: list[str] | None = None,
) -> None:
    """Record one thread that reads `accesses` blocks one after the other, with latencies of 1/2 to 3/2 of `each_ns`."""
    recording = Recording(store.parent / f"{name}.spool", command=command or ["read", name], cwd="/")
    spread = np.random.default_rng(accesses).uniform(0.5, 1.5, accesses)
    latency = (each_ns * spread).astype(np.int64)
    at = start_ns + np.cumsum(gap_ns + latency) - latency
    end = int(at[-1] + latency[-1] + gap_ns)
    recording.thread(1, comm=b"read", end=end, cpu=end // 2)
    recording.open(1, root + b"/sub/a.bin", size=accesses * size)
    recording.open(2, root + b"/b.bin", size=4096)
    recording.open(3, b"/usr/lib/x.so", size=4096)
    histogram = np.zeros((accesses, 24), np.uint32)
    histogram[np.arange(accesses), np.clip(np.log2(latency).astype(int) - 8, 0, 23)] = 1
    recording.run(
        1, at=at, seq=np.arange(accesses), offset=np.arange(accesses) * size, size=size, requested=size, tail=size,
        latency_ns=latency, latency_max_ns=latency, histogram=histogram,
    )  # fmt: skip
    recording.run(2, at=end // 2, seq=accesses)
    recording.run(3, at=end // 2 + 1, seq=accesses + 1)
    if twice:
        recording.run(2, at=end // 2 + 2, seq=accesses + 2)
    recording.end(end)
    with Store.open(store, "w") as opened:
        ingest(opened, recording.path)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store.duckdb"


def invoke(store: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--store", str(store), "compare", *arguments], catch_exceptions=False)


def compared(store: Path, a: str = "1", b: str = "2") -> dict[str, Any]:
    done = invoke(store, a, b, "-o", "json")
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def changes(found: dict[str, Any], scope: str = "trace") -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in found["changes"] if one["scope"] == scope}


def test_the_same_twice_is_no_difference(store: Path) -> None:
    add(store, "a")
    add(store, "b")
    found = compared(store)
    assert {one["verdict"] for one in found["changes"]} == {"equal"}
    assert (found["files"]["changed"], found["sizes"], found["files"]["both"]) == ([], [], 2)
    words = invoke(store, "1", "2").stdout
    assert "B took as long as A." in words
    assert "as many bytes, in as many accesses to as many files" in words


@pytest.mark.parametrize(("each", "verdict"), [(1_050_000, "noise"), (2_000_000, "real"), (500_000, "real")])
def test_slower_reads_make_a_real_difference_and_slightly_slower_ones_do_not(
    store: Path, each: int, verdict: str
) -> None:
    add(store, "a", each_ns=1_000_000)
    add(store, "b", each_ns=each)
    of_trace, of_op = changes(compared(store)), changes(compared(store), "op")
    for one in (of_trace["stall"], of_trace["duration"], of_op["p50"], of_op["p90"]):
        assert one["verdict"] in {verdict, "small" if verdict == "noise" else verdict}, one
        assert one["low"] <= one["ratio"] <= one["high"]
    assert of_trace["stall"]["ratio"] == pytest.approx(each / 1_000_000, rel=0.01)
    assert of_trace["accesses"]["verdict"] == "equal"


def test_what_took_little_time_is_small(store: Path) -> None:
    add(store, "a", each_ns=1000)
    add(store, "b", each_ns=5000)
    assert changes(compared(store))["stall"]["verdict"] == "small"
    assert changes(compared(store), "op")["p50"]["verdict"] == "small"


def test_counts_are_exact(store: Path) -> None:
    add(store, "a")
    add(store, "b", accesses=ACCESSES - 1, twice=True)
    found = compared(store)
    of_trace = changes(found)
    assert (of_trace["accesses"]["verdict"], of_trace["read"]["verdict"]) == ("equal", "equal")
    assert (of_trace["accesses"]["a"], of_trace["opens"]["a"], of_trace["files"]["a"]) == (ACCESSES + 1, 2, 2)
    assert [(one["path"], one["accesses_a"], one["accesses_b"]) for one in found["files"]["changed"]] == [
        ("/data/b.bin", 1, 2),
        ("/data/sub/a.bin", ACCESSES, ACCESSES - 1),
    ]
    assert (found["files"]["again_a"], found["files"]["again_b"]) == (0, 1)
    assert "1 file more read again" in invoke(store, "1", "2").stdout


def test_files_are_matched_below_two_directories(store: Path) -> None:
    add(store, "a")
    add(store, "b", root=b"/other/place", size=8192)
    found = compared(store)
    assert (found["a"]["root"], found["b"]["root"]) == ("/data", "/other/place")
    assert (found["files"]["both"], found["files"]["only_a"], found["files"]["only_b"]) == (2, 0, 0)
    assert [one["path"] for one in found["files"]["changed"]] == ["sub/a.bin"]
    assert found["sizes"] == [
        {"op": "read", "requested": 4096, "accesses_a": ACCESSES + 1, "accesses_b": 1},
        {"op": "read", "requested": 8192, "accesses_a": 0, "accesses_b": ACCESSES},
    ]


def test_other_runs_of_the_command_are_the_noise(store: Path) -> None:
    for number, gap in enumerate((1_000_000, 1_500_000, 900_000, 1_600_000)):
        add(store, f"run{number}", gap_ns=gap, command=["same"])
    found = compared(store)
    assert found["runs"] == 4
    time = changes(found)["duration"]
    assert (time["basis"], time["verdict"]) == ("runs", "noise")
    assert time["ratio"] == pytest.approx(1.5, rel=0.01)
    for name in ("c", "d"):
        add(store, name, gap_ns=1_000_000 if name == "c" else 1_500_000)
    alone = changes(compared(store, "5", "6"))["duration"]
    assert (alone["basis"], alone["verdict"]) == ("slices", "real")


def test_json_is_as_its_schema_says(store: Path) -> None:
    schema = json.loads(invoke(store, "--schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    add(store, "a")
    add(store, "b", each_ns=700_000, root=b"/x", twice=True)
    found = compared(store)
    jsonschema.validate(found, schema)
    assert list(found) == list(schema["properties"])
    assert found["changes"]


def test_words_come_first(store: Path) -> None:
    add(store, "a", each_ns=1_000_000)
    add(store, "b", each_ns=5_000_000, accesses=499)
    lines = invoke(store, "1", "2").stdout.splitlines()
    assert lines[0].startswith("A: trace 1, read a")
    assert lines[3].startswith("B took 1.5x as long [1.")
    assert "Exact differences: read 1.95 MiB instead of 3.9 MiB, accesses 500 instead of 998." in lines


def test_traces_that_do_not_exist_and_empty_ones(store: Path) -> None:
    add(store, "a")
    done = CliRunner().invoke(cli, ["--store", str(store), "compare", "1", "2"])
    assert done.exception is not None
    assert getattr(done.exception, "exit_code", None) == 5
    Recording(store.parent / "empty.spool").end(MS)
    with Store.open(store, "w") as opened:
        ingest(opened, store.parent / "empty.spool")
    found = changes(compared(store))
    assert (found["accesses"]["b"], found["accesses"]["verdict"]) == (0, "real")
    assert (found["duration"]["verdict"], found["stall"]["verdict"]) == ("unknown", "small")


def test_a_longer_start_up_alone_tells_nothing(store: Path) -> None:
    add(store, "a")
    add(store, "b", start_ns=700 * MS)
    time = changes(compared(store))["duration"]
    assert time["ratio"] == pytest.approx(1.7, rel=0.01)
    assert (time["verdict"], time["basis"]) == ("noise", "slices")
    assert time["low"] <= 1 < time["ratio"] <= time["high"]


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(11)
    hits = 0
    for trial in range(199):
        # Neighbours resemble each other: an autoregression with coefficient 0.6, mean 1.
        slices = np.zeros((2, 512))
        for t in range(1, 512):
            slices[:, t] = 0.6 * slices[:, t - 1] + random.normal(0, 0.2, 2)
        sums = [noise.resampled(np.exp(one)[:, None], 2 * trial + side)[:, 0] for side, one in enumerate(slices)]
        found = noise.within(*sums)
        assert found is not None
        hits += found.low <= 1 <= found.high
    assert 0.87 * 199 <= hits <= 199


def test_a_start_up_is_another_phase() -> None:
    work = np.zeros(512)
    work[3], work[101:400] = 1, 50
    assert noise.phase(work) == slice(103, 398)
    parts = noise.durations(work)
    assert len(parts) == 295
    assert parts == pytest.approx(np.full(295, parts[0]), rel=1e-6)
    assert noise.phase(np.zeros(512)) == slice(0, 0)
