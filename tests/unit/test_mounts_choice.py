"""What is set in a mount, for which way of reading."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.analysis.plans.mounts import Reading, choose
from stepwell.mounts.juicefs import Client, command, with_options
from stepwell.mounts.juicefs import given as options_given
from stepwell.mounts.table import Mount, mount_of
from stepwell.prefetch.protocol import Close, Run
from stepwell.steer.asked import Asked

MIB, GIB = 1 << 20, 1 << 30
USUAL = {"prefetch": 1, "max-readahead": 32, "buffer-size": 300, "read_ahead_kb": 128, "max_background": 12}
SPARSE = Reading(sparse=8, bytes=8 * 4096, extent=GIB, largest=4096, fetched=8 * 4 * MIB)


def test_small_reads_here_and_there_are_to_fetch_nothing_beside() -> None:
    choice = choose("fuse.juicefs", USUAL, SPARSE)
    assert choice.values == {"prefetch": 0, "max-readahead": 0}
    assert choice.saves_bytes
    assert "4 KiB" in choice.reason
    assert choice.source


@pytest.mark.parametrize(
    ("filesystem", "settings", "reading", "word"),
    [
        ("fuse.sshfs", USUAL, SPARSE, "no setting"),
        ("fuse.juicefs", USUAL | {"prefetch": 0, "max-readahead": 0}, SPARSE, "already"),
        ("fuse.juicefs", {"read_ahead_kb": 128}, SPARSE, "cannot be set"),
        ("fuse.juicefs", USUAL, Reading(sparse=7, bytes=7 * 4096, extent=GIB, largest=4096, fetched=GIB), "too little"),
        ("fuse.juicefs", USUAL, Reading(8, 8, 16 * 4096, GIB, 1, 4096, GIB), "harms the other"),
        ("fuse.juicefs", USUAL, Reading(0, 8, 8 * MIB, GIB, 1, 2 * MIB, GIB), "whole blocks in any case"),
        ("fuse.juicefs", USUAL, Reading(0, 800, 17 * MIB, 64 * MIB, 1, 4096, GIB), "whole blocks pay"),
        ("fuse.juicefs", USUAL, Reading(0, 8, 8 * 4096, GIB, 1, 4096, 5 * 8 * 4096 - 1), "not much"),
        ("nfs4", USUAL, Reading(along=8, bytes=MIB), "no FUSE mount"),
        ("fuse.juicefs", USUAL, Reading(backward=9, sparse=1, bytes=GIB, extent=GIB, files=1), "backwards"),
        ("fuse.juicefs", USUAL, Reading(along=5, backward=4, bytes=GIB, extent=GIB, files=1), "harms the other"),
    ],
)
def test_other_mounts_are_left_alone(filesystem: str, settings: dict[str, int], reading: Reading, word: str) -> None:
    choice = choose(filesystem, settings, reading)
    assert not choice.values
    assert word in choice.reason


def test_whole_blocks_pay_only_where_the_cache_holds_them() -> None:
    dense = Reading(0, 800, 17 * MIB, 64 * MIB, 1, 4096, GIB, cache=64 * MIB)
    assert "whole blocks pay" in choose("fuse.juicefs", USUAL, dense).reason
    assert choose("fuse.juicefs", USUAL, replace(dense, cache=63 * MIB)).values == {"prefetch": 0, "max-readahead": 0}


def test_along_files_more_is_read_ahead_but_never_less() -> None:
    along = Reading(along=99, sparse=1, bytes=MIB, extent=MIB, files=8, largest=MIB)
    assert choose("fuse.sshfs", {"read_ahead_kb": 128}, along).values == {"read_ahead_kb": 16_384}
    assert choose("fuse.slow", {"read_ahead_kb": 1 << 20, "max_background": 12}, along).values == {
        "max_background": 128
    }
    assert not choose("fuse.slow", {"read_ahead_kb": 1 << 20, "max_background": 512}, along).values


def test_along_large_files_juicefs_reads_more_ahead_of_each() -> None:
    along = Reading(along=99, sparse=1, bytes=31 * MIB, extent=32 * MIB, files=1, largest=MIB)
    choice = choose("fuse.juicefs", USUAL, along)
    kernel = {"read_ahead_kb": 4096, "max_background": 128}
    assert choice.values == kernel | {"max-readahead": 128, "buffer-size": 600}
    assert not choice.saves_bytes
    assert choose("fuse.juicefs", USUAL | {"max-readahead": 128}, along).values == kernel | {"buffer-size": 600}
    set_so = USUAL | kernel | {"max-readahead": 128, "buffer-size": 1024}
    assert not choose("fuse.juicefs", set_so, along).values
    assert choose("fuse.slow", USUAL, along).values == kernel | {"read_ahead_kb": 16_384}


def test_files_shorter_than_what_juicefs_reads_ahead_gain_nothing_by_more() -> None:
    along = Reading(along=99, sparse=1, bytes=63 * MIB, extent=64 * MIB - 1, files=2, largest=MIB)
    assert not choose("fuse.juicefs", USUAL, along).values


def run(stream: int, offset: int, size: int, stride: int = 0, count: int = 1, start_ns: int = 1) -> Run:
    return Run(f"s{stream}", f"/m/{stream}", offset, size, stride, count, start_ns, start_ns + 1)


def test_how_readers_read_is_told_by_their_streams() -> None:
    asked = Asked()
    assert asked.reading().kind == ""
    asked.see(run(1, place * 1_000_003 % GIB, 4096, start_ns=place) for place in range(1, 12))
    assert asked.reading().kind == "sparse"
    assert asked.reading().largest == 4096
    asked.see([run(2, 0, 65_536, 65_536, 7), run(2, 0, 65_536, 65_536, 307)])
    assert asked.reading().kind == "mixed"
    assert asked.reading().bytes == 11 * 4096 + 307 * 65_536, "a run that grows is told again from its start"
    asked.see([Close("/m/1", "", 9)])
    assert asked.reading().kind == "along"


def test_pieces_that_go_back_are_no_reading_along() -> None:
    asked = Asked()
    asked.see([run(1, GIB, 131_072, -131_072, 23)])
    assert asked.reading().kind == "backward"


def test_steps_that_leave_gaps_are_sparse() -> None:
    asked = Asked()
    asked.see([run(1, 0, 65_536, 8 * MIB, 23)])
    assert asked.reading().kind == "sparse"
    assert asked.reading().extent == 22 * 8 * MIB + 65_536


WORDS = st.lists(st.sampled_from(["-d", "--read-only", "--cache-dir", "/c", "--bucket=b", "-o", "x=1"]), max_size=5)
VALUES = st.none() | st.integers(0, 9).map(str)


@given(WORDS, VALUES, VALUES, st.booleans())
def test_options_that_are_set_and_set_back_leave_the_command_line_as_it_was(
    words: list[str], prefetch: str | None, ahead: str | None, joined: bool
) -> None:
    told = [] if prefetch is None else [f"--prefetch={prefetch}"] if joined else ["--prefetch", prefetch]
    told += [] if ahead is None else ["-max-readahead", ahead]
    before = ("juicefs", "mount", *words, *told, "redis://h/1", "/m")
    former = {name: options_given(before)[name] for name in ("prefetch", "max-readahead")}
    assert former == {"prefetch": prefetch, "max-readahead": ahead}
    changed = with_options(before, {"prefetch": "0", "max-readahead": "0"})
    assert options_given(changed) == {"prefetch": "0", "max-readahead": "0", "buffer-size": None}
    assert changed[-2:] == before[-2:]
    back = with_options(changed, former)
    assert options_given(back) == options_given(before)
    assert [one for one in back if one in words] == [one for one in before if one in words]


def test_a_command_that_is_shown_has_no_password() -> None:
    client = Client("/bin/juicefs", ("juicefs", "mount", "redis://me:secret@h:1/2", "/m"), {}, "/", 0, 0, (), {}, None)
    assert command(client, {"prefetch": "0"}) == "/bin/juicefs mount --prefetch 0 'redis://me:****@h:1/2' /m"


def test_the_mount_of_a_path_is_the_innermost_and_the_last_one() -> None:
    first, second, over = Mount(1, "/", "ext4", "a"), Mount(2, "/m", "fuse.a", "a"), Mount(3, "/m", "fuse.b", "b")
    among = [first, second, over]
    assert mount_of("/m/x", among) is over
    assert mount_of("/m", among) is over
    assert mount_of("/mx", among) is first
    assert mount_of("/", among) is first
