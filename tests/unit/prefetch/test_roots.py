"""Roots, and the storages that they share."""

from __future__ import annotations

from stepwell.prefetch.mounted import Mounted
from stepwell.prefetch.protocol import Root
from stepwell.prefetch.roots import Roots


def test_each_storage_that_a_root_lies_on_is_there_once() -> None:
    roots = Roots()
    for path in ("/data/a", "/data/b", "/data/c", "/far"):
        roots.tell(Root(path))
    assert [one.name for one in roots.storages] == ["/data/a", "/far"], (
        "what lies beside another is supposed to be on it"
    )
    for path, device in (("/data/a", 1), ("/data/b", 2), ("/data/c", 1), ("/far", 1)):
        roots.described(path, Mounted(device, 4096))
    assert [one.name for one in roots.storages] == ["/data/a", "/data/b"]
    roots.described("/data/b", Mounted(1, 4096))
    roots.tell(Root("/data/b", block_bytes=4096))
    assert [one.name for one in roots.storages] == ["/data/a"]
