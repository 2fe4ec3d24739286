"""Directories of exported traces as stores."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.acts import verdict
from tests.unit.recordings import Recording

from stepwell.analysis import plans
from stepwell.analysis.verdicts import table
from stepwell.store import NoTraceError, ParquetStore, QueryError, Store, StoreError, StoreNewerError, export
from stepwell.store.errors import StoreCorruptError


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    recording = Recording(tmp_path / "one.spool")
    recording.thread(1)
    recording.open(1, b"/data/it's")
    recording.run(1, count=7, stride=4096)
    recording.end(1000)
    store = recording.stored()
    with Store.open(store, "r") as opened:
        export(opened, 1, tmp_path / "traces" / "it's one")
    return store


def test_views_are_those_of_the_store_with_the_same_types(stored: Path, tmp_path: Path) -> None:
    with Store.open(stored, "r") as file, ParquetStore.of(tmp_path / "traces") as directory:
        for view in ("traces", "readers", "files", "runs", "accesses", "datasets", "darshan_counters"):
            sql = f"select * from {view}"
            assert directory.query(sql).read_all().equals(file.query(sql).read_all()), view
        assert directory.meta(1) == file.meta(1)
        assert directory.latest_trace() == 1


def test_an_exported_trace_is_a_store_by_itself_and_can_be_exported_again(stored: Path, tmp_path: Path) -> None:
    assert stored.exists()
    with ParquetStore.of(tmp_path / "traces" / "it's one") as store:
        export(store, 1, tmp_path / "again")
    first, again = tmp_path / "traces" / "it's one", tmp_path / "again"
    assert json.loads((first / "manifest.json").read_text()) == json.loads((again / "manifest.json").read_text())


def test_nothing_can_be_written_or_read_elsewhere(stored: Path, tmp_path: Path) -> None:
    assert stored.exists()
    with ParquetStore.of(tmp_path / "traces") as store:
        for sql in ("select * from read_text('/etc/passwd')", "select * from read_csv('/etc/passwd')"):
            with pytest.raises(QueryError):
                store.query(sql).read_all()
        runs = tmp_path / "traces" / "it's one" / "runs.parquet"
        before = runs.read_bytes()
        target = str(runs).replace("'", "''")
        for sql in (f"copy (select 7) to '{target}'", "drop view runs", "attach 'x.duckdb'"):
            with pytest.raises(QueryError, match="only queries"):
                store.query(sql)
        assert runs.read_bytes() == before


@pytest.fixture
def machines(tmp_path: Path) -> Path:
    """Exports of three machines, each of which called its trace 1; the accesses of each are another prime number."""
    for name, accesses in (("far", 11), ("near", 13), ("there", 17)):
        (tmp_path / name).mkdir()
        recording = Recording(tmp_path / name / f"{name}.spool")
        recording.thread(1)
        recording.open(1, b"/data/" + name.encode())
        recording.run(1, count=accesses, stride=4096)
        recording.end(1000)
        with Store.open(recording.stored(), "r") as opened:
            export(opened, 1, tmp_path / "machines" / name)
    return tmp_path / "machines"


COUNTS = """SELECT trace, path, sum(count)::BIGINT FROM runs JOIN files USING (trace, file) JOIN traces USING (trace)
    GROUP BY ALL ORDER BY trace"""


def test_traces_of_several_machines_with_one_number_are_numbered_on(machines: Path, tmp_path: Path) -> None:
    expected = [(1, "/data/far", 11), (2, "/data/near", 13), (3, "/data/there", 17)]
    with ParquetStore.of(machines) as store:
        assert store.rows(COUNTS) == expected
        assert [store.meta(number)["uuid"] for number in (1, 2, 3)] == ["far", "near", "there"]
        assert store.rows("SELECT count(*) FROM accesses WHERE trace = 2") == [(13,)]
        export(store, 3, tmp_path / "again")
    with ParquetStore.of(tmp_path / "again") as store:
        assert store.rows(COUNTS) == expected[2:]


BASELINES = "SELECT trace, baseline FROM verdicts ORDER BY trace, baseline NULLS LAST"


def test_a_baseline_is_the_trace_of_the_same_machine(machines: Path, tmp_path: Path) -> None:
    """Trace 2 of `there` is measured against its trace 1, which is 3 here; that of `near` against one left behind."""
    for name in ("near", "there"):
        recording = Recording(tmp_path / name / f"{name}-acted.spool")
        recording.end(1000)
        path = recording.stored()
        with Store.open(path, "w") as store:
            store.set_acts(2, plans.table(()), table([replace(verdict(), baseline=1), verdict()]))
        with Store.open(path, "r") as store:
            export(store, 2, machines / f"{name}-acted")
    shutil.rmtree(machines / "near")
    with ParquetStore.of(machines) as store:
        named = {store.meta(trace)["uuid"]: trace for trace in (1, 2, 3, 4)}
        assert named == {"far": 1, "near-acted": 2, "there": 3, "there-acted": 4}
        assert store.rows(BASELINES) == [(2, None), (2, None), (4, 3), (4, None)]
        export(store, 4, tmp_path / "apart/acted")
        export(store, 3, tmp_path / "apart/baseline")
    with ParquetStore.of(tmp_path / "apart") as store:
        assert store.rows(BASELINES) == [(4, 3), (4, None)]
    with ParquetStore.of(tmp_path / "apart/acted") as store:
        assert store.rows(BASELINES) == [(4, None)] * 2


def test_what_cannot_be_opened_says_why(stored: Path, tmp_path: Path) -> None:
    assert stored.exists()
    traces, one = tmp_path / "traces", tmp_path / "traces" / "it's one"
    with pytest.raises(NoTraceError, match="stepwell export"):
        ParquetStore.of(tmp_path / "nowhere")
    shutil.copytree(one, traces / "two")
    with pytest.raises(StoreError, match="both hold the same trace"):
        ParquetStore.of(traces)
    (traces / "two" / "runs.parquet").unlink()
    with pytest.raises(StoreCorruptError, match=r"lacks runs\.parquet"):
        ParquetStore.of(traces / "two")
    manifest = one / "manifest.json"
    told = json.loads(manifest.read_text())
    for version, error in ((told["schema_version"] + 1, StoreNewerError), (told["schema_version"] - 1, StoreError)):
        manifest.write_text(json.dumps(told | {"schema_version": version}))
        with pytest.raises(error, match="schema version"):
            ParquetStore.of(one)
    manifest.write_text("{")
    with pytest.raises(StoreCorruptError, match="damaged"):
        ParquetStore.of(one)


def stepwell(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("stepwell"), "--store", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_commands_read_a_directory_and_never_write_there(stored: Path, tmp_path: Path) -> None:
    assert stored.exists()
    traces = tmp_path / "traces"
    asked = stepwell(traces, "query", "-o", "json", "select sum(count) as n from runs")
    assert json.loads(asked.stdout) == [{"n": 7}]
    report = json.loads(stepwell(traces, "report", "-o", "json").stdout)
    assert report["totals"]["accesses"] == 7
    before = sorted(tmp_path.rglob("*"))
    for command in (("record", "--", "true"), ("import", traces), ("rm", "1")):
        refused = stepwell(traces, *command)
        assert refused.returncode == 2
        assert "can only be read" in refused.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_spark_asks_directories_only(tmp_path: Path) -> None:
    refused = stepwell(tmp_path / "a.duckdb", "--spark", "local[2]", "traces")
    assert (refused.returncode, "give their directory" in refused.stderr) == (2, True)
