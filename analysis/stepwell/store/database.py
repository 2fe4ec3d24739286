"""The store: one DuckDB file, opened for writing by one process or for reading by several."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import duckdb
import pyarrow as pa

from stepwell.store.errors import (
    NoTraceError,
    QueryError,
    StoreCorruptError,
    StoreNewerError,
    store_errors,
)
from stepwell.store.interruptible import interruptibly
from stepwell.store.tables import MIGRATIONS, NAMES, SCHEMA_VERSION, TABLES
from stepwell.store.views import VIEW_SQL

WRITE_MEMORY = 1 << 30
"""Most bytes DuckDB keeps in memory while ingesting; more makes it no faster."""

READ_MEMORY = 3 << 29
"""Most bytes DuckDB keeps in memory for a query; beyond, it spills to disk beside the store."""

NO_DOWNLOADS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
_SEALED = NO_DOWNLOADS | {"enable_external_access": False, "python_enable_replacements": False}
"""A query sees the store and nothing else: no files, no network, no variables of this process."""

# The order in which ingest joins is fixed: DuckDB cannot know that a stream of Arrow batches is the large side, and
# would read all of it into a hash table.
_INGEST = NO_DOWNLOADS | {"disabled_optimizers": "join_order,build_side_probe_side"}


class Store:
    """An open store; use as a context manager.

    Attributes:
        path: the DuckDB file.
        connection: for `stepwell.store` alone; everyone else asks `query`.
    """

    def __init__(self, path: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self.path = path
        self.connection = connection
        self._open: list[tuple[duckdb.DuckDBPyConnection, pa.RecordBatchReader]] = []

    @classmethod
    def open(cls, path: Path, mode: Literal["r", "w"]) -> Self:
        """Open the store: "r" to query, "w" to ingest and remove; "w" makes it if there is none.

        While one process has it open for writing no other can open it at all.  An older store is first brought up to
        date, which takes writing.

        Raises:
            StoreError: see `stepwell.store.errors` for which.
            NoTraceError: there is no store to read.
        """
        if mode == "r" and not path.exists():
            raise NoTraceError(f"there are no traces in {path} yet; record one with `stepwell record -- COMMAND`")
        writing = mode == "w"
        memory = min(WRITE_MEMORY, half_of_memory()) if writing else read_memory()
        config: dict[str, str | bool | int | float | list[str]] = {"memory_limit": f"{memory}B"}
        config |= _INGEST if writing else _SEALED
        with store_errors(path):
            if writing:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            store = cls(path, duckdb.connect(path, read_only=not writing, config=config))
        try:
            with store_errors(path):
                current = store._prepare(writing)
        except BaseException:
            store.close()
            raise
        if not current:
            store.close()
            cls.open(path, "w").close()
            return cls.open(path, mode)
        return store

    def _prepare(self, writing: bool) -> bool:
        """Make the store ready; False when it is older than this Stepwell and open to read only."""
        self.connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        version = self._version()
        if version is None and writing:
            with self.transaction():
                self.connection.execute(TABLES + VIEW_SQL)
        elif version is None:
            raise NoTraceError(f"there are no traces in {self.path} yet; record one with `stepwell record -- COMMAND`")
        elif version > SCHEMA_VERSION:
            raise StoreNewerError(
                f"the store {self.path} has schema version {version}, this Stepwell knows {SCHEMA_VERSION}; "
                "upgrade Stepwell, or choose another store with --store"
            )
        elif version < SCHEMA_VERSION:
            if not writing:
                return False
            self._migrate(version)
        if not writing:
            self.connection.execute("SET lock_configuration = true")
        return True

    def _migrate(self, version: int) -> None:
        with self.transaction():
            for (view,) in self.rows("SELECT view_name FROM duckdb_views() WHERE NOT internal"):
                self.connection.execute(f'DROP VIEW "{view}"')
            for old in range(version, SCHEMA_VERSION):
                self.connection.execute(MIGRATIONS[old])
            self.connection.execute(VIEW_SQL)
            self.connection.execute("UPDATE stored.version SET version = ?", [SCHEMA_VERSION])

    def _version(self) -> int | None:
        """Return the schema version, None if the database is empty."""
        tables = self.rows("SELECT schema_name, table_name FROM duckdb_tables()")
        if not tables:
            return None
        if ("stored", "version") not in tables:
            raise StoreCorruptError(
                f"{self.path} is a DuckDB database but not a Stepwell store; choose another file with --store"
            )
        return int(self.rows("SELECT max(version) FROM stored.version")[0][0])

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return all rows of one of the store's own queries."""
        with store_errors(self.path):
            return self.connection.execute(sql, parameters).fetchall()

    def close(self) -> None:
        """Close the store and free its lock; results not read to their end are lost."""
        for cursor, batches in self._open:  # a stream left alive would keep the database open, and its lock
            batches.close()
            cursor.close()
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Do what is inside wholly or not at all; DuckDB's errors become StoreErrors."""
        with store_errors(self.path):
            self.connection.begin()
            try:
                yield self.connection
                self.connection.commit()
            except BaseException:
                # After a fatal error (full disk) DuckDB refuses even this; closing undoes the transaction then.
                try:
                    self.connection.rollback()
                except duckdb.Error:
                    self.connection.close()
                raise

    def query(self, sql: str) -> pa.RecordBatchReader:
        """Run one SQL query; the rows come as they are made.

        A store opened for reading answers anybody's; one opened for writing, which is not sealed, only Stepwell's own.

        Fields of type JSON carry the metadata {"stepwell": "json"}.  While the rows are read, too, errors are
        QueryErrors.

        Raises:
            QueryError: DuckDB refuses the query: wrong SQL, or something that would write or reach other files.
        """
        with self._query_errors():
            cursor = self.connection.cursor()  # one each, so that several results can be read at once

            def ask() -> tuple[list[str], pa.RecordBatchReader]:
                relation = cursor.sql(sql)
                if relation is None:
                    raise QueryError(
                        "the statement gives no rows; only queries can be run, such as `select * from traces`"
                    )
                return [str(kind) for kind in relation.types], relation.to_arrow_reader(65_536)

            types, batches = interruptibly(ask, cursor.interrupt)
            self._open.append((cursor, batches))
        fields = [
            field.with_metadata({"stepwell": "json"}) if kind == "JSON" else field
            for field, kind in zip(batches.schema, types, strict=True)
        ]
        schema = pa.schema(fields)
        if twice := next((name for name in schema.names if schema.names.count(name) > 1), None):
            raise QueryError(f"two columns called {twice}; name them apart with AS")

        def checked() -> Iterator[pa.RecordBatch]:
            with self._query_errors():
                while (batch := interruptibly(lambda: next(batches, None), cursor.interrupt)) is not None:
                    yield batch.cast(schema)

        return pa.RecordBatchReader.from_batches(schema, checked())

    @contextmanager
    def _query_errors(self) -> Iterator[None]:
        try:
            yield
        except (duckdb.PermissionException, duckdb.InvalidInputException) as error:
            raise QueryError(
                f"{error}\na query can only read the store's views; see `stepwell query --schema`"
            ) from error
        except (duckdb.Error, pa.ArrowException, OSError) as error:  # Arrow streams raise OSError for DuckDB's errors
            raise QueryError(f"{error}\nsee `stepwell query --schema` for the views and columns") from error

    def traces(self) -> list[dict[str, Any]]:
        """Return the rows of view `traces`, oldest first, by column name; JSON columns are parsed."""
        with store_errors(self.path):
            table = self.connection.sql("SELECT * FROM traces ORDER BY trace").to_arrow_table()
        return [row | {name: json.loads(row[name]) for name in ("coverage", "degraded")} for row in table.to_pylist()]

    def latest_trace(self) -> int:
        """Return the number of the newest trace; NoTraceError when there is none."""
        newest = self.rows("SELECT max(trace) FROM stored.trace")[0][0]
        if newest is None:
            raise NoTraceError(f"there are no traces in {self.path} yet; record one with `stepwell record -- COMMAND`")
        return int(newest)

    def meta(self, trace: int) -> dict[str, Any]:
        """Return all that the recorder said about a trace (see `stepwell.trace.spool`); NoTraceError if unknown."""
        found = self.rows("SELECT meta FROM stored.trace WHERE trace = ?", trace)
        if not found:
            raise _no_trace(trace)
        meta: dict[str, Any] = json.loads(found[0][0])
        return meta

    def unanalysed(self, version: int) -> list[int]:
        """Return the traces whose verdicts are missing or not those of analysis `version`, oldest first."""
        rows = self.rows("SELECT trace FROM stored.trace WHERE analysis IS DISTINCT FROM ? ORDER BY trace", version)
        return [int(row[0]) for row in rows]

    def set_patterns(self, trace: int, patterns: pa.Table, version: int) -> None:
        """Keep the verdicts on a trace in a store opened for writing, in place of any it has.

        Args:
            trace: number of the trace.
            patterns: columns of the view `patterns` but `trace`; `evidence` as JSON text.
            version: of the analysis that drew them.
        """
        with self.transaction() as connection:
            connection.register("given", patterns)
            connection.execute("DELETE FROM stored.pattern WHERE trace = ?", [trace])
            connection.execute("INSERT INTO stored.pattern BY NAME SELECT ? AS trace, * FROM given", [trace])
            connection.execute("UPDATE stored.trace SET analysis = ? WHERE trace = ?", [version, trace])
            connection.unregister("given")

    def set_acts(self, trace: int, plans: pa.Table, verdicts: pa.Table) -> None:
        """Keep what was done during a trace and what it gained, in a store opened for writing, in place of any it has.

        Args:
            trace: number of the trace.
            plans: columns of the view `plans` but `trace`; `plan` as JSON text.
            verdicts: columns of the view `verdicts` but `trace`; `windows` as JSON text.

        Raises:
            NoTraceError: there is no such trace.
        """
        self.meta(trace)
        with self.transaction() as connection:
            for name, rows in (("plan", plans), ("verdict", verdicts)):
                connection.execute(f"DELETE FROM stored.{name} WHERE trace = ?", [trace])
                connection.register("given", rows)
                connection.execute(f"INSERT INTO stored.{name} BY NAME SELECT ? AS trace, * FROM given", [trace])
                connection.unregister("given")

    def remove(self, traces: Iterable[int]) -> None:
        """Remove traces from a store opened for writing, all of them or none.

        The space is used again by later traces; what is free at the file's end is given back to the file system.

        Raises:
            NoTraceError: one of them does not exist.
        """
        with self.transaction() as connection:
            for trace in traces:
                if not self.rows("SELECT 1 FROM stored.trace WHERE trace = ?", trace):
                    raise _no_trace(trace)
                for table in NAMES:
                    connection.execute(f"DELETE FROM stored.{table} WHERE trace = ?", [trace])
        with store_errors(self.path):
            self.connection.execute("CHECKPOINT")

    def keep(self, newest: int) -> list[int]:
        """Remove all but the newest traces; return the removed ones, oldest first."""
        rows = self.rows("SELECT trace FROM stored.trace ORDER BY trace DESC OFFSET ?", newest)
        old = sorted(int(row[0]) for row in rows)
        if old:
            self.remove(old)
        return old


def _no_trace(trace: int) -> NoTraceError:
    return NoTraceError(f"there is no trace {trace}; `stepwell traces` lists those there are")


def read_memory() -> int:
    """Return the most bytes DuckDB may keep in memory for a query."""
    return min(READ_MEMORY, half_of_memory())


def half_of_memory() -> int:
    """Return half of this machine's memory, in bytes."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
