"""`stepwell run` from end to end: programs on a slow storage, helped by the real engine."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import pytest
from tests.kernel.tool import Stepwell
from tests.storage.slow import Settings, Slow

from stepwell.steer.orders import MOST

pytestmark = pytest.mark.kernel

SUM = "print(hashlib.sha256(b''.join(parts)).hexdigest(), flush=True)"

SEQUENTIAL = f"""
import hashlib, os, sys
fd = os.open(sys.argv[1] + "/big", os.O_RDONLY)
parts = list(iter(lambda: os.read(fd, 65536), b""))
{SUM}
"""

STRIDED = f"""
import hashlib, os, sys
fd = os.open(sys.argv[1] + "/big", os.O_RDONLY)
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
parts = [os.pread(fd, 4096, offset) for offset in range(0, os.fstat(fd).st_size, 127 * 1024)]
{SUM}
"""

SHUFFLED = f"""
import hashlib, os, random, sys
names = sorted(os.listdir(sys.argv[1]))
random.Random(17).shuffle(names)
parts = [open(sys.argv[1] + "/" + name, "rb", buffering=0).read() for name in names]
{SUM}
"""

WALK = f"""
import hashlib, os, sys
parts = [open(top + "/" + name, "rb", buffering=0).read()
         for top, folders, names in os.walk(sys.argv[1]) if not folders.sort() for name in sorted(names)]
{SUM}
"""

BY_TURNS = f"""
import hashlib, os, sys
files = [(open(sys.argv[1] + "/" + name, "rb", buffering=0), hashlib.sha256()) for name in os.listdir(sys.argv[1])]
live = list(files)
while live:
    for one in list(live):
        record = one[0].read(1024) + one[0].read(7168)
        one[1].update(record)
        if not record:
            live.remove(one)
