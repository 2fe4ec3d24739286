from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import feather, ipc

from stepwell.prefetch.errors import OrderError
from stepwell.prefetch.order_file import BATCH, entry_of, read_order
from stepwell.prefetch.protocol import Entry

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\t\r\n"), min_size=1)


def entries(path: Path) -> list[Entry]:
    return [entry for batch in read_order(path) for entry in batch]


@given(NAMES, st.none() | st.tuples(st.integers(0, 2**59), st.integers(0, 2**59)))
def test_a_line_is_its_step(name: str, part: tuple[int, int] | None) -> None:
    line = name if part is None else f"{name}\t{part[0]}\t{part[1]}"
    assert entry_of(line + "\n") == (Entry(name) if part is None else Entry(name, *part))


def test_a_text_file_is_read_in_batches_whatever_bytes_its_names_have(tmp_path: Path) -> None:
    count = BATCH + 17
    lines = [b"%d\t4096\t%d\n" % (one, one) for one in range(count)]
    (tmp_path / "order").write_bytes(b"a\xff\xe4 b\n\n" + b"".join(lines))
    batches = list(read_order(tmp_path / "order"))
    assert [len(batch) for batch in batches] == [BATCH, 18]
    assert batches[0][0] == Entry("a\udcff\udce4 b")
    assert batches[1][-1] == Entry(str(count - 1), 4096, count - 1)


@pytest.mark.parametrize(
    "line", ["a\tb", "\t1\t2", "a\t1", "a\t-1\t2", "a\t1\t2\t3", "a\t1\tx", "\t", "a\t1\t99999999999999999999"]
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "order").write_text(f"good\n{line}\n")
    with pytest.raises(OrderError, match=r"order, line 2: .* is no step of an order; write PATH"):
        entries(tmp_path / "order")


@pytest.mark.parametrize("whole", [True, False])
def test_an_arrow_file_is_an_order(tmp_path: Path, whole: bool) -> None:
    table = pa.table({"label": [1, 2], "path": ["a", "b"]})
    if not whole:
        table = table.append_column("offset", pa.array([0, 4096])).append_column("size", pa.array([None, 8192]))
    feather.write_feather(table, tmp_path / "order", compression="uncompressed")
    assert entries(tmp_path / "order") == ([Entry("a"), Entry("b")] if whole else [Entry("a"), Entry("b", 4096, 8192)])


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(OrderError, match=r"cannot read the order .*absent: No such file"):
        entries(tmp_path / "absent")
    feather.write_feather(pa.table({"name": ["a"]}), tmp_path / "order")
    with pytest.raises(OrderError, match="has no column path, but name; rename"):
        entries(tmp_path / "order")
    (tmp_path / "order").write_bytes((tmp_path / "order").read_bytes()[:64])
    with pytest.raises(OrderError, match="cannot be read as an Arrow file"):
        entries(tmp_path / "order")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (pa.table([["a"], ["b"]], ["path", "path"]), r"order has several columns path; leave one"),
        ({"path": ["a", None, "c"]}, r"order, row 2: \{'path': None\} is no step of an order; write a path"),
        ({"path": ["a", "b", ""]}, r"order, row 3: \{'path': ''\} is no step"),
        ({"path": ["a"], "offset": [-1]}, r"order, row 1: .*'offset': -1\} is no step"),
        ({"path": ["a"], "size": pa.array([2**63], pa.uint64())}, r"order, row 1: .*'size': 9223372036854775808\} "),
        ({"path": [1, 2]}, r"order: the column path is of type int64; write it as text"),
        ({"path": ["a"], "offset": ["0"]}, r"order: the column offset is of type string; write it as integers"),
        ({"path": ["a"], "size": [1.5]}, r"order: the column size is of type double; write it as integers"),
    ],
)
def test_columns_and_rows_of_an_arrow_file_that_are_no_steps_are_named(tmp_path: Path, columns: Any, said: str) -> None:
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    with ipc.new_file(tmp_path / "order", table.schema) as file:
        file.write_table(table)
    with pytest.raises(OrderError, match=said):
        entries(tmp_path / "order")


def test_paths_of_a_dictionary_and_sizes_that_are_all_unknown_are_steps(tmp_path: Path) -> None:
    paths = pa.array(["a", "b", "a"]).dictionary_encode()
    feather.write_feather(pa.table({"path": paths, "size": pa.nulls(3)}), tmp_path / "order")
    assert entries(tmp_path / "order") == [Entry("a"), Entry("b"), Entry("a")]
