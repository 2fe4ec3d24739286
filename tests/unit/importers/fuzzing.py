"""Any content at all: it is imported, or refused with an error that a user can be told."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import strategies as st
from tests.unit.importers.bringing import records

from stepwell.collectors.importers import Import, InputError


def attempt(content: bytes, format_name: str) -> None:
    """Make a spool file of the content, as an import does; nothing may be left of it."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "some"
        path.write_bytes(content)
        with suppress(InputError), Import(path, Path(directory), format_name) as bringing:
            bringing.write()
        assert list(Path(directory).iterdir()) == [path]


def hostile(data: st.DataObject, content: bytes, pieces: Sequence[bytes]) -> bytes:
    """The content with up to four places overwritten by what looks as if it belonged there, or does not."""
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed) - 1))
        if data.draw(st.booleans()):  # where a word, a number or a line begins
            at = changed.find(data.draw(st.sampled_from([b'"', b":", b",", b"{", b"(", b" ", b"\n"])), at) + 1
        changed[at : at + data.draw(st.integers(0, 12))] = data.draw(st.sampled_from(pieces) | st.binary(max_size=3))
    return bytes(changed)


def both_ways(path: Path, format_name: str, module: ModuleType, name: str, other: object) -> list[list[object]]:
    """What an import writes, or its error: as it is, and with something of its module replaced."""
    found: list[list[object]] = []
    for value in (getattr(module, name), other):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, name, value)
            try:
                found.append(records(path, format_name))
            except InputError as error:
                found.append([str(error)])
    return found


def one_by_one(lines: re.Pattern[str]) -> re.Pattern[str]:
    """A pattern that finds each line and nothing in it, in place of one that takes most of them apart."""
    return re.compile("(?!)" + "()" * lines.groups + "|.*\n")
