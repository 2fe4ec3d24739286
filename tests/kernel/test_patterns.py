"""Verdicts on what real programs do, recorded by the real collector: those that an expert would give."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.kernel.tool import Stepwell

pytestmark = pytest.mark.kernel

MIB = 1 << 20

FIO = {
    "sequential": ("--rw=read", "sequential", None),
    "random": ("--rw=randread", "random", None),
    "strided": ("--rw=read:8k", "strided", 12288),
    "zones": ("--rw=read --zonemode=strided --zonesize=64k --zoneskip=192k --io_size=4m", "strided", 256 << 10),
    "uring": ("--rw=randread --ioengine=io_uring --iodepth=32", "random", None),
    "libaio": ("--rw=read --ioengine=libaio --iodepth=16 --direct=1", "sequential", None),
    "popular": ("--rw=randread --random_distribution=zipf:1.2", "random", None),
    "written": ("--rw=randwrite --io_size=8m", "random", None),
}
"""By name of the file: options, pattern, stride."""

DEEDS = """
import mmap, os, random, sqlite3, threading, zipfile
import numpy as np
draw = random.Random(7)
np.load("array.npy").sum()
with open("mapped", "rb") as file:
    pages = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    sum(pages[place] for place in (draw.randrange(len(pages)) for _ in range(3001)))
with zipfile.ZipFile("members.zip") as archive:
    for name in archive.namelist():
        archive.read(name)
with sqlite3.connect("table.db") as table:
    for _ in range(997):
        table.execute("select b from t where a = ?", (draw.randrange(20011),)).fetchone()
for _ in range(499):  # opened for each record
    fd = os.open("records", os.O_RDONLY)
    os.pread(fd, 10007, draw.randrange(15 << 20))
    os.close(fd)
for number in range(97):
    with open("log", "a") as file:
        file.write("x" * draw.randrange(10, 400))
fd, place, changed = os.open("turns", os.O_RDONLY), [0], threading.Condition()
def work(number):  # each in its turn: one that runs ahead has another pattern of its own
    while place:
        with changed:
            changed.wait_for(lambda: not place or place[0] % 4 == number)
            if place and os.pread(fd, 65536, place[0] * 65536):
                place[0] += 1
            else:
                place.clear()
            changed.notify_all()
threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""

MAKE = """
import os, sqlite3, sys, zipfile
import numpy as np
np.save("array.npy", np.arange(2_000_003))
with zipfile.ZipFile("members.zip", "w") as archive:
    for number in range(97):
        archive.writestr(str(number), os.urandom(30011))
with sqlite3.connect("table.db") as table:
    table.execute("create table t (a integer primary key, b blob)")
    table.executemany("insert into t values (?, ?)", ((a, os.urandom(301)) for a in range(20011)))
for name in sys.argv[1:]:
    with open(name, "wb") as file:
        file.write(os.urandom(1 << 20) * 16)
with open("small", "wb") as file:
    file.write(os.urandom(115003))
"""

EXPECTED = {
    ("cat", "read"): "sequential",
    ("copied", "copy"): "whole-file",
    ("skipped", "read"): "sequential",
    ("reversed", "read"): "backward",
    ("small", "read"): "whole-file",
    ("members.zip", "read"): "header-then-body",
    ("table.db", "read"): "random",
    ("records", "read"): "random",
    ("log", "write"): "append",
    ("turns", "read"): "sequential",
}
"""By file and op. Apart are `np.load`, whose header is read as numpy's version likes, and the mapped file, of which a
fault may map so much that few are seen."""


def test_verdicts_on_real_programs(stepwell: Stepwell, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    plain = [*FIO, "cat", "copied", "skipped", "reversed", "mapped", "records", "turns"]
    subprocess.run([sys.executable, "-c", MAKE, *plain], cwd=work, check=True)
    jobs = [
        f"fio --name={name} --filename={name} --size=16m --bs=4k --invalidate=0 --output=/dev/null {options}"
        for name, (options, _, _) in FIO.items()
    ]
    commands = [
        *jobs,
        "cat cat > /dev/null",
        "cp copied copy",
        "dd if=skipped of=/dev/null bs=4k skip=101 count=499 status=none",
        "tac reversed > /dev/null",
        "md5sum small > /dev/null",
    ]
    (work / "deeds.py").write_text(DEEDS)
    script = "set -e\n" + "\n".join(commands) + f"\n{sys.executable} deeds.py\n"
    done = stepwell.run("record", "--under", str(work), "--", "sh", "-c", script, cwd=work)
    assert done.returncode == 0, done.stderr
    rows = stepwell.rows("SELECT path, op, pattern, stride FROM patterns WHERE scope = 'file'")
    found = {(Path(path).name, op): (pattern, stride) for path, op, pattern, stride in rows}
    for name, (options, pattern, stride) in FIO.items():
        assert found[name, "write" if "write" in options else "read"] == (pattern, stride), name
    assert {key: found[key][0] for key in EXPECTED} == EXPECTED
    assert found["array.npy", "read"][0] in {"whole-file", "header-then-body"}
    assert found["mapped", "mmap"][0] in {"random", "unknown"}


def test_every_recording_has_patterns_at_once(stepwell: Stepwell, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 115_003)
    done = stepwell.run("record", "--", "cat", str(tmp_path / "file"))
    assert done.returncode == 0, done.stderr
    assert stepwell.query(f"select pattern from patterns where scope = 'file' and path = '{tmp_path / 'file'}'") == [
        {"pattern": "whole-file"}
    ]
