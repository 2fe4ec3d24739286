"""The report for programs: what was seen and what is concluded as one JSON object, and its JSON Schema.

Both follow from the dataclasses `Summary` and `Insight`: names and order are those of their fields, meanings their
annotations.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stepwell.analysis import Insight, Summary

VERSION = 1
"""Raised when a field changes its meaning or goes away; fields may be added without."""


def document(summary: Summary, insight: Insight) -> str:
    """Return the report of one trace as JSON text in ASCII."""
    return json.dumps({"version": VERSION} | asdict(summary) | asdict(insight)) + "\n"


def schema() -> str:
    """Return the JSON Schema (draft 2020-12) of what `document` returns."""
    from stepwell.analysis import Insight, Summary
    from stepwell.analysis.form import described

    form = described(Summary, "stepwell report -o json")
    version = {"const": VERSION, "description": "version of this form of the report"}
    form["properties"] = {"version": version} | form["properties"] | described(Insight, "")["properties"]
    form["required"] = list(form["properties"])
    return json.dumps(form, indent=2) + "\n"
