"""CSV and Parquet: rows in, the same accesses out; and out of the store and in again."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from tests.unit.importers.bringing import Brought, bring

from stepwell.analysis import understand
from stepwell.collectors.importers import InputError
from stepwell.store import WRITERS, Store

HEADER = "path,op,offset,size"


def csv(directory: Path, text: str, name: str = "accesses.csv") -> Path:
    path = directory / name
    path.write_text(text)
    return path


def refused(directory: Path, text: str) -> str:
    path = csv(directory, text)
    with Store.open(directory / "refused.duckdb", "w") as store, pytest.raises(InputError) as caught:
        bring(store, path, "csv")
    assert not list(directory.glob("*.import"))
    return str(caught.value).removeprefix(str(path))


def test_rows_in_order_without_anything_else(tmp_path: Path, store: Store) -> None:
    rows = [("/d/a", "read", 4096 * i, 4096) for i in range(23)]
    rows += [("/d/b", "write", 13, 7), ("/d/a", "mmap", 0, 4096), ("/d/b", "write", 5, 0)]
    text = "\n".join([HEADER, *(f"{path},{op},{offset},{size}" for path, op, offset, size in rows)])
    brought = bring(store, csv(tmp_path, text))
    assert brought.accesses() == rows
    assert brought.rows("SELECT count(*) FROM runs WHERE trace = $trace") == [(4,)]
    assert brought.rows("SELECT collector, lost, status::VARCHAR FROM traces WHERE trace = $trace") == [
        ("import csv", 0, "complete")
    ]
    assert (
        "times are not known: order alone is" in brought.rows("SELECT coverage FROM traces WHERE trace = $trace")[0][0]
    )


def test_who_and_when(tmp_path: Path, store: Store) -> None:
    text = f"""{HEADER},pid,tid,comm,start_ns,latency_ns,requested,file_size
