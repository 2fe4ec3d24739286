from __future__ import annotations

from collections.abc import Iterator

import pytest

from stepwell.store import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store that takes one import after the other."""
    with Store.open(tmp_path_factory.mktemp("store") / "store.duckdb", "w") as opened:
        yield opened
