from __future__ import annotations

from pathlib import Path

import pytest
from tests.kernel.tool import Stepwell


@pytest.fixture
def stepwell(tmp_path: Path) -> Stepwell:
    return Stepwell(tmp_path / "store.duckdb")
