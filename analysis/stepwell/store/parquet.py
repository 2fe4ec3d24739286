"""A store of exported traces: the public views over Parquet files, to read only.

The views that are exported come from the files; the others are computed from those, with the same SQL as in a DuckDB
file, and so are those that are sums over runs.  Columns have the types that they have there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

import duckdb
import pyarrow as pa

from stepwell.store.database import NO_DOWNLOADS, Store, read_memory
from stepwell.store.errors import QueryError, store_errors
from stepwell.store.exported import Exported, exported
from stepwell.store.tables import TABLES
from stepwell.store.views import VIEW_SQL, VIEWS

COMPUTED = ("accesses", "datasets", "darshan_counters")
"""The views that are computed from the others."""

FROM_FILES = tuple(view for view in VIEWS if view.name not in COMPUTED)
"""The views that are read from the files."""

_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)

STORED = {
    "stored.run": 'SELECT *, size - "tail" AS size_minus_tail FROM runs',
    "stored.file": "SELECT * FROM files",
    "stored.open": "SELECT * FROM opens",
}
"""The tables that `COMPUTED` are made of, in terms of `FROM_FILES`."""


class ParquetStore(Store):
    """An open directory of exported traces; use as a context manager."""

    @classmethod
    def of(cls, directory: Path) -> Self:
        """Open a directory that is one exported trace or holds several.

        Raises:
            StoreError: see `stepwell.store.exported` for which.
            NoTraceError: there is none.
        """
        traces = exported(directory)
        config: dict[str, str | bool | int | float | list[str]] = {"memory_limit": f"{read_memory()}B"}
        store = cls(directory, duckdb.connect(":memory:", config=config | NO_DOWNLOADS))
        try:
            with store_errors(directory):
                store._make_views(traces)
        except BaseException:
            store.close()
            raise
        return store

    def _make_views(self, traces: list[Exported]) -> None:
        run = self.connection.execute
        run("SET TimeZone = 'UTC'; SET enable_progress_bar = false; CREATE SCHEMA stored")
        run("CREATE TABLE stored.meta (trace BIGINT, meta JSON)")
        run("INSERT INTO stored.meta SELECT unnest(?), unnest(?)", [
            [one.trace for one in traces], [json.dumps(one.recorder) for one in traces],
        ])  # fmt: skip
        types = column_types()
        for view in FROM_FILES:
            parts = []
            for numbers, files in by_number(traces, view.name):
                named = {name: f'"{name}"' for name in view.columns} | numbers
                columns = ", ".join(f'{said}::{types[view.name][name]} AS "{name}"' for name, said in named.items())
                parts.append(f"SELECT {columns} FROM read_parquet([{', '.join(map(_quoted, files))}])")
            run(f"CREATE VIEW {view.name} AS {' UNION ALL '.join(parts)}")
        for name, sql in STORED.items():
            run(f"CREATE VIEW {name} AS {sql}")
        run("CREATE VIEW stored.trace AS SELECT * FROM traces JOIN stored.meta USING (trace)")
        for view in VIEWS:
            if view.name in COMPUTED:
                run(f"CREATE VIEW {view.name} AS {view.sql}")
        places = ", ".join(_quoted(str(one.directory)) for one in traces)
        run(f"SET allowed_directories = [{places}]; SET enable_external_access = false")
        run("SET python_enable_replacements = false; SET lock_configuration = true")

    def query(self, sql: str) -> pa.RecordBatchReader:
        """Run one SQL query, as `Store.query` does.

        Raises:
            QueryError: DuckDB refuses it, or it is something other than a query.
        """
        refuse_all_but_queries(self.connection, sql)
        return super().query(sql)

    def unanalysed(self, version: int) -> list[int]:  # noqa: ARG002
        """Return no traces: verdicts are those that were exported."""
        return []


def by_number(traces: list[Exported], view: str) -> list[tuple[dict[str, str], list[str]]]:
    """Return the files of a view: those that have the numbers of traces in them, and each of the others apart.

    Each with SQL for the columns whose numbers are others here than in the file.
    """
    as_stored: list[str] = []
    others: list[tuple[dict[str, str], list[str]]] = []
    for one in traces:
        numbers = {} if one.trace == one.stored else {"trace": str(one.trace)}
        if view == "verdicts":
            numbers["baseline"] = _numbered("baseline", one.numbered)
        file = str((one.directory / f"{view}.parquet").absolute())
        if numbers:
            others.append((numbers, [file]))
        else:
            as_stored.append(file)
    return [*([({}, as_stored)] if as_stored else []), *others]


def _numbered(column: str, numbers: dict[int, int]) -> str:
    cases = " ".join(f"WHEN {there} THEN {here}" for there, here in numbers.items())
    return f"CASE {column} {cases} END" if cases else "NULL"


def empty_store() -> duckdb.DuckDBPyConnection:
    """Return a database with all views and no rows: what checks a query, and tells its columns, without running it."""
    connection = duckdb.connect(":memory:", config=NO_DOWNLOADS | {"enable_external_access": False})
    connection.execute(TABLES + VIEW_SQL)
    connection.execute("SET TimeZone = 'UTC'; SET lock_configuration = true")
    return connection


def refuse_all_but_queries(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Refuse what would write: a database in memory cannot be opened to read only."""
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryError(f"{error}\nsee `stepwell query --schema` for the views and columns") from error
    if any(statement.type not in _READING for statement in statements):
        raise QueryError("only queries can be run, such as `select * from traces`; see `stepwell query --schema`")


def column_types() -> dict[str, dict[str, str]]:
    """Return DuckDB's type of each column of each view."""
    with empty_store() as connection:
        return {
            view.name: {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE {view.name}").fetchall()}
            for view in VIEWS
        }


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
