"""What a user means by a name: a process, a dataset or a file of a trace."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from posixpath import basename, join, normpath

from stepwell.analysis.ask import Queryable, Row, rows
from stepwell.analysis.naming import called, titled
from stepwell.trace.errors import StepwellError

_SEVERAL = re.compile(r"^\d+ x ")

LISTED = 10
"""Most candidates that an error names."""

_PROCESSES = """
SELECT DISTINCT reader, pid, coalesce(comm, '') AS comm, coalesce(command, '') AS command FROM readers
WHERE trace = $1 AND reader IN (
    SELECT reader FROM runs WHERE trace = $1 UNION SELECT reader FROM counters WHERE trace = $1) ORDER BY reader
"""

_FILES = """
SELECT file, coalesce(path, '') AS path, coalesce(dataset, '') AS dataset FROM files
WHERE trace = $1 AND file IN (
    SELECT file FROM runs WHERE trace = $1 UNION SELECT file FROM counters WHERE trace = $1) ORDER BY path, file
"""

_CWD = "SELECT coalesce(cwd, '/') AS cwd FROM traces WHERE trace = $1"


class SubjectError(StepwellError):
    """A name that means nothing in the trace, or several things."""

    exit_code = 2


@dataclass(frozen=True)
class Subject:
    """One thing of a trace that can be explained."""

    scope: str
    """process, dataset or file"""
    name: str
    readers: tuple[int, ...] = ()
    dataset: str = ""
    files: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.scope} {self.name}"


def find(store: Queryable, trace: int, name: str) -> Subject:
    """Return what `name` means: a pid, a process's name, a dataset's directory, a file's path or the end of it.

    Several processes of one name are one subject; a path may be relative to where the recording was started.  Names as
    reports give them, with a pid behind (`cat 4242`) or a number before (`3 x cat`), are taken, too.  A script's name
    means its process rather than its file, another argument's name the file rather than who was given it.

    Raises:
        SubjectError: it means nothing, or several things; the message lists candidates.
    """
    processes = [row | {"name": called(row["comm"], row["command"])} for row in rows(store, _PROCESSES, trace)]
    files = rows(store, _FILES, trace)
    (place,) = rows(store, _CWD, trace)
    path = normpath(join(place["cwd"], name))
    named = [row for row in processes if name in {row["comm"], row["name"]}]
    data = [*_datasets(files, name, path), *_files(files, name, path)]
    found = _processes(named, name) or data or _processes(processes, name)
    if len(found) == 1:
        return found[0]
    if found:
        raise SubjectError(f"{name} can be {_listed([str(one) for one in found])}; give a pid or the whole path")
    datasets = sorted({row["dataset"] for row in files if row["dataset"]})
    known = [f"process {row['pid']} ({row['name']})" for row in processes] + [f"dataset {one}" for one in datasets]
    raise SubjectError(
        f"trace {trace} has no process, dataset or file {name}; it has {_listed(known) or 'no accesses at all'}"
        "; `stepwell report` shows more of it"
    )


def _processes(described: list[Row], name: str) -> list[Subject]:
    pid = name.rpartition(" ")[2]
    by_pid = [row for row in described if pid.isdecimal() and row["pid"] == int(pid)]
    name = _SEVERAL.sub("", name)
    chosen = by_pid or [
        row for row in described if name in {row["comm"], row["name"]} or name in _words(row["command"])
    ]
    if not chosen:
        return []
    title = titled(chosen[0]["name"], [row["pid"] for row in chosen])
    return [Subject("process", title, readers=tuple(row["reader"] for row in chosen))]


def _words(command: str) -> set[str]:
    """Return the names that a command goes by: of its program, and of what it was given, with and without directory."""
    try:
        words = shlex.split(command)[:3]
    except ValueError:
        words = command.split()[:3]
    return {part for word in words for part in (word, basename(word))}


def _datasets(files: list[Row], name: str, path: str) -> list[Subject]:
    wanted = {name.rstrip("/") or "/", path}
    return [
        Subject("dataset", dataset, dataset=dataset)
        for dataset in sorted({row["dataset"] for row in files} & wanted)
        if dataset
    ]


def _files(files: list[Row], name: str, path: str) -> list[Subject]:
    exact = [row for row in files if row["path"] in {name, path}]
    chosen = exact or [row for row in files if row["path"].endswith("/" + name.lstrip("/"))]
    by_path: dict[str, list[Row]] = {}
    for row in chosen:
        by_path.setdefault(row["path"], []).append(row)
    return [
        Subject("file", one, dataset=members[0]["dataset"], files=tuple(row["file"] for row in members))
        for one, members in by_path.items()
    ]


def _listed(names: list[str]) -> str:
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more:,} more" if more > 0 else "")
