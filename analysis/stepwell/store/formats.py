"""Query results in the formats people and programs take them in, written as the rows come."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, BinaryIO

import pyarrow as pa

from stepwell.store.errors import QueryError


def write_json(rows: pa.RecordBatchReader, stream: BinaryIO) -> None:
    """Write an array of objects, one to a line: integers exact, times in ISO 8601, NaN and infinity as null."""
    parsed = {field.name for field in rows.schema if _is_json(field)}
    separator = b"[\n"
    for batch in rows:
        names = batch.schema.names
        columns = [_plain_column(batch.column(index), name in parsed) for index, name in enumerate(names)]
        for row in zip(*columns, strict=True):
            stream.write(separator + json.dumps(dict(zip(names, row, strict=True)), allow_nan=False).encode())
            separator = b",\n"
    stream.write(b"[]\n" if separator == b"[\n" else b"\n]\n")


def write_csv(rows: pa.RecordBatchReader, stream: BinaryIO) -> None:
    """Write CSV with a header line; lists and objects as JSON text, NULL as an empty field."""
    import pyarrow.csv

    schema = pa.schema([pa.field(field.name, _csv_type(field.type)) for field in rows.schema])
    with pyarrow.csv.CSVWriter(stream, schema) as writer:
        for batch in rows:
            columns = [_csv_column(column, field.type) for column, field in zip(batch.columns, schema, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))


def write_arrow(rows: pa.RecordBatchReader, stream: BinaryIO) -> None:
    """Write an Arrow IPC stream."""
    with pa.ipc.new_stream(stream, rows.schema) as writer:
        for batch in rows:
            writer.write_batch(batch)


def write_parquet(rows: pa.RecordBatchReader, stream: BinaryIO) -> None:
    """Write a Parquet file (zstd).

    Raises:
        QueryError: Parquet has no such type as one of the columns.
    """
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetWriter(stream, rows.schema, compression="zstd") as writer:
            for batch in rows:
                writer.write_batch(batch)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        raise QueryError(f"{error}; cast the column in the query, or choose another format") from error


WRITERS: dict[str, Callable[[pa.RecordBatchReader, BinaryIO], None]] = {
    "json": write_json,
    "csv": write_csv,
    "arrow": write_arrow,
    "parquet": write_parquet,
}
"""The writer of each format."""


def _is_json(field: pa.Field) -> bool:
    return (field.metadata or {}).get(b"stepwell") == b"json"


def _plain_column(column: pa.Array, parsed: bool) -> list[Any]:
    """Return a column as what JSON has: most types are that already."""
    values: list[Any] = column.to_pylist()
    if parsed:
        return [None if value is None else json.loads(value) for value in values]
    if pa.types.is_integer(column.type) or pa.types.is_string(column.type) or pa.types.is_boolean(column.type):
        return values
    return [_plain(value) for value in values]


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime() | date() | time():
            return value.isoformat()
        case bytes():
            return value.decode("utf-8", "backslashreplace")
        case dict():
            return {str(key): _plain(member) for key, member in value.items()}
        case list() | tuple():
            return [_plain(member) for member in value]
        case _:
            return str(value)


def _csv_type(kind: pa.DataType) -> pa.DataType:
    known = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return kind if known or pa.types.is_timestamp(kind) or pa.types.is_null(kind) else pa.string()


def _csv_column(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if column.type == kind:
        return column
    if pa.types.is_nested(column.type):
        return pa.array([None if value is None else json.dumps(_plain(value)) for value in column.to_pylist()], kind)
    return pa.array([None if value is None else str(_plain(value)) for value in column.to_pylist()], kind)
