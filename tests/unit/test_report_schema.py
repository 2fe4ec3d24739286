"""The version of the report's JSON follows its fields: what is added raises `minor`, what goes away `version`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stepwell.analysis.advice.advise import CHANGES
from stepwell.analysis.streams.decide import PATTERNS
from stepwell.cli.report.document import MINOR, VERSION, schema

KEPT = Path(__file__).with_name("report_fields.txt")
"""Every field of this `VERSION`, with the version that it came with and its type; sorted.  Lines are added only."""


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


def present() -> set[str]:
    """Return all that a program may rely on: fields, and the names of patterns and of findings."""
    kinds = {f"findings[].kind = {kind}" for kind in [*CHANGES, "leave-alone"]}
    return set(fields(json.loads(schema()))) | kinds | {f"patterns[].pattern = {name}" for name in PATTERNS}


def complaints(kept: dict[str, tuple[int, int]], now: set[str], version: tuple[int, int]) -> list[str]:
    """Return what is wrong with a version, given the fields that were kept, with the versions that they came with."""
    gone, new = sorted(kept.keys() - now), sorted(now - kept.keys())
    wrong = [f"{line} is gone: raise VERSION, set MINOR to 0, and begin {KEPT.name} anew" for line in gone]
    if new and version <= max(kept.values()):
        wrong += [f"{line} is new: raise MINOR" for line in new]
    wrong += [f"add to {KEPT.name}: {version[0]}.{version[1]} {line}" for line in new]
    if not new and kept and version != max(kept.values()):
        wrong.append(f"nothing came with {version[0]}.{version[1]}")
    return wrong


def kept() -> dict[str, tuple[int, int]]:
    lines = [line.split(" ", 1) for line in KEPT.read_text().splitlines()]
    return {name: (int(version.partition(".")[0]), int(version.partition(".")[2])) for version, name in lines}


def test_the_version_is_that_of_the_fields() -> None:
    assert complaints(kept(), present(), (VERSION, MINOR)) == []


def test_fields_are_kept_sorted_and_once() -> None:
    lines = [line.split(" ", 1)[1] for line in KEPT.read_text().splitlines()]
    assert lines == sorted(set(lines))
    assert {version for version, _ in kept().values()} == {VERSION}


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
