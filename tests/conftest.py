from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings
from tests.storage.slow import compile_slow

# A busy machine is no error. The same examples every time: a failure is the change's; `make soak` looks further.
settings.register_profile("default", deadline=None, derandomize=True)
settings.register_profile("soak", deadline=None, derandomize=False, max_examples=2_000)

# Shells let their background jobs ignore these; commands under test inherit that, and their tests send such signals.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("kernel") and os.geteuid() != 0:
        pytest.skip("needs root: sudo make test")


@pytest.fixture(scope="session")
def slow_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The storage of known speed and faults, compiled."""
    return compile_slow(tmp_path_factory.mktemp("slow"))
