"""Simulated caches against the page cache of this kernel."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.kernel.caching import BLOCK, hierarchy, measure, readahead
from tests.kernel.tool import Stepwell

from stepwell.analysis.reuse.simulate import Case, chosen_files, simulate
from stepwell.store import Store

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(hierarchy() is None, reason="memory cannot be limited by a control group here"),
]

ERROR = 0.03
"""Largest difference of miss ratios. The kernel's two lists (mm/vmscan.c) are not quite lru."""

LIMIT = 32 << 20


@pytest.mark.parametrize("pattern", ["uniform", "zipf", "loop"])
def test_simulated_misses_are_those_of_the_page_cache(stepwell: Stepwell, tmp_path: Path, pattern: str) -> None:
    window = readahead(tmp_path) if pattern == "loop" else 0
    measured = measure(stepwell, tmp_path, pattern, limit=LIMIT, blocks=13 * 1024, reads=50_021)
    assert measured.reads == 50_021
    with Store.open(stepwell.store, "r") as store:
        files = chosen_files(store, 1, str(tmp_path / f"{pattern}.data"))
        (lru,) = simulate(store, 1, files, Case(readahead=window), [measured.cache], ["lru"])
    assert lru.sampling == 1
    assert abs(lru.fetched_bytes / BLOCK - measured.filled) / measured.reads < ERROR
    if not window:
        assert abs(lru.miss_ratio - measured.waited / measured.reads) < ERROR
