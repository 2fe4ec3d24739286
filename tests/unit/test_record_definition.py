"""One definition: C, numpy, Arrow, DuckDB and the documentation say the same of every record."""

from __future__ import annotations

import ctypes
import re
import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.unit.coalescing import ACCESS

from stepwell.collectors.ebpf.coverage import Feature
from stepwell.collectors.ebpf.scope import SCOPE_NUMBER, ScopeKind
from stepwell.collectors.native import library
from stepwell.collectors.native.joiner import OWNED
from stepwell.store import VIEWS, Store, events, files, runs
from stepwell.trace.definition import EVENT, OPEN, RECORDS, RUN, EventKind, Field, Op, OpenFlag, Record, RunFlag
from stepwell.trace.generate import GENERATED
from stepwell.trace.layout import DTYPES, schema

INCLUDE = Path(__file__).parents[2] / "collectors" / "stepwell"

WIDTH = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "s32": 4, "s64": 8, "char": 1}

Layout = dict[str, tuple[int, int]]
"""Offset and size in bytes of each member, and of the whole as ""."""


def defined(record: Record) -> Layout:
    offset, layout = 0, {}
    for field in record.fields:
        layout[field.name] = (offset, WIDTH[field.ctype] * field.length)
        offset += WIDTH[field.ctype] * field.length
    return layout | {"": (0, offset)}


def of_numpy(dtype: np.dtype[np.void]) -> Layout:
    assert dtype.fields is not None
    return {name: (member[1], member[0].itemsize) for name, member in dtype.fields.items()} | {"": (0, dtype.itemsize)}


def of_ctypes(structure: type[ctypes.Structure]) -> Layout:
    members = {name: getattr(structure, name) for name, _ in structure._fields_}  # type: ignore[misc]
    return {name: (member.offset, member.size) for name, member in members.items()} | {
        "": (0, ctypes.sizeof(structure))
    }


COUNTERS = of_ctypes(library.Totals)["lost_recursion"][0]

IN_ACCESS = {*(ACCESS.names or ()), "padding"}

SHARED: dict[str, Layout] = {
    "sw_owned": {name: place for name, place in of_numpy(OWNED).items() if name not in IN_ACCESS}
    | {"access": (0, ACCESS.itemsize)},
    "sw_access": {name: place for name, place in of_numpy(ACCESS).items() if name != "padding"},
    "sw_filter": of_ctypes(library.Filter),
    "sw_counted": of_ctypes(library.Counted),
    "sw_options": of_ctypes(library.Options),
    "sw_counters": {name: (8 * i, 8) for i, name in enumerate(library.COUNTERS)} | {"": (0, COUNTERS)},
    "sw_totals": {"kernel": (0, COUNTERS)}
    | {name: place for name, place in of_ctypes(library.Totals).items() if name not in library.COUNTERS},
}
"""What Python and C share beside the records, as Python has it."""


def evaluate(folder: Path, expressions: list[str]) -> list[int]:
    """What the C compiler makes of constant expressions."""
    lines = [f'printf("%lld\\n", (long long)({expression}));' for expression in expressions]
    program = ["#include <stdio.h>", '#include "collectors/native/joiner.h"', "int main(void)", "{", *lines, "}", ""]
    (folder / "values.c").write_text("\n".join(program))
    command = ["cc", "-Wall", "-Werror", "-I", str(INCLUDE), "-o", str(folder / "values"), str(folder / "values.c")]
    subprocess.run(command, check=True)
    done = subprocess.run([folder / "values"], capture_output=True, text=True, check=True)
    return [int(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Layout]:
    """Every struct as the C compiler lays it out."""
    wanted = {f"sw_{record.name}": defined(record) for record in RECORDS} | SHARED
    members = [(struct, name) for struct, layout in wanted.items() for name in layout]
    expressions = []
    for struct, name in members:
        expressions.append(f"offsetof(struct {struct}, {name})" if name else "0")
        expressions.append(f"sizeof(((struct {struct} *)0)->{name})" if name else f"sizeof(struct {struct})")
    values = evaluate(tmp_path_factory.mktemp("c"), expressions)
    found: dict[str, Layout] = {struct: {} for struct in wanted}
    for (struct, name), offset, size in zip(members, values[::2], values[1::2], strict=True):
        found[struct][name] = (offset, size)
    return found


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: path.name)
def test_generated_files_are_up_to_date(path: Path) -> None:
    assert path.read_text() == GENERATED[path](), "run `make docs`"


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_c_and_numpy_lay_records_out_as_defined(compiled: dict[str, Layout], record: Record) -> None:
    assert compiled[f"sw_{record.name}"] == defined(record)
    assert of_numpy(DTYPES[record.kind]) == defined(record)


@pytest.mark.parametrize("struct", SHARED)
def test_c_and_python_agree_on_what_else_they_share(compiled: dict[str, Layout], struct: str) -> None:
    assert compiled[struct] == SHARED[struct]


def test_c_and_python_agree_on_numbers(tmp_path: Path) -> None:
    features = [f"SW_{feature.name}" for feature in Feature]
    scopes = [f"SW_SCOPE_{kind.name}" for kind in ScopeKind]
    values = evaluate(tmp_path, [*features, *scopes, "SW_ERROR_BYTES"])
    assert values == [*Feature, *(SCOPE_NUMBER[kind] for kind in ScopeKind), library.ERROR_BYTES]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_records_begin_with_their_kind_and_have_no_gaps(record: Record) -> None:
    assert record.fields[0] == Field("kind", "u32", "kind of this record")
    for name, (offset, size) in defined(record).items():
        field = next((field for field in record.fields if field.name == name), None)
        assert field is None or offset % WIDTH[field.ctype] == 0, name
        assert name or size % 8 == 0


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_arrow_has_the_fields_in_their_widths(record: Record) -> None:
    for field in record.fields:
        kind = schema(record).field(field.name).type
        if field.length > 1 and field.ctype != "char":
            assert kind.list_size == field.length
            kind = kind.value_type
        assert kind == pa.binary() if field.ctype == "char" else kind.bit_width == 8 * WIDTH[field.ctype]
    assert schema(record).names == [field.name for field in record.fields]


