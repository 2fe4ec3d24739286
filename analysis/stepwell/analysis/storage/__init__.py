"""Storages as measured on purpose: what `stepwell bench` finds, as a document that other commands take.

Here belong the form of that document (`model`), its text (`text`) and the pure functions that draw it from single reads
(`judge`).  What traces tell of storages is in `stepwell.analysis.waits`; both fit the same line.
"""

from __future__ import annotations

from stepwell.analysis.storage.judge import Reads, judge, keeps
from stepwell.analysis.storage.model import UNSURE, Bench, BenchFileError, Cell, Choice, Range
from stepwell.analysis.storage.text import dump, load, schema

__all__ = [
    "UNSURE",
    "Bench",
    "BenchFileError",
    "Cell",
    "Choice",
    "Range",
    "Reads",
    "dump",
    "judge",
    "keeps",
    "load",
    "schema",
]
