"""The public views: as described, and equal to plain Python over every single access."""

from __future__ import annotations

import errno
import resource
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepwell.store import VIEWS, Store, ingest, schema_text
from stepwell.store.files import datasets
from stepwell.store.results import Results
from stepwell.store.views import PIECE
from stepwell.trace.definition import OPEN, RESULT, RUN, THREAD, Op, RunFlag
from stepwell.trace.layout import DTYPES
from stepwell.trace.spool import SpoolWriter

FILES = {1: b"a\0", 2: b"b\0", 3: b"a\0"}
"""Open file by number: 1 and 3 are the same file."""


class Run(NamedTuple):
    thread: int
    open: int
    op: int
    seq: int
    seq_span: int
    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody needs
    offset: int
    stride: int
    size: int
    tail: int
    start_ns: int
    span_ns: int


class Access(NamedTuple):
    thread: int
    open: int
    op: int
    seq: int
    offset: int
    size: int
    start_ns: int
    interpolated: bool


@st.composite
def run_lists(draw: st.DrawFn) -> list[Run]:
    """Runs of two threads of one process; a thread's runs may overlap in time, but its numbers are used once only."""
    runs = []
    free = {1: 0, 2: 0}
    for _ in range(draw(st.integers(0, 7))):
        thread = draw(st.integers(1, 2))
        count = draw(st.sampled_from([1, 1, 1, 2, 3, 5, PIECE + 1]))
        size = draw(st.integers(0, 3))
        stride = draw(st.sampled_from([size, -size, 0, 1, 2, 5])) if count > 1 else 0
        runs.append(
            Run(
                thread=thread,
                open=draw(st.integers(1, 3)),
                op=draw(st.sampled_from([Op.READ, Op.READ, Op.WRITE, Op.SPLICE])),
                seq=free[thread],
                seq_span=count - 1,
                count=count,
                offset=draw(st.integers(0, 4)) + (-stride * (count - 1) if stride < 0 else 0),
                stride=stride,
                size=size,
                tail=draw(st.integers(0, size)) if count > 1 else size,
                start_ns=draw(st.integers(0, 6)),
                span_ns=draw(st.integers(0, 9)) if count > 1 else 0,
            )
        )
        free[thread] += count
    return runs


def expand(run: Run) -> list[Access]:
    last = max(run.count - 1, 1)
    return [
        Access(
            run.thread,
            run.open,
            run.op,
            run.seq + round_half_away(i * run.seq_span / last),
            run.offset + i * run.stride,
            run.tail if i == run.count - 1 else run.size,
            run.start_ns + round_half_away(i * (run.span_ns / last)),
            0 < i < run.count - 1,
        )
        for i in range(run.count)
    ]


def round_half_away(value: float) -> int:
    return int(value + 0.5)


def stored(directory: Path, runs: list[Run], opened: Sequence[int] = (0, 0, 0)) -> Store:
    """Return a new store with one trace of these runs, and of these times at which their files were open."""
    spool, database = directory / "trace.spool", directory / "store.duckdb"
    spool.unlink(missing_ok=True)
    database.unlink(missing_ok=True)
    with SpoolWriter(spool) as writer:
        writer.meta(start_monotonic_ns=0, end_monotonic_ns=1)
        threads = np.zeros(2, DTYPES[THREAD.kind])
        threads["thread"], threads["pid"] = [1, 2], 5
        writer.write(THREAD.kind, threads)
        opens = np.zeros(3, DTYPES[OPEN.kind])
        opens["open"], opens["ino"], opens["thread"] = [1, 2, 3], [1, 2, 1], 1
        opens["start_ns"], opens["latency_ns"] = np.array(opened) // 2, np.array(opened) - np.array(opened) // 2
        writer.write(OPEN.kind, opens, list(FILES.values()))
        records = np.zeros(len(runs), DTYPES[RUN.kind])
        for name in Run._fields:
            records[name] = [getattr(run, name) for run in runs]
        writer.write(RUN.kind, records)
    with Store.open(database, "w") as store:
        ingest(store, spool)
    return Store.open(database, "r")


def ask(store: Store, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in store.query(sql).read_all().to_pylist()]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


def test_views_are_as_described(directory: Path) -> None:
    with stored(directory, []) as store:
        found = ask(
            store,
            """SELECT view_name, list(column_name ORDER BY column_index)
            FROM duckdb_views() JOIN duckdb_columns() ON view_name = table_name AND duckdb_columns.schema_name = 'main'
            WHERE NOT duckdb_views.internal GROUP BY ALL ORDER BY ALL""",
        )
        assert found == sorted((view.name, list(view.columns)) for view in VIEWS)
    for view in VIEWS:
        assert f"{view.name}: {view.doc}" in schema_text()
        for column, doc in view.columns.items():
            assert any(line.split() == [column, *doc.split()] for line in schema_text().splitlines())