@pytest.mark.parametrize(("stored", "record"), [(runs.SCHEMA, RUN), (files.OPEN_SCHEMA, OPEN), (events.SCHEMA, EVENT)])
def test_batches_for_the_store_have_the_records_types(stored: pa.Schema, record: Record) -> None:
    """Numbers of 64 bits may be signed: the store holds only such as Linux has."""
    known = {field.name: field for field in record.fields}
    shared = [field for field in stored if field.name in known and field.name != "histogram"]
    assert len(shared) >= 7
    for field in shared:
        exact = schema(record).field(field.name).type
        assert field.type == exact or (exact, field.type) == (pa.uint64(), pa.int64()), field.name


def names(text: str) -> dict[int, str]:
    """The numbers of a list such as "0 close, 1 unlink", with the first letters of what each means."""
    return {int(number): word[:4] for number, word in re.findall(r"(\d+) ([\w-]+)", text)}


@pytest.mark.parametrize(
    ("members", "doc"),
    [
        (Op, next(field.doc for field in RUN.fields if field.name == "op")),
        (RunFlag, next(field.doc for field in RUN.fields if field.name == "flags")),
        (EventKind, next(field.doc for field in EVENT.fields if field.name == "event")),
    ],
)
def test_documented_numbers_are_the_enums(members: type[Op | RunFlag | EventKind], doc: str) -> None:
    assert names(doc) == {int(member): str(member.name).lower()[:4] for member in members}


def test_documented_states_of_an_open_file_are_the_enums() -> None:
    doc = next(field.doc for field in OPEN.fields if field.name == "state")
    assert list(names(doc)) == list(OpenFlag)
    assert next(view for view in VIEWS if view.name == "opens").columns["state"] == doc


DUCKDB = {
    "u8": "UTINYINT", "u16": "USMALLINT", "u32": "UINTEGER", "u64": "BIGINT", "s32": "INTEGER", "s64": "BIGINT",
}  # fmt: skip
"""The store's type of a field, ids apart; 64-bit numbers are signed in Linux, which the store checks."""

ENUMS = {
    "op": f"ENUM({', '.join(repr(op.name.lower()) for op in Op)})",
    "event": f"ENUM({', '.join(repr(kind.name.lower()) for kind in EventKind)})",
}
IDS = dict.fromkeys(("trace", "reader", "thread", "file", "open"), "BIGINT")
"""Negative when their description was lost."""

OTHER_TYPES = {
    "BIGINT": """duration_ns accesses lost files readers first_ns last_ns end_ns user_ns system_ns async_wait_ns
        queued_ns
        start_ns request_size reuse_period consec_reads seq_reads consec_writes seq_writes latency_ns value size offset
        seq stride mtime_ns block_bytes in_flight window_bytes stride_bytes gain_low_permille gain_high_permille pairs
        waited_ns expected_ns baseline requests brought_bytes used_bytes late_bytes wasted_bytes""",
    "UBIGINT": "ino requested",
    "HUGEINT": "bytes",
    "UINTEGER": "pid ppid uid tid dev generation state",
    "INTEGER": "exit_code",
    "DOUBLE": "confidence ratio low high",
    "BOOLEAN": "deleted interpolated",
    "VARCHAR": """uuid command scope cwd host kernel collector version comm container pod workload path dataset
        filesystem hop subject pattern reuse module counter mode policy reason verdict action sentence because design
        stopped""",
    "JSON": "coverage degraded evidence plan windows",
    "TIMESTAMP WITH TIME ZONE": "started",
    "ENUM('complete', 'interrupted')": "status",
}
"""Columns by type; a name has one type in all views."""


def expected_type(view: str, column: str) -> str:
    fields = {field.name: field for field in {"runs": RUN, "opens": OPEN, "events": EVENT}.get(view, RUN).fields}
    if column in IDS or column in ENUMS:
        return (IDS | ENUMS)[column]
    if (view, column) == ("losses", "count"):
        return "BIGINT"
    if (view, column) == ("counters", "value"):
        return "DOUBLE"
    for kind, columns in OTHER_TYPES.items():
        if column in columns.split():
            return kind
    field = fields[column]
    return DUCKDB[field.ctype] + ("" if field.length == 1 else f"[{field.length}]")


def test_views_have_the_types_of_the_definition(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.duckdb", "w") as store:
        found = store.rows("""SELECT table_name, column_name, data_type FROM duckdb_columns()
            WHERE schema_name = 'main' AND NOT internal""")
    assert {(view, column): kind for view, column, kind in found} == {
        (view.name, column): expected_type(view.name, column) for view in VIEWS for column in view.columns
    }


def test_view_of_runs_has_every_field_with_its_meaning() -> None:
    columns = next(view for view in VIEWS if view.name == "runs").columns
    for field in RUN.fields:
        if field.name not in {"kind", "reserved", "thread", "open", "op"}:
            assert columns[field.name].startswith(field.doc), field.name
    assert {"thread", "open", "op"} <= columns.keys()
