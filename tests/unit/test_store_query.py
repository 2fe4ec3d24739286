"""Queries: they read the store and nothing else, and their results are exact in every format."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from stepwell.store import (
    VIEWS,
    WRITERS,
    NoTraceError,
    QueryError,
    Store,
    StoreError,
    export,
    ingest,
    write_csv,
    write_json,
    write_parquet,
)
from stepwell.trace.spool import SpoolWriter


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("store")
    with SpoolWriter(directory / "trace.spool") as writer:
        writer.meta(uuid="u", start_monotonic_ns=5, end_monotonic_ns=28, host="h", coverage=["a", "b"])
    with Store.open(directory / "store.duckdb", "w") as store:
        ingest(store, directory / "trace.spool")
    return directory / "store.duckdb"


@pytest.fixture
def store(database: Path) -> Store:
    return Store.open(database, "r")


def written(store: Store, sql: str, name: str) -> bytes:
    stream = io.BytesIO()
    WRITERS[name](store.query(sql), stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    "sql",
    [
        "copy traces to '{}'",
        "copy (select 1) to '{}' (format parquet)",
        "attach '{}'",
        "export database '{}'",
        "install httpfs",
        "load '{}'",
        "select * from '/etc/passwd'",
        "select * from read_csv('/etc/passwd')",
        "select * from read_text('/etc/passwd')",
        "select * from glob('/etc/*')",
        "delete from stored.trace",
        "create table stored.mine (i int)",
        "drop view traces",
        "set enable_external_access = true",
        "set lock_configuration = false",
        "pragma database_list; set threads = 1",
    ],
)
def test_a_query_neither_writes_nor_reaches_other_files(store: Store, tmp_path: Path, sql: str) -> None:
    target = tmp_path / "target"
    with store, pytest.raises(QueryError):
        store.query(sql.format(target)).read_all()
    assert not target.exists()


def test_a_query_sees_no_variables_of_the_process(store: Store) -> None:
    secret = pa.table({"secret": [1]})
    with store, pytest.raises(QueryError, match="secret does not exist"):
        store.query("select * from secret").read_all()
    assert secret.num_rows == 1


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("selec 1", "syntax error"),
        ("select nothing from traces", "nothing"),
        ("from missing", "missing"),
        ("select 'x'::int", "Could not convert"),
        ("", "gives no rows"),
    ],
)
def test_wrong_queries_say_what_is_wrong_and_what_to_do(store: Store, sql: str, message: str) -> None:
    with (
        store,
        pytest.raises(QueryError, match=r"(?s)" + message + r".*(stepwell query --schema|select \* from)") as caught,
    ):
        store.query(sql).read_all()
    assert caught.value.exit_code == 2


def test_an_error_among_the_rows_is_a_query_error(store: Store) -> None:
    rows = "select case when i < 500000 then 1 else error('late') end from range(1000000) t(i)"
    with store, pytest.raises(QueryError, match="late"):
        written(store, rows, "json")


def test_several_results_can_be_read_at_once(store: Store) -> None:
    with store:
        first, second = store.query("from range(100000)"), store.query("from range(3)")
        assert next(iter(first)).num_rows > 0
        assert second.read_all().num_rows == 3


ODD = """select 9007199254740993::bigint as big, 18446744073709551615::ubigint as unsigned, sum(1::bigint) as total,
    timestamptz '2026-01-02 03:04:05.000006+00' as moment, 'nan'::double as nan, 0.5 as half, [1, 2] as list,
    {'a': [null, 'x']} as nested, 'ü,"' as text, null as nothing, '\\xFF'::blob as bytes, '{"k": 1}'::json as object,
    'read'::stored.op as op, true as yes"""

EXPECTED = {
    "big": 9007199254740993,
    "unsigned": 18446744073709551615,
    "total": 1,
    "moment": "2026-01-02T03:04:05.000006+00:00",
    "nan": None,
    "half": 0.5,
    "list": [1, 2],
    "nested": {"a": [None, "x"]},
    "text": 'ü,"',
    "nothing": None,
    "bytes": "\\xff",
    "object": {"k": 1},
    "op": "read",
    "yes": True,
}


def test_json_is_an_array_of_exact_objects(store: Store) -> None:
    with store:
        assert json.loads(written(store, ODD, "json")) == [EXPECTED]
        assert json.loads(written(store, "from traces where false", "json")) == []
        assert json.loads(written(store, "select * from range(3) t(i)", "json")) == [{"i": 0}, {"i": 1}, {"i": 2}]
        assert json.loads(written(store, "select coverage from traces", "json")) == [{"coverage": ["a", "b"]}]


def test_csv_has_a_header_and_json_for_what_is_nested(store: Store) -> None:
    with store:
        header, row = csv.reader(io.StringIO(written(store, ODD, "csv").decode()))
        empty = list(csv.reader(io.StringIO(written(store, "select trace from traces where false", "csv").decode())))
    assert header == list(EXPECTED)
    values = dict(zip(header, row, strict=True))
    assert values["big"] == "9007199254740993"
    assert values["unsigned"] == "18446744073709551615"
    assert values["nothing"] == ""
    assert values["text"] == 'ü,"'
    assert json.loads(values["list"]) == [1, 2]
    assert json.loads(values["nested"]) == {"a": [None, "x"]}
    assert empty == [["trace"]]


def test_arrow_and_parquet_hold_the_same_rows(store: Store) -> None:
    with store:
        arrow = pa.ipc.open_stream(written(store, ODD, "arrow")).read_all()
        parquet = pyarrow.parquet.read_table(io.BytesIO(written(store, ODD, "parquet")))
    for table in (arrow, parquet):
        assert table.column("big").to_pylist() == [9007199254740993]
        assert table.column("unsigned").to_pylist() == [18446744073709551615]
        assert table.column("nested").to_pylist() == [{"a": [None, "x"]}]


def test_parquet_says_so_when_it_lacks_a_type(store: Store) -> None:
    with store, pytest.raises(QueryError, match="choose another format"):
        write_parquet(store.query("select interval 1 month as i"), io.BytesIO())


@pytest.mark.parametrize("write", [write_json, write_csv])
def test_names_that_repeat_are_refused(store: Store, write: type) -> None:
    with store, pytest.raises(QueryError, match="two columns called i; name them apart with AS"):
        write(store.query("select 1 as i, 2 as i"), io.BytesIO())


def test_export_is_one_file_per_view_and_a_manifest(store: Store, tmp_path: Path) -> None:
    with store:
        export(store, 1, tmp_path / "out")
        with pytest.raises(StoreError, match="exists already; name a new directory"):
            export(store, 1, tmp_path / "out")
        with pytest.raises(NoTraceError, match="there is no trace 2"):
            export(store, 2, tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["recorder"]["host"] == "h"
    assert set(manifest["tables"]) == {view.name for view in VIEWS} - {"accesses"}
    for name, entry in manifest["tables"].items():
        table = pyarrow.parquet.read_table(tmp_path / "out" / entry["file"])
        assert (table.num_rows, table.column_names) == (entry["rows"], list(entry["columns"])), name
    assert manifest["tables"]["traces"]["rows"] == 1


def test_without_a_store_there_is_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(NoTraceError, match=r"record one with `stepwell record -- COMMAND`") as caught:
        Store.open(tmp_path / "none.duckdb", "r")
    assert caught.value.exit_code == 5
    with Store.open(tmp_path / "new.duckdb", "w") as store, pytest.raises(NoTraceError):
        store.latest_trace()


@pytest.mark.parametrize(
    ("way", "rows"),
    [
        ("query", 10_000_000),  # would take hours
        ("rows", 30_000),  # DuckDB may notice at its end only
    ],
)
def test_a_signal_ends_a_query_and_means_what_it_meant(database: Path, way: str, rows: int) -> None:
    program = (
        "import sys; from pathlib import Path; from stepwell.store import Store\n"
        "with Store.open(Path(sys.argv[1]), 'r') as store:\n"
        "    print('ready', flush=True)\n"
        f"    answer = store.{way}('select sum(a.range * b.range) as s from range(100000) a, range({rows}) b')\n"
        "    answer.read_all()\n"
    )
    command = [sys.executable, "-c", program, str(database)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as asking:
        try:
            assert asking.stdout
            assert asking.stdout.readline() == "ready\n"
            deadline = time.monotonic() + 30
            while _ticks_of_cpu(asking.pid) < 200:  # the query has begun
                assert time.monotonic() < deadline
                os.sched_yield()
            asking.send_signal(signal.SIGINT)
            assert asking.wait(60) == -signal.SIGINT
        finally:
            asking.kill()


def _ticks_of_cpu(process: int) -> int:
    """Return the user time of a process, in ticks of 10 ms (see proc(5))."""
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11])
