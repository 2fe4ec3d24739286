"""Plans as YAML and JSON.

YAML is read by PyYAML's safe loader, which makes nothing but plain values.  On top of it anchors are refused (an alias
of aliases can grow to any size), and keys given twice, of which YAML would silently take the last.
"""

from __future__ import annotations

import json
from typing import Any, Literal

import yaml

from stepwell.analysis.form import FormError, described, plain, read, shown
from stepwell.analysis.plans.model import VERSION, Plan, PlanError

LARGEST = 4 << 20
"""Most characters of a plan's text.  Default 4 Mi: a thousand targets with their inputs take half of it."""

_NEXT = "correct it; `stepwell plan --schema` says what each field may be"


class _Loader(yaml.SafeLoader):
    """Safe YAML without anchors, repeated keys and whatever else a plan has no use for."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "anchor", None):
            raise yaml.YAMLError(f"line {event.start_mark.line + 1}: anchors and aliases are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        found = super().construct_mapping(node, deep)
        if len(found) < len(node.value):
            raise yaml.YAMLError(f"line {node.start_mark.line + 1}: a key is given twice")
        return found


class _Dumper(yaml.SafeDumper):
    """YAML that gives back every text: PyYAML leaves some line ends as they are, which are read as others."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, "" if text.isprintable() else '"'),
)


def dump(plan: Plan, form: Literal["yaml", "json"] = "yaml") -> str:
    """Return a plan as text that `load` takes, in the order of its fields; what is not set is left out."""
    if form == "json":
        return json.dumps(plain(plan), indent=2) + "\n"
    return yaml.dump(plain(plan), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def load(text: str, name: str = "the plan") -> Plan:
    """Return the plan that a text in YAML or JSON says.

    Args:
        text: the text.
        name: what to call it in messages, such as its file.

    Raises:
        PlanError: the text is no plan; the message names the line or the field, and what is allowed.
    """
    if len(text) > LARGEST:
        raise PlanError(f"{name} has {len(text):,} characters, a plan has {LARGEST:,} at most; choose another file")
    try:
        found = json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise PlanError(f"{name} is no YAML that a plan can be made of ({_said(error)}); {_NEXT}") from None
    version = found.get("version") if isinstance(found, dict) else None
    if isinstance(version, int) and version > VERSION:  # before its fields, some of which nobody here may know
        raise PlanError(
            f"{name} has version {shown(version)}, this Stepwell knows {VERSION}; upgrade Stepwell, "
            "or make the plan again with `stepwell plan`"
        )
    try:
        plan = read(Plan, found)
    except FormError as error:
        raise PlanError(f"{name}: {error}; {_NEXT}") from None
    assert isinstance(plan, Plan)
    return plan


def _said(error: Exception) -> str:
    """Return what a parser complains about, in one line."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}: " if mark else ""
    return where + shown(getattr(error, "problem", None) or str(error)).strip("'\"")


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a plan; two fields against each other are checked by `load` alone."""
    return described(Plan, "stepwell plan", nulls=False)
