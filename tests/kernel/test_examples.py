"""The examples, which are the tutorial, run as they are and say what they promise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.kernel.tool import SECONDS

EXAMPLES = Path(__file__).parents[2] / "examples"

PROMISED = {
    "01-record-a-command.sh": ["dd if=data of=/dev/null bs=4093\n", "data  91.9 KiB, 1 run", "94139 bytes"],
    "02-report-for-programs-and-browsers.sh": ["94139\n", "reported accesses: True\n"],
    "03-ask-with-sql.sh": [
        '"count","offset","stride","size"\n24,0,4093,4093\n',
        '"offset","size","requested"\n94139,0,4093\n90046,4093,4093\n',
    ],
    "04-watch-a-running-process.sh": ['"size","seen"\n4093,true\n'],
    "05-watch-a-container.sh": ['"path","bytes"\n', '/dataset/a",188278\n'],
    "06-parquet-and-pyarrow.py": [
        "command: dd if=data of=/dev/null bs=4093 status=none\n",
        "accesses: 24 mean latency above 0: True\n",
    ],
    "07-the-store-in-python.py": ["trace 1 lost 0\n24 accesses, 94139 bytes\n"],
    "08-record-without-root.sh": ["CapEff:\t0000000000000000\nCapAmb:\t0000000000000000\n"],
    "09-patterns-and-why.sh": ['"strided",32768,4096,128\n', "1. How it reads\n", "read strided"],
    "10-import-other-tools-traces.sh": ["csv", '"/set/backward","backward"\n"/set/forward","sequential"\n'],
    "11-compare-two-runs.sh": ["accesses: 1025 then 65 real\n"],
    "12-replay-on-other-storage.sh": ["planned 26 issued 26\n", "94139 one\n94139 two\n"],
    "13-plan-what-to-do.sh": ["mode: auto\n  memory_bytes: 67108864\n", "  policy: none\n", "plan from trace 1"],
    "14-run-ahead.sh": ["the same bytes\n", '"requests","action"\n0,"none"\n'],
    "15-measure-and-warm.sh": ["2 files, 6 combinations, complete\n", "2 files, 8482747 bytes, 0 failed\n"],
}
"""What each prints, in this order."""


def test_every_example_is_tried_short_and_can_be_started() -> None:
    examples = sorted(EXAMPLES.glob("[0-9]*"))
    assert [path.name for path in examples] == list(PROMISED)
    for path in examples:
        assert len(path.read_text().splitlines()) < 25, path.name
        assert path.suffix == ".py" or os.access(path, os.X_OK), path.name


@pytest.mark.kernel
@pytest.mark.parametrize("name", PROMISED)
def test_example_prints_what_it_promises(name: str, tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / name)] if name.endswith(".py") else [str(EXAMPLES / name)]
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path / "share"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "COLUMNS": "120",
    }
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr
    rest = done.stdout + done.stderr if name.startswith("01") else done.stdout
    for part in PROMISED[name]:
        before, found, rest = rest.partition(part)
        assert found, f"no {part!r} in {before}"
