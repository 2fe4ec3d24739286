"""The store: where traces are kept and asked about.

Here belong the DuckDB schema and its public views, ingest from spool files, queries and their result formats, export
and retention.  Nothing else in Stepwell imports DuckDB.

    with Store.open(path, "w") as store:
        ingest_leftovers(store, spool_directory)
    with Store.open(path, "r") as store:
        write_json(store.query("select * from traces"), sys.stdout.buffer)
"""

from __future__ import annotations

from stepwell.store.database import Store
from stepwell.store.errors import (
    NoTraceError,
    QueryError,
    StoreCorruptError,
    StoreError,
    StoreFullError,
    StoreLockedError,
    StoreNewerError,
    StoreReadOnlyError,
)
from stepwell.store.export import export
from stepwell.store.files import SOFTWARE_PLACES
from stepwell.store.formats import WRITERS, write_arrow, write_csv, write_json, write_parquet
from stepwell.store.ingest import IngestResult, Leftovers, ingest, ingest_leftovers
from stepwell.store.parquet import ParquetStore
from stepwell.store.views import VIEWS, View, schema_text

__all__ = [
    "SOFTWARE_PLACES",
    "VIEWS",
    "WRITERS",
    "IngestResult",
    "Leftovers",
    "NoTraceError",
    "ParquetStore",
    "QueryError",
    "Store",
    "StoreCorruptError",
    "StoreError",
    "StoreFullError",
    "StoreLockedError",
    "StoreNewerError",
    "StoreReadOnlyError",
    "View",
    "export",
    "ingest",
    "ingest_leftovers",
    "schema_text",
    "write_arrow",
    "write_csv",
    "write_json",
    "write_parquet",
]
