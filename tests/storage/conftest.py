from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from tests.kernel.tool import Stepwell
from tests.storage.slow import Control, Settings, Slow, compile_slow

Storage = Callable[..., AbstractContextManager[Control]]


@pytest.fixture(scope="session")
def slow_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_slow(tmp_path_factory.mktemp("slow"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return the directory that the storage shows; a test fills it."""
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    (tmp_path / "mount").mkdir()
    return tmp_path / "mount"


@pytest.fixture
def storage(slow_program: Path, source: Path, mount: Path) -> Storage:
    return lambda **settings: Slow(slow_program, source, mount, Settings(**settings)).mounted()


@pytest.fixture
def stepwell(tmp_path: Path) -> Stepwell:
    return Stepwell(tmp_path / "store.duckdb")
