"""What the issuer is told of storages, over the file system of the tests."""

from __future__ import annotations

import select
from pathlib import Path

from tests.kernel.tool import SECONDS

from stepwell.prefetch.issuer import Issuer


def test_a_root_that_is_told_again_is_looked_at_again(tmp_path: Path) -> None:
    issuer = Issuer()
    for _ in range(3):  # its mount may have been set otherwise
        issuer.add_root(str(tmp_path))
        readable, _, _ = select.select([issuer.told], [], [], SECONDS)
        assert readable
        (told,) = issuer.answers()
        assert told.root == str(tmp_path)
        assert told.mounted is not None
        assert told.mounted.device == tmp_path.stat().st_dev
