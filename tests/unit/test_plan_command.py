"""`stepwell plan` as users call it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result
from tests.unit.acts import acted
from tests.unit.recordings import MS, Recording
from tests.unit.test_plans_made import bench
from tests.unit.test_waits import COUNT, fetches

from stepwell.analysis import plans, storage
from stepwell.cli.main import cli
from stepwell.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Path:
    recording = Recording(tmp_path / "first.spool")
    recording.open(1, b"/data/set/\x1b[31m", size=COUNT << 20)
    end = fetches(recording, 1, work_ns=MS)
    recording.thread(1, end=end, cpu=COUNT * MS)
    recording.end(end)
    return recording.stored()


def invoke(store: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--store", str(store), "plan", *arguments], catch_exceptions=False)


def plan(store: Path, *arguments: str) -> str:
    done = invoke(store, *arguments)
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


def schema() -> Any:
    return json.loads(CliRunner().invoke(cli, ["plan", "--schema"]).stdout)


def test_yaml_and_json_are_one_plan_as_the_schema_says(store: Path) -> None:
    told = ("--memory", "64MiB", "--bandwidth", "200MiB/s", "--in-flight", "7", "--mode", "recommend")
    found = plans.load(plan(store, "-o", "yaml", *told))
    assert plans.load(plan(store, "1", "-o", "json", *told)) == found
    jsonschema.validate(json.loads(plan(store, "-o", "json")), schema())
    assert found.budget == plans.Budget(64 << 20, 7, 200 << 20)
    assert (found.mode, found.trace) == ("recommend", 1)
    (target,) = found.targets
    assert (target.path, target.workload) == ("/data/set", "cat x")
    assert target.gain is not None
    assert (target.policy, target.stride_bytes, target.in_flight) == ("strided", 1 << 20, 3)
    assert target.inputs


def test_the_table_shows_the_plan_and_what_it_follows_from(store: Path) -> None:
    shown = plan(store)
    assert "plan from trace 1, mode auto: up to 1 GiB ahead, 64 requests at once\n" in shown
    lines = shown.splitlines()
    assert lines[1].split() == ["DATASET", "POLICY", "BLOCK", "AT", "ONCE", "AHEAD", "EXPECTED"]
    assert lines[2].split()[:3] == ["1", "/data/set", "strided"]
    assert "latency, likely 2 ms" in shown
    assert "Little's law" in shown
    assert shown.endswith(f"As a file: stepwell --store {store} plan 1 -o yaml\n")
    assert "200 MiB/s at most" in plan(store, "--bandwidth", "200MiB/s")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--memory", "1023KiB"), 2, "1 MiB at least"),
        (("--bandwidth", "0"), 2, "too small"),
        (("--bandwidth", "fast"), 2, "is no rate"),
        (("--in-flight", "0"), 2, "--in-flight"),
        (("--mode", "on"), 2, "'on' is not one of"),
    ],
)
def test_unusable_options_say_what_is_usable(store: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = invoke(store, *arguments)
    assert done.exit_code == code
    assert said in done.stderr


def test_a_trace_that_was_read_ahead_of_is_told_to_be_one(store: Path) -> None:
    with Store.open(store, "w") as opened:
        opened.set_acts(1, *acted("/data/set"))
    done = invoke(store, "-o", "json")
    assert plans.load(done.stdout).targets
    assert "trace 1 was read ahead of" in done.stderr


def test_a_trace_without_reads_has_nothing_to_do(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "nothing.spool")
    recording.thread(1)
    recording.end(MS)
    store = recording.stored()
    assert "Nothing to do" in plan(store)
    assert plans.load(plan(store, "-o", "yaml")).targets == ()


def test_a_measured_storage_is_taken_from_its_file(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "mount.json"
    file.write_text(storage.dump(bench("/data")))
    told = plans.load(plan(store, "-o", "yaml", "--storage", str(file))).targets[0]
    assert {one.name: one.value for one in told.inputs}["latency, likely"] == 50 * MS
    file.write_text(storage.dump(bench("/other")))
    done = invoke(store, "--storage", str(file))
    assert done.exit_code == 2
    assert "of /other, of which the trace has no fetches" in " ".join(done.stderr.split())
    file.write_text("{}")
    broken = CliRunner().invoke(cli, ["--store", str(store), "plan", "--storage", str(file)])
    assert isinstance(broken.exception, storage.BenchFileError)
    assert "version is missing" in str(broken.exception)
