"""fio's iolog: written by hand, and by the fio that is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.unit.importers.bringing import bring

from stepwell.collectors.importers import InputError
from stepwell.store import Store


def test_version_2(tmp_path: Path, store: Store) -> None:
    log = tmp_path / "two.log"
    lines = ["add", "open", "read 4096 4096", "write 0 13", "wait 100 0", "sync 0 0", "datasync 0 0", "trim 0 4096"]
    name = "/d/with a space"
    log.write_text("fio version 2 iolog\n" + "".join(f"{name} {line}\n" for line in [*lines, "close", "close"]))
    brought = bring(store, log)
    assert brought.accesses() == [(name, "read", 4096, 4096), (name, "write", 0, 13)]
    assert brought.rows("SELECT event::VARCHAR FROM events WHERE trace = $trace ORDER BY ALL") == [
        ("close",), ("sync",), ("sync",),
    ]  # fmt: skip
    assert brought.written.skipped == {
        "wait, which is no access": 1,
        "trim, which is no access": 1,
        "close of a file that is not open": 1,
    }
    assert "times are not known: order alone is" in brought.written.limits


def test_version_3_has_times_in_microseconds(tmp_path: Path, store: Store) -> None:
    log = tmp_path / "three.log"
    log.write_text(
        "fio version 3 iolog\n7 /d/a add\n11 /d/a open\n13 /d/a read 0 10\n17 /d/a read 10 10\n19 /d/a close\n"
    )
    brought = bring(store, log)
    assert brought.accesses("start_ns, size") == [(13_000, 10), (17_000, 10)]
    assert brought.rows("SELECT start_ns FROM opens WHERE trace = $trace") == [(11_000,)]


def test_a_file_opened_again_is_another_open_file(tmp_path: Path, store: Store) -> None:
    log = tmp_path / "again.log"
    log.write_text("fio version 2 iolog\n" + 2 * "/a open\n/a read 0 10\n/a close\n" + "/b read 0 3\n")
    brought = bring(store, log)
    assert brought.rows("SELECT count(*), count(DISTINCT file) FROM opens WHERE trace = $trace") == [(3, 2)]
    assert "opened" in brought.rows("SELECT degraded FROM traces WHERE trace = $trace")[0][0]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "/a",
        "/a read",
        "/a read 1",
        "/a read 1 x",
        "/a read -1 5",
        "/a erase 1 2",
        "read 1 2",
        "/a read 1 " + "9" * 21,
    ],
)
@pytest.mark.parametrize("version", [2, 3])
def test_what_is_no_line_of_it_is_told_with_its_number(tmp_path: Path, store: Store, version: int, line: str) -> None:
    log = tmp_path / "bad.log"
    log.write_text(f"fio version {version} iolog\n{'5 ' if version == 3 and line else ''}{line}\n")
    with pytest.raises(InputError, match=r"bad\.log, line 2: no (line|action) of an iolog: "):
        bring(store, log)


@pytest.mark.skipif(not shutil.which("fio"), reason="needs fio")
@pytest.mark.parametrize("pattern", ["read", "randread", "randrw", "read:12k"])
def test_a_log_that_fio_has_just_written(tmp_path: Path, store: Store, pattern: str) -> None:
    log = tmp_path / "job.log"
    job = ["--name=job", f"--filename={tmp_path}/data", f"--rw={pattern}", "--bs=3k", "--size=509k", "--ioengine=psync"]
    subprocess.run(["fio", *job, f"--write_iolog={log}"], check=True, capture_output=True, cwd=tmp_path)
    expected = [
        (words[1], words[2], int(words[3]), int(words[4]))
        for words in map(str.split, log.read_text().splitlines())
        if words[2] in {"read", "write"}
    ]
    brought = bring(store, log)
    assert len(expected) > 40
    kinds = sorted(expected, key=lambda access: access[1])  # reads among reads: between them numbers are interpolated
    assert sorted(brought.accesses(), key=lambda access: access[1]) == kinds
    assert brought.rows("SELECT path, size FROM files WHERE trace = $trace") == [
        (f"{tmp_path}/data", max(offset + size for _, _, offset, size in expected))
    ]
