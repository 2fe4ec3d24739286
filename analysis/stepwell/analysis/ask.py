"""Questions to the store's public views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

Row = dict[str, Any]


class Queryable(Protocol):
    """Something that answers SQL over the public views: an open store."""

    def query(self, sql: str) -> pa.RecordBatchReader:
        """Return the answer to one query."""


@runtime_checkable
class Distributed(Queryable, Protocol):
    """Something that answers on several machines at once, and therefore in no order unless one is asked for."""

    def in_order(self, sql: str) -> pa.RecordBatchReader:
        """Return the answer to a query of one table, by one machine, in the order in which its rows were stored."""

    def apart(
        self,
        sql: str,
        keys: Sequence[str],
        work: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]],
        schema: pa.Schema,
    ) -> pa.Table:
        """Return what `work`, called on several machines, makes of the answer to a query of `runs`.

        Args:
            sql: the query: columns and conditions, nothing more.
            keys: some of its columns; rows that are equal in them come to the same call, in the order in which they
                were stored.
            work: a function of a module, given the rows of one call.
            schema: of what it yields.
        """


def ask(store: Queryable, sql: str, *values: int | list[int]) -> pa.Table:
    """Return the answer to `sql` with the values, which are integers only, for $1, $2 ..."""
    for number, value in enumerate(values, 1):
        sql = sql.replace(f"${number}", str(value))
    return store.query(sql).read_all()


def rows(store: Queryable, sql: str, *values: int | list[int]) -> list[Row]:
    """Return the answer as one mapping a row."""
    found: list[Row] = ask(store, sql, *values).to_pylist()
    return found
