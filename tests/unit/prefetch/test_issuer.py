"""What the issuer is told of storages, over the file system of the tests."""

from __future__ import annotations

import select
from pathlib import Path

from tests.kernel.tool import SECONDS

from stepwell.prefetch.issuer import Issuer


def test_a_root_is_looked_at_once_and_again_when_its_mount_was_set_otherwise(tmp_path: Path) -> None:
    issuer = Issuer()
    for anew in (False, True, True):
        issuer.add_root(str(tmp_path), anew=anew)
        readable, _, _ = select.select([issuer.told], [], [], SECONDS)
        assert readable
        (told,) = issuer.answers()
        assert told.root == str(tmp_path)
        assert told.mounted is not None
        assert told.mounted.device == tmp_path.stat().st_dev
    # With another plan alone it is not: the next answer is the next root's.
    (tmp_path / "next").mkdir()
    issuer.add_root(str(tmp_path))
    issuer.add_root(str(tmp_path / "next"))
    assert select.select([issuer.told], [], [], SECONDS)[0]
    assert [one.root for one in issuer.answers()] == [str(tmp_path / "next")]


def test_a_directory_is_told_with_what_is_in_it_in_its_own_order_and_by_inode(tmp_path: Path) -> None:
    for number in range(23):
        (tmp_path / f"{number * 7 % 23}").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    issuer = Issuer()
    issuer.add_root(str(tmp_path))
    assert select.select([issuer.told], [], [], SECONDS)[0]
    issuer.answers()
    issuer.list_directory(str(tmp_path), str(tmp_path))
    assert select.select([issuer.told], [], [], SECONDS)[0]
    (told,) = issuer.answers()
    files = [path for path in tmp_path.iterdir() if path.name != "folder"]
    assert [*told.names.files.items()] == [(path.name, path.lstat().st_ino) for path in files]
    assert told.names.folders == {"folder": (tmp_path / "folder").stat().st_ino}
