"""Parquet: one access a row."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet

from stepwell.collectors.importers.columns import COLUMNS, Rows
from stepwell.collectors.importers.source import Input, printable
from stepwell.collectors.importers.writer import TraceWriter

BATCH_ROWS = 1 << 16

_BUFFER_BYTES = 1 << 20


def sniff(head: bytes, name: str) -> bool:  # noqa: ARG001 - the signature tells
    """A file with Parquet's signature."""
    return head.startswith(b"PAR1")


def read(source: Input, trace: TraceWriter) -> None:
    """Tell the trace every row, a batch at a time.

    Raises:
        InputError: the file is damaged, a column is missing, or a value does not fit its column.
    """
    try:
        # Without buffer and pre-buffering a whole row group, which may be the whole file, would be in memory.
        file = pa.parquet.ParquetFile(source.file(), buffer_size=_BUFFER_BYTES, pre_buffer=False)
        names = file.schema_arrow.names
    except (pa.ArrowException, OSError, ValueError) as error:
        raise source.fail(f"damaged or no Parquet ({printable(str(error))}); copy it again") from error
    rows = Rows(source, trace, names)
    for batch in _batches(source, file, [name for name in names if name in COLUMNS]):
        rows.add(batch)


def _batches(source: Input, file: pa.parquet.ParquetFile, names: list[str]) -> Iterator[pa.RecordBatch]:
    """Yield the batches with the types of `COLUMNS`."""
    batches = file.iter_batches(BATCH_ROWS, columns=names, use_threads=False)
    done = 0
    while True:
        try:
            batch = next(batches, None)
            if batch is None:
                return
            batch.validate(full=True)  # a name that is not UTF-8, an index that points nowhere
            arrays = [batch.column(name).cast(COLUMNS[name]) for name in names]
        except (pa.ArrowException, OSError, ValueError) as error:
            what = printable(str(error))
            raise source.fail(
                f"{what} (in this row or the {BATCH_ROWS:,} after it); correct it, or copy the file again", row=done + 1
            ) from error
        done += len(batch)
        yield pa.RecordBatch.from_arrays(arrays, names=names)
