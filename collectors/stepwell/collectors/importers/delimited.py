"""CSV with a header line: one access a row."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.csv

from stepwell.collectors.importers.columns import COLUMNS, REQUIRED, Rows
from stepwell.collectors.importers.errors import InputError
from stepwell.collectors.importers.source import Input, printable
from stepwell.collectors.importers.writer import TraceWriter

BLOCK_BYTES = 1 << 21
"""Read at once; a row is never longer."""

_PLACE = re.compile(
    r"(?:In CSV column #(?P<column>\d+): )?(?:CSV parse error: )?Row #(?P<row>\d+): (?P<what>.*)", re.DOTALL
)


def sniff(head: bytes, name: str) -> bool:
    """A file whose first line names the columns that are needed, or that is called *.csv or *.csv.gz."""
    return REQUIRED.keys() <= set(_header(head)) or name.endswith((".csv", ".csv.gz"))


def read(source: Input, trace: TraceWriter) -> None:
    """Tell the trace every row, a block at a time.

    Raises:
        InputError: a column is missing, or a row is not what its columns say.
    """
    try:
        reader = pa.csv.open_csv(
            source.stream(),
            read_options=pa.csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False),
            parse_options=pa.csv.ParseOptions(newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(column_types=COLUMNS, null_values=[""], strings_can_be_null=False),
        )
        rows = Rows(source, trace, reader.schema.names)
        known = [name for name in reader.schema.names if name in COLUMNS]
        for batch in reader:
            rows.add(batch.select(known))
    except UnicodeDecodeError as error:
        raise source.fail("the names of the columns are not UTF-8; is it CSV with a header line?", line=1) from error
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise _failed(source, str(error)) from error


def _header(head: bytes) -> list[str]:
    """Return the names of the columns, as far as they are simple ones."""
    line = head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0]
    return line.decode("utf-8", "replace").strip().replace('"', "").split(",")


def _failed(source: Input, message: str) -> InputError:
    if found := _PLACE.fullmatch(message):
        names = _header(source.head)
        column = int(found["column"]) if found["column"] else -1
        where = f"column {printable(names[column])}: " if 0 <= column < len(names) else ""
        what = printable(found["what"].removeprefix("CSV conversion error "))
        return source.fail(f"{where}{what}; correct it and import again", row=max(int(found["row"]) - 1, 0))
    if "straddling" in message:
        return source.fail(f"a row of more than {BLOCK_BYTES:,} bytes, or a quotation that does not end; correct it")
    return source.fail(f"{printable(message)}; is it CSV with a header line?")
