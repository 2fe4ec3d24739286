"""What `make demo` does, in small: every way of reading it promises is in its trace."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.kernel.tool import Stepwell

pytestmark = pytest.mark.kernel

DEMO = (sys.executable, "-m", "stepwell.cli.demo")


@pytest.fixture
def found(stepwell: Stepwell, tmp_path: Path) -> dict[str, Any]:
    data = str(tmp_path / "data")
    done = stepwell.run("record", "--", *DEMO, data, "--size-mib", "23", "--seconds", "0")
    assert done.returncode == 0, done.stderr
    assert "nothing lost" in done.stderr
    report: dict[str, Any] = json.loads(stepwell.run("report", "-o", "json").stdout)
    report["root"] = data
    return report


def test_the_demo_reads_in_every_way_it_names(stepwell: Stepwell, found: dict[str, Any]) -> None:
    def accesses(name: str, op: str = "read") -> list[tuple[Any, ...]]:
        columns = f"path, \"offset\", size, requested FROM accesses WHERE path LIKE '{found['root']}/{name}/%'"
        return stepwell.rows(f"SELECT {columns} AND op = '{op}' ORDER BY path, thread, seq")

    images = {path: Path(path).stat().st_size for path, *_ in accesses("images")}
    assert len(images) > 50
    whole = [(path, size) for path, offset, size, _ in accesses("images") if size]
    assert sorted(whole) == sorted([*images.items()] * 2)  # in each of two epochs

    columns = [row for row in accesses("columns") if row[2]]
    assert {(offset % (256 << 10) // (64 << 10), size) for _, offset, size, _ in columns} == {(0, 65536), (2, 65536)}
    strides = {(stride["op"], stride["stride"], stride["requested"]) for stride in found["strides"]}
    assert ("read", 256 << 10, 64 << 10) in strides

    lookups = accesses("index")
    assert len(lookups) == 20_000
    assert {(size, requested) for _, _, size, requested in lookups} == {(4096, 4096)}
    assert len({offset for _, offset, *_ in lookups}) > 400

    assert {Path(path).name for path, *_ in accesses("weights", "mmap")} == {"model-0.bin", "model-1.bin"}
    assert accesses("weights") == []

    archives = accesses("archives")
    assert len([row for row in archives if row[1:3] == (0, 24)]) == 30
    assert {requested for _, offset, _, requested in archives if offset >= 4096} == {
        *(min(left, 256 << 10) for left in remaining((23 << 20) // 100 - 4096))
    }
    assert found["totals"]["readers"] == 7


def remaining(size: int) -> list[int]:
    return list(range(size, 0, -(256 << 10)))


def test_the_demo_makes_its_files_once_and_alike(stepwell: Stepwell, tmp_path: Path) -> None:
    arguments = ("record", "--", *DEMO, "--make", "--size-mib", "8")
    for directory in ("one", "two", "one"):
        assert stepwell.run(*arguments, str(tmp_path / directory)).returncode == 0
    written = stepwell.rows(
        f"SELECT trace, sum(size) FROM accesses WHERE op = 'write' AND path LIKE '{tmp_path}%' GROUP BY 1"
    )
    assert {trace for trace, octets in written if octets > 1 << 20} == {1, 2}
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / d).rglob("*.*")} for d in ("one", "two"))
    assert one == two
