"""DFTracer: real traces of known programs; and lines as no program writes them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.importers.bringing import bring, records
from tests.unit.importers.fuzzing import attempt, both_ways, hostile

from stepwell.collectors.importers import InputError, dftracer
from stepwell.collectors.importers.dftracer import CUT
from stepwell.collectors.importers.dftracer.events import ESTIMATED, FAILED, OTHER, STDIO
from stepwell.store import Store

FILES = Path(__file__).with_name("files")


def event(called: str, ts: int = 1_000, category: str = "POSIX", **given: object) -> dict[str, object]:
    fixed = {"id": 1, "name": called, "cat": category, "pid": 7, "tid": 7, "ph": "X", "ts": ts, "dur": 2}
    return fixed | {"args": {"hhash": "h"} | given}


def written(directory: Path, *lines: object, tail: str = "\n") -> Path:
    path = directory / "some.pfw"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(texts) + tail)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("many")


NAME = event("FH", category="dftracer", name="/d/a", value="fa")


def test_a_real_trace_of_posix_calls(tmp_path: Path, store: Store) -> None:
    """A file of a forked child before that of its parent, which alone has the name of what both read."""
    path = tmp_path / "all.pfw"
    path.write_bytes((FILES / "dftracer-posix.pfw").read_bytes())
    brought = bring(store, path)
    chunk, at = 4093, 11 * 4093 + 108
    expected = [("write", i * chunk, chunk) for i in range(23)]
    expected += [("read", i * chunk, chunk) for i in range(11)] + [("read", at - 7, 7)]
    expected += [("read", i * 8191, 509) for i in range(7)] + [("write", 5, 17)]
    # Of the 13 bytes that the program read through a descriptor of dup's, DFTracer knows nothing.
    expected += [("read", at, 30), ("read", at + 30, 48_965), ("read", at + 48_995, 0)]
    expected += [("write", 23 * chunk, 2), ("read", 1000, 4096)]
    accesses = """SELECT op::VARCHAR, "offset", size, pid, ppid, r.command
        FROM accesses JOIN readers r USING (trace, reader) WHERE trace = $trace ORDER BY pid DESC, seq"""
    child, *parent = brought.rows(accesses)
    assert child == ("read", 0, 31, 989, 979, "/usr/bin/python3 w.py")
    assert [row[:3] for row in parent] == expected
    assert {row[3:] for row in parent} == {(979, parent[0][4], "/usr/bin/python3 w.py")}
    assert brought.rows("SELECT DISTINCT path FROM files WHERE trace = $trace") == [("/data/data.bin",)]
    events = "SELECT event::VARCHAR, count(*) FROM events WHERE trace = $trace GROUP BY ALL ORDER BY 1"
    assert brought.rows(events) == [("close", 5), ("sync", 1), ("unlink", 1)]


def test_a_real_trace_of_stdio_in_several_gzip_members(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "stdio.pfw.gz"
    path.write_bytes((FILES / "dftracer-stdio.pfw.gz").read_bytes())
    brought = bring(store, path)
    expected = [("write", i * 997, 997) for i in range(13)] + [("read", 100, 77), ("read", 177, 77)]
    expected += [("read", i * 101, 101) for i in range(5)] + [("read", 12911, 50), ("read", 3, 10)]
    assert brought.accesses('op::VARCHAR, "offset", size') == expected
    assert brought.rows("SELECT max(requested) FROM accesses WHERE trace = $trace") == [(8192,)]
    assert STDIO in brought.written.limits
    assert brought.rows("SELECT event::VARCHAR, count(*) FROM events WHERE trace = $trace GROUP BY ALL ORDER BY 1") == [
        ("close", 2),
        ("unlink", 1),
    ]


def test_lines_in_brackets_with_commas_and_another_unit_of_time(tmp_path: Path, store: Store) -> None:
    unit = event("CM", category="dftracer", name="time_metric", value="NS")
    calls = [event("open", 5, fhash="fa", flags=0), event("read", 11, fhash="fa", ret=3, count=8)]
    lines = ["[", *(json.dumps(line) + "," for line in (unit, NAME, *calls)), "]"]
    brought = bring(store, written(tmp_path, *lines))
    assert brought.accesses('path, op::VARCHAR, "offset", size, requested, start_ns') == [("/d/a", "read", 0, 3, 8, 6)]


def test_what_is_known_of_positions_is_marked(tmp_path: Path, store: Store) -> None:
    def read(size: int) -> dict[str, object]:
        return event("read", fhash="fa", ret=size, count=size)

    opened, closed = event("open", fhash="fa", flags=0), event("close", fhash="fa", ret=0)
    lines = [NAME, read(5), opened, read(7), closed, opened, read(11), opened, read(13), closed, read(17)]
    brought = bring(store, written(tmp_path, *lines))
    found = brought.rows('SELECT "offset", size, flags FROM runs WHERE trace = $trace ORDER BY seq')
    assert next(row[0] for row in found) == 0
    assert sum(size for _, size, _ in found if size) == 5 + 7 + 11 + 13 + 17
    assert ESTIMATED in brought.rows("SELECT degraded FROM traces WHERE trace = $trace")[0][0]


def test_the_last_line_may_be_cut_and_no_other(tmp_path: Path, store: Store) -> None:
    call = event("pread", fhash="fa", ret=3, count=3, offset=29)
    brought = bring(store, written(tmp_path, NAME, call, '{"id":3,"name":"pre', tail=""))
    assert brought.accesses() == [("/d/a", "read", 29, 3)]
    assert brought.written.skipped == {CUT: 1}
    path = written(tmp_path, NAME, '{"id":3,"name":"pre', call)
    with pytest.raises(InputError, match=r"some\.pfw, line 2: no JSON object; correct"):
        bring(store, path)
    with pytest.raises(InputError, match=r"some\.pfw, line 1: no JSON object; is this DFTracer"):
        bring(store, written(tmp_path, "hello"))


def test_what_is_no_access_is_counted(tmp_path: Path, store: Store) -> None:
    lines = [
        NAME,
        event("read", fhash="fa", ret=-1, count=3),
        event("read", fhash="fa", ret="3", count=3),
        event("pread", fhash="fa", ret=10**30, count=3, offset=2**70),
        event("mkdir", fhash="fa", ret=0),
        event("step", category="TRAIN", epoch=3),
        event("read", ret=3),
        event("pwrite", fhash="fa", ret=2, count=2, offset=3),
    ]
    brought = bring(store, written(tmp_path, *lines))
    assert brought.accesses() == [("/d/a", "write", 3, 2)]
    assert brought.written.skipped == {
        FAILED: 2,
        OTHER: 3,
        "offset, size or time below 0, or beyond what Linux has": 1,
    }


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"x" * (2 << 20), "line 1: a line of more than 1,048,576 bytes"),
        (b'{"a":' * 150_000 + b"\n{}\n", "line 1: no JSON object"),
        (b'{"a":\0}\n', "line 1: a NUL byte"),
        (b"[1, 2]\n[3]\n", "line 1: no JSON object"),
        (b"\xff\xfe\n\xff\n", "line 1: no JSON object"),
        (b"\x1f\x8b\x08garbage", "byte "),
        (gzip.compress(b"{}\n" * 99)[:-9], "cut short"),
        (gzip.compress(b"{}\n") + b"rubbish", "damaged"),
        (gzip.compress(bytes(300 << 20), 9), "line 1: a line of more than"),
    ],
    ids=["long", "deep", "nul", "lists", "encoding", "no gzip", "cut gzip", "after gzip", "bomb"],
)
def test_hostile_files_are_refused_with_the_place(tmp_path: Path, store: Store, content: bytes, complaint: str) -> None:
    path = tmp_path / "some.pfw"
    path.write_bytes(content)
    before = store.rows("SELECT count(*) FROM traces")
    with pytest.raises(InputError) as caught:
        bring(store, path)
    assert complaint in str(caught.value)
    assert store.rows("SELECT count(*) FROM traces") == before
    assert not list(tmp_path.glob("*.import"))


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("fa")
names = st.sampled_from(["read", "pread64", "open", "fopen", "close", "lseek", "fseek", "fread", "start", "end", "FH"])
keys = st.sampled_from(["ret", "count", "size", "offset", "whence", "fhash", "mode", "flags", "value", "name", "ppid"])
events = st.fixed_dictionaries(
    {"name": names, "cat": st.sampled_from(["POSIX", "STDIO", "dftracer", 3]), "args": st.dictionaries(keys, values)},
    optional={"pid": values, "tid": values, "ts": values, "dur": values},
)


@given(st.lists(events, min_size=1, max_size=20))
@settings(max_examples=60)
def test_any_events_are_imported_or_refused(found: list[dict[str, object]]) -> None:
    attempt("\n".join(map(json.dumps, found)).encode(), "dftracer")


def test_a_compressed_file_of_empty_lines_is_refused_at_once(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "some.pfw.gz"
    path.write_bytes(gzip.compress(b"[\n" + b"\n" * (3 << 20)))
    with pytest.raises(InputError, match=r"line 1,048,576: 1,048,576 bytes of nothing but empty lines"):
        bring(store, path)


PLAIN = st.fixed_dictionaries(
    {
        "name": names | st.sampled_from(["write", "pwrite", "fwrite", "stat", "fsync", "preadv"]),
        "cat": st.sampled_from(["POSIX", "POSIX", "POSIX", "STDIO", "dftracer", "TRAIN"]),
        "pid": st.integers(1, 2),
        "tid": st.integers(1, 3),
        "ts": st.integers(1, 10**15),
        "dur": st.integers(0, 1000),
        "args": st.fixed_dictionaries(
            {"hhash": st.sampled_from("hg")},
            optional={
                "fhash": st.sampled_from(["fa", "fb", "null"]),
                "fname": st.just("/d/b"),
                "ret": st.integers(-2, 9000),
                "count": st.integers(0, 9000),
                "size": st.integers(0, 3),
                "offset": st.integers(-1, 2**63 - 1),
                "whence": st.integers(0, 2),
                "flags": st.sampled_from([0, 1, 0o2001]),
                "mode": st.sampled_from(["a+", "r", 438]),
            },
        ),
    }
)
ODD = st.sampled_from(["[", "", '{"a":[{"b":1},{"c":2}]}', '{"name":"read","cat":"POSIX","args":{"ret":1e3}}'])


@given(st.lists(st.tuples(PLAIN, st.integers(1, 40)), min_size=1, max_size=12), st.lists(ODD, max_size=2))
@settings(max_examples=60)
def test_many_lines_at_once_say_what_each_says(
    folder: Path, some: list[tuple[dict[str, object], int]], odd: list[str]
) -> None:
    """With a space before the last brace, which DFTracer never writes, the same events are taken one by one."""
    ordered = [({key: one[key] for key in sorted(one, key="args".__eq__)}, often) for one, often in some]
    events = [json.dumps({"id": i} | one) for one, often in ordered for i in range(often)]
    many = events * (30_000 // len("".join(events)) + 1)
    one_by_one, at_once = folder / "spaced.pfw", folder / "plain.pfw"
    for path, plain in ((one_by_one, False), (at_once, True)):
        lines = [line if plain else line[:-1] + " }" for line in [json.dumps(NAME), *many]]
        path.write_text("\n".join([*lines, *odd, *lines]))
    assert records(at_once) == records(one_by_one)


PIECES = (
    b'null|Inf|NaN|Infinity|1.0|1e3|"|\\|\\ud800|}|{|}}\n{|\n|\r\n|,|,\n| |\t|\xff|\xc3\xa9|-|01|99999999999999999999|'
    b'"ret":1,|"ret":-1|"ret":7|"ret":true|"ret":"7"|"fname":"/x"|"fhash":null|"args":{}|"args":[]|"cat":"STDIO"|"name":"fread"|'
    b'"ts":-1|"ts":9e9|"size":65537|"offset":9223372036854775807|"name":"CM"|[{"a":1},{"b":2}]|"x":{"y":{}}'
).split(b"|")
"""What lines may have in them that msgspec and Python's json do not take alike, and what looks as if."""


