"""What can go wrong with a store, and how DuckDB's errors are told apart.

StepwellError (stepwell.trace.errors)
├── StoreError             the store cannot be used; exit code 4
│   ├── StoreLockedError   another process has it open; `pid` names it when known
│   ├── StoreCorruptError  the file is damaged, or is not a store at all
│   ├── StoreNewerError    it was written by a newer Stepwell
│   ├── StoreReadOnlyError the file, its directory or its file system cannot be written
│   └── StoreFullError     no space is left
├── QueryError             DuckDB refuses the query; exit code 2
└── NoTraceError           there is no such trace; exit code 5
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from stepwell.trace.errors import StepwellError


class StoreError(StepwellError):
    """The store cannot be used."""

    exit_code = 4


class StoreLockedError(StoreError):
    """Another process has the store open; `pid` is its process id, None when unknown."""

    def __init__(self, message: str, pid: int | None) -> None:
        super().__init__(message)
        self.pid = pid


class StoreCorruptError(StoreError):
    """The file is damaged, or is not a Stepwell store."""


class StoreNewerError(StoreError):
    """The store was written by a newer Stepwell or DuckDB."""


class StoreReadOnlyError(StoreError):
    """The store, its directory or its file system cannot be written."""


class StoreFullError(StoreError):
    """No space is left where the store is."""


class QueryError(StepwellError):
    """DuckDB refuses a query."""

    exit_code = 2


class NoTraceError(StepwellError):
    """There is no such trace."""

    exit_code = 5


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn the errors of DuckDB and of the operating system, inside, into those above.

    Raises:
        KeyboardInterrupt: a signal ended a query; DuckDB has a RuntimeError in the place of what its handler raised.
    """
    try:
        yield
    except RuntimeError as error:
        if str(error) == "Query interrupted":
            raise KeyboardInterrupt from error
        raise
    except (duckdb.Error, OSError) as error:
        raise translate(error, path) from error


def translate(error: Exception, path: Path) -> StoreError:
    """Return the error that says what happened to the store at `path`.

    DuckDB has no error codes; the phrases are those of DuckDB 1.x and 2.0 and of strerror(3).
    """
    text = str(error)
    if "Conflicting lock" in text or "Could not set lock" in text:
        found = re.search(r"PID (\d+)", text)
        pid = int(found[1]) if found else None
        holder = f"process {pid}" if pid else "another process"
        return StoreLockedError(
            f"{holder} has the store {path} open; try again when it has ended, or choose another with --store", pid
        )
    if "No space left" in text or "disk full" in text.lower() or "max_temp_directory_size" in text:
        return StoreFullError(
            f"no space is left for the store {path}; free some and run any stepwell command; "
            "recordings are kept until then"
        )
    if "version number" in text and "database" in text:
        return StoreNewerError(f"the store {path} was written by a newer DuckDB than this one; upgrade Stepwell")
    if any(phrase in text for phrase in ("Permission denied", "Read-only file system", "Operation not permitted")):
        return StoreReadOnlyError(
            f"the store {path} cannot be opened or written ({_first_line(text)}); "
            "give yourself the right to it, or choose another with --store"
        )
    damaged = ("not a valid DuckDB", "orrupt", "hecksum", "Failed to deserialize", "Serialization Error", "not a valid")
    if any(phrase in text for phrase in damaged):
        return StoreCorruptError(
            f"the store {path} is damaged or not a Stepwell store ({_first_line(text)}); "
            "restore it from a copy, or move it away and a new one is made"
        )
    if "Out of Memory" in text:
        return StoreError(f"not enough memory for the store {path} ({_first_line(text)}); free some and try again")
    return StoreError(
        f"the store {path} cannot be used ({_first_line(text)}); check the path, or choose another with --store"
    )


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "no reason given"
