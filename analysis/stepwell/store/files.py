"""Files out of the open files that were seen: their paths, file systems and datasets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile

import numpy as np
import pyarrow as pa

from stepwell.store.texts import text_array
from stepwell.trace.definition import OPEN, OpenFlag
from stepwell.trace.spool import Spool

FILE_SYSTEMS = {
    0xEF53: "ext4", 0x58465342: "xfs", 0x9123683E: "btrfs", 0x01021994: "tmpfs", 0x794C7630: "overlay",
    0x65735546: "fuse", 0x6969: "nfs", 0xFF534D42: "cifs", 0xFE534D42: "smb3", 0x858458F6: "ramfs", 0xF2F52010: "f2fs",
    0x2FC12FC1: "zfs", 0x00C36400: "ceph", 0x0BD00BD0: "lustre", 0x73717368: "squashfs", 0xE0F5E1E2: "erofs",
    0x4D44: "vfat", 0x2011BAB0: "exfat", 0x9660: "iso9660", 0x9FA0: "proc", 0x62656572: "sysfs", 0x27E0EB: "cgroup",
    0x63677270: "cgroup2", 0x958458F6: "hugetlbfs", 0x01021997: "9p", 0x6A656A63: "virtiofs",
}  # fmt: skip
"""Names of file system types by statfs(2)'s f_type; where several share a number, the commonest."""

OPEN_SCHEMA = pa.schema(
    [
        ("thread", pa.uint32()), ("open", pa.int64()), ("start_ns", pa.int64()), ("latency_ns", pa.int64()),
        ("ino", pa.uint64()), ("size", pa.int64()), ("mtime_ns", pa.int64()), ("dev", pa.uint32()),
        ("generation", pa.uint32()), ("magic", pa.uint32()), ("flags", pa.uint32()),
        ("state", pa.uint32()), ("components", pa.large_string()),
    ]
)  # fmt: skip


def open_batches(spool: Spool, origin_ns: int) -> Iterator[pa.RecordBatch]:
    """Yield the OPEN records; `components` is the text as recorded."""
    for block in spool.blocks({OPEN.kind}):
        columns = {}
        for column in OPEN_SCHEMA.names[:-1]:
            values = np.ascontiguousarray(block.records[column])
            columns[column] = values.view(np.int64) if OPEN_SCHEMA.field(column).type == pa.int64() else values
        columns["start_ns"] = columns["start_ns"] - origin_ns
        assert block.texts is not None
        yield pa.RecordBatch.from_pydict(columns | {"components": text_array(block.texts)}, schema=OPEN_SCHEMA)


PATH = f"""CASE
    WHEN state & {OpenFlag.NO_PATH:d} <> 0 OR components = '' THEN NULL
    WHEN state & {OpenFlag.TRUNCATED_PATH:d} <> 0 THEN '...' ELSE ''
END || array_to_string(list_reverse(string_split(components, chr(0))), '/')"""
"""SQL: the path out of components from the last to the first, each ended by NUL."""

SOFTWARE_PLACES = (
    "^/(boot|etc|proc|sys)/"
    "|^/(usr/(local/)?)?(s?bin|lib[^/]*)/"
    "|^/usr/(local/)?(libexec|share/(locale|zoneinfo|terminfo))/"
    "|/lib/python3[^/]*/"
    "|/(site-packages|dist-packages|node_modules)/"
    r"|\.(pyc|so[.0-9]*)\z|/pyvenv\.cfg\z"
)
"""Where programs, libraries and settings are, as a regular expression: never part of a dataset with other files."""

NO_PATH = r"^([0-9]+:[0-9]+:[0-9]+$|unknown:|\.\.\./)"
"""What stands in place of a path of which nothing or only the end is known, as a regular expression."""

UNKNOWN_PATH = "concat(dev >> 20, ':', dev & 1048575, ':', ino)"
"""SQL: how a file without a known path is shown, major:minor:inode."""


MOST = 0.99
"""Share of a tree's bytes in one sub-directory from which on that is the dataset: a script may lie beside its data."""


def datasets(directories: Mapping[str, float], mounts: Iterable[str]) -> dict[str, str]:
    """Return the dataset of each directory that holds files, given with the sum of their sizes.

    From the directory's mount point one descends for as long as (nearly) all bytes of that mount lie in one single
    sub-directory; what lies beside is descended into alone.  The root file system is not one dataset: each of its
    top-level directories is descended into alone.  Relative directories, which some tools' traces have, are taken for
    those of one mount.
    """
    points = {mount.rstrip("/") or "/" for mount in mounts}
    trees: dict[str, dict[str, float]] = {}
    for directory, size in directories.items():
        trees.setdefault(_top(directory, points), {})[directory] = size + 1
    found = {}
    for left in trees.values():
        while left:
            root = _descend(left)
            for directory in [one for one in left if one == root or _is_below(one, root)]:
                found[directory] = root
                del left[directory]
    return found


def _descend(tree: Mapping[str, float]) -> str:
    root = _common(tree) or "."
    below: dict[str, float] = {}
    for directory, size in tree.items():
        if directory != root:
            name = directory.removeprefix(root if root == "/" else f"{root}/").partition("/")[0]
            child = name if root == "." else f"/{name}" if root == "/" else f"{root}/{name}"
            below[child] = below.get(child, 0) + size
    child = max(below, key=lambda child: below[child], default="")
    if not child or below[child] < MOST * sum(tree.values()):
        return root
    return _descend({one: size for one, size in tree.items() if one == child or _is_below(one, child)})


def _common(directories: Iterable[str]) -> str:
    """Return the longest common path; unlike os.path.commonpath it leaves s3://bucket as it is."""
    split = [directory.split("/") for directory in directories]
    pairs = zip(min(split), max(split), strict=False)
    shared = [first for first, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]
    return "/" if shared == [""] else "/".join(shared)


def _is_below(directory: str, root: str) -> bool:
    return root == "." or directory.startswith(root if root == "/" else f"{root}/")


def _top(directory: str, points: set[str]) -> str:
    """Return the mount point, or the top-level directory of the root mount, that a directory is under."""
    if not directory.startswith("/"):
        return ""
    top = directory
    while top not in points and top.count("/") > 1:
        top = top[: top.rindex("/")]
    return top
