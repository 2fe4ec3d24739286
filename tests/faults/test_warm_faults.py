"""`stepwell warm` when something breaks."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from tests.kernel.tool import Stepwell
from tests.storage.slow import Settings, Slow

pytestmark = pytest.mark.kernel


def test_a_journal_that_finds_no_space_is_told_and_the_rest_is_read(
    small_disk: Path, slow_program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, mount = tmp_path / "source", tmp_path / "mount"
    for directory in (source, mount, small_disk / "stepwell" / "warm"):
        directory.mkdir(parents=True)
    for number in range(67):
        (source / f"{number:02}").write_bytes(bytes(101))
    monkeypatch.setenv("XDG_STATE_HOME", str(small_disk))
    with (small_disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while filler.write(bytes(4096)):
            pass
    # It takes longer than until something is noted.
    with Slow(slow_program, source, mount, Settings(direct=1, latency_us=20_011)).mounted():
        done = Stepwell(tmp_path / "store.duckdb").run("warm", str(mount), "--concurrency", "1", "-o", "json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["done"], found["failed"], found["brought_bytes"]) == (0, 67, 0, 67 * 101)
    assert found["forgotten"].endswith("No space left on device")
