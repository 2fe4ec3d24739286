"""Importers: other tools' traces into Stepwell's records, as one more way to collect.

One module for each format reads its file as a stream (`Input`) and tells a `TraceWriter` what happened; the same
coalescer as in the kernel joins the accesses into runs, and the spool file that comes out is ingested like any other.
`Import` does the whole for one file.  IMPORT.md says of each format what is read and what it cannot say.
"""

from __future__ import annotations

from stepwell.collectors.importers.errors import InputError
from stepwell.collectors.importers.formats import FORMATS, Format
from stepwell.collectors.importers.importing import SUFFIX, Import, Written
from stepwell.collectors.importers.source import Input
from stepwell.collectors.importers.writer import SKIPPED, TraceWriter

__all__ = ["FORMATS", "SKIPPED", "SUFFIX", "Format", "Import", "Input", "InputError", "TraceWriter", "Written"]
