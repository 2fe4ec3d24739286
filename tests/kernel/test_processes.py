"""Processes and threads: which there were, what they were called and ran, how they ended, and that none is missed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.kernel.deeds.processes import SIZE
from tests.kernel.recorded import Recorded, recorded
from tests.kernel.tool import SECONDS, Stepwell, ended

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    with recorded("processes", tmp_path_factory.mktemp("processes")) as trace:
        yield trace


def readers(trace: Recorded, deed: str, columns: str) -> list[tuple[Any, ...]]:
    """Return facts about each thread that read a deed's files, in the order of their reading."""
    return trace.rows(
        f"SELECT {columns} FROM accesses a JOIN readers r USING (trace, reader) "
        "JOIN threads t USING (trace, reader, thread) WHERE starts_with(path, ?) AND op <> 'write' AND size > 0 "
        "GROUP BY ALL ORDER BY min(a.start_ns)",
        trace.path(deed, "") + "/",
    )


def test_forked_processes_one_by_one(trace: Recorded) -> None:
    rows = readers(trace, "forks", "r.reader, ppid, count(*), r.exit_code")
    assert [row[2:] for row in rows] == [(2, 2), (3, 3), (5, 5)]
    assert len({row[0] for row in rows}) == 3
    assert len({row[1] for row in rows}) == 1


def test_programs_started_by_vfork_and_posix_spawn(trace: Recorded) -> None:
    assert readers(trace, "vforked_and_spawned", "r.comm, r.command, a.op::VARCHAR, sum(size)") == [
        ("dd", f"dd if=file bs={SIZE} of=/dev/null status=none", "read", 5 * SIZE),
        ("cat", "cat file", "copy", 5 * SIZE),
    ]


def test_a_process_made_by_clone3(trace: Recorded) -> None:
    assert readers(trace, "cloned", "count(*), r.exit_code") == [(3, 0)]


def test_the_last_of_several_programs_names_the_process(trace: Recorded) -> None:
    once = f"dd if=file bs={SIZE} count=1 of=/dev/null status=none"
    rows = readers(trace, "executes_several_programs", "r.reader, r.comm, r.command, count(*)")
    assert [row[1:] for row in rows] == [("dd", once, 1), ("dd", once, 1)]
    assert rows[0][0] != rows[1][0]
    assert trace.rows("SELECT count(*) FROM readers WHERE command LIKE 'sh -c %count=1%'") == [(0,)]


def test_a_thread_that_calls_execve_becomes_the_process(trace: Recorded) -> None:
    rows = readers(trace, "executed_by_a_thread", "r.comm, r.command LIKE '%os._exit(23)%', r.exit_code, count(*)")
    assert rows == [("python", True, 23, 3)]


def test_exit_codes_and_signals(trace: Recorded) -> None:
    rows = readers(trace, "ends_in_many_ways", "count(*), r.exit_code")
    assert rows == [(2, 0), (3, 23), (5, -signal.SIGKILL), (6, -signal.SIGSEGV)]


def test_names_that_threads_gave_themselves(trace: Recorded) -> None:
    rows = readers(trace, "named_threads", "t.comm, r.comm, count(*)")
    assert rows == [("reader", "python", 2), ("a long thread n", "python", 3), ("naïve", "python", 5)]
    assert readers(trace, "renames_itself", "t.comm, r.comm, count(*)") == [("other name", "other name", 2)]


def test_threads_that_end_with_their_process(trace: Recorded) -> None:
    rows = readers(trace, "many_threads_end_with_the_process", "t.thread, t.end_ns IS NULL, count(*)")
    assert [row[1:] for row in rows] == [(False, 11)] * 11


def test_the_twenty_third_generation(trace: Recorded) -> None:
    assert readers(trace, "deep_tree", "count(*), r.exit_code") == [(5, 0)]
    generations = """
        WITH RECURSIVE line AS (
            SELECT pid, ppid, 0 AS depth FROM readers JOIN accesses USING (trace, reader)
            WHERE path = ? AND op = 'read' GROUP BY ALL
            UNION ALL SELECT r.pid, r.ppid, depth + 1 FROM line JOIN readers r ON r.pid = line.ppid
        ) SELECT max(depth) FROM line"""
    assert trace.rows(generations, trace.path("deep_tree")) == [(23,)]


def test_a_daemon_without_its_parents(trace: Recorded) -> None:
    assert readers(trace, "daemon", "count(*), r.exit_code") == [(5, 0)]


def test_command_lines_as_one_types_them(trace: Recorded) -> None:
    rows = trace.rows("SELECT command FROM readers WHERE command LIKE '%exec 3< file%'")
    assert rows == [("sh -c 'exec 3< file' 'a b' '' ''\"'\"'' 'new\nline' " + "x" * 2013,)]


