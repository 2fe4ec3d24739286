"""Write the files derived from the definition: `python -m stepwell.trace.generate` (called by `make docs`)."""

from __future__ import annotations

from pathlib import Path

from stepwell.trace.layout import c_header, markdown

HERE = Path(__file__).parent

GENERATED = {HERE / "record.h": c_header, HERE.parents[1] / "TRACE.md": markdown}
"""Each generated file and what makes its text."""


def main() -> None:
    """Write every generated file whose text has changed."""
    for path, make in GENERATED.items():
        text = make()
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


if __name__ == "__main__":
    main()
