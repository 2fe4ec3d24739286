from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stepwell.cli.main import cli

COMMANDS = ("record", "report", "traces", "import", "query", "export", "rm", "doctor")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def stepwell(*arguments: str, **options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from stepwell.cli.main import main; main()", *arguments]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)} | options
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=environment)


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from stepwell.cli.main import cli\n"
        "cli(['--help'], standalone_mode=False)\n"
        "print(sorted({'duckdb', 'numpy', 'pyarrow', 'rich', 'jinja2'} & set(sys.modules)))\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    shown = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, env=environment)
    assert shown.stdout.splitlines()[-1] == "[]"
    assert "125  record or run could not begin the recording" in shown.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "Examples:" in result.stdout
    assert f"  stepwell {command}" in result.stdout


def test_wrong_usage_ends_with_2_and_an_empty_stdout() -> None:
    for arguments in (["no-such-command"], ["record"], ["query"], ["record", "--pid", "1", "--all"]):
        done = stepwell(*arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("duration", ["", "0", "0s", "-5s", "5 s", "5d", "s", "1e3", "nan"])
def test_durations_that_are_none(duration: str) -> None:
    result = run("record", "--duration", duration, "--", "true")
    assert result.exit_code == 2
    assert "such as 10s, 5m or 1.5h" in result.stderr


def test_processes_and_cgroups_must_exist(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert f"no process {ended.pid}" in run("record", "--pid", str(ended.pid)).stderr
    assert "is no cgroup" in run("record", "--cgroup", str(tmp_path)).stderr