def plain_lines() -> bytes:
    """More lines than are taken one by one, as DFTracer writes them."""
    names = ["open", "read", "pread", "read", "write", "close", "mkdir"]
    called = [event(names[i % 7], i, fhash="fa", ret=i % 5, count=4, offset=i) for i in range(151)]
    return "".join(json.dumps(one, separators=(",", ":")) + "\n" for one in [NAME, *called]).encode()


def ways(path: Path) -> list[list[object]]:
    """What an import writes, or its error: with many lines taken at once, and with each by itself."""
    return both_ways(path, "dftracer", dftracer, "_FEWEST", path.stat().st_size + 1)


@pytest.mark.parametrize(
    "lines",
    [
        b'{"x":Inf}',
        b'{"x":NaN}',
        b'{"x":1}{"y":2}\n',  # two on one line, and none on the next
        b'{"x":[{"y":1},\n{"z":2}]}',
        b'{"x":"\xff"}',
        b'{"n\\u0061me":"read","c\\u0061t":"POSIX","ts":7,"args":{"fhash":"fa","r\\u0065t":1}}',
        b'{"x":' + b"9" * 5000 + b"}",
        b'{"name":"read","cat":"POSIX","ts":7,"args":{"fhash":"fa","ret":' + b"9" * 5000 + b"}}",
        b'{"name":"read","cat":"POSIX","ts":7,"args":{"hhash":0,"fhash":"fa","ret":1}}',
        b'{"name":"FH","cat":"dftracer","args":{"name":"/d/b","value":7}}',
        b'{"name":"FH","cat":"dftracer","args":{"name":"/d/\xff","value":"fa"}}',
        b'{"name":"\\ud800","cat":"POSIX","args":{"fhash":"\\ud800"}}',
        b'{"name":"read","cat":"POSIX","ts":7,"args":{"fhash":"\xff","ret":1}}',
        b'{"name":"read","cat":"POSIX","pid":7,"tid":7,"ts":7,"args":{"hhash":"h","fhash":null,"fname":"/d/b","ret":1}}',
        b'{"name":"read","cat":"POSIX","args":{"fhash":"fa","ret":1}}',
        b'{"name":"read","cat":"POSIX","ts":7}',
        b'{"name":"read","cat":"POSIX","ts":7,"args":{"fhash":"fa","ret":9223372036854775807}}',
        b'{"name":"fread","cat":"STDIO","ts":7,"args":{"fhash":"fa","ret":4611686018427387904,"size":4}}',
        b'{"name":"read","cat":"POSIX","ts":18446744073709552,"args":{"fhash":"fa","ret":1}}',
        b'{"name":"CM","cat":"dftracer","args":{"name":"time_metric","value":"S"}}',
    ],
)
def test_what_two_readers_of_json_take_differently(folder: Path, lines: bytes) -> None:
    path = folder / "different.pfw"
    path.write_bytes(plain_lines() + lines + b"\n" + plain_lines())
    at_once, one_by_one = ways(path)
    assert at_once == one_by_one


@given(st.data())
@settings(max_examples=100)
def test_hostile_lines_are_taken_as_if_each_came_alone(folder: Path, data: st.DataObject) -> None:
    path = folder / "hostile.pfw"
    path.write_bytes(hostile(data, plain_lines(), PIECES))
    at_once, one_by_one = ways(path)
    assert at_once == one_by_one
