"""Questions to the store's public views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]


class Queryable(Protocol):
    """Something that answers SQL over the public views: an open store."""

    def query(self, sql: str) -> pa.RecordBatchReader:
        """Return the answer to one query."""


def ask(store: Queryable, sql: str, *values: int | list[int]) -> pa.Table:
    """Return the answer to `sql` with the values, which are integers only, for $1, $2 ..."""
    for number, value in enumerate(values, 1):
        sql = sql.replace(f"${number}", str(value))
    return store.query(sql).read_all()


def rows(store: Queryable, sql: str, *values: int | list[int]) -> list[Row]:
    """Return the answer as one mapping a row."""
    found: list[Row] = ask(store, sql, *values).to_pylist()
    return found