def test_columns_have_units() -> None:
    for view in VIEWS:
        for column, doc in view.columns.items():
            if column.endswith("_ns"):
                assert "nanoseconds" in doc, (view.name, column)


@settings(max_examples=30, deadline=None)
@given(runs=run_lists())
def test_accesses_are_the_runs_expanded(directory: Path, runs: list[Run]) -> None:
    with stored(directory, runs) as store:
        found = ask(
            store, 'SELECT thread, path, op::VARCHAR, seq, "offset", size, start_ns, interpolated FROM accesses'
        )
    expected = [
        (a.thread, "/" + FILES[a.open].decode()[:-1], Op(a.op).name.lower(), *a[3:])
        for run in runs
        for a in expand(run)
    ]
    assert sorted(found) == sorted(expected)


def darshan(runs: list[Run], opened: Sequence[int] = (0, 0, 0)) -> dict[str, list[int]]:
    """Count as Darshan's POSIX module does (POSIX_RECORD_OPEN, _READ and _WRITE), one access at a time.

    Accesses are in the order of their numbers, or of their starts when several threads access a file or it is opened
    again meanwhile.
    """
    _, again = max((opened[0] // 2, opened[0]), (opened[2] // 2, opened[2]), key=lambda one: one[0])
    if opened[0] // 2 == opened[2] // 2:
        again = opened[2]
    of_file = defaultdict(list)
    for run in runs:
        for access in expand(run):
            of_file[FILES[access.open], access.op].append(access)
    counters: dict[str, list[int]] = {}
    for (name, op), accesses in of_file.items():
        if op not in (Op.READ, Op.WRITE):
            continue
        resets = [again] if name == FILES[1] and again > 0 else []
        alone = len({access.thread for access in accesses}) == 1 and not resets
        accesses.sort(key=lambda access: (0 if alone else access.start_ns, access.seq, access.thread))
        row = counters.setdefault("/" + name.decode()[:-1], [0, 0, 0, 0])
        last_byte = 0
        for access in accesses:
            if resets and resets[0] <= access.start_ns:
                resets.clear()
                last_byte = 0
            row[0 if op == Op.READ else 2] += access.offset == last_byte + 1
            row[1 if op == Op.READ else 3] += access.offset > last_byte
            last_byte = access.offset + access.size - 1
    return counters


@settings(max_examples=60, deadline=None)
@given(runs=run_lists())
def test_darshan_counters_are_what_darshan_counts(directory: Path, runs: list[Run]) -> None:
    with stored(directory, runs) as store:
        found = {row[2]: list(row[3:]) for row in ask(store, "from darshan_counters")}
    assert found == darshan(runs)


@settings(max_examples=60, deadline=None)
@given(runs=run_lists(), opened=st.lists(st.integers(0, 16), min_size=3, max_size=3))
def test_opening_a_file_again_begins_anew(directory: Path, runs: list[Run], opened: list[int]) -> None:
    with stored(directory, runs, opened) as store:
        found = {row[2]: list(row[3:]) for row in ask(store, "from darshan_counters")}
    assert found == darshan(runs, opened)


@given(runs=run_lists())
@settings(max_examples=15, deadline=None)
def test_totals_agree_everywhere(directory: Path, runs: list[Run]) -> None:
    accesses = sum(run.count for run in runs)
    transferred = sum(access.size for run in runs for access in expand(run))
    with stored(directory, runs) as store:
        assert ask(store, "SELECT accesses, bytes FROM traces") == [(accesses, transferred)]
        assert ask(store, "SELECT coalesce(sum(accesses), 0), coalesce(sum(bytes), 0) FROM datasets") == [
            (accesses, transferred)
        ]
        assert ask(store, "SELECT count(*), coalesce(sum(size), 0) FROM accesses") == [(accesses, transferred)]


def test_a_run_of_a_hundred_million_accesses_takes_little_memory(directory: Path) -> None:
    run = Run(1, 1, Op.READ, 0, 10**8 - 1, 10**8, 0, 4096, 4096, 4096, 0, 10**12)
    with stored(directory, [run]) as store:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert ask(store, 'SELECT count(*), max("offset") FROM accesses') == [(10**8, 4096 * (10**8 - 1))]
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 * 1024


names = st.text(st.sampled_from("ab"), min_size=1, max_size=2)
directories = st.lists(names, max_size=4).map(lambda parts: "/" + "/".join(parts))


@given(seen=st.sets(directories, min_size=1), mounts=st.sets(directories))
def test_datasets_are_found_by_descending(seen: set[str], mounts: set[str]) -> None:
    def parts(path: str) -> tuple[str, ...]:
        return tuple(part for part in path.split("/") if part)

    def top(path: str) -> tuple[str, ...]:
        under = [parts(mount) for mount in mounts if parts(path)[: len(parts(mount))] == parts(mount)]
        return max(under, key=len, default=()) or parts(path)[:1]

    def descend(here: tuple[str, ...], members: set[tuple[str, ...]]) -> tuple[str, ...]:
        below = {member[: len(here) + 1] for member in members}
        return here if here in members or len(below) > 1 else descend(below.pop(), members)

    expected = {
        path: "/" + "/".join(descend(top(path), {parts(other) for other in seen if top(other) == top(path)}))
        for path in seen
    }
    assert datasets(dict.fromkeys(seen, 11), mounts) == expected


def test_a_dataset_stops_where_directories_branch() -> None:
    found = datasets(dict.fromkeys(["/data/imagenet/train/n01", "/data/imagenet/train/n02", "/usr/lib", "/"], 0), ["/"])
    assert found == {
        "/data/imagenet/train/n01": "/data/imagenet/train",
        "/data/imagenet/train/n02": "/data/imagenet/train",
        "/usr/lib": "/usr/lib",
        "/": "/",
    }


def test_a_script_beside_the_data_is_no_part_of_the_dataset() -> None:
    found = datasets({"/home/me": 4093, "/home/me/data/a": 2**30, "/home/me/data/b": 2**30, "/home/me/notes": 7}, ["/"])
    assert found == {
        "/home/me": "/home/me",
        "/home/me/notes": "/home/me",
        "/home/me/data/a": "/home/me/data",
        "/home/me/data/b": "/home/me/data",
    }


def test_relative_directories_are_of_one_mount() -> None:
    assert datasets({"set/train": 3, "set/val/a": 5}, ["/"]) == {"set/train": "set", "set/val/a": "set"}
    assert datasets({"one": 1, "other": 2, ".": 3}, []) == {"one": ".", "other": ".", ".": "."}


@given(data=st.data(), count=st.integers(1, 9), stride=st.integers(-5, 5), short=st.integers(0, 10))
def test_splitting_by_results_changes_only_what_they_say(
    data: st.DataObject, count: int, stride: int, short: int
) -> None:
    record = np.zeros(1, DTYPES[RUN.kind])
    record["flags"], record["thread"], record["count"] = RunFlag.ASYNC, 3, count
    record["seq"], record["seq_span"], record["span_ns"] = 7, count - 1, (count - 1) * 11
    record["offset"], record["stride"] = 100, stride if count > 1 else 0
    record["size"] = record["tail"] = 10
    if count > 1:
        record["tail"] = short
    changed = data.draw(st.dictionaries(st.integers(0, count - 1), st.integers(-9, 20)))
    results = np.zeros(len(changed), DTYPES[RESULT.kind])
    results["kind"], results["thread"] = RESULT.kind, 3
    results["seq"] = [7 + i for i in changed]
    results["result"] = list(changed.values())
    taken = Results(results)

    def accesses(runs: np.ndarray[Any, np.dtype[np.void]]) -> list[Access]:
        return sorted(access for row in runs for access in expand(Run(*(int(row[name]) for name in Run._fields))))

    expected = [
        access._replace(size=changed.get(i, access.size))
        for i, access in enumerate(accesses(record))
        if changed.get(i, 0) >= 0
    ]
    found = accesses(taken.split(record))
    assert [access[:-1] for access in found] == [access[:-1] for access in expected]
    assert taken.unused == 0
    assert {(error.start_ns // 11, error.errno) for error in taken.errors} == {
        (i, -r) for i, r in changed.items() if r < 0 and -r != errno.EINTR
    }


def test_results_between_measured_numbers_go_to_the_nearest_accesses() -> None:
    record = np.zeros(1, DTYPES[RUN.kind])
    record["flags"], record["count"], record["seq_span"], record["stride"], record["size"] = 1, 5, 40, 10, 10
    record["tail"] = 10
    results = np.zeros(3, DTYPES[RESULT.kind])
    results["kind"], results["seq"] = RESULT.kind, [19, 21, 40]
    pieces = Results(results).split(record)
    assert [(int(p["seq"]), int(p["offset"]), int(p["count"]), int(p["size"])) for p in pieces] == [
        (0, 0, 2, 10),
        (19, 20, 1, 0),
        (21, 30, 1, 0),
        (40, 40, 1, 0),
    ]
    for before, after in pairwise(pieces):
        assert before["seq"] + before["seq_span"] < after["seq"]


def test_datasets_in_buckets_and_below_doubled_slashes() -> None:
    directories = ["s3://bucket/a/b", "s3://bucket/a/c", "s3://bucket/a", "/d//a", "/d/", "/d//b/c", "//", "/"]
    found = datasets(dict.fromkeys(directories, 0), ["/"])
    assert found.keys() == set(directories)
    assert {found[directory] for directory in directories[:3]} == {"s3://bucket/a"}
    assert all(directory.startswith(root.rstrip("/")) for directory, root in found.items())
