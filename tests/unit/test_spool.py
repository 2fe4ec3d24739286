"""The spool file: reading is the inverse of writing, and no damage goes unnoticed."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stepwell.trace.definition import FORMAT_VERSION, META_KIND, RECORDS
from stepwell.trace.errors import NewerSpoolError, SpoolError
from stepwell.trace.layout import BY_KIND, DTYPES
from stepwell.trace.spool import Block, Spool, SpoolWriter

Plain = tuple[int, bytes, list[bytes] | None, dict[str, Any] | None]


def plain(block: Block) -> Plain:
    texts = None if block.texts is None else block.texts.to_pylist()
    return block.kind, block.records.tobytes(), texts, block.meta


@st.composite
def record_blocks(draw: st.DrawFn) -> Plain:
    record = draw(st.sampled_from(RECORDS))
    count = draw(st.integers(0, 3))
    size = DTYPES[record.kind].itemsize * count
    texts = [draw(st.binary(max_size=9)) for _ in range(count)] if record.text else None
    return record.kind, draw(st.binary(min_size=size, max_size=size)), texts, None


meta_blocks = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.none(), max_size=3).map(
    lambda meta: (META_KIND, b"", None, meta)
)
block_lists = st.lists(record_blocks() | meta_blocks, max_size=6)


def write(path: Path, blocks: list[Plain]) -> list[int]:
    """Write a new spool file; return where its header and each of its blocks end."""
    path.unlink(missing_ok=True)
    with SpoolWriter(path) as writer:
        ends = [path.stat().st_size]
        for kind, records, texts, meta in blocks:
            if meta is not None:
                writer.meta(**meta)
            else:
                writer.write(kind, np.frombuffer(records, DTYPES[kind]), texts or [])
            ends.append(path.stat().st_size)
    return ends


def read(path: Path) -> tuple[list[Plain], str | None]:
    with Spool(path) as spool:
        return [plain(block) for block in spool.blocks()], spool.damage


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spool") / "trace.spool"


@given(blocks=block_lists)
def test_reading_is_the_inverse_of_writing(path: Path, blocks: list[Plain]) -> None:
    write(path, blocks)
    assert read(path) == (blocks, None)


@given(blocks=block_lists, kinds=st.sets(st.sampled_from([*BY_KIND, META_KIND])))
@example(blocks=[(next(iter(BY_KIND)), b"", None, None)], kinds=set())
def test_some_kinds_only(path: Path, blocks: list[Plain], kinds: set[int]) -> None:
    write(path, blocks)
    with Spool(path) as spool:
        for _ in range(2):
            assert [plain(block) for block in spool.blocks(kinds)] == [block for block in blocks if block[0] in kinds]


@given(blocks=block_lists, data=st.data())
def test_a_truncated_file_gives_exactly_the_blocks_before(path: Path, blocks: list[Plain], data: st.DataObject) -> None:
    ends = write(path, blocks)
    length = data.draw(st.integers(0, ends[-1]))
    path.write_bytes(path.read_bytes()[:length])
    if length < ends[0]:
        with pytest.raises(SpoolError, match=r"is not a Stepwell spool file"):
            read(path)
        return
    whole = sum(end <= length for end in ends) - 1
    good, damage = read(path)
    assert good == blocks[:whole]
    assert (damage is None) == (length in ends)


@settings(max_examples=300)
@given(blocks=block_lists, data=st.data())
def test_a_flipped_bit_never_gives_a_wrong_block(path: Path, blocks: list[Plain], data: st.DataObject) -> None:
    ends = write(path, blocks)
    content = bytearray(path.read_bytes())
    bit = data.draw(st.integers(0, len(content) * 8 - 1))
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    if bit // 8 < ends[0]:
        with pytest.raises(SpoolError):
            read(path)
        return
    good, damage = read(path)
    assert good == blocks[: sum(end <= bit // 8 for end in ends) - 1]
    assert damage is not None


def test_damage_in_a_block_that_is_not_wanted_ends_the_file(path: Path) -> None:
    run = np.zeros(1, DTYPES[1])
    ends = write(path, [(1, run.tobytes(), None, None), (META_KIND, b"", None, {"uuid": "x"})])
    content = bytearray(path.read_bytes())
    content[ends[0] + 40] ^= 1
    path.write_bytes(content)
    with Spool(path) as spool:
        assert list(spool.blocks({META_KIND})) == []
        assert spool.damage == f"wrong checksum of the block at byte {ends[0]}"


def test_a_newer_file_says_to_upgrade(path: Path) -> None:
    write(path, [])
    content = bytearray(path.read_bytes())
    content[8] = FORMAT_VERSION + 1
    path.write_bytes(content)
    with pytest.raises(NewerSpoolError, match="upgrade Stepwell, the file is kept"):
        Spool(path)


def test_an_older_file_says_which_version_reads_it(path: Path) -> None:
    write(path, [])
    content = bytearray(path.read_bytes())
    content[8] = 1
    path.write_bytes(content)
    with pytest.raises(SpoolError, match=f"format version 1, this Stepwell reads {FORMAT_VERSION}; bring it in with"):
        Spool(path)


@pytest.mark.parametrize("content", [b"", b"STEPWEL", b"PAR1" * 8, b"STEPWELL" + bytes(8)])
def test_what_is_not_a_spool_file_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(SpoolError) as caught:
        Spool(path)
    assert not isinstance(caught.value, NewerSpoolError)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match=r"no\.spool: No such file or directory; check its path"):
        Spool(tmp_path / "no.spool")


def test_the_writer_holds_the_lock_and_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "trace.spool"
    with SpoolWriter(path), path.open() as other:
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(FileExistsError):
            SpoolWriter(path)
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_writer_refuses_records_of_another_kind(tmp_path: Path) -> None:
    with SpoolWriter(tmp_path / "trace.spool") as writer:
        with pytest.raises(ValueError, match="do not fit kind 1"):
            writer.write(1, np.zeros(1, DTYPES[2]))
        with pytest.raises(ValueError, match="do not fit kind 6"):
            writer.write(6, np.zeros(2, DTYPES[6]), [b"x"])
