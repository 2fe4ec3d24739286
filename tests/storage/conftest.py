from __future__ import annotations

from pathlib import Path

import pytest
from tests.storage.slow import compile_slow


@pytest.fixture(scope="session")
def slow_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_slow(tmp_path_factory.mktemp("slow"))
