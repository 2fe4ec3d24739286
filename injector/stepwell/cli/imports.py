"""Keeps out what takes long to import and is not needed."""

from __future__ import annotations

import sys


class _NoPandas:
    """An importer that knows of no pandas."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:  # noqa: ARG002
        """Refuse to import pandas; leave all else to others."""
        if name == "pandas":
            raise ModuleNotFoundError(name)


def without_pandas() -> None:
    """Let pyarrow find no pandas: it imports it, which takes a second, to see whether a list is one of its series."""
    import pyarrow as pa

    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(finder)
