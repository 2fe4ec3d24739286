"""The same execution seen by strace and by Stepwell: the same accesses, in the same order."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.kernel.tool import Stepwell

from stepwell.store import Store

pytestmark = pytest.mark.kernel

WORKLOAD = Path(__file__).parent / "deeds" / "traced.py"

ACCESSES = """SELECT tid, path, op::VARCHAR, "offset", size, requested FROM accesses JOIN threads
    USING (trace, reader, thread) WHERE trace = {trace} AND starts_with(path, '{under}/') AND op <> 'mmap'
    ORDER BY tid, seq"""
EVENTS = """SELECT tid, event::VARCHAR, op::VARCHAR, path, value FROM events JOIN threads USING (trace, reader, thread)
    WHERE trace = {trace} AND starts_with(path, '{under}/') AND event IN ('close', 'truncate', 'sync', 'error')
    ORDER BY tid, events.start_ns"""


@pytest.mark.parametrize("options", [("-y",), ("-yy",)])
def test_strace_and_stepwell_see_the_same(tmp_path: Path, options: tuple[str, ...]) -> None:
    stepwell = Stepwell(tmp_path / "store.duckdb")
    data = tmp_path / "data"
    data.mkdir()
    log = tmp_path / "strace.log"
    command = ["strace", "-f", "-ttt", "-T", *options, "-o", str(log), sys.executable, str(WORKLOAD), str(data)]
    recorded = stepwell.run("record", "--under", str(data), "--", *command)
    assert recorded.returncode == 0, recorded.stderr
    imported = stepwell.run("import", str(log))
    assert imported.returncode == 0, imported.stderr
    with Store.open(stepwell.store, "r") as store:
        for question, least in ((ACCESSES, 151), (EVENTS, 23)):
            own, theirs = (
                store.query(question.format(trace=trace, under=data)).read_all().to_pylist() for trace in (1, 2)
            )
            assert theirs == own
            assert len(own) > least
