"""JuiceFS's access log: a real one of version 1.4, lines of older versions, and no lines at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernel.tool import wait_until
from tests.unit.importers.bringing import bring
from tests.unit.importers.fuzzing import attempt, both_ways, hostile, one_by_one

from stepwell.collectors.importers import InputError, juicefs
from stepwell.collectors.importers.juicefs import CUT, UNREAD
from stepwell.store import Store

FILES = Path(__file__).with_name("files")
WHO = "[uid:1000,gid:100,pid:4403]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("many")


def log(directory: Path, *lines: str) -> Path:
    path = directory / "access.log"
    path.write_text("".join(f"2021.01.15 08:26:11.00{i:04} {WHO} {line}\n" for i, line in enumerate(lines)))
    return path


def test_a_real_log(tmp_path: Path, store: Store) -> None:
    """What wrote it: 23 writes of 4,093 bytes (which the kernel splits at pages), 7 direct reads, a whole read, ..."""
    path = tmp_path / "log"
    path.write_bytes((FILES / "juicefs-1.4.log").read_bytes())
    brought = bring(store, path)
    name = "/d/name, with (x).bin"
    written = brought.rows("""SELECT "offset", size FROM accesses WHERE trace = $trace AND path = '/d/e/a.bin'
        AND op = 'write' ORDER BY seq""")
    assert len(written) == 45
    assert [offset for offset, _ in written] == [sum(size for _, size in written[:i]) for i in range(45)]
    assert sum(size for _, size in written) == 23 * 4093
    assert [row for row in brought.accesses() if row[1] != "write"] == [
        *(("/d/e/a.bin", "read", i * 8192, 4096) for i in range(7)),
        (name, "read", 0, 23 * 4093),
        ("/ro", "copy", 0, 1000),
    ]
    assert brought.rows(
        "SELECT requested FROM accesses WHERE trace = $trace AND path = ? ".replace("?", f"'{name}'")
    ) == [(94208,)]
    assert brought.rows("SELECT event::VARCHAR, path, value FROM events WHERE trace = $trace AND event <> 'close'") == [
        ("sync", "/d/e/a.bin", 0),
        ("rename_from", "/d/e/a.bin", 0),
        ("rename_to", name, 0),
        ("truncate", name, 1000),
        ("unlink", "/l", 0),
    ]
    assert brought.rows("SELECT count(*) FROM events WHERE trace = $trace AND event = 'close'") == [(7,)]
    flags = brought.rows(
        "SELECT flags FROM opens WHERE trace = $trace AND path = '/d/e/a.bin'".replace(
            "opens WHERE", "opens JOIN files USING (trace, file) WHERE"
        )
    )
    assert sorted(of & os.O_DIRECT for (of,) in flags) == [0, os.O_DIRECT]
    assert brought.rows("SELECT pid, uid FROM readers WHERE trace = $trace AND reader IN "
                        "(SELECT reader FROM accesses WHERE trace = $trace)") == [(29078, 0)]  # fmt: skip
    assert not brought.written.skipped


def test_lines_before_version_1_4(tmp_path: Path, store: Store) -> None:
    entry = "[-rw-r--r--:0100644,1,0,0,1650446639,1650446639,1650446639,212]"
    brought = bring(
        store,
        log(
            tmp_path,
            "lookup (1,d): OK (5,[drwxr-xr-x:0040755,2,0,0,1,1,1,4096]) <0.000010>",
            f"lookup (5,a): OK (17669,{entry}) <0.000010>",
            "open (17669): OK [fh:11] <0.000029>",
            "write (17669,8666,4993160,11): OK <0.000010>",
            "write (17669,8666,5001826): OK <0.000010>",
            "read (17669,131072,0,11): OK (212) <1.000013>",
            "read (99,4096,7): OK (4096) <0.000001>",
            "read (17669,131072,0,11): input/output error (0) <0.000013>",
            "release (17669): OK <0.000001>",
            "lookup (1,x): no such file or directory <0.000010>",
        ),
    )
    assert brought.accesses('path, op::VARCHAR, "offset", size, requested') == [
        ("/d/a", "write", 4993160, 8666, 8666),
        ("/d/a", "write", 5001826, 8666, 8666),
        ("/d/a", "read", 0, 212, 131072),
        ("inode:99", "read", 7, 4096, 4096),
    ]
    assert brought.rows("SELECT event::VARCHAR, value FROM events WHERE trace = $trace") == [("error", 5), ("close", 0)]
    assert brought.rows("SELECT count(DISTINCT open) FROM runs WHERE trace = $trace") == [(2,)]
    assert brought.rows("SELECT max(latency_max_ns) FROM runs WHERE trace = $trace") == [(1_000_013_000,)]
    assert brought.rows("SELECT pid, uid FROM readers WHERE trace = $trace") == [(4403, 1000)]


def test_a_rename_moves_what_is_below(tmp_path: Path, store: Store) -> None:
    brought = bring(
        store,
        log(
            tmp_path,
            "mkdir (1,a,2,b,?rwxr-xr-x:00755): (7,[drwxr-xr-x:0040755,2,0,0,1,1,1,4096]) - OK <0.000010>",
            "create (7,f,-rw-r--r--:0100644): (8,[-rw-r--r--:0100644,1,0,0,1,1,1,0]) [fh:3] - OK <0.000010>",
            "rename (1,a,2,b,1,c,4,d,0) - OK <0.000010>",
            "open (8,0x8000) [fh:4] - OK <0.000010>",
            "read (8,1,0,4): (0) - OK <0.000010>",
        ),
    )
    assert brought.accesses("path") == [("/c,4,d/f",)]


def test_only_the_last_line_may_be_cut(tmp_path: Path, store: Store) -> None:
    path = log(tmp_path, "read (9,1,0,4): (1) - OK <0.000010>", "write (1,2) - OK <0.000010>")
    with path.open("a") as file:
        file.write("2021.01.15 08:26:11.0")
    brought = bring(store, path)
    assert brought.written.skipped == {UNREAD: 1, CUT: 1}
    with path.open("a") as file:
        file.write("\n#\nhello\n")
    with pytest.raises(InputError, match=r"access\.log, line 3: no line of JuiceFS"):
        bring(store, path)


@pytest.mark.parametrize(
    "time", ["2021.13.15 08:26:11.000000", "9999.12.31 23:59:59.000000", "0001.01.01 00:00:00.000000"]
)
def test_absurd_times(tmp_path: Path, store: Store, time: str) -> None:
    path = tmp_path / "log"
    path.write_text(f"{time} {WHO} read (9,1,0,4): (1) - OK <999999999.000010>\n" * 2)
    try:
        assert len(bring(store, path, "juicefs").accesses()) + len(bring(store, path, "juicefs").written.skipped) >= 0
    except InputError as error:
        assert "line 1: no line of JuiceFS" in str(error)  # noqa: PT017 - either is right


arguments = st.lists(
    st.sampled_from(["1", "4", "99999999999999999999", "a", "a,b", "-rw:0644", "0x8000", "é"]), max_size=6
)
ends = st.sampled_from(
    [" - OK", ": OK", ": (3) - OK", ": OK (2)", ": (4,[-rw:0644,1,0,0,1,1,1,7]) [fh:3] - OK", " - x", ""]
)
operations = st.sampled_from(
    ["read", "write", "open", "create", "release", "rename", "lookup", "unlink", "setattr", "fsync", "copy_file_range"]
)
lines = st.builds(lambda op, args, end: f"{op} ({','.join(args)}){end} <0.000001>", operations, arguments, ends)


@given(st.lists(lines | st.text(max_size=20), min_size=1, max_size=30))
@settings(max_examples=150)
def test_any_lines_are_imported_or_refused(found: list[str]) -> None:
    text = "\n".join(f"2021.01.15 08:26:11.000001 {WHO} {line}" for line in found)
    attempt(text.encode("utf-8", "replace"), "juicefs")


TIMES = st.sampled_from(
    ["2021.01.15 08:26:11.000001"] * 5 + ["2021.01.15 08:26:12.999999", "1969.12.31 00:00:00.000000"]
)
DIGITS = st.sampled_from(["0", "1", "4", "5", "007", "4096", "5001826", "9" * 18, "9" * 19, str(0x7FFFFFFF00000001)])
TRANSFERS = st.builds(
    "{} ({},{},{}{}){}".format,
    st.sampled_from(["read", "write"]), st.sampled_from(["4", "5", "04"]), DIGITS, DIGITS,
    st.sampled_from([",5", ",5", ",7", ",0", ""]),
    st.sampled_from([": (4096) - OK", " - OK", ": OK", ": OK (7)", ": (0) - input/output error", ": (5)"]),
)  # fmt: skip
OTHERS = st.sampled_from([
    "open (4,0x8000): (4) [fh:5] - OK", "open (5): OK (5) [fh:7]", "release (4,5) - OK", "release (5,7): OK",
    "lookup (1,a): (4,[-rw-r--r--:0100644,1,0,0,1,1,1,90]) - OK", "copy_file_range (4,0,5,8,100,0) - OK",
])  # fmt: skip
LATENCIES = st.sampled_from(["0.000401", "0.000401", "9.000000"])
WHOLE_LINES = st.builds("{} {} {} <{}>".format, TIMES, st.just(WHO), TRANSFERS | OTHERS, LATENCIES)
PIECES = b"#|\n|\n\n|\r|\r\n|\xff|(|)|,| |: OK| - OK|-1|\xd9\xa1|<1.000000>|<1.5>|2021.13.01|read".split(b"|")


@given(st.lists(WHOLE_LINES, min_size=2, max_size=40), st.data())
@settings(max_examples=150)
def test_many_lines_at_once_say_what_each_says(folder: Path, lines: list[str], data: st.DataObject) -> None:
    path = folder / "log"
    content = "".join(line + "\n" for line in lines).encode()
    path.write_bytes(hostile(data, content, PIECES) if data.draw(st.booleans()) else content)
    at_once, each = both_ways(path, "juicefs", juicefs, "_LINES", one_by_one(juicefs._LINES))
    assert at_once == each


JUICEFS = shutil.which("juicefs", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))


@pytest.mark.skipif(not JUICEFS or os.geteuid() != 0 or not Path("/dev/fuse").exists(), reason="needs JuiceFS and FUSE")
def test_juicefs_itself(tmp_path: Path, store: Store) -> None:
    assert JUICEFS
    meta, mount, copied = f"sqlite3://{tmp_path}/meta.db", tmp_path / "mnt", tmp_path / "access.log"
    mount.mkdir()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    bucket = ["--storage", "file", "--bucket", f"{tmp_path}/data/"]
    subprocess.run([JUICEFS, "format", meta, "test", *bucket], check=True, timeout=60, **quiet)  # type: ignore[call-overload]
    options = ["--no-usage-report", "--cache-dir", f"{tmp_path}/cache"]
    with subprocess.Popen([JUICEFS, "mount", *options, meta, str(mount)], **quiet) as daemon:  # type: ignore[call-overload]
        try:
            wait_until((mount / ".accesslog").exists, "no mount")
            with copied.open("wb") as out, subprocess.Popen(["cat", mount / ".accesslog"], stdout=out) as cat:
                try:
                    wait_until(lambda: (mount.stat(), copied.stat().st_size)[1] > 0, "no log")
                    with (mount / "a").open("wb", buffering=0) as file:
                        file.write(b"x" * 8191)
                    with (mount / "a").open("rb", buffering=0) as file:
                        file.read()
                    wait_until(lambda: (mount.stat(), copied.read_bytes().count(b" release ("))[1] >= 2, "no release")
                finally:
                    cat.kill()
        finally:
            subprocess.run(["umount", "-l", mount], check=False)
            daemon.terminate()
    brought = bring(store, copied, "juicefs")
    written = [row for row in brought.accesses() if row[:2] == ("/a", "write")]
    assert sum(size for *_, size in written) == 8191
    assert {row[0] for row in brought.accesses()} == {"/a"}
    assert brought.rows("SELECT sum(size) FROM accesses WHERE trace = $trace AND op = 'read'")[0][0] == 8191