def test_a_thousand_short_processes_are_all_seen(stepwell: Stepwell, tmp_path: Path) -> None:
    """More than 100 a second, each of which reads a file and ends without a word."""
    (tmp_path / "file").write_bytes(os.urandom(7 * SIZE))
    done = stepwell.run(
        "record", "--under", str(tmp_path), "--", sys.executable, "-S", "-c", SHORT, str(tmp_path / "file")
    )
    assert done.returncode == 0, done.stderr
    assert "nothing lost" in done.stderr
    assert stepwell.rows(
        "SELECT reads, count(*) FROM (SELECT count(*) AS reads FROM accesses GROUP BY reader) GROUP BY 1"
    ) == [(7, 1009)]
    ended_well = "SELECT count(*), count(DISTINCT pid) FROM readers WHERE exit_code = 0 AND end_ns > start_ns"
    assert stepwell.rows(ended_well) == [(1010, 1010)]


SHORT = f"""
import os, sys
for i in range(1009):
    if os.fork() == 0:
        fd = os.open(sys.argv[1], os.O_RDONLY)
        for i in range(7):
            os.read(fd, {SIZE})
        os._exit(0)
    if i % 2:
        os.wait()
try:
    while True:
        os.wait()
except ChildProcessError:
    pass
"""


ATTACHED = f"""
import os, sys, threading
fd = os.open(sys.argv[1], os.O_RDONLY)
for _ in range(3):
    os.read(fd, {SIZE})
turn = threading.Barrier(4)
def work():
    turn.wait()
    turn.wait()
    os.pread(fd, 11, 13)
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
turn.wait()
print("ready", flush=True)
sys.stdin.readline()
turn.wait()
for _ in range(5):
    os.read(fd, {SIZE})
for thread in threads:
    thread.join()
if os.fork() == 0:
    os.read(fd, {SIZE})
    os._exit(0)
os.wait()
"""


def test_attached_to_threads_and_descriptors_that_were_there_already(stepwell: Stepwell, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(23 * SIZE))
    popen = subprocess.Popen(
        [sys.executable, "-c", ATTACHED, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with ended(popen) as process, ended(stepwell.start("record", "--pid", str(process.pid))) as recorder:
        assert process.stdin
        assert process.stdout
        assert recorder.stderr
        assert process.stdout.readline() == "ready\n"
        assert "recording pid" in recorder.stderr.readline()
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.wait(SECONDS) == 0
        assert recorder.wait(SECONDS) == 0
        assert "nothing lost" in recorder.stderr.read()
    rows = stepwell.rows(
        'SELECT tid = pid, r."offset", stride, count FROM runs r JOIN threads t USING (trace, reader, thread) '
        f"JOIN readers USING (trace, reader) JOIN files f USING (trace, file) WHERE path = '{path}' ORDER BY ALL"
    )
    assert rows == [
        (False, 13, 0, 1),
        (False, 13, 0, 1),
        (False, 13, 0, 1),
        (True, 3 * SIZE, SIZE, 5),
        (True, 8 * SIZE, 0, 1),
    ]
    # Once, unless threads came to it at the same moment.
    assert set(stepwell.rows(f"SELECT state FROM opens JOIN files USING (trace, file) WHERE path = '{path}'")) == {(8,)}
    (readers,) = stepwell.rows(
        "SELECT count(*), count(DISTINCT command), min(command LIKE '%turn.wait()%') FROM readers"
    )
    assert readers == (2, 1, True)


def test_processes_that_fork_while_the_recorder_attaches_are_not_missed(stepwell: Stepwell, tmp_path: Path) -> None:
    """A process that forks without pause: from the moment of attaching all its children are recorded."""
    path = tmp_path / "file"
    path.write_bytes(b"." * SIZE)
    popen = subprocess.Popen([sys.executable, "-S", "-c", FORKING, str(path)], stdin=subprocess.PIPE, text=True)
    with (
        ended(popen) as process,
        ended(stepwell.start("record", "--under", str(tmp_path), "--pid", str(process.pid))) as recorder,
    ):
        assert recorder.stderr
        assert process.stdin
        assert "recording pid" in recorder.stderr.readline()
        process.stdin.close()
        assert process.wait(SECONDS) == 0
        assert recorder.wait(SECONDS) == 0
    rows = stepwell.rows('SELECT "offset" FROM accesses ORDER BY start_ns')
    offsets = [offset for (offset,) in rows]
    assert len(offsets) >= 23
    assert offsets == list(range(offsets[0], offsets[0] + len(offsets)))


FORKING = """
import os, select, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
i, left = 0, 23
while left:
    if select.select([0], [], [], 0)[0]:
        left -= 1
    if os.fork() == 0:
        os.pread(fd, 1, i)
        os._exit(0)
    os.wait()
    i += 1
"""


def test_everything_is_recorded_but_the_recorder(stepwell: Stepwell, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"." * SIZE)
    with ended(stepwell.start("record", "--all")) as recorder:
        assert recorder.stderr
        assert "recording all" in recorder.stderr.readline()
        popen = subprocess.Popen(["dd", f"if={path}", "bs=13", "count=11", "of=/dev/null", "status=none"], text=True)
        with ended(popen) as dd:
            assert dd.wait(SECONDS) == 0
        recorder.send_signal(signal.SIGINT)
        assert recorder.wait(SECONDS) == 0
    assert stepwell.rows(f"SELECT count(*) FROM accesses WHERE path = '{path}'") == [(11,)]
    assert stepwell.rows(f"SELECT pid FROM readers WHERE pid = {recorder.pid}") == []
    assert stepwell.rows("SELECT path FROM files WHERE path LIKE '%.spool'") == []
