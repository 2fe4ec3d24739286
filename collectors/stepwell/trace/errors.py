"""The one error tree of Stepwell.

    StepwellError              anything a user can be told in one sentence; exit code 1
    ├── SpoolError             a spool file cannot be used; exit code 4
    │   └── NewerSpoolError    it was written by a newer Stepwell
    └── ...                    the other packages add their own branches (`stepwell.store.errors`)

A message says what happened and ends with what to do next; the command line
prints it without a traceback and ends with `exit_code`:

    0    success
    1    any other error
    2    wrong usage, a query that DuckDB refuses included
    3    not permitted, or the kernel lacks something
    4    the store or a spool file is locked, damaged, newer, read-only or full
    5    no such trace
    6    a file cannot be imported
    125  `record` failed before it ran the command; otherwise it ends as the command did
"""

from __future__ import annotations


class StepwellError(Exception):
    """Base of all errors that Stepwell raises on purpose."""

    exit_code = 1


class SpoolError(StepwellError):
    """A file is not a spool file, or nothing in it can be used."""

    exit_code = 4


class NewerSpoolError(SpoolError):
    """A spool file was written in a later format than this version reads."""
