"""Descriptors shared by threads and processes, and what is open without a call of open(2) by its reader."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kernel.deeds.sharing import SIZE
from tests.kernel.recorded import Recorded, recorded

pytestmark = pytest.mark.kernel

CLOEXEC = 0o2000000
LARGEFILE = 0o100000


@pytest.fixture(scope="module")
def passed() -> Iterator[Path]:
    """A socket at which a process that is not recorded passes on a descriptor."""
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as server:
        file = Path(directory) / "passed"
        file.write_bytes(os.urandom(11 * SIZE))
        server.bind(f"{directory}/socket")
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection, file.open("rb", buffering=0) as passing:
                passing.read(3 * SIZE)
                socket.send_fds(connection, [b"."], [passing.fileno()])

        server_thread = threading.Thread(target=serve, daemon=True)
        server_thread.start()
        os.environ["PASSER"] = f"{directory}/socket"
        yield file
        server_thread.join()
        del os.environ["PASSER"]


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory, passed: Path) -> Iterator[Recorded]:
    assert passed.exists()
    with recorded("sharing", tmp_path_factory.mktemp("sharing")) as trace:
        yield trace


def offsets(trace: Recorded, path: str) -> Counter[int]:
    rows = trace.rows("SELECT \"offset\" FROM accesses WHERE path = ? AND op = 'read' AND size > 0", path)
    return Counter(offset for (offset,) in rows)


@pytest.mark.parametrize("deed", ["threads_share_a_position", "processes_race_for_a_position"])
def test_every_offset_is_right_under_contention(trace: Recorded, deed: str) -> None:
    path = trace.path(deed)
    assert offsets(trace, path) == Counter(range(0, 997 * SIZE, SIZE))
    assert trace.rows("SELECT count(*) FROM accesses WHERE path = ? AND op = 'read' AND size = 0", path) == [(3,)]


def test_duplicates_are_one_open_file(trace: Recorded) -> None:
    path = trace.path("duplicates_share_a_position")
    assert trace.reads(path) == [(0, 0, 0, SIZE, 11, SIZE, SIZE)]
    assert len(trace.opens(path)) == trace.closes(path) == 1


def test_a_dup2_that_does_not_close_ends_nothing(trace: Recorded) -> None:
    path = trace.path("dup2_onto_itself_closes_nothing")
    assert trace.reads(path) == [(0, 0, 0, SIZE, 5, SIZE, SIZE)]
    assert trace.opens(path) == [(LARGEFILE, 0)]
    assert trace.closes(path) == 1


def test_dup2_closes_its_target(trace: Recorded) -> None:
    one, other = (trace.path("dup2_closes_its_target", name) for name in ("one", "other"))
    assert trace.reads(one) == [(0, 0, 0, 0, 1, SIZE, SIZE)]
    assert trace.reads(other) == [(0, 0, 0, SIZE, 5, SIZE, SIZE)]
    assert (trace.closes(one), trace.closes(other)) == (1, 0)


def test_parent_and_child_alternate_on_one_open_file(trace: Recorded) -> None:
    path = trace.path("parent_and_child_take_turns")
    assert trace.reads(path) == [
        (0, 0, 0, 2 * SIZE, 12, SIZE, SIZE),
        (0, 1, SIZE, 2 * SIZE, 11, SIZE, SIZE),
    ]


def test_a_descriptor_passed_between_recorded_processes_stays_one_open_file(trace: Recorded) -> None:
    path = trace.path("passed_through_a_socket")
    assert trace.reads(path) == [(0, 0, 0, SIZE, 6, SIZE, SIZE), (0, 1, 6 * SIZE, SIZE, 7, SIZE, SIZE)]
    assert trace.opens(path) == [(LARGEFILE, 0)]


def test_a_descriptor_from_a_process_that_is_not_recorded(trace: Recorded, passed: Path) -> None:
    assert trace.reads(str(passed)) == [(0, 0, 3 * SIZE, SIZE, 8, SIZE, SIZE)]
    assert trace.opens(str(passed)) == [(LARGEFILE, 8)]


def test_opened_again_through_proc_after_unlink(trace: Recorded) -> None:
    path = trace.path("opened_again_through_proc")
    assert trace.reads(path) == [(0, 0, 0, 0, 1, SIZE, SIZE), (1, 0, 0, SIZE, 8, SIZE, 0)]
    assert trace.opens(path) == [(LARGEFILE, 0), (LARGEFILE, 1)]


def test_a_descriptor_taken_with_pidfd_getfd(trace: Recorded) -> None:
    path = trace.path("taken_from_another_process")
    assert trace.reads(path) == [(0, 0, 0, 0, 1, SIZE, SIZE), (0, 1, SIZE, SIZE, 4, SIZE, SIZE)]


def test_descriptors_kept_across_exec_and_closed_by_it(trace: Recorded) -> None:
    kept, gone = (trace.path("closed_at_exec_and_kept", name) for name in ("kept", "gone"))
    assert trace.reads(kept) == [(0, 0, 0, SIZE, 6, SIZE, 0)]
    assert trace.reads(gone) == [(0, 0, 0, 0, 1, SIZE, SIZE)]
    assert [state for _, state in trace.opens(kept) + trace.opens(gone)] == [0, 0]


@pytest.mark.parametrize(("name", "times"), [("a", 3), ("b", 2), ("c", 2)])
def test_a_number_used_for_other_files_at_once(trace: Recorded, name: str, times: int) -> None:
    path = trace.path("numbers_are_used_again_at_once", name)
    assert trace.reads(path) == [(i, 0, 0, SIZE, 4, SIZE, 0) for i in range(times)]
    assert trace.closes(path) == times


def test_a_file_closed_by_another_thread_is_another_open_file_when_opened_again(trace: Recorded) -> None:
    path = trace.path("closed_by_another_thread_and_opened_again")
    twice = [(i, 0, 0, SIZE, 2, SIZE, SIZE) for i in range(1, 7)]
    assert trace.reads(path) == [(0, 0, 0, 0, 1, SIZE, SIZE), *twice, (7, 0, 0, 0, 1, SIZE, SIZE)]
    assert trace.closes(path) == 8


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_close_range_closes(trace: Recorded, name: str) -> None:
    path = trace.path("a_range_is_closed", name)
    assert trace.reads(path) == [(0, 0, 0, 0, 1, SIZE, SIZE)]
    assert trace.closes(path) == 1


def test_standard_input_is_its_opener_s_open_file(trace: Recorded) -> None:
    path = trace.path("standard_input_of_a_child")
    assert trace.reads(path) == [(0, 0, 0, SIZE, 4, SIZE, 0)]
    assert trace.rows(
        "SELECT r.comm, o.comm FROM runs JOIN readers r USING (trace, reader) JOIN files f USING (trace, file) "
        "JOIN opens p USING (trace, open) JOIN readers o ON o.reader = p.reader WHERE path = ? AND op = 'read'",
        path,
    ) == [("dd", "python")]


def test_no_offset_but_that_of_a_read_at_the_end_was_estimated(trace: Recorded) -> None:
    assert trace.rows("SELECT count(*) FROM runs WHERE flags & 2 <> 0 AND (count > 1 OR size > 0)") == [(0,)]
