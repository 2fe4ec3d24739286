"""Verdicts from Darshan's counters in the view `patterns`, in reports and in `explain`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.importers.bringing import Brought, stepwell, told
from tests.unit.test_darshan_verdicts import counters, shuffled

from stepwell.analysis import ANALYSIS_VERSION, classify
from stepwell.analysis.thresholds.darshan import CEILING, SHARED
from stepwell.collectors.importers.darshan.messages import SEGMENT, Message
from stepwell.collectors.importers.darshan.records import ALL_RANKS, Records
from stepwell.collectors.importers.writer import TraceWriter
from stepwell.store import Store

SIZE = 4093


def log(trace: TraceWriter, *messages: Message) -> None:
    job = {"uid": 7, "start_ns": 10**18, "seconds": 3.0, "job": 1, "command": "ior -x", "format": "3.41",
           "modules": ["POSIX", "STDIO"], "partial": []}  # fmt: skip
    records = Records(trace)
    names = {"1": "/d/forward", "2": "/d/shuffled", "3": "/d/notes"}
    for message in (Message("job", job), Message("names", names), *messages):
        records.take(message)
    records.end()


def counted(file: str, values: dict[str, float], rank: int = 3, module: str = "POSIX") -> Message:
    return Message("counters", {"module": module, "id": file, "rank": rank, "values": values})


def read(places: list[int]) -> dict[str, float]:
    return counters((place * SIZE, SIZE) for place in places)


FORWARD, SHUFFLED = read([*range(1009)]), read(shuffled(range(503)))
NOTES: dict[str, float] = {"STDIO_WRITES": 101, "STDIO_BYTES_WRITTEN": 1010, "STDIO_MAX_BYTE_WRITTEN": 1009}
WITHOUT_DXT = (
    counted("1", FORWARD, ALL_RANKS),
    counted("2", SHUFFLED),
    counted("2", SHUFFLED, 4),
    counted("3", NOTES, module="STDIO"),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("darshan") / "store.duckdb"
    with Store.open(path, "w") as store:
        told(store, path.with_name("spool"), lambda trace: log(trace, *WITHOUT_DXT), collector="import darshan")
        store.set_patterns(1, classify(store, 1), ANALYSIS_VERSION)
    return path


def verdicts(brought: Brought) -> list[dict[str, Any]]:
    return [
        row | {"evidence": json.loads(row["evidence"])} for row in classify(brought.store, brought.trace).to_pylist()
    ]


def test_files_datasets_and_workloads_have_verdicts_from_counters(place: Path) -> None:
    with Store.open(place, "r") as store:
        found = store.rows("""SELECT scope, path, op::VARCHAR, pattern, request_size, accesses, bytes::BIGINT,
            confidence, evidence::VARCHAR FROM patterns WHERE trace = 1 ORDER BY scope, path, op::VARCHAR""")
    assert [row[:7] for row in found] == [
        ("dataset", "/d", "read", "mixed", SIZE, 2015, 2015 * SIZE),
        ("dataset", "/d", "write", "sequential", 10, 101, 1010),
        ("file", "/d/forward", "read", "sequential", SIZE, 1009, 1009 * SIZE),
        ("file", "/d/notes", "write", "sequential", 10, 101, 1010),
        ("file", "/d/shuffled", "read", "random", SIZE, 1006, 1006 * SIZE),
        ("workload", "ior -x", "read", "mixed", SIZE, 2015, 2015 * SIZE),
        ("workload", "ior -x", "write", "sequential", 10, 101, 1010),
    ]
    by_file = {row[1]: (row[7], json.loads(row[8])["counters"]) for row in found if row[0] == "file"}
    assert by_file["/d/forward"][0] <= CEILING * SHARED < by_file["/d/shuffled"][0] <= CEILING
    assert by_file["/d/shuffled"][1]["records"] == 2
    assert by_file["/d/forward"][1]["largest"] == {
        "steps": 1008, "consecutive": 1.0, "forward": 1.0, "gap": 0, "regular": 0.0, "transferred_to_extent": 1.0,
        "shared": 1.0,
    }  # fmt: skip
    assert json.loads(found[0][8])["counters"] == {"records": 3}


def test_where_there_are_accesses_they_decide(tmp_path: Path, store: Store) -> None:
    places = np.arange(211) * 2 * SIZE
    segments = np.zeros(211, SEGMENT)
    segments["offset"], segments["length"], segments["end"] = places, SIZE, np.arange(1, 212) / 1000
    told_of = Message(
        "segments", {"module": "DXT_POSIX", "id": "1", "rank": 3, "host": "n", "op": "read"}, segments.tobytes()
    )
    brought = told(
        store,
        tmp_path / "spool",
        lambda trace: log(trace, counted("1", read([*range(211)])), counted("2", SHUFFLED), told_of),
    )
    found = {(row["scope"], row["path"]): row for row in verdicts(brought)}
    assert found["file", "/d/forward"]["pattern"] == "strided"
    assert "counters" not in found["file", "/d/forward"]["evidence"]
    assert found["file", "/d/shuffled"]["pattern"] == "random"
    both = found["dataset", "/d"]["evidence"]
    assert (both["streams"], both["counters"]) == (1, {"records": 1})


def test_reports_tell_that_there_are_counters_only(place: Path) -> None:
    shown = stepwell("report", store=place, COLUMNS="200").stdout
    assert "7.87 MiB in 2,015 accesses (read), as Darshan counted" in shown
    assert "The log has counters only, no accesses" in shown
    assert "No access" not in shown
    assert "/d/shuffled" in shown
    page = stepwell("report", "-o", "html", store=place).stdout
    assert "The log has counters only, no accesses" in page
    assert 'id="patterns"' in page
    assert 'id="findings"' not in page
    document = json.loads(stepwell("report", "-o", "json", store=place).stdout)
    assert {row["path"] for row in document["patterns"] if row["scope"] == "file"} == {
        "/d/forward",
        "/d/shuffled",
        "/d/notes",
    }


@pytest.mark.parametrize("subject", ["/d", "shuffled", "rank 4"])
def test_explain_gives_the_counters_as_evidence(place: Path, subject: str) -> None:
    done = stepwell("explain", subject, store=place)
    assert done.returncode == 0, done.stderr
    assert "records of Darshan's counters" in done.stdout
    assert "Unknown: no access of it is in the trace." in done.stdout
    assert "Nobody waited" not in done.stdout


def test_an_imported_log_without_anything_has_no_advice_on_recording(tmp_path: Path) -> None:
    place = tmp_path / "store.duckdb"
    with Store.open(place, "w") as store:
        told(store, tmp_path / "spool", log, collector="import darshan")
    shown = stepwell("report", store=place).stdout
    assert "No access to a file is in the imported log" in shown
    assert "--under" not in shown
