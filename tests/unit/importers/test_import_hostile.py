"""Files that are broken, cut, hostile or none: one error that names file and place, nothing half-imported."""

from __future__ import annotations

import gzip
import os
import socket
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.importers.bringing import bring
from tests.unit.importers.test_import_blkparse import LOG as BLKPARSE

from stepwell.collectors.importers import FORMATS, Import, Input, InputError
from stepwell.collectors.importers.source import MAX_LINE_BYTES
from stepwell.store import Store
from stepwell.trace.errors import StepwellError

STRACE = r"""
7 1700000000.000001 execve("/bin/x", ["x", "a b"], 0x7ffc /* 35 vars */) = 0 <0.000287>
7 1700000000.000002 openat(AT_FDCWD</d>, "a", O_RDWR|O_CLOEXEC) = 3</d/a> <0.000010>
7 1700000000.000003 newfstatat(3</d/a>, "", {st_mode=S_IFREG|0644, st_size=1000, ...}, AT_EMPTY_PATH) = 0 <0.000009>
7 1700000000.000004 read(3</d/a>, "x\"), 5) = 9 <0.1>", 100) = 13 <0.000012>
7 1700000000.000005 clone(child_stack=NULL, flags=CLONE_VM|CLONE_FILES|CLONE_THREAD <unfinished ...>
8 1700000000.000006 preadv2(3</d/a>, [{iov_base="xxx", iov_len=3}, {iov_base="", iov_len=5}], 2, 7, 0) = 8 <0.000017>
7 1700000000.000007 <... clone resumed>, child_tidptr=0x7) = 8 <0.000221>
7 1700000000.000008 sendfile(4<socket:[1]>, 3</d/a>, [100] => [150], 50) = 50 <0.000021>
8 1700000000.000009 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED} ---
8 1700000000.000010 +++ exited with 0 +++
7 1700000000.000011 rename("/d/a", "/d/b") = 0 <0.000041>
7 1700000000.000012 +++ killed by SIGKILL (core dumped) +++
""".lstrip()

FIO = """fio version 3 iolog
1 /d/a add
2 /d/a open
3 /d/a read 0 10
4 /d/a write 10 10
5 /d/a sync 0 0
6 /d/a close
"""

DFTRACER = """{"name":"FH","cat":"dftracer","type":1,"pid":7,"tid":7,"ph":4,"args":{"hhash":"h","name":"/d/a","value":"fa"}}
{"id":1,"name":"open64","cat":"POSIX","type":3,"pid":7,"tid":7,"ts":100,"dur":4,"ph":1,"args":{"hhash":"h","fhash":"fa"}}
{"id":2,"name":"read","cat":"POSIX","type":3,"pid":7,"tid":7,"ts":105,"dur":2,"ph":1,"args":{"ret":7,"count":9,"fhash":"fa"}}
{"id":3,"name":"fread","cat":"STDIO","pid":7,"tid":8,"ts":111,"dur":3,"ph":1,"args":{"ret":2,"size":3,"fhash":"fa"}}
{"id":4,"name":"end","cat":"dftracer","pid":7,"tid":7,"ts":117,"dur":0,"ph":1,"args":{"app":{},"used":{"LIBC_IO":1}}}
"""  # noqa: E501 - as DFTracer writes them

JUICEFS = """2026.11.25 16:38:41.482688 [uid:0,gid:0,pid:7] lookup (1,a): (2,[-rw-r--r--:0100644,1,0,0,1,1,1,90]) - OK <0.000101>
2026.11.25 16:38:41.482699 [uid:0,gid:0,pid:7] open (2,0x8000): (2) [fh:5] - OK <0.000011>
2026.11.25 16:38:41.482788 [uid:0,gid:0,pid:7] read (2,40,0,5): (40) - OK <0.000401>
2026.11.25 16:38:41.482789 [uid:0,gid:0,pid:7] write (2,11,40,5) - OK <0.000010>
2026.11.25 16:38:41.482801 [uid:0,gid:0,pid:7] release (2,5) - OK <0.000003>
"""  # noqa: E501 - as JuiceFS writes them