parts = sorted(found.digest() for _, found in files)
{SUM}
"""

FILES, EACH, BIG, RECORDS = 211, 8191, 23 << 20, 5 << 20


@pytest.fixture
def slow(slow_program: Path, tmp_path: Path) -> Slow:
    source, mount = tmp_path / "source", tmp_path / "mount"
    source.mkdir()
    mount.mkdir()
    return Slow(slow_program, source, mount, Settings(latency_us=10_000, readahead_bytes=65_536))


@pytest.fixture
def big(slow: Slow) -> bytes:
    data = os.urandom(BIG)
    (slow.source / "big").write_bytes(data)
    return data


def program(code: str, directory: Path) -> list[str]:
    return ["--", sys.executable, "-c", code, str(directory)]


def test_a_sequential_reader_is_read_ahead_of_and_gets_its_bytes(stepwell: Stepwell, slow: Slow, big: bytes) -> None:
    with slow.mounted() as storage:
        done = stepwell.run("run", *program(SEQUENTIAL, slow.mount))
        counters = storage.counters
    assert done.returncode == 0, done.stderr
    assert done.stdout == hashlib.sha256(big).hexdigest() + "\n"
    assert "prefetched" in done.stderr
    assert "error" not in done.stderr
    assert counters["bytes"] == BIG, "every byte is fetched once"
    assert counters["most_in_flight"] > 4
    ((verdict, sentence, brought, used),) = stepwell.rows(
        "select verdict, sentence, brought_bytes, used_bytes from verdicts where trace = 1"
    )
    assert sentence in done.stderr
    assert verdict != "hurt"
    assert 0 < used <= brought <= BIG
    assert brought > BIG // 2
    ((dataset, policy),) = stepwell.rows("select dataset, policy from plans where trace = 1")
    assert (dataset, policy) == (str(slow.mount), "sequential")


def test_of_a_strided_reader_only_the_strides_are_fetched(stepwell: Stepwell, slow: Slow, big: bytes) -> None:
    with slow.mounted() as storage:
        done = stepwell.run("run", *program(STRIDED, slow.mount))
        counters = storage.counters
    expected = b"".join(big[offset : offset + 4096] for offset in range(0, BIG, 127 * 1024))
    assert done.stdout == hashlib.sha256(expected).hexdigest() + "\n"
    assert counters["most_in_flight"] > 2
    # The strides touch two pages each where they do not begin with one.
    assert counters["bytes"] <= 2 * len(expected)


def test_a_tree_of_small_directories_is_fetched_before_its_reader_comes_to_them(stepwell: Stepwell, slow: Slow) -> None:
    """Of nine files in each, an order within a directory is found when half of it is read."""
    folders = [slow.source / "tree", *(slow.source / "tree" / f"{number:02}" for number in range(41))]
    for folder in folders:
        folder.mkdir()
        for number in range(9):
            (folder / f"f{number}").write_bytes(os.urandom(EACH))
    with slow.mounted() as storage:
        done = stepwell.run("run", *program(WALK, slow.mount / "tree"))
        counters = storage.counters
    paths = [folder / f"f{number}" for folder in folders for number in range(9)]
    assert done.stdout == hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest() + "\n", done.stderr
    assert counters["bytes"] == len(paths) * EACH, "no file is fetched twice"
    ((used, brought),) = stepwell.rows("select used_bytes, brought_bytes from verdicts where trace = 1")
    assert used > len(paths) * EACH * 2 // 3
    assert brought <= len(paths) * EACH


def test_files_of_records_that_are_read_by_turns_are_each_read_ahead(stepwell: Stepwell, slow: Slow) -> None:
    """More reads a second than are told one by one, no two in a row alike."""
    data = {f"{number}": os.urandom(RECORDS) for number in range(8)}
    for name, content in data.items():
        (slow.source / name).write_bytes(content)
    with slow.mounted() as storage:
        done = stepwell.run("run", *program(BY_TURNS, slow.mount))
        counters = storage.counters
    digests = sorted(hashlib.sha256(content).digest() for content in data.values())
    assert done.stdout == hashlib.sha256(b"".join(digests)).hexdigest() + "\n", done.stderr
    assert counters["bytes"] == 8 * RECORDS, "every byte is fetched once"
    ((files, used, wasted),) = stepwell.rows("select files, used_bytes, wasted_bytes from verdicts where trace = 1")
    assert files == 8
    assert used > 8 * RECORDS // 2
    assert wasted < 8 * RECORDS // 10


def shuffled(slow: Slow) -> bytes:
    for number in range(FILES):
        (slow.source / f"{number:03}").write_bytes(os.urandom(EACH))
    return SHUFFLED.encode()


def test_the_order_of_a_trace_is_fetched_in_that_order(stepwell: Stepwell, slow: Slow) -> None:
    shuffled(slow)
    with slow.mounted() as storage:
        recorded = stepwell.run("record", *program(SHUFFLED, slow.mount))
        assert storage.counters["most_in_flight"] <= 2
    with slow.mounted() as storage:
        done = stepwell.run("run", "--order-from", "last", *program(SHUFFLED, slow.mount))
        counters = storage.counters
    assert (done.returncode, done.stdout) == (0, recorded.stdout), done.stderr
    assert counters["most_in_flight"] > 8
    assert counters["bytes"] == FILES * EACH
    ((used, brought, wasted),) = stepwell.rows(
        "select used_bytes, brought_bytes, wasted_bytes from verdicts where trace = 2"
    )
    assert wasted == 0
    assert 0 < used <= brought <= FILES * EACH
    ((design, baseline, verdict),) = stepwell.rows("select design, baseline, verdict from verdicts where trace = 2")
    assert (design, baseline, verdict) == ("recorded", 1, "helped")


def test_a_plan_names_the_order_that_a_run_has_followed(stepwell: Stepwell, slow: Slow, tmp_path: Path) -> None:
    shuffled(slow)
    with slow.mounted():
        stepwell.run("record", *program(SHUFFLED, slow.mount))
    with slow.mounted():
        stepwell.run("run", "--order-from", "last", *program(SHUFFLED, slow.mount))
    plan = tmp_path / "plan.yaml"
    mount = str(slow.mount)
    ((done, reason),) = stepwell.rows("select plan, reason from plans where trace = 2 and dataset = $1", mount)
    assert {one["path"]: one["order_file"] for one in json.loads(done)["targets"]}[mount] == "1"
    assert "by reading" in reason or "by the kernel's read-ahead" in reason
    plan.write_text(done)
    with slow.mounted() as storage:
        done = stepwell.run("run", "--plan", str(plan), *program(SHUFFLED, slow.mount))
        counters = storage.counters
    assert done.returncode == 0, done.stderr
    assert counters["most_in_flight"] > 8
    assert counters["bytes"] == FILES * EACH


TELLING = """
import hashlib, os, random, socket, sys
names = sorted(os.listdir(sys.argv[1]))
random.Random(17).shuffle(names)
with socket.socket(socket.AF_UNIX) as sampler:
    sampler.connect(sys.argv[2])
    sampler.sendall("".join(f"{sys.argv[3]}{name}\\n" for name in names).encode())
