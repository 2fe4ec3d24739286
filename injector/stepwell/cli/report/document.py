"""The report for programs: what was seen and what is concluded as one JSON object, and its JSON Schema.

Both follow from the dataclasses `Summary` and `Insight`: names and order are those of their fields, meanings their
annotations.  Its version has two numbers, as in Semantic Versioning:

- `version`, the major one, is raised when a field goes away, gets another name, type, unit or meaning;
- `minor` is raised when fields are added, or values to those that name a kind of something; it is 0 again with each new
  `version`.

So a program that was written for one `version` reads all of its minor ones, if it ignores what it does not know.
`tests/unit/report_fields.txt` holds every field with the minor version that it came with; a test keeps it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stepwell.analysis import Insight, Summary

VERSION = 1
MINOR = 1


def document(summary: Summary, insight: Insight) -> str:
    """Return the report of one trace as JSON text in ASCII."""
    return json.dumps({"version": VERSION, "minor": MINOR} | asdict(summary) | asdict(insight)) + "\n"


def schema() -> str:
    """Return the JSON Schema (draft 2020-12) of what `document` returns."""
    from stepwell.analysis import Insight, Summary
    from stepwell.analysis.form import described

    form = described(Summary, "stepwell report -o json")
    versions = {
        "version": {
            "type": "integer",
            "const": VERSION,
            "description": "version of this form; raised when a field goes away or changes its type or meaning",
        },
        "minor": {
            "type": "integer",
            "const": MINOR,
            "description": "raised when fields or kinds are added: ignore what you do not know",
        },
    }
    form["properties"] = versions | form["properties"] | described(Insight, "")["properties"]
    form["required"] = list(form["properties"])
    return json.dumps(form, indent=2) + "\n"
