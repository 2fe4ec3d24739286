from __future__ import annotations

import os

import pytest
from hypothesis import settings

settings.register_profile("default", deadline=None)  # a busy machine is no error
settings.register_profile("soak", deadline=None, max_examples=2_000)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("kernel") and os.geteuid() != 0:
        pytest.skip("needs root: sudo make test")
