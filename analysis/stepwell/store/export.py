"""A trace as files for other tools: one Parquet file per view, and a manifest."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from stepwell.store.database import Store
from stepwell.store.errors import StoreError
from stepwell.store.formats import write_parquet
from stepwell.store.tables import SCHEMA_VERSION
from stepwell.store.views import VIEWS

_BASELINES = """SELECT DISTINCT baseline, uuid FROM verdicts JOIN (SELECT trace AS baseline, uuid FROM traces)
    USING (baseline) WHERE trace = ?"""

LEFT_OUT = "accesses"
"""The view that is not exported: its rows follow from `runs`, and may be a thousand times as many."""


def export(store: Store, trace: int, directory: Path) -> None:
    """Write one trace into a new directory: VIEW.parquet for each view but `accesses`, and manifest.json.

    The directory appears when all of it is written, or not at all.  The manifest holds the schema version, what the
    recorder said of the trace, the uuids of those that its verdicts are measured against, and each file's rows and
    columns with their meaning.

    Raises:
        NoTraceError: there is no such trace.
        StoreError: the directory exists already, or cannot be written.
    """
    meta = store.meta(trace)
    if directory.exists():
        raise StoreError(f"{directory} exists already; name a new directory")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
        try:
            _write(store, trace, meta, unfinished)
            unfinished.chmod(0o755)
            unfinished.rename(directory)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    except OSError as error:
        raise StoreError(f"cannot export to {directory}: {error.strerror}; choose another place") from error


def _write(store: Store, trace: int, meta: dict[str, object], directory: Path) -> None:
    import pyarrow.parquet

    tables = {}
    for view in VIEWS:
        if view.name == LEFT_OUT:
            continue
        path = directory / f"{view.name}.parquet"
        with path.open("wb") as stream:
            write_parquet(store.query(f"SELECT * FROM {view.name} WHERE trace = {trace:d}"), stream)
        rows = pyarrow.parquet.read_metadata(path).num_rows
        tables[view.name] = {"file": path.name, "rows": rows, "columns": view.columns}
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "trace": trace,
        "recorder": meta,
        "baselines": dict(sorted(store.rows(_BASELINES, trace))),
        "tables": tables,
    }
    (directory / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
