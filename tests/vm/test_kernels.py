"""The collector on other kernels: older ones, and without lockdown, where programs are attached to functions."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.vm.boot import Kernel, missing

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).parents[2]
CHECKS = ["tests/kernel/test_calls.py", "tests/kernel/test_mmap.py"]
"""Tests that are run there as they are."""


@pytest.mark.slow
@pytest.mark.parametrize("package", ["linux-image-cloud-amd64", "linux-image-6.12-cloud-amd64"])
def test_known_workloads_are_recorded_exactly_under(package: str, tmp_path: Path) -> None:
    if missing():
        pytest.skip(f"needs {', '.join(missing())}")
    kernel = Kernel.fetch(package, tmp_path / "kernel")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *CHECKS]
    code, output = kernel.run(command, ROOT, tmp_path / "guest")
    assert code == 0, output
    assert " passed" in output
    assert "skipped" not in output
