"""`stepwell report` as users call it: which form goes where."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from tests.unit.recordings import MS, Recording

from stepwell.cli.main import cli


@pytest.fixture
def store(tmp_path: Path) -> Path:
    recording = Recording(tmp_path / "first.spool")
    recording.thread(1, end=31 * MS, cpu=7 * MS)
    recording.open(1, b"/data/a.bin", size=23 * 4093)
    recording.run(1, at=2 * MS, count=23, stride=4093, size=4093, requested=4093, span_ns=20 * MS)
    recording.end(31 * MS)
    return recording.stored()


def report(store: Path, *arguments: str) -> str:
    done = CliRunner().invoke(cli, ["--store", str(store), "report", *arguments], catch_exceptions=False)
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


def schema() -> dict[str, Any]:
    described: dict[str, Any] = json.loads(CliRunner().invoke(cli, ["report", "--schema"]).stdout)
    return described


def test_json_is_as_its_schema_says(store: Path) -> None:
    found = json.loads(report(store, "-o", "json"))
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(found, schema())
    assert (found["version"], found["minor"]) == (1, 2)
    assert list(found) == list(schema()["properties"])
    assert (found["totals"]["accesses"], found["totals"]["read_bytes"]) == (23, 23 * 4093)
    assert [file["path"] for file in found["files"]] == ["/data/a.bin"]
    assert found["shapes"] == [{"op": "read", "shape": "consecutive", "runs": 1, "accesses": 23, "bytes": 23 * 4093}]


def test_a_missing_field_or_another_type_breaks_the_schema(store: Path) -> None:
    found = json.loads(report(store, "-o", "json"))
    for broken in (found | {"files": 3}, {**found, "new": 1}, {k: v for k, v in found.items() if k != "heat"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, schema())


@pytest.mark.parametrize("form", ["table", "json", "html"])
def test_every_form_goes_to_standard_output_or_to_a_file(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    shown = report(store, "-o", form)
    assert set(tmp_path.iterdir()) == before
    assert "/data/a.bin" in shown
    assert report(store, "-o", form, "--file", "out") == ""
    assert (tmp_path / "out").read_text(encoding="utf-8") == shown


def test_a_page_for_a_terminal_becomes_a_file_whose_path_is_told(store: Path, tmp_path: Path) -> None:
    terminal, inside = pty.openpty()
    program = "from stepwell.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--store", store, "report", "-o", "html"],
        cwd=tmp_path, stdout=inside, stderr=subprocess.PIPE, text=True, timeout=60, check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )  # fmt: skip
    os.close(inside)
    with pytest.raises(OSError, match="Input/output"):  # nothing was written, and nobody can write any more
        os.read(terminal, 1)
    os.close(terminal)
    page = tmp_path / "stepwell-trace-1.html"
    assert f"the page is {page}" in done.stderr
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
