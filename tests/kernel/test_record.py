"""`stepwell record` from end to end: the real command, the real kernel, a real store."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from tests.kernel.tool import SECONDS, Stepwell, cgroup_hierarchies, ended

pytestmark = pytest.mark.kernel

READER = """
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
for i in range(23):
    os.pread(fd, 4093, i * 5003)
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "file"
    path.parent.mkdir()
    path.write_bytes(os.urandom(23 * 5003))
    return path


def test_every_access_of_a_command(stepwell: Stepwell, data: Path, tmp_path: Path) -> None:
    summary = tmp_path / "summary.json"
    done = stepwell.run(
        "record", "--summary", str(summary), "--under", str(data.parent), "--", sys.executable, "-c", READER, str(data)
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "recorded trace 1: 23 accesses" in done.stderr
    assert "nothing lost" in done.stderr
    assert "error" not in done.stderr
    assert f"stepwell --store {stepwell.store} report --trace 1" in done.stderr
    accesses = stepwell.query('select path, op, "offset", size, requested from accesses order by seq')
    expected = [
        {"path": str(data), "op": "read", "offset": i * 5003, "size": 4093, "requested": 4093} for i in range(23)
    ]
    assert accesses == expected
    (trace,) = stepwell.query("select * from traces")
    assert trace["status"] == "complete"
    assert trace["exit_code"] == 0
    assert trace["cwd"] == str(Path.cwd())
    assert trace["scope"] == f"command under {data.parent}"
    assert json.loads(summary.read_text()) == [trace]
    assert not stepwell.spools


def test_files_are_as_old_as_they_were_when_first_seen(stepwell: Stepwell, data: Path) -> None:
    mtime_ns = 1_234_567_890_123_456_789
    os.utime(data, ns=(mtime_ns, mtime_ns))
    program = f"path = {str(data)!r}; open(path, 'rb').read(); open(path, 'ab').write(b'more')"
    assert stepwell.run("record", "--", sys.executable, "-c", program).returncode == 0
    assert stepwell.rows("SELECT mtime_ns FROM files WHERE path = ?", str(data)) == [(mtime_ns,)]


def test_children_of_the_command_too(stepwell: Stepwell, data: Path) -> None:
    script = 'for i in 1 2 3 4 5; do "$0" -c "$1" "$2" & done; wait'
    done = stepwell.run("record", "--under", str(data.parent), "sh", "-c", script, sys.executable, READER, str(data))
    assert done.returncode == 0
    rows = stepwell.query("select reader, count(*) n from accesses group by reader order by reader")
    assert [row["n"] for row in rows] == [23] * 5


@pytest.mark.parametrize(("script", "code"), [("exit 23", 23), ("kill -KILL $$", 137), ("kill -TERM $$", 143)])
def test_exit_code_passes_through(stepwell: Stepwell, script: str, code: int) -> None:
    assert stepwell.run("record", "--", "sh", "-c", script).returncode == code
    assert stepwell.query("select exit_code, status from traces") == [{"exit_code": code, "status": "complete"}]


def test_output_and_input_are_the_commands_own(stepwell: Stepwell) -> None:
    text = "line\n" * 4093
    done = stepwell.run("record", "--", "sh", "-c", "cat; echo error >&2", input=text)
    assert done.stdout == text
    assert done.stderr.splitlines()[0] == "error"
    assert "\x1b" not in done.stderr


def test_a_command_that_cannot_start_leaves_nothing(stepwell: Stepwell, data: Path) -> None:
    missing = stepwell.run("record", "--", "no-such-program")
    refused = stepwell.run("record", "--", str(data))
    assert (missing.returncode, refused.returncode) == (127, 126)
    assert missing.stderr.startswith("stepwell: error: cannot find no-such-program")
    assert refused.stderr.startswith(f"stepwell: error: cannot execute {data}: Permission denied")
    assert not stepwell.spools
    assert json.loads(stepwell.run("traces", "-o", "json").stdout) == []


def test_a_running_process_until_it_ends(stepwell: Stepwell, data: Path) -> None:
    script = f"import os, sys\nfd = os.open({str(data)!r}, os.O_RDONLY)\nfor line in sys.stdin: os.pread(fd, 4093, 7)\n"
    popen = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, text=True)
    with (
        ended(popen) as reader,
        ended(stepwell.start("record", "--pid", str(reader.pid), "--under", str(data.parent))) as recorder,
    ):
        assert recorder.stderr is not None
        assert recorder.stderr.readline().startswith(f"stepwell: recording pid {reader.pid}")
        assert reader.stdin is not None
        reader.stdin.write("go\n" * 13)
        reader.stdin.close()
        assert reader.wait(SECONDS) == 0
        assert recorder.wait(SECONDS) == 0
    assert stepwell.query('select "offset", size, count(*) n from accesses group by all') == [
        {"offset": 7, "size": 4093, "n": 13}
    ]
    assert stepwell.query("select status, exit_code from traces") == [{"status": "complete", "exit_code": None}]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_recording_without_command(stepwell: Stepwell, number: signal.Signals) -> None:
    with ended(stepwell.start("record", "--all")) as recorder:
        assert recorder.stderr is not None
        assert recorder.stderr.readline().startswith("stepwell: recording all")
        recorder.send_signal(number)
        assert recorder.wait(SECONDS) == 0
    assert stepwell.query("select status, scope from traces") == [{"status": "complete", "scope": "all"}]


