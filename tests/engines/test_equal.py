from __future__ import annotations

import json
import re
from typing import Any

import pyarrow as pa
import pytest
from tests.unit.acts import carried, verdict

from stepwell.analysis.ask import Queryable, ask
from stepwell.analysis.patterns import classify
from stepwell.analysis.plans import plans
from stepwell.analysis.portable import Values, questions
from stepwell.analysis.summary import summarize
from stepwell.analysis.verdicts import verdicts
from stepwell.store import VIEWS, ParquetStore
from stepwell.store.spark import SparkStore

QUESTIONS = list(questions(1, 9_001_000_000, [1, 2, 3, 2_001]))

ORDER_OF_SUMS = 1e-9
"""Floating-point sums differ by the order of summing, relative to themselves."""


def same(first: pa.Table, second: pa.Table, sql: str) -> None:
    assert first.column_names == second.column_names
    assert [_plain(kind) for kind in first.schema.types] == [_plain(kind) for kind in second.schema.types]
    left, right = first.to_pylist(), second.to_pylist()
    assert len(left) == len(right)
    floats = {field.name for field in first.schema if pa.types.is_floating(field.type)}

    def exact(row: dict[str, Any]) -> list[tuple[bool, str]]:
        return [(value is None, str(value)) for name, value in row.items() if name not in floats]

    order = sql.rpartition("ORDER BY")[2] if "ORDER BY" in sql.rpartition(")")[2] else ""
    ordered = [name for name in first.column_names if re.search(rf"\b{name}\b", order) and name not in floats]
    assert [[row[name] for name in ordered] for row in left] == [[row[name] for name in ordered] for row in right]
    left, right = sorted(left, key=exact), sorted(right, key=exact)
    for one, other in zip(left, right, strict=True):
        assert exact(one) == exact(other)
        assert [one[name] for name in floats] == pytest.approx([other[name] for name in floats], rel=ORDER_OF_SUMS)


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return kind.value_type
    return pa.timestamp("us", "UTC") if pa.types.is_timestamp(kind) else kind


@pytest.mark.parametrize(("name", "sql", "values"), QUESTIONS, ids=[name for name, *_ in QUESTIONS])
def test_every_question_has_the_same_answer(
    name: str, sql: str, values: Values, duckdb: ParquetStore, spark: SparkStore
) -> None:
    found = ask(duckdb, sql, *values)
    assert len(found), name
    same(found, ask(spark, sql, *values), sql)


@pytest.mark.parametrize("name", [view.name for view in VIEWS])
def test_every_view_has_the_same_rows(name: str, duckdb: ParquetStore, spark: SparkStore) -> None:
    same(ask(duckdb, f"SELECT * FROM {name}"), ask(spark, f"SELECT * FROM {name}"), "")


def test_a_trace_with_nothing_in_it_is_summed_up_alike(duckdb: ParquetStore, spark: SparkStore) -> None:
    of_duckdb = summarize(duckdb, 2, heat_rows=7, most_pictures=3)
    assert of_duckdb == summarize(spark, 2, heat_rows=7, most_pictures=3)
    assert of_duckdb.totals.accesses == 0


def test_what_was_done_is_told_alike(duckdb: ParquetStore, spark: SparkStore) -> None:
    assert plans(duckdb, 1) == plans(spark, 1) == carried("/data/set1")
    assert verdicts(duckdb, 1) == verdicts(spark, 1) == (verdict(),)


def test_patterns_found_on_several_machines_are_those_found_on_one(duckdb: ParquetStore, spark: SparkStore) -> None:
    def found(store: Queryable) -> list[dict[str, Any]]:
        rows = classify(store, 1).to_pylist()
        for row in rows:
            row["evidence"] = json.loads(row["evidence"] or "{}")
        return sorted(rows, key=lambda row: (row["scope"], row["subject"], row["op"]))

    one, several = found(duckdb), found(spark)
    assert len(one) > 100
    assert {"stream", "file", "dataset", "workload"} == {row["scope"] for row in one}
    assert len(one) == len(several)
    for left, right in zip(one, several, strict=True):
        assert left == right


def test_another_machines_trace_with_the_same_number_has_one_of_its_own(
    duckdb: ParquetStore, spark: SparkStore
) -> None:
    assert duckdb.meta(3)["uuid"] == spark.meta(3)["uuid"] == "other"
    assert duckdb.rows("SELECT trace, count(*) FROM accesses WHERE trace = 3 GROUP BY trace") == [(3, 215)]
    same(classify(duckdb, 3), classify(spark, 3), "")
