"""Results for programs: JSON objects whose form has a version, and the JSON Schema of that form.

Names and order of fields are those of dataclasses, meanings their annotations.  A version has two numbers, as in
Semantic Versioning:

- `version`, the major one, is raised when a field goes away, gets another name, type, unit or meaning;
- `minor` is raised when fields are added, or values to those that name a kind of something; it is 0 again with each new
  `version`.

So a program that was written for one `version` reads all of its minor ones, if it ignores what it does not know.
`tests/unit/*_fields.txt` hold every field with the minor version that it came with; a test keeps them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Form:
    """The form of what one command prints for programs."""

    title: str
    """The command that prints it."""
    version: int
    minor: int

    def document(self, *parts: Any) -> str:
        """Return the fields of all parts, which are dataclasses, as one JSON object in ASCII."""
        found: dict[str, Any] = {"version": self.version, "minor": self.minor}
        for part in parts:
            found |= asdict(part)
        return json.dumps(found) + "\n"

    def schema(self, *kinds: type) -> dict[str, Any]:
        """Return the JSON Schema (draft 2020-12) of a document whose parts are of these dataclasses."""
        from stepwell.analysis.form import described

        forms = [described(kind, self.title) for kind in kinds]
        properties = {
            "version": {
                "type": "integer",
                "const": self.version,
                "description": "version of this form; raised when a field goes away or changes its type or meaning",
            },
            "minor": {
                "type": "integer",
                "const": self.minor,
                "description": "raised when fields or kinds are added: ignore what you do not know",
            },
        }
        for form in forms:
            properties |= form["properties"]
        return forms[0] | {"properties": properties, "required": list(properties)}
