"""Paths, inodes and generations of files that are reached by all kinds of names, with and without `--under`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kernel.recorded import Recorded, recorded
from tests.kernel.tool import Stepwell

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    with recorded("paths", tmp_path_factory.mktemp("paths")) as trace:
        yield trace


@pytest.fixture(scope="module")
def below(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    directory = tmp_path_factory.mktemp("below")
    with recorded("paths", directory, "--under", f"{directory}/work/") as trace:
        yield trace


@pytest.fixture(params=["everything", "below"])
def trace(request: pytest.FixtureRequest) -> Recorded:
    trace: Recorded = request.getfixturevalue(request.param)
    return trace


def reads(trace: Recorded, deed: str) -> list[tuple[int, str]]:
    """Return the requested size of each read, and the path after the deed's directory."""
    rows = trace.rows(
        "SELECT requested, path FROM accesses JOIN readers USING (trace, reader) WHERE op = 'read' AND requested < 100 "
        "AND starts_with(path, ?) ORDER BY readers.start_ns, seq",
        trace.path(deed, "") + "/",
    )
    return [(requested, path.removeprefix(trace.path(deed, "") + "/")) for requested, path in rows]


@pytest.mark.parametrize(
    ("deed", "expected"),
    [
        ("renamed_while_open", [(11, "before"), (13, "before"), (17, "after")]),
        ("directory_renamed_while_open", [(11, "one/deep/file"), (13, "one/deep/file"), (17, "two/deep/file")]),
        ("hard_links", [(11, "first"), (13, "second")]),
        ("symbolic_links", [(11, "real/file"), (13, "real/file"), (17, "real/file")]),
        ("bind_mounts", [(11, "tree/sub/file"), (13, "whole/sub/file"), (17, "part/file"), (19, "single")]),
        ("private_mounts", [(11, "mnt/file"), (13, "mnt/file")]),
        ("mounted_in_a_mount", [(11, "a/b/c/file")]),
        ("mounted_over", [(11, "top/file"), (13, "top/file")]),
        ("overlay", [(11, "merged/below"), (13, "merged/above"), (17, "merged/copied"), (19, "merged/copied")]),
        ("deleted", [(11, "file"), (13, "file")]),
        ("directory_deleted", [(11, "gone/file")]),
        ("by_directory_descriptor", [(11, "two/file")]),
        ("through_proc_root", [(11, "file"), (13, "file")]),
        (
            "strange_names",
            [
                (11, "new\nline"),
                (13, "tab\tquote\"'\\"),
                (15, r"invalid \xff\xfe"),
                (17, "größe 木"),
                (19, " "),
                (21, "..."),
            ],
        ),
        ("many_short_directories", [(11, "d/" * 401 + "file")]),
    ],
)
def test_path_as_the_reader_sees_it(trace: Recorded, deed: str, expected: list[tuple[int, str]]) -> None:
    assert reads(trace, deed) == expected


def files(trace: Recorded, deed: str, name: str = "") -> list[tuple[int, int, int]]:
    return trace.rows(
        "SELECT DISTINCT dev, ino, generation FROM files WHERE starts_with(path, ?) AND NOT contains(path, '#')",
        trace.path(deed, name),
    )


@pytest.mark.parametrize(
    ("deed", "inodes"),
    [
        ("renamed_while_open", 1),
        ("directory_renamed_while_open", 1),
        ("hard_links", 1),
        ("symbolic_links", 1),
        ("bind_mounts/tree", 1),
        ("bind_mounts/whole", 1),
        ("private_mounts", 2),
        ("mounted_over", 2),
        ("deleted", 1),
    ],
)
def test_one_inode_under_all_its_names(trace: Recorded, deed: str, inodes: int) -> None:
    assert len(files(trace, deed)) == inodes


def test_a_file_bound_elsewhere_is_the_same_inode(trace: Recorded) -> None:
    names = ["tree/sub/file", "whole/sub/file", "part/file"]
    ((one,), (two,), (three,)) = (files(trace, "bind_mounts", name) for name in names)
    assert one == two == three


def test_generations_tell_apart_files_with_one_inode_number(trace: Recorded) -> None:
    rows = files(trace, "inode_used_again", "file")
    numbers = [(dev, ino) for dev, ino, _ in rows]
    assert len(set(rows)) == len(numbers) == len(set(numbers)) + 1
    assert [path for _, path in reads(trace, "inode_used_again")] == ["file"] * len(rows)


