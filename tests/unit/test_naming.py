"""What processes are called: one name wherever a report tells of them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.recordings import MS, T0, Recording

from stepwell.analysis.naming import called, titled
from stepwell.cli.main import cli
from stepwell.trace.definition import EXEC, THREAD, THREAD_END


@pytest.mark.parametrize(
    ("comm", "command", "name"),
    [
        ("python3", "python3 -u /opt/train.py --epochs 3", "train.py"),
        ("python", "/usr/bin/python3.11 -m torch.distributed.run x.py", "torch.distributed.run"),
        ("python", "python -W ignore -X dev -um job", "job"),
        ("python", "python '/my data/the job.py' 'an argument'", "the job.py"),
        ("python", "python -c pass", "python"),
        ("python", "python -uc 'import this' x", "python"),
        ("python", "python - x", "python"),
        ("python", "python app/", "app"),
        ("python", "python 'cut off in", "'cut"),
        ("", "python3 job.py", "job.py"),
        ("pt_data_worker", "python train.py", "pt_data_worker"),
        ("bash", "bash -o pipefail run.sh", "run.sh"),
        ("bash", "bash -lc 'cat x'", "bash"),
        ("perl", "perl -ne 'print' x", "perl"),
        ("node", "node --max-old-space-size=4096 -r esm serve.js", "serve.js"),
        ("cat", "cat train.py", "cat"),
        ("bash", "bash", "bash"),
        ("a.out", "", "a.out"),
        ("", "/bin/dd if=x", "dd"),
        ("", "", "process"),
    ],
)
def test_an_interpreter_is_called_by_what_it_runs(comm: str, command: str, name: str) -> None:
    assert called(comm, command) == name


@given(st.text(max_size=15), st.lists(st.text(max_size=9), max_size=7))
def test_every_process_has_a_name(comm: str, words: list[str]) -> None:
    assert called(comm, shlex.join(words))
    assert called(comm, " ".join(words))


def test_pids_tell_processes_of_one_name_apart() -> None:
    assert titled("train.py", [7]) == "train.py 7"
    assert titled("train.py", [7, 11, 13]) == "3 x train.py"
    assert titled("train.py", [0]) == "train.py"  # unknown


def test_it_is_the_same_name_everywhere(tmp_path: Path) -> None:
    """Two processes of one name that read different trees are two teams, and go by their pids."""
    recording = Recording(tmp_path / "one.spool", cwd="/data")
    for number, tree in ((1, b"/data/set"), (2, b"/other/tree")):
        pid = 1000 + number
        recording.add(THREAD, thread=number, pid=pid, tid=pid, ppid=1, start_ns=T0, process_start_ns=3, comm=b"python3")
        recording.add(EXEC, b"python3\0-m\0my.job\0", thread=number, start_ns=T0, comm=b"python3")
        recording.open(number, tree + b"/x.bin", size=1 << 20, thread=number)
        recording.run(
            number, count=149, stride=4096, size=4096, requested=4096, thread=number, span_ns=900 * MS,
            latency_ns=800 * MS, latency_max_ns=9 * MS, waited=149, wait_ns=800 * MS, filled=149,
        )  # fmt: skip
        recording.add(THREAD_END, thread=number, end_ns=T0 + 1000 * MS, user_ns=1, exited=1)
    recording.end(1000 * MS)
    store = recording.stored()

    def said(*arguments: str) -> str:
        done = CliRunner().invoke(cli, ["--store", str(store), *arguments], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    report = json.loads(said("report", "-o", "json"))
    for named in (report["readers"], report["waits"]["processes"], report["waits"]["teams"]):
        assert [one["name"] for one in named] == ["my.job", "my.job"]
    assert sorted(line.split(" waits ")[0] for line in report["headlines"]) == ["my.job 1001", "my.job 1002"]
    assert {one["subject"] for one in report["findings"] if one["scope"] == "process"} <= {"my.job 1001", "my.job 1002"}
    rows = [line.split() for line in said("report").split("Processes")[1].splitlines() if line.startswith("my.job ")]
    assert sorted(row[2] for row in rows) == ["1001", "1002"]
    page = said("report", "-o", "html")
    assert page.count('<th scope="row">my.job</th>') == 2
    assert page.count('<th scope="row">my.job 100') == 2  # who read what
    for title in ("my.job 1001", "my.job 1002"):
        assert json.loads(said("explain", title, "-o", "json"))["subject"] == title
    both = said("explain", "my.job")
    assert both.startswith("process 2 x my.job, trace 1")
    assert "my.job 1001, 1 s: " in both
