"""What is mounted at a directory, as the kernel and the mount's client tell."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from stepwell.prefetch.mounted import CLIENTS, Client, describe

CHUNK = {
    "BlockSize": 1 << 20, "BufferSize": 300 << 20, "CacheSize": 1 << 30, "CacheFullBlock": True, "Readahead": 32 << 20,
}  # fmt: skip


def test_a_file_system_without_a_client(tmp_path: Path) -> None:
    mounted = describe(str(tmp_path))
    device = tmp_path.stat().st_dev
    setting = Path(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb")
    expected = int(setting.read_text()) << 10 if setting.exists() else 128 << 10
    assert (mounted.device, mounted.read_ahead, mounted.client) == (device, expected, Client())


def test_what_juicefs_tells_of_itself(tmp_path: Path) -> None:
    (tmp_path / ".config").write_text(json.dumps({"Chunk": CHUNK}))
    assert CLIENTS["fuse.juicefs"](str(tmp_path)) == Client(1 << 20, 60, 32)


def test_rclone_streams_what_is_open(tmp_path: Path) -> None:
    assert CLIENTS["fuse.rclone"](str(tmp_path)) == Client(streams=True)


@pytest.mark.parametrize(
    "config",
    [
        json.dumps({"Chunk": CHUNK | {"CacheSize": 0}}),
        json.dumps({"Chunk": CHUNK | {"CacheFullBlock": False}}),
        json.dumps({"Chunk": CHUNK | {"BlockSize": 0}}),
        json.dumps({"Chunk": CHUNK | {"BlockSize": "large"}}),
        json.dumps({"Chunk": CHUNK | {"BlockSize": (1 << 20) + 1}}),
        json.dumps({"Chunk": CHUNK | {"BlockSize": 128 << 20}}),
        json.dumps({"Chunk": []}),
        json.dumps([]),
        "{",
        100_000 * "[",
        b"\xff\xfe".decode("latin-1"),
        None,
    ],
)
def test_what_keeps_no_whole_blocks_or_says_nothing_that_is_understood_is_no_client(
    tmp_path: Path, config: str | None
) -> None:
    if config is not None:
        (tmp_path / ".config").write_text(config, encoding="latin-1")
    assert CLIENTS["fuse.juicefs"](str(tmp_path)) == Client()