CSV = "path,op,offset,size,pid,start_ns\n/d/a,read,0,10,7,100\n/d/a,read,10,10,7,101\n/d/b,write,0,3,8,102\n"


def parquet() -> bytes:
    sink = pa.BufferOutputStream()
    rows = {"path": ["/d/a", "/d/b"] * 7, "op": ["read"] * 14, "offset": list(range(14)), "size": [10] * 14}
    pa.parquet.write_table(pa.table(rows), sink)
    whole: bytes = sink.getvalue().to_pybytes()
    return whole


WHOLE: dict[str, bytes] = {
    "strace": STRACE.encode(),
    "fio": FIO.encode(),
    "blkparse": BLKPARSE.encode(),
    "dftracer": DFTRACER.encode(),
    "juicefs": JUICEFS.encode(),
    "csv": CSV.encode(),
    "parquet": parquet(),
}
"""One good file of each format: what is done to it makes the bad ones."""

TEXT = [name for name in WHOLE if name != "parquet"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.file"


def refused(path: Path, format_name: str | None = None) -> str:
    """The error that the file gives; nothing is left of it."""
    with pytest.raises(InputError) as caught, Import(path, path.parent, format_name) as bringing:
        bringing.write()
    assert not list(path.parent.glob("*.import"))
    message = str(caught.value)
    assert caught.value.exit_code == 6
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", WHOLE)
def test_the_good_ones_are_found_by_their_content(store: Store, path: Path, name: str) -> None:
    path.write_bytes(WHOLE[name])
    brought = bring(store, path)
    assert brought.rows("SELECT collector FROM traces WHERE trace = $trace") == [(f"import {name}",)]
    assert brought.accesses()


@pytest.mark.parametrize("name", TEXT)
def test_compressed_ones_too_in_several_members(store: Store, path: Path, name: str) -> None:
    half = len(WHOLE[name]) // 2
    plain = path.with_name("plain")
    plain.write_bytes(WHOLE[name])
    path.write_bytes(gzip.compress(WHOLE[name][:half]) + gzip.compress(WHOLE[name][half:]))
    expected = bring(store, plain).accesses()
    assert bring(store, path).accesses() == expected
    path.write_bytes(gzip.compress(WHOLE[name])[:-11])
    assert "the compressed data is cut short; copy the file again" in refused(path)
    damaged = bytearray(gzip.compress(WHOLE[name]))
    damaged[-6] ^= 1
    path.write_bytes(damaged)
    assert "damaged compressed data" in refused(path)


@pytest.mark.parametrize("name", WHOLE)
def test_cut_anywhere_gives_a_trace_or_one_error(path: Path, name: str) -> None:
    """Within the last line it may be noticed or not, never before: what is told is never more than the file has."""
    whole = WHOLE[name]
    for length in range(1, len(whole), 7 if name == "strace" else 3):
        path.write_bytes(whole[:length])
        try:
            with Import(path, path.parent, name) as bringing:
                bringing.write()
        except InputError as error:
            assert str(error).startswith(str(path))  # noqa: PT017 - either is right
        assert not list(path.parent.glob("*.import"))
    if name == "parquet":
        assert "damaged or no Parquet" in refused(path, name)


def test_a_pipe_that_nobody_writes_does_not_wait(path: Path) -> None:
    os.mkfifo(path)
    assert refused(path) == f"{path}: this is a pipe; write what comes out of it into a file and import that"


def test_what_is_no_file(tmp_path: Path) -> None:
    assert refused(tmp_path) == f"{tmp_path}: this is a directory; give the files in it"
    missing = tmp_path / "missing\x1b[31m"
    assert refused(missing) == rf"{tmp_path}/missing\x1b[31m: No such file or directory; check its path and permissions"
    with pytest.raises(InputError, match="this is a device; give a file"):
        Input(Path("/dev/null"))
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket"))
        assert "No such device or address; give a file" in refused(tmp_path / "socket")
    (tmp_path / "empty").touch()
    assert refused(tmp_path / "empty").endswith("the file is empty; was the tool stopped before it wrote anything?")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert "Too many levels of symbolic links" in refused(loop)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(path: Path) -> None:
    path.write_bytes(WHOLE["fio"])
    path.chmod(0)
    assert "Permission denied; check its path and permissions" in refused(path)


def test_what_no_format_takes_lists_the_formats(path: Path) -> None:
    path.write_bytes(os.urandom(4096).replace(b"\x1f", b"x"))
    assert refused(path).endswith(
        f"no format that is known ({', '.join(FORMATS)}); if it is one of these, say so with --format"
    )


@pytest.mark.parametrize("name", [name for name in TEXT if name != "csv"])
def test_a_line_of_10_mb(path: Path, name: str) -> None:
    lines = WHOLE[name].split(b"\n")
    path.write_bytes(b"\n".join([*lines[:3], b"x" * 10_000_000, *lines[3:]]))
    assert f", line 4: a line of more than {MAX_LINE_BYTES:,} bytes" in refused(path, name)


def test_a_row_of_10_mb(path: Path) -> None:
    path.write_bytes(WHOLE["csv"] + b"/d/" + b"x" * 10_000_000 + b",read,0,1,7,103\n")
    assert "a row of more than 2,097,152 bytes, or a quotation that does not end" in refused(path)


@pytest.mark.parametrize("name", [name for name in TEXT if name != "csv"])
def test_nul_bytes_after_a_crash(path: Path, name: str) -> None:
    path.write_bytes(WHOLE[name] + bytes(512))
    line = WHOLE[name].count(b"\n") + 1
    assert f", line {line}: a NUL byte in the line; this is no text, or the file was damaged" in refused(path, name)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "cp037"])
