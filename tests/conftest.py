from __future__ import annotations

import os

import pytest
from hypothesis import settings

# A busy machine is no error. The same examples every time: a failure is the change's; `make soak` looks further.
settings.register_profile("default", deadline=None, derandomize=True)
settings.register_profile("soak", deadline=None, derandomize=False, max_examples=2_000)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("kernel") and os.geteuid() != 0:
        pytest.skip("needs root: sudo make test")