def test_paths_in_a_chroot_begin_at_its_root(trace: Recorded) -> None:
    assert trace.rows("SELECT requested FROM accesses WHERE path = '/inner/file' AND op = 'read' ORDER BY seq") == [
        (11,),
        (13,),
    ]
    assert reads(trace, "in_a_chroot") == [(17, "outside")]


def test_paths_in_a_container_begin_at_its_root(everything: Recorded) -> None:
    assert everything.rows("SELECT requested FROM accesses WHERE path = '/data/file' AND op = 'read'") == [(11,)]


@pytest.mark.parametrize(
    ("deed", "requested", "deleted", "found_below"),
    [
        ("opened_from_a_chroot", 37, False, True),
        ("in_a_detached_mount", 41, False, False),
        ("memory_file", 43, False, False),
    ],
)
def test_what_has_no_path_is_shown_by_device_and_inode(
    everything: Recorded, below: Recorded, deed: str, requested: int, deleted: bool, found_below: bool
) -> None:
    for trace, found in ((everything, True), (below, found_below)):
        identity = Path(trace.path(deed, "identity")).read_text()
        rows = trace.rows(
            "SELECT f.path, deleted, state & 14 "
            "FROM runs JOIN files f USING (trace, file) JOIN opens USING (trace, open) "
            "WHERE op = 'read' AND requested = ? AND count = 1 AND regexp_full_match(f.path, '[0-9]+:[0-9]+:[0-9]+')",
            requested,
        )
        assert rows == ([(identity, deleted, 2)] if found else [])


def test_a_file_without_a_name_until_it_gets_one(trace: Recorded) -> None:
    (nameless, named) = reads(trace, "nameless")
    (inode,) = trace.rows("SELECT DISTINCT ino FROM files WHERE path = ?", trace.path("nameless", "named"))
    assert nameless == (11, f"#{inode[0]}")
    assert named == (13, "named")


def deep(trace: Recorded, cut: bool) -> str:
    """Return the path of the file in directories with long names, the one that is whole or the one that is not."""
    ((path,),) = trace.rows(
        "SELECT path FROM files WHERE path LIKE ? AND starts_with(path, '...') = ?", f"%{'d' * 240}/file", cut
    )
    return str(path)


def test_a_path_as_long_as_any_call_takes(trace: Recorded) -> None:
    top = trace.path("long_path", "")
    assert deep(trace, cut=False) == top + ("/" + "d" * 240) * ((3999 - len(top)) // 241) + "/file"


def test_of_a_longer_path_the_end_is_kept(trace: Recorded) -> None:
    assert deep(trace, cut=True) == "..." + ("/" + "d" * 240) * 16 + "/file"


SCRIPT = """
cd "$1"
cat real/deep/first
mv real/deep out/moved; cat out/moved/first
mv out/second real; cat real/second
mount --bind real/part elsewhere; cat elsewhere/third
cat out/fourth
exec "$2" -S -c "import os; os.chroot('real/jail'); os.read(os.open('/inside/fifth', 0), 23)"
"""


@pytest.mark.parametrize("argument", ["real/", "link", "link/part/../../real/."])
def test_under_means_a_directory_however_it_is_named_and_reached(
    stepwell: Stepwell, tmp_path: Path, argument: str
) -> None:
    for name in ("real/deep/first", "out/second", "real/part/third", "out/fourth", "real/jail/inside/fifth"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("some text\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("real")
    command = ["unshare", "-m", "sh", "-c", SCRIPT, "sh", str(tmp_path), sys.executable]
    done = stepwell.run("record", "--under", argument, "--", *command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = stepwell.rows("SELECT path FROM accesses WHERE op = 'read' AND size > 0 ORDER BY start_ns")
    seen = [path.removeprefix(f"{tmp_path}/") for (path,) in rows]
    assert seen == ["real/deep/first", "real/second", "elsewhere/third", "/inside/fifth"]


def test_under_the_root_is_everything(stepwell: Stepwell, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("some text\n")
    assert stepwell.run("record", "--under", "/", "--", "cat", str(tmp_path / "file")).returncode == 0
    assert stepwell.rows(f"SELECT size FROM accesses WHERE path = '{tmp_path}/file' AND op = 'read'") == [(10,), (0,)]
