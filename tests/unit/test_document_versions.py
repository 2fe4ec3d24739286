"""The version of each JSON document follows its fields: what is added raises `minor`, what goes away `version`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stepwell.analysis.advice.advise import CHANGES
from stepwell.analysis.explain import Explanation
from stepwell.analysis.insight import Insight
from stepwell.analysis.model import Summary
from stepwell.analysis.streams.decide import PATTERNS
from stepwell.cli import explain
from stepwell.cli.report import document

DOCUMENTS = {
    "report": (document.FORM, document.FORM.schema(Summary, Insight)),
    "explain": (explain.FORM, explain.FORM.schema(Explanation)),
}


def fields(part: dict[str, Any], name: str = "") -> Iterator[str]:
    """Yield every field of a JSON Schema with its type, such as `findings[].saved_ns.low number`."""
    choices = [one for one in part.get("anyOf", ()) if one.get("type") != "null"]
    if choices:
        yield f"{name} or null"
    for one in choices or [part]:
        if one.get("type") == "array":
            yield from fields(one["items"], f"{name}[]")
        elif "properties" in one:
            for key, value in one["properties"].items():
                yield from fields(value, f"{name}.{key}" if name else key)
        elif isinstance(one.get("additionalProperties"), dict):
            yield from fields(one["additionalProperties"], f"{name}.*")
        else:
            yield f"{name} {one.get('type', 'any')}"


def present(schema: dict[str, Any]) -> set[str]:
    """Return all that a program may rely on: fields, and the names of patterns and of findings."""
    kinds = {f"findings[].kind = {kind}" for kind in [*CHANGES, "leave-alone"]}
    return set(fields(schema)) | kinds | {f"patterns[].pattern = {name}" for name in PATTERNS}


def complaints(kept: dict[str, tuple[int, int]], now: set[str], version: tuple[int, int]) -> list[str]:
    """Return what is wrong with a version, given the fields that were kept, with the versions that they came with."""
    gone, new = sorted(kept.keys() - now), sorted(now - kept.keys())
    wrong = [f"{line} is gone: raise version, set minor to 0, and begin the list of fields anew" for line in gone]
    if new and version <= max(kept.values()):
        wrong += [f"{line} is new: raise minor" for line in new]
    wrong += [f"add to the list of fields: {version[0]}.{version[1]} {line}" for line in new]
    if not new and kept and version != max(kept.values()):
        wrong.append(f"nothing came with {version[0]}.{version[1]}")
    return wrong


def lines(name: str) -> list[tuple[str, str]]:
    """Return every field of a document's version, with the version that it came with and its type; sorted.

    Lines are added only.
    """
    text = Path(__file__).with_name(f"{name}_fields.txt").read_text()
    return [(version, field) for version, _, field in (line.partition(" ") for line in text.splitlines())]


def kept(name: str) -> dict[str, tuple[int, int]]:
    return {field: (int(version.partition(".")[0]), int(version.partition(".")[2])) for version, field in lines(name)}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_version_is_that_of_the_fields(name: str) -> None:
    form, schema = DOCUMENTS[name]
    assert complaints(kept(name), present(schema), (form.version, form.minor)) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_fields_are_kept_sorted_and_once(name: str) -> None:
    names = [field for _, field in lines(name)]
    assert names == sorted(set(names))
    assert {version for version, _ in kept(name).values()} == {DOCUMENTS[name][0].version}


@pytest.mark.parametrize(
    ("now", "version", "wrong"),
    [
        ({"a integer", "b string"}, (1, 1), 0),
        ({"a integer", "b string", "c string"}, (1, 1), 2),  # not raised, and not kept
        ({"a integer", "b string", "c string"}, (1, 2), 1),  # raised, and not kept
        ({"a integer"}, (1, 1), 1),
        ({"a number", "b string"}, (1, 1), 3),  # another type is another field
        ({"a integer", "b string"}, (1, 2), 1),
    ],
)
def test_a_change_without_its_version_is_told(now: set[str], version: tuple[int, int], wrong: int) -> None:
    assert len(complaints({"a integer": (1, 0), "b string": (1, 1)}, now, version)) == wrong


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_number_of_a_schema_is_described(name: str) -> None:
    def leaves(part: dict[str, Any], name: str) -> None:
        if part["type"] == "object" and "properties" in part:
            for key, value in part["properties"].items():
                if "type" in value:
                    leaves(value, f"{name}.{key}")
        elif part["type"] == "array":
            leaves(part["items"] | {"description": part.get("description", part["items"].get("description"))}, name)
        else:
            assert part.get("description"), name

    leaves(DOCUMENTS[name][1], name)
