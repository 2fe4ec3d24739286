from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.kernel.tool import Stepwell


@pytest.fixture
def stepwell(tmp_path: Path) -> Stepwell:
    return Stepwell(tmp_path / "store.duckdb")


@pytest.fixture(scope="session")
def workload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program of known workloads, compiled."""
    program = tmp_path_factory.mktemp("workload") / "workload"
    sources = sorted((Path(__file__).parent / "workload").glob("*.c"))
    subprocess.run(["gcc", "-Wall", "-Werror", "-O1", "-o", program, *sources, "-luring", "-laio"], check=True)
    return program
