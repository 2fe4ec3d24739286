"""Any content at all: it is imported, or refused with an error that a user can be told."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

from stepwell.collectors.importers import Import, InputError


def attempt(content: bytes, format_name: str) -> None:
    """Make a spool file of the content, as an import does; nothing may be left of it."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "some"
        path.write_bytes(content)
        with suppress(InputError), Import(path, Path(directory), format_name) as bringing:
            bringing.write()
        assert list(Path(directory).iterdir()) == [path]
