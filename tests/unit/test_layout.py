"""The folders keep the shape that packaging and contributors rely on (CONTRIBUTING.md)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PORTIONS = sorted(ROOT.glob("*/stepwell"))
PACKAGES = sorted(path.parent for portion in PORTIONS for path in portion.rglob("__init__.py"))
SOURCES = sorted(
    path for folder in [*PORTIONS, ROOT / "tests"] for pattern in ("*.py", "*.[ch]") for path in folder.rglob(pattern)
)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_room_is_seen() -> None:
    assert {"trace", "collectors", "store", "analysis", "cli"} <= {package.name for package in PACKAGES}


def test_namespace_has_no_init() -> None:
    """With one, the other portions vanish, and only in editable installs."""
    assert [name(portion) for portion in PORTIONS if (portion / "__init__.py").exists()] == []


@pytest.mark.parametrize("folder", sorted({path.parent for path in SOURCES if "tests" not in path.parts}), ids=name)
def test_python_lies_in_packages(folder: Path) -> None:
    if list(folder.glob("*.py")):
        assert folder in PACKAGES


@pytest.mark.parametrize("package", PACKAGES, ids=name)
def test_package_says_what_belongs_there(package: Path) -> None:
    assert ast.get_docstring(ast.parse((package / "__init__.py").read_text()))


@pytest.mark.parametrize("package", [path for path in PACKAGES if path.parent in PORTIONS], ids=name)
def test_package_is_typed(package: Path) -> None:
    assert (package / "py.typed").exists()


def test_sources_stay_small() -> None:
    lines = {name(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {path: count for path, count in lines.items() if count > 600} == {}