@pytest.mark.parametrize("name", TEXT)
def test_other_encodings(path: Path, name: str, encoding: str) -> None:
    path.write_bytes(WHOLE[name].decode().replace("é", "e").encode(encoding))
    refused(path)
    refused(path, name)


def test_names_in_latin_1(store: Store, path: Path) -> None:
    path.write_bytes(WHOLE["fio"].replace(b"/d/a", b"/d/\xe9"))
    assert bring(store, path).accesses("path") == [(r"/d/\xe9",)] * 2
    path.write_bytes(WHOLE["csv"].replace(b"/d/a", b"/d/\xe9"))
    assert ", row 1: column path: to string: invalid UTF8 data; correct it" in refused(path)


def test_a_gzip_bomb(path: Path) -> None:
    packer = zlib.compressobj(9, wbits=31)
    lines = b"\n" * (1 << 20)
    with path.open("wb") as file:
        file.write(packer.compress(b"fio version 3 iolog\n"))
        for _ in range(400):
            file.write(packer.compress(lines))
        file.write(packer.flush())
    with (
        Input(path) as source,
        pytest.raises(InputError, match=r"byte [\d,]+: .* came out of .* compressed ones, which"),
    ):
        source.stream().read()


def test_a_bomb_of_one_line(path: Path) -> None:
    path.write_bytes(gzip.compress(b"fio version 3 iolog\n" + bytes(200_000_000)))
    assert "a line of more than" in refused(path)


@pytest.mark.parametrize(
    "change", [lambda path: path.write_bytes(WHOLE["fio"] * 2), lambda path: os.truncate(path, 20)]
)
def test_a_file_that_changes_while_it_is_read(path: Path, change: Callable[[Path], None]) -> None:
    path.write_bytes(WHOLE["fio"])
    with Import(path, path.parent) as bringing:
        change(path)
        with pytest.raises(InputError):
            bringing.write()


def test_a_file_that_vanishes_is_read_to_its_end(path: Path) -> None:
    path.write_bytes(WHOLE["fio"])
    with Import(path, path.parent) as bringing:
        path.unlink()
        bringing.write()
        assert bringing.spool.exists()


