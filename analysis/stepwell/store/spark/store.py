"""The public views over exported traces, asked through Spark."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import expr
from pyspark.sql.pandas.types import from_arrow_schema
from sqlglot.errors import SqlglotError

from stepwell.store.errors import QueryError, StoreError
from stepwell.store.exported import Exported, exported
from stepwell.store.interruptible import interruptibly
from stepwell.store.parquet import (
    COMPUTED,
    FROM_FILES,
    STORED,
    ParquetStore,
    by_number,
    column_types,
    empty_store,
    refuse_all_but_queries,
)
from stepwell.store.spark.dialect import spark_type, to_spark
from stepwell.store.spark.session import session
from stepwell.store.views import VIEWS

ROW, NUMBERED = "row_number", "numbered_runs"
"""The view `runs` with the place of each run in its trace."""

_ERRORS = (SqlglotError, PySparkException, Py4JError, OSError)
"""What Spark raises; the last two when its Java process has come to an end."""

Work = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]


class SparkStore(ParquetStore):
    """An open directory of exported traces, asked through Spark; only what traces there are is read by DuckDB."""

    _spark: SparkSession
    _checker: duckdb.DuckDBPyConnection

    @classmethod
    @contextmanager
    def through(cls, master: str, directory: Path) -> Iterator[Self]:
        """Open a directory that is one exported trace or holds several; Spark runs for as long as it is open.

        Args:
            master: Spark's master URL, such as local[2] or spark://host:7077.
            directory: where the traces are, under one path for all machines that Spark runs on.

        Raises:
            StoreError: Spark does not start; or see `stepwell.store.exported`.
            NoTraceError: there is no exported trace.
        """
        with cls.of(directory) as store, empty_store() as checker, session(master) as spark:
            store._spark, store._checker = spark, checker
            try:
                store._register(exported(directory))
            except PySparkException as error:
                raise StoreError(f"{directory} cannot be read: {_said(error)}; export the traces again") from error
            yield store

    def _register(self, traces: list[Exported]) -> None:
        types = column_types()
        for view in FROM_FILES:
            frames = []
            for numbers, files in by_number(traces, view.name):
                frame = self._spark.read.schema(_schema(types[view.name])).parquet(*files)
                frame = frame.selectExpr("*", f"_metadata.row_index AS {ROW}")
                frames.append(frame.withColumns({name: expr(sql).cast("bigint") for name, sql in numbers.items()}))
            numbered = reduce(DataFrame.unionByName, frames)
            numbered.drop(ROW).createOrReplaceTempView(view.name)
            if view.name == "runs":
                numbered.createOrReplaceTempView(NUMBERED)
        computed = [(view.name, view.sql) for view in VIEWS if view.name in COMPUTED]
        for name, sql in [*STORED.items(), *computed]:
            self._spark.sql(to_spark(sql)).createOrReplaceTempView(name.replace(".", "_"))

    def query(self, sql: str) -> pa.RecordBatchReader:
        """Run one SQL query in DuckDB's dialect; columns have the types that DuckDB gives them, enums those of text.

        Raises:
            QueryError: the query is wrong, or Spark has no equal of something in it.
        """
        schema = self._schema(sql)
        try:
            table = self._asked(lambda: self._spark.sql(to_spark(sql)).toArrow())
        except _ERRORS as error:
            raise QueryError(f"Spark: {_said(error)}\nask it more simply, or ask DuckDB") from error
        return table.rename_columns(schema.names).cast(schema).to_reader()

    def in_order(self, sql: str) -> pa.RecordBatchReader:
        """Run one query of one table, in DuckDB: the rows come in the order in which they were stored."""
        return super().query(sql)

    def apart(self, sql: str, keys: Sequence[str], work: Work, schema: pa.Schema) -> pa.Table:
        """Return what `work` makes of the answer to a query of `runs`.

        Args:
            sql: the query: columns and conditions, nothing more.
            keys: some of its columns; rows that are equal in them come to the same call, in the order in which they
                were stored.
            work: a function that the machines of Spark can import, given the rows of one call.
            schema: of what it yields.

        Raises:
            QueryError: the query is wrong, or the work failed.
        """
        rows = self._schema(sql)

        def ask() -> pa.Table:
            frame = self._spark.sql(to_spark(sql, with_column=(NUMBERED, ROW)))
            parts = 2 * self._spark.sparkContext.defaultParallelism
            frame = frame.repartition(parts, *keys).sortWithinPartitions(ROW).drop(ROW)
            return frame.mapInArrow(Typed(work, rows), from_arrow_schema(schema)).toArrow()

        try:
            return self._asked(ask)
        except _ERRORS as error:
            raise QueryError(f"Spark: {_said(error)}") from error

    def _asked(self, ask: Callable[[], pa.Table]) -> pa.Table:
        return interruptibly(ask, self._spark.sparkContext.cancelAllJobs)

    def _schema(self, sql: str) -> pa.Schema:
        refuse_all_but_queries(self._checker, sql)

        def ask() -> tuple[list[Any], pa.Schema]:
            relation = self._checker.sql(sql)
            if relation is None:
                raise QueryError("the statement gives no rows; only queries can be run, such as `select * from traces`")
            return relation.types, relation.to_arrow_table().schema

        try:
            types, schema = interruptibly(ask, self._checker.interrupt)
        except duckdb.Error as error:
            raise QueryError(f"{error}\nsee `stepwell query --schema` for the views and columns") from error
        fields = []
        for field, kind in zip(schema, types, strict=True):
            plain = field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
            fields.append(plain.with_metadata({"stepwell": "json"}) if str(kind) == "JSON" else plain)
        return pa.schema(fields)


@dataclass(frozen=True)
class Typed:
    """Work on rows as Spark gives them, done on rows with DuckDB's types."""

    work: Work
    schema: pa.Schema

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Do it."""
        return self.work(batch.cast(self.schema) for batch in batches)


def _schema(columns: dict[str, str]) -> str:
    return ", ".join(f"`{name}` {spark_type(kind)}" for name, kind in columns.items())


def _said(error: Exception) -> str:
    try:
        return str(error).split("\n\nJVM stacktrace", maxsplit=1)[0].strip()
    except Py4JError:  # which asks the Java process for the text
        return "its Java process has ended, as it does when it runs out of memory"
