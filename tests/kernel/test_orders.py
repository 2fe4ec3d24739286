"""In which order real tools and loaders read files, recorded: what is told must be what each is known to do."""

from __future__ import annotations

import os
import random
import shlex
import sys
from pathlib import Path

import pytest
from tests.kernel.recorded import ROOT
from tests.kernel.tool import Stepwell

from stepwell.analysis.orders import Order, directory_ordered, orders
from stepwell.store import Store

pytestmark = pytest.mark.kernel

FILES, FOLDERS = 101, 5

LOADERS = {
    "name 3 3": ("name", "same", "partitioned", "static"),
    "listed 3 3": ("listing", "same", "partitioned", "static"),
    "size 3 3 --anew": ("size", "same", "partitioned", "static"),
    "shuffled 3 3": ("shuffled", "reshuffled", "partitioned", "re-dealt"),
    "shuffled 3 3 --anew": ("shuffled", "reshuffled", "partitioned", "re-dealt"),
    "once 3 3": ("shuffled", "same", "partitioned", "static"),
    "shuffled 3 3 --all": ("shuffled", "reshuffled", "all read all", ""),
}
"""By the loader's arguments: order, order over epochs, sharing, sharing over epochs."""


def make(root: Path) -> None:
    """Make files whose names, sizes, times and inodes have nothing to do with each other."""
    draw = random.Random(7)
    numbers, sizes, times = (draw.sample(range(FILES), FILES) for _ in range(3))
    for number, size, time in zip(numbers, sizes, times, strict=True):
        path = root / f"c{number * FOLDERS // FILES}" / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(8192 + 512 * size))
        os.utime(path, (1_700_000_000 + time, 1_700_000_000 + time))


class Recording:
    """What was told of each command, by its place in the script."""

    def __init__(self, directory: Path, data: Path, script: list[str]) -> None:
        stepwell = Stepwell(directory / "store.duckdb")
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"}
        done = stepwell.run("record", "--", "sh", "-ec", "\n".join(script), cwd=ROOT, env=environment)
        assert done.returncode == 0, done.stderr
        assert "nothing lost" in done.stderr, done.stderr
        with Store.open(stepwell.store, "r") as store:
            self.found = [order for order in orders(store, 1) if str(data).startswith(order.dataset)]

    def of(self, *words: str) -> Order:
        (order,) = (order for order in self.found if all(word in order.command for word in words))
        return order


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("orders") / "data"
    make(root)
    return root


@pytest.fixture(scope="module")
def tools(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    work = tmp_path_factory.mktemp("tools")
    where, copy = shlex.quote(str(data)), shlex.quote(str(work / "copy"))
    script = [
        f"tar cf - {where} | wc -c",
        f"grep -r absent {where} || true",
        f"cp -r {where} {copy}",
        f"find {where} -type f -exec md5sum {{}} \\; > {copy}.sums",
        f"find {where} -type f | sort -V | xargs sha1sum > {copy}.sums",
        f"find {where} -type f -printf '%s %p\\n' | sort -nr | cut -d' ' -f2 | xargs sha224sum > {copy}.sums",
        f"find {where} -type f -printf '%T@ %p\\n' | sort -n | cut -d' ' -f2 | xargs sha256sum > {copy}.sums",
        f"find {where} -type f -print0 | sort -zR | xargs -0 sha384sum > {copy}.sums",
        f"find {where} -type f -print0 | sort -z | xargs -0 -P3 -n1 sha512sum > {copy}.sums",
    ]
    return Recording(work, data, script)


def test_tools_that_walk_read_as_the_directories_list(tools: Recording, data: Path) -> None:
    listed = [entry.name for entry in os.scandir(data / "c0")]
    assert listed != sorted(listed), "this file system lists by name: nothing to tell apart"
    for words in (("tar",), ("grep",), ("md5sum",)):
        order = tools.of(*words)
        assert (order.files, order.visits, order.looping, order.epochs_found) == (FILES, FILES, "once", 1)
        assert (order.within.by, order.within.directories, order.steps.whole) == ("listing", "one by one", 1.0)
        verdict = directory_ordered([order])[order.dataset]
        assert verdict.ordered
        assert verdict.confidence > 0.7
    assert tools.of("md5sum").sharing.kind == "process per file"
    assert tools.of("grep").sharing.kind == "alone"


def test_cp_reads_by_inode(tools: Recording) -> None:
    """Coreutils sort directories by inode before copying (SAVEDIR_SORT_FASTREAD in savedir.h)."""
    within = tools.of("cp -r").within
    assert (within.by, within.backward, within.window, within.scope) == ("inode", False, 0, "directory")
    assert within.confidence > 0.95


def test_sorted_lists_are_told_by_what_they_are_sorted_by(tools: Recording) -> None:
    for command, by, backward in (
        ("sha1sum", "name", False),
        ("sha224sum", "size", True),
        ("sha256sum", "mtime", False),
    ):
        order = tools.of(command)
        assert (order.within.by, order.within.backward, order.within.window) == (by, backward, 0)
        assert (order.within.scope, order.within.also) == ("dataset", ())
        assert order.within.confidence > 0.95
        assert directory_ordered([order])[order.dataset].ordered == (by == "name")
    shuffled = tools.of("sha384sum")
    assert (shuffled.within.by, shuffled.within.directories, shuffled.within.also) == ("shuffled", "mixed", ())


def test_a_process_for_each_file_three_at_a_time_still_goes_by_name(tools: Recording) -> None:
    order = tools.of("sha512sum")
    assert (order.within.by, order.within.natural, order.within.window) == ("name", False, 0)
    assert order.sharing.kind == "process per file"


@pytest.fixture(scope="module")
def loaders(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    program = f"{shlex.quote(sys.executable)} -m tests.kernel.deeds.loaders {shlex.quote(str(data))}"
    runs = [*LOADERS, "drawn 3 3", "shuffled 1 3 --probe"]
    return Recording(tmp_path_factory.mktemp("loaders"), data, [f"{program} {run}" for run in runs])


@pytest.mark.parametrize("run", LOADERS)
def test_a_loader_with_workers(loaders: Recording, run: str) -> None:
    by, across, sharing, over = LOADERS[run]
    (order,) = (found for found in loaders.found if found.command.endswith(run))
    assert (order.looping, order.epochs_found) == ("epochs", 3)
    each = FILES * (3 if "all" in run else 1)
    assert [(epoch.files, epoch.visits) for epoch in order.epochs] == [(FILES, each)] * 3
    assert (order.within.by, order.within.window, order.across.relation) == (by, 0, across)
    assert (order.sharing.kind, order.sharing.over_epochs) == (sharing, over)
    assert order.sharing.readers == (9 if "anew" in run else 3)
    assert min(order.within.confidence, order.across.confidence, order.sharing.confidence) > 0.7
    if across == "same":
        assert order.across.hits > 0.6


def test_drawing_is_no_epoch_and_looking_at_headers_is_one_of_its_kind(loaders: Recording) -> None:
    drawn = loaders.of("drawn 3 3")
    assert (drawn.looping, drawn.epochs_found, drawn.within.by) == ("sampling", 0, "unknown")
    probing = loaders.of("--probe")
    assert [epoch.probe for epoch in probing.epochs] == [True, False, False, False]
    assert (probing.within.by, probing.across.relation) == ("shuffled", "reshuffled")
