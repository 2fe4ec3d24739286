"""Events and open files: what happened to files besides accesses, and what failed."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import Any

import pytest
from tests.kernel.recorded import Recorded, recorded

pytestmark = pytest.mark.kernel

LARGEFILE = 0o100000 if os.uname().machine == "x86_64" else 0


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    with recorded("events", tmp_path_factory.mktemp("events")) as trace:
        yield trace


def events(trace: Recorded, deed: str) -> list[tuple[Any, ...]]:
    """Return event, path after the deed's directory, and value of all but the closes."""
    rows = trace.rows(
        "SELECT event, path, value FROM events WHERE contains(path, ?) AND event <> 'close' "
        "ORDER BY start_ns, event <> 'rename_from'",
        trace.path(deed, "") + "/",
    )
    return [(event, path.replace(trace.path(deed, "") + "/", ""), value) for event, path, value in rows]


def test_flags_as_they_were_asked_for(trace: Recorded) -> None:
    path = trace.path("opened_in_many_ways")
    assert trace.rows(
        "SELECT flags, state FROM opens JOIN files USING (trace, file) WHERE path = ? ORDER BY open", path
    ) == [
        (flags | LARGEFILE, 0)
        for flags in (
            os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
            os.O_WRONLY | os.O_APPEND,
            os.O_RDWR | os.O_CREAT | os.O_TRUNC,
            os.O_RDONLY | os.O_DIRECT,
            os.O_RDONLY | os.O_CREAT | os.O_NOATIME,
        )
    ]


def test_what_cannot_be_opened_is_not_an_open_file(trace: Recorded) -> None:
    directory = trace.path("opened_in_vain", "")
    assert trace.rows("SELECT path FROM files WHERE starts_with(path, ?)", directory) == [(f"{directory}/there",)]
    assert trace.rows(
        "SELECT count(*) FROM opens JOIN files USING (trace, file) WHERE path = ?", f"{directory}/there"
    ) == [(1,)]


@pytest.mark.parametrize(
    ("deed", "expected"),
    [
        ("unlinked", [("unlink", name, 0) for name in ("one", "two", "three")]),
        (
            "renamed",
            [
                ("rename_from", "one", 0),
                ("rename_to", "two", 0),
                ("rename_from", "two", 0),
                ("rename_to", "sub/three", 0),
                ("rename_from", "other", 2),
                ("rename_to", "sub/three", 2),
            ],
        ),
        ("truncated", [("truncate", "file", 5003), ("truncate", "file", 11), ("truncate", "link", 0)]),
        ("synced", [("sync", "file", 0)] * 3),
        ("in_a_chroot", [("unlink", "...outside", 0)]),
        ("accesses_in_vain", [("error", "file", errno.EFAULT)] * 3 + [("error", "file", errno.EBADF)]),
        ("opened_in_many_ways", []),
        ("opened_in_vain", []),
    ],
)
def test_exactly_what_succeeded_or_an_access_that_failed(
    trace: Recorded, deed: str, expected: list[tuple[Any, ...]]
) -> None:
    assert events(trace, deed) == expected


def test_errors_name_the_access_that_failed(trace: Recorded) -> None:
    path = trace.path("accesses_in_vain")
    assert trace.rows(
        "SELECT op, count(*) FROM events WHERE path = ? AND event = 'error' GROUP BY op ORDER BY op", path
    ) == [
        ("read", 3),
        ("write", 1),
    ]
    assert trace.rows("SELECT op, count FROM runs JOIN files USING (trace, file) WHERE path = ?", path) == [
        ("write", 1)
    ]


def test_names_relative_to_the_root(trace: Recorded) -> None:
    rows = trace.rows("SELECT event, path FROM events WHERE path LIKE '/stepwell-test-%' AND event <> 'close'")
    assert [(event, path.rstrip("0123456789")) for event, path in rows] == [("unlink", "/stepwell-test-")]
    assert trace.rows("SELECT event FROM events WHERE path = '/inside' AND event <> 'close'") == [("unlink",)]


def test_of_a_long_name_the_end_is_kept(trace: Recorded) -> None:
    dots, names = (
        path
        for (path,) in trace.rows(
            "SELECT path FROM events WHERE event = 'unlink' AND length(path) > 3000 ORDER BY start_ns"
        )
    )
    assert dots.endswith("/" + "./" * 1999 + "file")
    assert names == "..." + ("/" + "d" * 240) * 16 + "/file"


def test_every_close_of_the_last_descriptor(trace: Recorded) -> None:
    path = trace.path("opened_in_many_ways")
    assert trace.rows("SELECT count(*) FROM events WHERE path = ? AND event = 'close'", path) == [(2,)]


def test_events_on_open_files_name_them_and_take_time(trace: Recorded) -> None:
    path = trace.path("synced")
    assert trace.rows(
        "SELECT event, count(*), count(DISTINCT open), min(latency_ns) > 0 FROM events WHERE path = ? AND open IN "
        "(SELECT open FROM opens WHERE flags & 3 = 2) GROUP BY event ORDER BY event::VARCHAR",
        path,
    ) == [("close", 1, 1, True), ("sync", 3, 1, True)]
