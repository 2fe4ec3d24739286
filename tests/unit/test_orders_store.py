"""From a recording to orders: which runs make a visit, which files a dataset, which processes a workload."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.unit.recordings import MS, T0, Recording

from stepwell.analysis import classify
from stepwell.analysis.orders import Order, directory_ordered, orders
from stepwell.analysis.orders.groups import groups, named
from stepwell.analysis.orders.visits import Files, Visits
from stepwell.analysis.thresholds import orders as limits
from stepwell.store import Store
from stepwell.trace.definition import EXEC, OPEN, THREAD, Op

FILES = 11


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(tmp_path / "first.spool")


def found(recording: Recording) -> tuple[Order, ...]:
    with Store.open(recording.stored(), "r") as store:
        return orders(store, store.latest_trace())


def open_file(recording: Recording, number: int, file: int, size: int = 4096, thread: int = 1) -> None:
    """Describe an open file by the number of the file in the dataset."""
    text = b"f%d\0set\0data\0" % file
    recording.add(
        OPEN, text, thread=thread, open=number, start_ns=T0, ino=99 - file * 7 % 23, dev=8 << 20 | 1, size=size
    )


def opened(recording: Recording, number: int = FILES, size: int = 4096) -> None:
    for file in range(1, number + 1):
        open_file(recording, file, file, size)


def test_files_read_once_by_name(recording: Recording) -> None:
    recording.thread(1)
    opened(recording)
    for file in range(1, FILES + 1):
        recording.run(file, at=file * MS, seq=file)
    recording.end(20 * MS)
    (one,) = found(recording)
    assert (one.dataset, one.command, one.readers, one.files, one.visits) == ("/data/set", "cat x", (1,), FILES, FILES)
    assert (one.looping, one.epochs_found, one.within.by, one.within.natural) == ("once", 1, "name", True)
    assert (one.sharing.kind, one.steps.whole, one.steps.open_at_once) == ("alone", 1.0, 1)
    assert (one.epochs[0].start_ns, one.epochs[0].end_ns) == (MS, FILES * MS + 1000)
    assert one.working_set.bytes == tuple(4096 * files for files in one.working_set.files)
    assert max(one.working_set.files) == 1
    assert one.points.rank == tuple(round(file / (FILES - 1), 4) for file in range(FILES))
    verdict = directory_ordered([one])["/data/set"]
    assert (verdict.ordered, verdict.by) == (True, "name")
    assert verdict.confidence > 0.95


def test_files_kept_open_are_visited_whenever_they_are_read_from_the_start(recording: Recording) -> None:
    recording.thread(1)
    opened(recording, size=3 * 4096)
    seq = 0
    for epoch in range(3):
        for place in range(1, FILES + 1):
            file = place * 3 % FILES + 1
            for part in (0, 1):  # two runs a pass: two reads, then a shorter one
                seq += 1
                recording.run(
                    file, at=(100 * epoch + place) * MS + part, seq=seq, offset=8192 * part, count=2 - part, stride=4096
                )
    recording.end(400 * MS)
    (one,) = found(recording)
    assert (one.visits, one.looping, one.epochs_found) == (3 * FILES, "epochs", 3)
    assert [epoch.bytes for epoch in one.epochs] == [FILES * 3 * 4096] * 3
    assert (one.steps.whole, one.across.relation) == (1.0, "same")


def test_equal_reads_in_one_run_are_visits_of_their_own(recording: Recording) -> None:
    recording.thread(1)
    opened(recording)
    for file in range(1, FILES + 1):
        recording.run(file, at=file * MS, seq=file, count=5, seq_span=4 * FILES, span_ns=4 * 100 * MS)
    recording.end(600 * MS)
    (one,) = found(recording)
    assert (one.visits, one.epochs_found, one.within.by, one.across.relation) == (5 * FILES, 5, "name", "same")
    assert [epoch.start_ns for epoch in one.epochs] == [MS + 100 * MS * epoch for epoch in range(5)]


def test_a_look_at_the_header_is_part_of_the_visit(recording: Recording) -> None:
    recording.thread(1)
    for file in range(1, FILES + 1):
        for part in (0, 1):  # opened twice
            open_file(recording, 2 * file + part, file)
            recording.run(2 * file + part, at=file * MS + part * 1000, seq=2 * file + part, size=4096 if part else 16)
    recording.end(20 * MS)
    (one,) = found(recording)
    assert (one.files, one.visits, one.epochs_found, one.steps.again) == (FILES, FILES, 1, 0.5)


def test_probing_all_files_first_is_an_epoch_of_its_own_kind(recording: Recording) -> None:
    recording.thread(1)
    for epoch in range(3):
        for place in range(FILES):
            number = 100 * epoch + place
            file = place if epoch == 0 else (5 * place + epoch) % FILES
            open_file(recording, number + 1, file, 40_960)
            recording.run(number + 1, at=number * MS, seq=number, size=40_960 if epoch else 512)
    recording.end(400 * MS)
    (one,) = found(recording)
    assert [epoch.probe for epoch in one.epochs] == [True, False, False]
    assert [epoch.order for epoch in one.epochs] == ["", "shuffled", "shuffled"]


def test_files_read_bit_by_bit_in_turns_have_no_order(recording: Recording) -> None:
    recording.thread(1)
    opened(recording, size=1 << 20)
    draw = np.random.default_rng(7)
    for number, file in enumerate(draw.integers(1, FILES + 1, 1009).tolist()):
        recording.run(file, at=number * MS, seq=number, offset=4096 * int(draw.integers(1, 256)))
    recording.end(2000 * MS)
    (one,) = found(recording)
    assert (one.looping, one.epochs_found, one.within.by, one.across.relation) == (
        "interleaved",
        0,
        "unknown",
        "unknown",
    )
    assert one.steps.open_at_once == FILES
    assert directory_ordered([one])["/data/set"].ordered is not True


def test_pauses_after_every_batch_tell_how_many_files_make_a_step(recording: Recording) -> None:
    recording.thread(1)
    at = 0
    for number in range(91):
        open_file(recording, number + 1, number)
        at += 500 * MS if number % 7 == 0 else MS
        recording.run(number + 1, at=at, seq=number)
    recording.end(at + MS)
    (one,) = found(recording)
    assert one.steps.files_per_step == 7
    assert 499 * MS < one.steps.pause_ns < 500 * MS


def test_software_few_files_and_writing_are_left_out(recording: Recording) -> None:
    recording.thread(1)
    paths = [b"/usr/lib/python3/m%d.py" % n for n in range(20)] + [b"/few/%d" % n for n in range(4)]
    paths += [b"/data/set/out%d" % n for n in range(FILES)]
    for number, path in enumerate(paths, 1):
        recording.open(number, path, 4096)
        recording.run(number, at=number * MS, seq=number, op=Op.WRITE if b"out" in path else Op.READ)
    recording.end(100 * MS)
    assert found(recording) == ()


def test_software_alone_is_told_like_data(recording: Recording) -> None:
    recording.thread(1)
    for number in range(1, FILES + 1):
        recording.open(number, b"/usr/lib/x/m%d.py" % number, 4096)
        recording.run(number, at=number * MS, seq=number)
    recording.end(100 * MS)
    assert [order.dataset for order in found(recording)] == ["/usr/lib/x"]


def test_workers_made_anew_are_one_workload_and_other_programs_another(recording: Recording) -> None:
    for number, (pid, ppid, comm, command) in enumerate(
        [(10, 1, b"python", b"python\0train.py\0"), (11, 10, b"python", b"python\0train.py\0"),
         (12, 10, b"python", b"python\0train.py\0"), (13, 1, b"tar", b"tar\0c\0")], 1,
    ):  # fmt: skip
        recording.add(THREAD, thread=number, pid=pid, tid=pid, ppid=ppid, start_ns=T0, process_start_ns=3, comm=comm)
        recording.add(EXEC, command, thread=number, start_ns=T0, comm=comm)
    for epoch, worker in enumerate((2, 3)):
        for file in range(1, FILES + 1):
            number = 100 * epoch + file
            open_file(recording, number, file, thread=worker)
            recording.run(number, thread=worker, at=number * MS, seq=number)
    for file in range(1, FILES + 1):
        open_file(recording, 1000 + file, file, thread=4)
        recording.run(1000 + file, thread=4, at=(FILES - file) * MS, seq=file)
    recording.end(400 * MS)
    loader, tar = found(recording)
    assert (loader.command, loader.epochs_found, loader.sharing.kind) == ("python train.py", 2, "in turn")
    assert (tar.command, tar.within.by, tar.within.backward) == ("tar c", "name", True)


def test_processes_that_belong_together() -> None:
    def reader(number: int, ppid: int, comm: str, command: str) -> dict[str, object]:
        return {"reader": number, "pid": 100 + number, "ppid": ppid, "comm": comm, "command": command}

    readers = [
        reader(1, 1, "find", "find /d"),
        reader(2, 101, "cat", "cat /d/a"),
        reader(3, 101, "cat", "cat /d/b"),
        reader(4, 1, "cat", "cat /d/c"),
        reader(5, 7, "mpi", "mpi x"),
        reader(6, 8, "mpi", "mpi x"),
        reader(7, 104, "cat", "cat /d/e"),
        reader(8, 9, "python", "python a"),  # a script's programs, one after the other over the same files
        reader(9, 9, "python", "python b"),
        reader(10, 9, "rank", "rank --number 0"),
        reader(11, 9, "rank", "rank --number 1"),
    ]
    each = [(2, 1), (3, 2), (4, 1), (5, 1), (6, 1), (7, 1), (8, 1), (8, 2), (9, 1), (9, 2), (10, 1), (11, 1)]
    reader_of, file = (np.array(column) for column in zip(*each, strict=True))
    nothing = np.zeros(len(each), np.int64)
    found = groups(readers, Visits(reader_of, reader_of, file, nothing, nothing, nothing))
    assert found == {1: 1, 2: 2, 3: 2, 4: 4, 5: 5, 6: 5, 7: 7, 8: 8, 9: 9, 10: 10, 11: 10}


def test_commands_that_differ_in_the_files_they_name_belong_together_below_one_parent() -> None:
    def reader(number: int, ppid: int, comm: str, command: str) -> dict[str, object]:
        return {"reader": number, "pid": 100 + number, "ppid": ppid, "comm": comm, "command": command}

    cut = "cat " + " ".join(["d/a"] * 600)
    readers = [
        reader(1, 9, "xargs", "xargs cat"),
        reader(2, 9, "xargs", "xargs cat"),  # the second epoch
        reader(3, 101, "cat", "cat d/a d/b"),
        reader(4, 102, "cat", "cat d/b d/a"),
        reader(5, 102, "cat", (cut + " d/unfinish")[: limits.COMMAND]),
        reader(6, 102, "cat", "cat -n d/b d/a"),
        reader(7, 102, "cat", "cat d/elsewhere"),
        reader(8, 1, "cat", "cat d/a"),
    ]
    files = Files("/d", "ext4", np.arange(2), pa.array(["/d/a", "/d/b"]), *(np.zeros(2, np.int64),) * 2, None)
    each = [(number, file) for number in (3, 4, 5, 6, 7, 8) for file in (0, 1)]
    reader_of, file = (np.array(column) for column in zip(*each, strict=True))
    nothing = np.zeros(len(each), np.int64)
    names = named(readers, [files])
    assert names == {"a", "b"}
    found = groups(readers, Visits(reader_of, reader_of, file, nothing, nothing, nothing), names)
    assert found == {1: 1, 2: 1, 3: 3, 4: 3, 5: 3, 6: 6, 7: 7, 8: 8}


@pytest.mark.parametrize(("step", "pattern"), [(1, "directory-ordered"), (19, "whole-file")])
def test_a_dataset_read_whole_by_name_is_directory_ordered(recording: Recording, step: int, pattern: str) -> None:
    recording.thread(1)
    opened(recording, 53)
    for turn in range(53):
        file = turn * step % 53 + 1
        recording.run(file, at=(turn + 1) * MS, seq=turn)
    recording.end(60 * MS)
    with Store.open(recording.stored(), "r") as store:
        rows = classify(store, store.latest_trace()).to_pylist()
    (dataset,) = (row for row in rows if row["scope"] == "dataset")
    assert (dataset["subject"], dataset["op"], dataset["pattern"]) == ("/data/set", "read", pattern)
    assert {row["pattern"] for row in rows if row["scope"] == "file"} == {"whole-file"}
