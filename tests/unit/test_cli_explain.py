"""`stepwell explain`: names are found or refused with candidates, and the evidence is all there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.unit.recordings import Recording
from tests.unit.test_waits import COUNT, fetches

from stepwell.cli.main import cli


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with one trace: two processes, two datasets."""
    recording = Recording(tmp_path_factory.mktemp("explain") / "one.spool", cwd="/data")
    at = 0
    for number in range(1, 8):
        recording.open(number, b"/data/set/%d.bin" % number, size=COUNT << 20)
        at = fetches(recording, number, begin=at, count=29)
    recording.thread(1, end=at)
    recording.open(11, b"/other/tree/1.bin", size=COUNT << 20, thread=2)
    recording.thread(2, b"dd", end=fetches(recording, 11, 2))
    recording.end(at)
    return recording.stored()


def explain(store: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--store", str(store), "explain", *arguments])


@pytest.mark.parametrize(
    "name", ["1001", "cat 1001", "1 x cat", "/data/set", "set", "/data/set/3.bin", "set/3.bin", "3.bin"]
)
def test_things_go_by_several_names(store: Path, name: str) -> None:
    done = explain(store, name, "-o", "json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert list(found) == [
        "trace", "scope", "subject", "headlines", "patterns", "streams", "teams", "processes", "datasets", "storages",
        "slow", "findings",
    ]  # fmt: skip
    (team,) = found["teams"]
    assert team["pids"] == [1001]
    assert team["verdict"]["bound"] == "latency"
    (storage,) = found["storages"]
    assert (storage["dataset"], storage["fetches"]) == ("/data/set", 7 * 29)
    assert {stream["path"] for stream in found["streams"]} == (
        {"/data/set/3.bin"} if "3" in name else {f"/data/set/{number}.bin" for number in range(1, 8)}
    )
    assert found["findings"]
    for finding in found["findings"]:
        assert finding["evidence"]
        assert finding["inputs"]
        assert finding["saved_ns"]["low"] <= finding["saved_ns"]["high"]


@pytest.mark.parametrize(
    ("name", "candidates"),
    [
        ("1.bin", ["/data/set/1.bin", "/other/tree/1.bin"]),
        ("nothing", ["process 1001", "process 1002", "dataset /data/set", "dataset /other/tree"]),
        ("9", ["process 1001"]),
    ],
)
def test_what_is_unknown_or_ambiguous_is_refused_with_candidates(store: Path, name: str, candidates: list[str]) -> None:
    from stepwell.trace.errors import StepwellError

    done = explain(store, name)
    assert isinstance(done.exception, StepwellError)
    assert done.exception.exit_code == 2
    for candidate in candidates:
        assert candidate in str(done.exception)


def test_the_table_goes_step_by_step(store: Path) -> None:
    done = explain(store, "1001")
    assert done.exit_code == 0, done.output
    titles = [line for line in done.stdout.splitlines() if line[:2] in {"1.", "2.", "3.", "4."}]
    assert titles == ["1. How it reads", "2. Where its time goes", "3. What its storage gave", "4. What would help"]
    assert "bound by: latency" in done.stdout
    assert "try: " in done.stdout


def test_a_trace_that_is_not_there(store: Path) -> None:
    done = explain(store, "1001", "--trace", "23")
    assert getattr(done.exception, "exit_code", None) == 5
