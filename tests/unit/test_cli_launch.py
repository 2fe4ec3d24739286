"""The command that is recorded must not notice: real processes, real signals, a real terminal."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

LAUNCHER = """
import signal, sys
from stepwell.cli.launch import Command, Signals
from stepwell.trace.errors import StepwellError
with Signals() as signals:
    command = Command.fork(sys.argv[1:], signals, lambda: None)
    try:
        command.release()
    except StepwellError as error:
        sys.exit(error.exit_code)
    while (code := command.poll()) is None:
        info = signals.wait(None)
        if info.si_signo != signal.SIGCHLD:
            command.forward(info)
sys.exit(code)
"""

REPORT = """
import json, os, signal, sys
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "blocked": int(status["SigBlk"], 16), "ignored": int(status["SigIgn"], 16),
    "fds": sorted(int(fd) for fd in os.listdir("/proc/self/fd")), "group": os.getpgrp(), "parent": os.getppid(),
    "environment": [pair for pair in open("/proc/self/environ", "rb").read().decode().split("\\0") if pair],
}))
"""

PYTHONPATH = os.pathsep.join(path for path in sys.path if path)


def launch(*argv: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": PYTHONPATH}
    argv = (sys.executable, "-c", LAUNCHER, *argv)
    return subprocess.run(
        argv, check=False, capture_output=True, text=True, timeout=30, **{"env": environment, **options}
    )


@pytest.mark.parametrize("code", [0, 1, 23, 125, 255])
def test_exit_code_passes_through(code: int) -> None:
    assert launch("sh", "-c", f"exit {code}").returncode == code


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGINT])
def test_death_by_signal_is_128_plus_its_number(number: signal.Signals) -> None:
    assert launch("sh", "-c", f"ulimit -c 0; kill -{number.value} $$").returncode == 128 + number


def test_what_cannot_be_started(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no program")
    assert launch("no-such-program").returncode == 127
    assert launch(str(plain)).returncode == 126
    plain.chmod(0o755)
    assert launch(str(plain)).returncode == 126
    assert launch(str(tmp_path / "missing" / "program")).returncode == 127
    assert launch(str(plain / "under-a-file")).returncode == 127


def test_stdin_and_stdout_are_the_commands_own() -> None:
    text = "line\n" * 4093
    assert launch("cat", input=text).stdout == text


def test_command_starts_as_if_by_itself() -> None:
    read, write = os.pipe()
    try:
        alone = subprocess.run(
            [sys.executable, "-c", REPORT], pass_fds=[write], capture_output=True, text=True, check=True, env={"A": "1"}
        )
        launched = launch(sys.executable, "-c", REPORT, pass_fds=[write], env={"A": "1", "PYTHONPATH": PYTHONPATH})
    finally:
        os.close(read)
        os.close(write)
    expected, seen = json.loads(alone.stdout), json.loads(launched.stdout)
    assert write in seen["fds"]
    assert seen["environment"] == ["A=1", f"PYTHONPATH={PYTHONPATH}"]
    assert {key: seen[key] for key in ("blocked", "ignored", "fds")} == {
        key: expected[key] for key in ("blocked", "ignored", "fds")
    }


def test_ignored_signals_stay_ignored() -> None:
    launched = launch(
        "sh", "-c", 'exec nohup "$0" -c "$1" "$2" -c "$3"', sys.executable, LAUNCHER, sys.executable, REPORT
    )
    ignored = json.loads(launched.stdout)["ignored"]
    assert ignored & 1 << (signal.SIGHUP - 1)


def start(*argv: str) -> subprocess.Popen[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": PYTHONPATH}
    return subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, *argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_signal_to_the_launcher_alone_reaches_the_command(number: signal.Signals) -> None:
    with start("sh", "-c", f"trap 'echo got; exit 23' {number.value}; echo ready; read forever") as process:
        assert process.stdout is not None
        # `read` blocks on a pipe of ours that never gets a line; the trap runs when the signal ends it.
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == "got\n"
        assert process.wait(timeout=30) == 23


def read_until(descriptor: int, text: bytes, seconds: float = 30) -> bytes:
    seen, deadline = b"", time.monotonic() + seconds
    while text not in seen:
        assert select.select([descriptor], [], [], max(0, deadline - time.monotonic()))[0], seen
        seen += os.read(descriptor, 4096)
    return seen


def test_ctrl_c_at_the_terminal_reaches_the_command_once() -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["PYTHONPATH"] = PYTHONPATH
        script = (
            "import signal, sys\n"
            "caught = []\n"
            "signal.signal(signal.SIGINT, lambda *_: caught.append(1))\n"
            "print('ready', sys.stdin.isatty(), flush=True)\n"
            "sys.stdin.readline()\n"
            "print('caught', len(caught), flush=True)\n"
            "sys.exit(23)\n"
        )
        os.execv(sys.executable, [sys.executable, "-c", LAUNCHER, sys.executable, "-c", script])
    try:
        read_until(terminal, b"ready True")
        os.write(terminal, b"\x03")
        read_until(terminal, b"^C")
        os.write(terminal, b"on\n")
        read_until(terminal, b"caught 1")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 23
    finally:
        os.close(terminal)
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
