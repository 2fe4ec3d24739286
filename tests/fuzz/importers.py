"""Atheris's target for one importer: any bytes give a trace or one StepwellError.

python -m tests.fuzz.importers FORMAT CORPUS [libFuzzer's options]
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["stepwell.collectors.importers"]):
    from stepwell.collectors.importers import Import

from stepwell.trace.errors import StepwellError


def main() -> None:
    name, *arguments = sys.argv[1:]
    with tempfile.TemporaryDirectory(dir="/dev/shm") as work:  # nothing of it is worth a disk
        path = Path(work) / "input"

        def one(content: bytes) -> None:
            path.write_bytes(content)
            with suppress(StepwellError), Import(path, Path(work), name) as bringing:
                bringing.write()
            assert [left.name for left in Path(work).iterdir()] == ["input"]

        atheris.Setup([sys.argv[0], *arguments], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