@pytest.mark.parametrize("hierarchy", cgroup_hierarchies())
def test_what_runs_in_a_cgroup_and_nothing_else(stepwell: Stepwell, data: Path, hierarchy: str) -> None:
    group = Path(hierarchy) / f"stepwell-test-{os.getpid()}"
    group.mkdir()
    try:
        inside = f'echo $$ > {group}/cgroup.procs; "$0" -c "$1" "$2"; exit'
        script = f'sh -c \'{inside}\' "$0" "$1" "$2"; "$0" -c "$1" "$2"'
        scope = ["--cgroup", f"/{group.name}", "--under", str(data.parent)]
        done = stepwell.run("record", *scope, "--", "sh", "-c", script, sys.executable, READER, str(data))
        assert done.returncode == 0, done.stderr
    finally:
        group.rmdir()
    assert stepwell.query("select count(*) n, count(distinct reader) readers from accesses") == [
        {"n": 23, "readers": 1}
    ]


def test_duration_ends_the_recording_and_not_the_command(stepwell: Stepwell) -> None:
    with ended(stepwell.start("record", "--duration", "100ms", "--", "sh", "-c", "read line; exit 23")) as recorder:
        assert recorder.stderr is not None
        assert "recorded trace 1" in recorder.stderr.readline()
        assert recorder.poll() is None
        recorder.communicate("go\n", timeout=SECONDS)
        assert recorder.returncode == 23


def test_signal_to_the_recorder_reaches_the_command(stepwell: Stepwell) -> None:
    script = "trap 'echo got; exit 23' TERM; echo ready; read forever"
    with ended(stepwell.start("record", "--", "sh", "-c", script)) as recorder:
        assert recorder.stdout is not None
        assert recorder.stdout.readline() == "ready\n"
        recorder.send_signal(signal.SIGTERM)
        assert recorder.stdout.readline() == "got\n"
        assert recorder.wait(SECONDS) == 23


def test_killed_recorder_leaves_command_and_trace(stepwell: Stepwell, data: Path) -> None:
    script = READER + "print('read', flush=True)\nsys.stdin.readline()\nprint('alive', flush=True)\n"
    command = ["record", "--under", str(data.parent), "--", sys.executable, "-c", script, str(data)]
    with ended(stepwell.start(*command)) as recorder:
        assert recorder.stdout is not None
        assert recorder.stdin is not None
        assert recorder.stdout.readline() == "read\n"
        recorder.kill()
        recorder.wait(SECONDS)
        recorder.stdin.write("go\n")
        recorder.stdin.flush()
        assert recorder.stdout.readline() == "alive\n"
    assert len(stepwell.spools) == 1
    listing = stepwell.run("traces", "-o", "json")
    assert "recovered trace 1" in listing.stderr
    (trace,) = json.loads(listing.stdout)
    assert trace["status"] == "interrupted"
    assert not stepwell.spools