parts = [open(sys.argv[1] + "/" + name, "rb", buffering=0).read() for name in names]
print(hashlib.sha256(b"".join(parts)).hexdigest(), flush=True)
"""


@pytest.mark.parametrize("relative", [True, False])
def test_a_program_tells_its_order_at_a_socket(
    stepwell: Stepwell, slow: Slow, tmp_path: Path, *, relative: bool
) -> None:
    shuffled(slow)
    place = tmp_path / "order.sock"
    argv = [*program(TELLING, slow.mount), str(place), "" if relative else f"{slow.mount}/"]
    under = ["--under", str(slow.mount)] if relative else []
    with slow.mounted() as storage:
        done = stepwell.run("run", "--order-from", f"unix:{place}", *under, *argv)
        counters = storage.counters
    expected = stepwell.run("record", *program(SHUFFLED, slow.source))
    assert (done.returncode, done.stdout) == (0, expected.stdout), done.stderr
    assert counters["most_in_flight"] > 8
    assert counters["bytes"] == FILES * EACH
    assert not place.exists()
    place.write_text("no socket")
    refused = stepwell.run("run", "--order-from", f"unix:{place}", *argv)
    assert (refused.returncode, refused.stdout, place.read_text()) == (1, "", "no socket")
    assert "cannot listen" in refused.stderr


IN_ORDER = f"""
import hashlib, sys
parts = [open(name, "rb", buffering=0).read() for name in open(sys.argv[1]).read().split()]
{SUM}
"""


def test_an_order_leads_through_more_directories_than_an_engine_is_told(
    stepwell: Stepwell, slow: Slow, tmp_path: Path
) -> None:
    names = [f"{number}/file" for number in range(MOST + 51)]
    for name in names:
        (slow.source / name).parent.mkdir()
        (slow.source / name).write_bytes(os.urandom(EACH))
    order = tmp_path / "order"
    order.write_text("".join(f"{slow.mount / name}\n" for name in names))
    with slow.mounted() as storage:
        done = stepwell.run("run", "--order-from", str(order), *program(IN_ORDER, order))
        counters = storage.counters
    expected = hashlib.sha256(b"".join((slow.source / name).read_bytes() for name in names)).hexdigest()
    assert (done.returncode, done.stdout) == (0, expected + "\n"), done.stderr
    assert counters["most_in_flight"] > 8
    assert counters["bytes"] == len(names) * EACH


@pytest.mark.parametrize("mode", ["observe", "recommend"])
def test_modes_that_do_not_act_read_nothing(stepwell: Stepwell, slow: Slow, big: bytes, mode: str) -> None:
    with slow.mounted() as storage:
        done = stepwell.run("run", "--mode", mode, *program(SEQUENTIAL, slow.mount))
        opens = storage.counters["opens"]
    assert done.stdout == hashlib.sha256(big).hexdigest() + "\n"
    assert opens == 1
    assert stepwell.rows("select * from verdicts") == []
    assert ("sequential" in done.stderr) is (mode == "recommend")


def test_what_a_plan_leaves_alone_is_left_alone(stepwell: Stepwell, slow: Slow, tmp_path: Path, big: bytes) -> None:
    plan = tmp_path / "plan.json"
    target = {"path": str(slow.mount), "policy": "none", "reason": "it is fast enough"}
    budget = {"memory_bytes": 1 << 26, "in_flight": 8}
    plan.write_text(json.dumps({"version": 1, "mode": "auto", "budget": budget, "targets": [target]}))
    with slow.mounted() as storage:
        done = stepwell.run("run", "--plan", str(plan), *program(SEQUENTIAL, slow.mount))
        opens = storage.counters["opens"]
    assert done.stdout == hashlib.sha256(big).hexdigest() + "\n"
    assert "read nothing ahead" in done.stderr
    assert opens == 1


def test_the_programs_own_end_passes_through(stepwell: Stepwell, tmp_path: Path) -> None:
    assert stepwell.run("run", "--", "sh", "-c", "exit 41").returncode == 41
    assert stepwell.run("run", "--", str(tmp_path / "none")).returncode == 127
    assert stepwell.run("run", "--", "sh", "-c", "kill -9 $$").returncode == 137


def test_wrong_use_is_told_before_anything_runs(stepwell: Stepwell, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    order = tmp_path / "order"
    order.write_text("a\tb\n")
    plan = tmp_path / "plan.yaml"
    plan.write_text("version: 9\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    linked, pipe = tmp_path / "linked", tmp_path / "pipe"
    linked.write_text(f"{tmp_path}/link/a\n")
    os.mkfifo(pipe)
    for arguments, code, word in (
        (["--order-from", str(order)], 1, "no step of an order"),
        (["--order-from", "12"], 5, "there are no traces"),
        (["--plan", str(plan)], 2, "upgrade Stepwell"),
        (["--mode", "observe", "--order-from", str(order)], 2, "reads nothing ahead"),
        (["--order-from", str(tmp_path / "none")], 1, "neither a file nor the number of a trace"),
        (["--order-from", str(linked)], 1, f"write {tmp_path}/data there instead"),
        (["--order-from", str(pipe)], 1, "is no regular file"),
        (["--order-from", ""], 1, "is no regular file"),
        (["--memory", "much"], 2, "much"),
        (["--memory", "64KiB"], 2, "1 MiB at least"),
        (["--bandwidth", "0"], 2, "too small"),
    ):
        done = stepwell.run("run", *arguments, "--", "touch", str(mark))
        assert (done.returncode, word in done.stderr, done.stdout) == (code, True, ""), done.stderr
    assert not mark.exists()