/d/a,read,0,4096,7,7,cat,1000,11,8192,1048576
/d/a,read,4096,4096,7,8,cat,1003,13,8192,1048576
/d/b,read,0,1,9,9,dog,1009,17,1,1
"""
    brought = bring(store, csv(tmp_path, text))
    assert brought.accesses("path, seq, requested, start_ns") == [
        ("/d/a", 0, 8192, 1000),
        ("/d/a", 0, 8192, 1003),
        ("/d/b", 0, 1, 1009),
    ]
    assert brought.rows("SELECT pid, comm, user_ns, uid FROM readers WHERE trace = $trace ORDER BY pid") == [
        (7, "cat", None, None),
        (9, "dog", None, None),
    ]
    assert brought.rows("SELECT tid, accesses FROM threads WHERE trace = $trace ORDER BY tid") == [
        (7, 1),
        (8, 1),
        (9, 1),
    ]
    assert brought.rows("SELECT path, size, dev, ino FROM files WHERE trace = $trace ORDER BY path") == [
        ("/d/a", 1048576, None, None),
        ("/d/b", 1, None, None),
    ]
    assert brought.rows("SELECT sum(latency_ns), max(latency_max_ns) FROM runs WHERE trace = $trace") == [(41, 17)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (f"{HEADER}\n/a,read,0,1\n/a,read,x,1\n", ", row 2: column offset: to int64: invalid value 'x'; correct it"),
        (f"{HEADER}\n/a,read,0,1\n/a,raed,3,1\n", ", row 2: no operation is called 'raed'; they are read, write, mmap"),
        (f"{HEADER}\n/a,read,0\n", ", row 1: Expected 4 columns, got 3"),
        (f"{HEADER}\n/a,read,,1\n", ", row 1: offset is empty; correct it"),
        (f"{HEADER}\n,read,1,1\n", ", row 1: path is empty; correct it"),
        (f"{HEADER}\n/a,read,NaN,1\n", ", row 1: column offset: to int64: invalid value 'NaN'"),
        (f"{HEADER}\n/a,read,1,9223372036854775808\n", ", row 1: column size: to int64: invalid value"),
        ("path,op,size\n/a,read,1\n", ": no column offset; needed are path, op, offset, size, and"),
        (f"{HEADER},size\n/a,read,1,1,1\n", ": two columns called size; leave one out"),
        (f"{HEADER},seq\n/a,read,1,1,5\n/a,read,1,1,5\n", ", row 2: seq does not grow within its thread; sort"),
        (f"{HEADER},trace\n/a,read,1,1,5\n/a,read,1,1,6\n", ", row 2: a row of another trace than 5"),
        (
            "\n\n",
            ": CSV parse error: Empty CSV file or block: cannot infer number of columns; is it CSV with a header line?",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_row(tmp_path: Path, text: str, complaint: str) -> None:
    assert refused(tmp_path, text).startswith(complaint)


def test_a_path_with_a_nul_byte_is_refused(tmp_path: Path) -> None:
    text = f"{HEADER}\n/d/a,read,0,1\n/d/\0b,read,0,1\n"
    assert refused(tmp_path, text).startswith(", row 2: path holds a NUL byte")


def test_what_took_longer_than_memory_would_is_taken_to_have_waited(tmp_path: Path, store: Store) -> None:
    rows = [(4096, 53_000), (4096, 59_000), (1 << 20, 1_000_000), (1 << 20, 1_100_000)]
    lines = [f"/d/{number},read,0,{octets},{took}" for number, (octets, took) in enumerate(rows)]
    brought = bring(store, csv(tmp_path, "\n".join([f"{HEADER},latency_ns", *lines])))
    told = "SELECT path, waited, wait_ns FROM runs JOIN files USING (trace, file) WHERE trace = $trace ORDER BY path"
    assert brought.rows(told) == [("/d/0", 0, 0), ("/d/1", 1, 59_000), ("/d/2", 0, 0), ("/d/3", 1, 1_100_000)]
    ((coverage,),) = brought.rows("SELECT coverage::VARCHAR FROM traces WHERE trace = $trace")
    assert "taken to have waited" in coverage


@pytest.mark.parametrize("latency", [None, 3_000_000])
def test_reports_say_of_waiting_what_the_log_can_tell(tmp_path: Path, store: Store, latency: int | None) -> None:
    header = HEADER if latency is None else f"{HEADER},start_ns,latency_ns"
    lines = [
        f"/d/set/{number},read,0,65536" + ("" if latency is None else f",{number * 4_000_000},{latency}")
        for number in range(211)
    ]
    brought = bring(store, csv(tmp_path, "\n".join([header, *lines])))
    insight = understand(store, brought.trace)
    (line,) = insight.headlines
    if latency is None:
        assert line.startswith("process reads 211 files of 64 KiB, one at a time; leave it alone: the trace has no")
        assert [one.kind for one in insight.findings] == ["leave-alone"]
        assert "waiting" not in insight.findings[0].sentence
    else:
        assert line.startswith("process waits 75 % of its time for 211 files of 64 KiB")
        assert {"concurrency", "packing"} <= {one.kind for one in insight.findings}
        assert not {"read-size", "read-ahead", "read-ahead-off"} & {one.kind for one in insight.findings}


def test_what_linux_cannot_mean_is_skipped_and_counted(tmp_path: Path, store: Store) -> None:
    lines = ["/a,read,-1,1", "/a,read,0,-5", "/a,read,9223372036854775807,1", "/a,read,9223372036854775806,1"]
    brought = bring(store, csv(tmp_path, "\n".join([HEADER, *lines])))
    assert brought.accesses() == [("/a", "read", 2**63 - 2, 1)]
    assert brought.written.skipped == {"offset, size or time below 0, or beyond what Linux has": 3}


def accesses(brought: Brought) -> list[tuple[object, ...]]:
    """All that must come back; the numbers of readers and threads are the importer's own, their order is not."""
    return brought.rows("""SELECT dense_rank() OVER (ORDER BY reader), dense_rank() OVER (ORDER BY reader, thread),
        path, op::VARCHAR, seq, "offset", size, requested, start_ns
        FROM accesses WHERE trace = $trace ORDER BY ALL""")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_view_accesses_comes_back_as_it_went_out(tmp_path: Path, form: str) -> None:
    lines = [f"{HEADER},reader,thread,start_ns"]
    for i in range(211):
        lines.append(f"/d/a,read,{i * 4096},4096,1,1,{1000 + i * 7}")
        if i % 3 == 0:
            lines.append(f"/d/b,read,{(i * 7919) % 100000},{4096 - i % 2},1,1,{1003 + i * 7}")
        lines.append(f'"/d/c,""é\n",write,{i * 10},10,2,3,{1000 + i * i}')
    with Store.open(tmp_path / "store.duckdb", "w") as store:
        first = bring(store, csv(tmp_path, "\n".join(lines)))
        expected = accesses(first)
    out = tmp_path / f"out.{form}"
    with Store.open(tmp_path / "store.duckdb", "r") as store, out.open("wb") as stream:
        WRITERS[form](store.query(f"select * from accesses where trace = {first.trace}"), stream)
    with Store.open(tmp_path / "store.duckdb", "w") as store:
        again = bring(store, out)
        assert again.trace != first.trace
        assert accesses(again) == expected
        assert len(expected) == 211 * 2 + 71


def test_parquet_of_other_types_and_row_groups(tmp_path: Path, store: Store) -> None:
    table = pa.table(
        {
            "path": pa.array(["/a", "/b"] * 499).dictionary_encode(),
            "op": ["read"] * 998,
            "offset": pa.array(range(998), pa.uint16()),
            "size": pa.array([1.0] * 998, pa.float64()),
        }
    )
    pa.parquet.write_table(table, tmp_path / "some.bin", row_group_size=101)
    brought = bring(store, tmp_path / "some.bin")
    assert sorted(brought.accesses()) == sorted((("/a", "/b")[i % 2], "read", i, 1) for i in range(998))
