"""The report for programs: what was seen and what is concluded as one JSON object, and its JSON Schema.

Both follow from the dataclasses `Summary` and `Insight`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stepwell.cli.documents import Form

if TYPE_CHECKING:
    from stepwell.analysis import Insight, Summary

FORM = Form("stepwell report -o json", version=1, minor=2)


def document(summary: Summary, insight: Insight) -> str:
    """Return the report of one trace as JSON text in ASCII."""
    return FORM.document(summary, insight)


def schema() -> str:
    """Return the JSON Schema (draft 2020-12) of what `document` returns."""
    from stepwell.analysis import Insight, Summary

    return json.dumps(FORM.schema(Summary, Insight), indent=2) + "\n"