def test_locked_store_keeps_the_spool_until_later(stepwell: Stepwell, data: Path) -> None:
    command = ["record", "--under", str(data.parent), "--", sys.executable, "-c", READER, str(data)]
    holder = (
        f"import duckdb, sys; c = duckdb.connect({str(stepwell.store)!r}); print('held', flush=True); sys.stdin.read()"
    )
    assert stepwell.run(*command).returncode == 0
    popen = subprocess.Popen([sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with ended(popen) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        done = stepwell.run(*command)
        assert done.returncode == 0
        (spool,) = stepwell.spools
        assert str(spool) in done.stderr
    assert stepwell.query("select trace, accesses from traces order by trace") == [
        {"trace": 1, "accesses": 23},
        {"trace": 2, "accesses": 23},
    ]
    assert not stepwell.spools


def test_processes_that_outlive_the_command_are_named(stepwell: Stepwell) -> None:
    script = "sleep 600 >/dev/null 2>&1 & echo $!"
    done = stepwell.run("record", "--", "sh", "-c", script)
    os.kill(int(done.stdout), signal.SIGTERM)
    assert "1 process it started still runs" in done.stderr
    assert done.returncode == 0


def test_keep_removes_older_traces(stepwell: Stepwell) -> None:
    for _ in range(3):
        stepwell.run("record", "--keep", "2", "--", "true")
    assert [row["trace"] for row in stepwell.query("select trace from traces order by trace")] == [2, 3]


def test_a_user_with_just_the_capabilities_records_and_the_command_does_not_get_them() -> None:
    nobody, rights = "65534", "+bpf,+perfmon"
    with tempfile.TemporaryDirectory() as directory:
        os.chown(directory, int(nobody), -1)
        stepwell = Stepwell(Path(directory) / "store.duckdb")
        rightful = ["setpriv", "--reuid", nobody, "--clear-groups", "--inh-caps", rights, "--ambient-caps", rights]
        command = [*rightful, *stepwell.argv("record", "--", "grep", "Cap[AEP]", "/proc/self/status")]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS)
        assert done.returncode == 0, done.stderr
        assert [line.split()[1] for line in done.stdout.splitlines()] == ["0" * 16] * 3
        assert "recorded trace 1" in done.stderr


def test_a_user_without_rights_is_told_how_to_get_them() -> None:
    with tempfile.TemporaryDirectory() as directory:
        os.chown(directory, 65534, -1)
        stepwell = Stepwell(Path(directory) / "store.duckdb")
        command = ["setpriv", "--reuid", "65534", "--clear-groups", *stepwell.argv("record", "--", "echo", "ran")]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS)
        assert (done.returncode, done.stdout) == (125, "")
        assert done.stderr.startswith("stepwell: error: ")
        assert "setpriv" in done.stderr
        assert not stepwell.spools


def test_a_spool_that_cannot_be_written_runs_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = Stepwell(tmp_path / "file" / "store.duckdb").run("record", "--", "echo", "ran")
    assert (done.returncode, done.stdout) == (125, "")
    assert "cannot record into" in done.stderr


def read_until(descriptor: int, text: bytes) -> bytes:
    seen, deadline = b"", time.monotonic() + SECONDS
    while text not in seen:
        assert select.select([descriptor], [], [], max(0, deadline - time.monotonic()))[0], seen
        seen += os.read(descriptor, 4096)
    return seen


def test_ctrl_c_at_a_terminal_leaves_a_usable_trace(stepwell: Stepwell, data: Path) -> None:
    script = READER + "print('ready', sys.stdin.isatty(), flush=True)\nsys.stdin.readline()\n"
    pid, terminal = pty.fork()
    if pid == 0:
        argv = stepwell.argv("record", "--under", str(data.parent), "--", sys.executable, "-c", script, str(data))
        os.execv(argv[0], argv)
    try:
        seen = read_until(terminal, b"ready True")
        if b" in all" not in seen:
            read_until(terminal, b" in all")  # the live line
        os.write(terminal, b"\x03")
        read_until(terminal, b"recorded trace 1: 23 accesses")
        with contextlib.suppress(OSError):  # EIO: the terminal's other end is closed
            while os.read(terminal, 4096):
                pass
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    finally:
        os.close(terminal)
    assert stepwell.query("select status, accesses from traces") == [{"status": "interrupted", "accesses": 23}]


def test_doctor_tells_what_works_and_how_to_mend_what_does_not(stepwell: Stepwell) -> None:
    done = stepwell.run("doctor", "-o", "json")
    assert done.returncode == 0, done.stdout
    assert all(check["ok"] for check in json.loads(done.stdout))
    command = ["setpriv", "--reuid", "65534", "--clear-groups", *stepwell.argv("doctor", "-o", "json")]
    refused = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS)
    assert refused.returncode == 3
    bad = {check["name"]: check["fix"] for check in json.loads(refused.stdout) if not check["ok"]}
    assert set(bad) == {"rights", "store", "spool"}  # the directory is root's alone
    assert "setpriv" in bad["rights"]
    assert "--store" in bad["store"]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_descriptors_that_the_caller_closed_are_closed_for_the_command(stepwell: Stepwell, closed: str) -> None:
    script = "import os, sys; sys.exit(23 + sum(1 << fd for fd in range(3) if os.path.exists(f'/proc/self/fd/{fd}')))"
    alone = [sys.executable, "-c", script]
    codes = [
        subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", *argv], check=False, timeout=SECONDS).returncode
        for argv in (alone, stepwell.argv("record", "-q", "--", *alone))
    ]
    assert codes[0] == codes[1]


def test_a_deleted_working_directory_is_no_obstacle(stepwell: Stepwell) -> None:
    script = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    argv = ["sh", "-c", script, "sh", *stepwell.argv("record", "--", "sh", "-c", "exit 23")]
    assert subprocess.run(argv, check=False, timeout=SECONDS, cwd=stepwell.store.parent).returncode == 23
    assert stepwell.query("select cwd from traces") == [{"cwd": f"{stepwell.store.parent}/gone (deleted)"}]
