"""`stepwell explain`: names are found or refused with candidates, and the evidence is all there."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result
from tests.unit.recordings import MS, T0, Recording
from tests.unit.test_waits import COUNT, fetches

from stepwell.cli.main import cli
from stepwell.trace.definition import EXEC, THREAD


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
        "version", "minor", "trace", "scope", "subject", "headlines", "patterns", "streams", "groups", "teams",
        "processes", "datasets", "storages", "slow", "findings",
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


@pytest.mark.parametrize("name", ["1001", "/data/set", "3.bin"])
def test_json_is_as_its_schema_says(store: Path, name: str) -> None:
    schema = json.loads(explain(store, "--schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    found = json.loads(explain(store, name, "-o", "json").stdout)
    jsonschema.validate(found, schema)
    assert list(found) == list(schema["properties"])
    assert (found["version"], found["minor"]) == (1, 1)
    for broken in (found | {"streams": 3}, found | {"version": 2}, {k: v for k, v in found.items() if k != "slow"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, schema)


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
    assert "bound by latency" in done.stdout
    assert "try: " in done.stdout


def test_files_that_are_alike_are_told_together_with_one_confidence(store: Path) -> None:
    lines = explain(store, "/data/set").stdout.splitlines()
    reads = lines[lines.index("1. How it reads") + 1 : lines.index("2. Where its time goes")]
    verdicts = [line for line in reads if line.startswith("   ") and line[3] != " "]
    assert [line.split(":")[0].strip() for line in verdicts] == [
        "dataset /data/set", "7 files, such as 1.bin, 2.bin, 3.bin and 4 more", "7 files of /data/set, most of 1.bin",
    ]  # fmt: skip
    assert "203 accesses (read) in" in verdicts[2]
    for line in verdicts[:2]:
        assert line.count("sure") == 1
    assert sum("sure" in line for line in reads) == 2 + sum("reuse" in line and "sure" in line for line in reads)


def test_what_several_findings_rest_on_is_told_once(store: Path) -> None:
    told = " ".join(explain(store, "/data/set").stdout.split("4. What would help")[1].split())
    assert len(json.loads(explain(store, "/data/set", "-o", "json").stdout)["findings"]) > 1
    assert told.count("All of these from: ") == 1
    assert told.count("fetches at once") == 1


def test_lines_fit_a_terminal(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for columns in (80, 200):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert max(map(len, explain(store, "/data/set").stdout.splitlines())) <= min(columns, 110)


def test_a_script_is_its_process_and_an_argument_the_file(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "one.spool", cwd="/data")
    recording.add(THREAD, thread=1, pid=7, tid=7, ppid=1, start_ns=T0, process_start_ns=3, comm=b"python3")
    recording.add(EXEC, b"python3\0load.py\0a.bin\0", thread=1, start_ns=T0, comm=b"python3")
    for number, path in enumerate((b"/data/load.py", b"/data/a.bin"), 1):
        recording.open(number, path, size=4096)
        recording.run(number)
    recording.end(MS)
    store = recording.stored()
    for name, scope in (("load.py", "process"), ("/data/load.py", "file"), ("a.bin", "file"), ("python3", "process")):
        done = explain(store, name, "-o", "json")
        assert done.exit_code == 0, (name, done.exception)
        assert json.loads(done.stdout)["scope"] == scope


def test_a_trace_that_is_not_there(store: Path) -> None:
    done = explain(store, "1001", "--trace", "23")
    assert getattr(done.exception, "exit_code", None) == 5