def test_absurd_numbers(store: Store, path: Path) -> None:
    numbers = [0, 2**63 - 1, 2**63, 2**64 - 1, 2**64]
    lines = [f"{time} /a read {offset} {size}\n" for time in numbers for offset in numbers for size in numbers]
    path.write_text("fio version 3 iolog\n" + "".join(lines))
    brought = bring(store, path)
    assert brought.accesses('"offset", size') == [(0, 0), (2**63 - 1, 0)]  # of all, at the time 0
    assert sum(brought.written.skipped.values()) == len(lines) - 2
    assert brought.rows("SELECT lost FROM traces WHERE trace = $trace") == [(0,)]


TOKENS = {
    "strace": b"""7 |8 |1700000000.000001 |read(|3</d/a>|, |"x"|...|) = |13|-1 EIO (x)| <0.1>|\n|clone(|CLONE_FILES|?|<
|>|"|\\|[| <unfinished ...>|<... read resumed>|+++ exited with 0 +++|{|}|]|iov_len=999999999999999999|preadv(|close(""",
    "fio": b"fio version 2 iolog\n|fio version 3 iolog\n|/d/a |read |open\n|close\n|0 |10 |-|\n|9999999999999 |wait ",
    "blkparse": b"8,0 |1 |0.000001829 |Q |C |D |R |WS |2048 + 8 |[dd]|\n|CPU0 (|Skips: 3 forward",
    "dftracer": b"""{"name":"read"|,"cat":"POSIX"|"STDIO"|"dftracer"|"FH"|,"args":{|}|}\n|"ret":|"fhash":"fa"|"ts":|7|-1
|null|[|,""",
    "juicefs": b"""2026.11.25 16:38:41.482688 |[uid:0,gid:0,pid:7] |read |(2,40,0,5)|: (40)| - OK| <0.000401>|
|write |(|2,a)""",
    "csv": b"""path,op,offset,size|,seq|,interpolated|,tid|\n|,|/d/a|read|write|0|1|-1|"|true|9999999999999999|\xff""",
    "parquet": b"PAR1|\x15\x04|\x00\x00\x00\x00|\xff\xff\xff\x7f",
}
"""What lines of a format are made of, between bars."""


@st.composite
def mangled(draw: st.DrawFn, name: str) -> bytes:
    """Any bytes; a whole file with some bytes changed, cut out or doubled; or pieces of the format in any order."""
    tokens = TOKENS[name].split(b"|")
    way = draw(st.integers(0, 2))
    if way == 0:
        return draw(st.binary(min_size=1, max_size=200))
    if way == 1:
        return b"".join(draw(st.lists(st.sampled_from(tokens) | st.binary(max_size=3), max_size=60))) or b"x"
    content = bytearray(WHOLE[name])
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(content) - 1))
        length = draw(st.integers(0, 40))
        piece = draw(st.binary(max_size=9) | st.sampled_from([*tokens, bytes(content[at : at + length])]))
        content[at : at + draw(st.integers(0, length))] = piece * draw(st.sampled_from([1, 1, 1, 2, 23]))
    return bytes(content) or b"x"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mangled")


@pytest.mark.parametrize("name", WHOLE)
@given(data=st.data())
def test_any_bytes_give_a_trace_or_one_error(store: Store, folder: Path, name: str, data: st.DataObject) -> None:
    path = folder / "mangled"
    path.write_bytes(data.draw(mangled(name)))
    try:
        brought = bring(store, path, name)
    except StepwellError as error:
        assert str(error).startswith(str(path))  # noqa: PT017 - either is right
    else:
        accesses, lost = brought.rows("SELECT accesses, lost FROM traces WHERE trace = $trace")[0]
        assert brought.rows("SELECT count(*) FROM accesses WHERE trace = $trace") == [(accesses,)]
        assert lost == 0 or name == "blkparse"
    assert not list(folder.glob("*.import"))
