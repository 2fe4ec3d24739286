"""A measured storage as JSON."""

from __future__ import annotations

import json
from typing import Any

from stepwell.analysis.form import FormError, described, plain, read
from stepwell.analysis.storage.model import Bench, BenchFileError

LARGEST = 4 << 20
"""Most characters of the text.  Default 4 Mi: a thousand combinations take a tenth of it."""


def dump(bench: Bench) -> str:
    """Return it as text that `load` takes; what is not known is left out."""
    return json.dumps(plain(bench), indent=2) + "\n"


def load(text: str, name: str) -> Bench:
    """Return what a text says, the inverse of `dump`.

    Args:
        text: the text.
        name: what to call it in messages, such as its file.

    Raises:
        BenchFileError: it is not what `stepwell bench -o json` writes.
    """
    try:
        if len(text) > LARGEST:
            raise FormError("", f"has {len(text):,} characters; it may have {LARGEST:,}")
        found = read(Bench, json.loads(text))
    except (FormError, ValueError, RecursionError) as error:
        raise BenchFileError(f"{name}: {error}; give a file that `stepwell bench PATH -o json` wrote") from None
    assert isinstance(found, Bench)
    return found


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the text."""
    return described(Bench, "stepwell bench -o json", nulls=False)
