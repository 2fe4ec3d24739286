"""The engine as a process: sockets, files, options and their errors, on the local file system."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kernel.tool import SECONDS, wait_until
from tests.storage.engine import PROGRAM, running
from tests.unit.prefetch.test_native import evict

from stepwell.prefetch.codec import decode, encode
from stepwell.prefetch.protocol import Entry, Order, Refused, Root, Status, Stop

FILES, EACH = 31, 8191

MAP_LOCKED = 0x2000
"""mmap(2); Python does not name it."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    for number in range(FILES):
        (tmp_path / "data" / f"{number:02}").write_bytes(os.urandom(EACH))
    os.sync()
    for path in (tmp_path / "data").iterdir():
        evict(path)
    return tmp_path / "data"


@contextlib.contextmanager
def locked(data: Path) -> Iterator[None]:
    """Keep the files in memory: a busy machine may need that of pages just read for others."""
    with contextlib.ExitStack() as stack:
        for path in data.iterdir():
            with path.open("rb") as file:
                stack.enter_context(mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED | MAP_LOCKED, mmap.PROT_READ))
        yield


@contextlib.contextmanager
def started(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    argv = [*PROGRAM, *map(str, arguments)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


class Peer:
    """A program at the engine's socket."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(SECONDS)
        wait_until(lambda: self.socket.connect_ex(str(path)) == 0, "nobody listens")
        self.lines = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def until(self, condition: object) -> Status | Refused:
        assert callable(condition)
        for line in self.lines:
            answer = decode(line)
            assert isinstance(answer, Status | Refused)
            if condition(answer):
                return answer
        raise AssertionError("the engine has hung up")

    def close(self) -> None:
        self.lines.close()
        self.socket.close()


def test_several_programs_tell_one_engine_and_all_are_answered(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with started("--socket", path, "--status", tmp_path / "status") as engine:
        one, other = Peer(path), Peer(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        one.send(encode(Root(str(data))))
        no_text = rb'{"type":"root","path":"/\ud800"}'
        other.send(b"\n{}\n" + no_text + b"\n" + encode(Order((Entry("07"), Entry("03")), done=True)))
        refused = [other.until(lambda answer: isinstance(answer, Refused)) for _ in range(3)]
        assert [one.line for one in refused if isinstance(one, Refused)] == [1, 2, 3]
        assert isinstance(refused[0], Refused)
        assert refused[0].error.startswith("not JSON")
        found = one.until(lambda answer: isinstance(answer, Status) and answer.totals.brought_bytes == 2 * EACH)
        other.close()
        one.send(encode(Stop()))
        last = one.until(lambda answer: isinstance(answer, Status) and answer.state == "ended")
        one.close()
        assert engine.wait(SECONDS) == 0
        assert isinstance(found, Status)
        assert isinstance(last, Status)
        assert decode((tmp_path / "status").read_bytes()) == last
    assert not path.exists()


def test_a_sampler_tells_the_order_at_a_socket_of_its_own(data: Path, tmp_path: Path) -> None:
    path, status = tmp_path / "orders", tmp_path / "status"
    with started("--root", data, "--order-socket", path, "--status", status):
        sampler = Peer(path)
        sampler.send(b"05\n11\t4096\t4095\nwrong\tline\n")
        refused = sampler.until(lambda answer: isinstance(answer, Refused))
        assert isinstance(refused, Refused)
        assert (refused.line, "is no step" in refused.error) == (3, True)
        sampler.send(b"02")
        sampler.close()  # ends the last line, too

        def brought() -> int:
            answer = decode(status.read_bytes()) if status.exists() else None
            return answer.totals.brought_bytes if isinstance(answer, Status) else 0

        wait_until(lambda: brought() == EACH + 4095 + EACH, "the order is not brought in")


def test_an_order_file_is_brought_in_and_told_as_json_or_text(data: Path, tmp_path: Path) -> None:
    (tmp_path / "order").write_text("".join(f"{number:02}\n" for number in range(FILES)))
    done = subprocess.run(
        [*PROGRAM, "--root", "data", "--order", "order", "-o", "json", "--memory", "1GiB", "--in-flight", "3"],
        cwd=tmp_path, capture_output=True, check=True,
    )  # fmt: skip
    status = json.loads(done.stdout)
    assert (status["state"], status["totals"]["brought_bytes"]) == ("ended", FILES * EACH)
    assert status["budget"]["in_flight"] == 3
    with locked(data):
        again = subprocess.run(
            [*PROGRAM, "--root", data, "--order", tmp_path / "order"], capture_output=True, check=True, text=True
        )
    assert again.stdout.startswith("brought in 0 B of 0 files; ")
    assert again.stderr == ""


def test_a_root_that_is_gone_is_left_out(data: Path, tmp_path: Path) -> None:
    (tmp_path / "order").write_text(f"{tmp_path}/gone/a\n{data}/03\n")
    given = ["--root", tmp_path / "gone", "--root", data, "--order", tmp_path / "order"]
    done = subprocess.run([*PROGRAM, *map(str, given)], capture_output=True, check=True, text=True)
    assert " of 1 file" in done.stdout
    assert done.stderr == f"{tmp_path}/gone is no directory any more; it is left out\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_cleanly(data: Path, tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "socket"
    with started("--root", data, "--socket", path) as engine:
        Peer(path).close()
        engine.send_signal(number)
        assert engine.wait(SECONDS) == 0
    assert not path.exists()


EMBEDDED = """
import os, signal, threading
from stepwell.prefetch import ending
from stepwell.prefetch.engine import Engine
ending.PATIENCE = 0.1
engine = Engine()
os.kill(os.getpid(), signal.SIGTERM)
print(engine.run(until_done=False).state, flush=True)
for thread in threading.enumerate():
    if thread.name == "ending":
        thread.join(60)
print("goes on")
"""


def test_a_program_that_runs_an_engine_itself_goes_on_when_that_has_ended() -> None:
    done = subprocess.run([sys.executable, "-c", EMBEDDED], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "ended\ngoes on\n"), done.stderr


def test_a_socket_that_is_served_is_not_taken_over_and_a_dead_one_is(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with started("--root", data, "--socket", path) as first:
        Peer(path).close()
        with started("--root", data, "--socket", path) as second:
            assert second.wait(SECONDS) == 1
            assert second.stderr
            assert "cannot listen at" in second.stderr.read()
        first.kill()
        first.wait(SECONDS)
    assert path.exists()
    with started("--root", data, "--socket", path):
        Peer(path).close()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 1, "error: nothing to read ahead; give --root DIR"),
        (["--root", "absent"], 1, "absent is no directory; give --root"),
        (["--root", ".", "--order", "absent"], 1, "cannot read the order"),
        (["--root", ".", "--stdin", "--parent", "4194304"], 1, "there is no process 4194304"),
        (["--root", ".", "--memory", "much"], 2, "'much' is no size; write 4096, 64KiB, 1.5GiB"),
        (["--root", ".", "--bandwidth", "5MiB/h"], 2, "is no size"),
        (["--root", ".", "--socket", "absent/socket"], 1, "cannot listen at"),
    ],
)
def test_errors_say_what_to_do(tmp_path: Path, arguments: list[str], code: int, says: str) -> None:
    argv = [*PROGRAM, *arguments]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert says in done.stderr


def test_a_relative_root_is_refused(data: Path) -> None:
    with running(data) as engine:
        engine.tell(Root("data"))
        wait_until(lambda: bool(engine.refused), "it is not refused")
        assert "give an absolute path" in engine.refused[0].error


def test_a_bandwidth_that_makes_the_next_request_wait_for_months_is_kept_to(data: Path) -> None:
    big = 3 << 20
    (data / "big").write_bytes(os.urandom(big))
    os.sync()
    evict(data / "big")
    with running(data, "--bandwidth", "1") as engine:
        engine.tell(Root(str(data), block_bytes=4 << 20), Order((Entry("big"), Entry("00"))))
        engine.wait("it brings nothing in", lambda status: status.totals.brought_bytes == big)
        engine.tell(Order((Entry("01"),)))
        status = engine.wait("it hears nothing", lambda status: status.order_length == 3)
        assert (status.totals.requests, status.why) == (1, "the bandwidth budget is used up for now")


def test_it_needs_no_package_and_starts_without_the_rest_of_stepwell() -> None:
    program = "import sys, stepwell.prefetch.engine; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    names = [name.split(".") for name in done.stdout.split()]
    assert {name[0] for name in names}.isdisjoint({"numpy", "pyarrow", "duckdb", "click", "rich"})
    assert {name[1] for name in names if name[0] == "stepwell" and len(name) > 1} == {"mounts", "prefetch", "trace"}


def test_long_lines_are_taken_and_endless_ones_are_not(data: Path) -> None:
    with running(data) as engine:
        engine.tell(Order(tuple(Entry(f"{number:02}") for number in range(FILES)) * 4099, done=True))
        status = engine.wait("the long order does not come", lambda status: status.order_length == FILES * 4099)
        assert status.totals.brought_bytes <= FILES * EACH
        with contextlib.suppress(BrokenPipeError):
            for _ in range(65):
                engine.say(bytes(1 << 20))
        assert engine.process.wait(SECONDS) == 0
        engine.end()
        assert "a line is longer than" in engine.refused[0].error
