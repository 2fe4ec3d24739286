"""The report for programs: what was seen and what is concluded as one JSON object, and its JSON Schema.

Both follow from the dataclasses `Summary` and `Insight`: names and order are those of their fields, meanings their
annotations.
"""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from inspect import cleandoc
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from stepwell.analysis import Insight, Summary

VERSION = 1
"""Raised when a field changes its meaning or goes away; fields may be added without."""

_TYPES = {int: "integer", float: "number", str: "string", bool: "boolean", NoneType: "null"}


def document(summary: Summary, insight: Insight) -> str:
    """Return the report of one trace as JSON text in ASCII."""
    return json.dumps({"version": VERSION} | asdict(summary) | asdict(insight)) + "\n"


def schema() -> str:
    """Return the JSON Schema (draft 2020-12) of what `document` returns."""
    from stepwell.analysis import Insight, Summary

    form = described(Summary, "stepwell report -o json")
    version = {"const": VERSION, "description": "version of this form of the report"}
    form["properties"] = {"version": version} | form["properties"] | _of(Insight)["properties"]
    form["required"] = list(form["properties"])
    return json.dumps(form, indent=2) + "\n"


def described(kind: type, title: str) -> dict[str, Any]:
    """Return the JSON Schema of a dataclass whose fields carry their descriptions."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title} | _of(kind)


def _of(kind: Any) -> dict[str, Any]:
    """Return the schema of a type of the model."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _of(arguments[0]) | {"description": arguments[1]}
    if origin is tuple:
        return {"type": "array", "items": _of(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _of(arguments[1])}
    if origin is UnionType:
        return {"anyOf": [_of(one) for one in arguments]}
    if kind is Any:
        return {}
    if not is_dataclass(kind):
        return {"type": _TYPES[kind]}
    fields = {name: _of(of) for name, of in get_type_hints(kind, include_extras=True).items()}
    return {
        "type": "object",
        "description": cleandoc(kind.__doc__ or ""),
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }
