"""strace's text: every access at its offset, whatever came before."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.importers.bringing import Brought, bring
from tests.unit.importers.fuzzing import both_ways, hostile, one_by_one

from stepwell.collectors.importers import InputError
from stepwell.collectors.importers.strace import calls
from stepwell.collectors.importers.strace.lines import LINES
from stepwell.store import Store


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "strace.log"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("many")


def timed(lines: str) -> str:
    """Put a time before each line, a millisecond after the other, behind its thread."""
    made = []
    for number, line in enumerate(lines.strip().splitlines()):
        tid, _, rest = line.strip().partition(" ")
        made.append(f"{tid} 1700000000.{number:03}000 {rest}\n")
    return "".join(made)


def imported(store: Store, log: Path, lines: str) -> Brought:
    log.write_text(timed(lines))
    return bring(store, log, "strace")


def accesses(brought: Brought) -> list[tuple[object, ...]]:
    """Thread, path, operation, offset, size and bytes asked for, in the order of each thread."""
    return brought.rows("""SELECT tid, path, op::VARCHAR, "offset", size, requested
        FROM accesses JOIN threads USING (trace, reader, thread) WHERE trace = $trace ORDER BY tid, seq""")


def test_positions_follow_reads_writes_and_seeks(store: Store, log: Path) -> None:
    brought = imported(
        store,
        log,
        r"""
        7 openat(AT_FDCWD</d>, "a", O_RDWR|O_CLOEXEC) = 3</d/a> <0.000010>
        7 read(3</d/a>, "xx"..., 4096) = 4096 <0.000011>
        7 read(3</d/a>, "x\"), 5) = 9 <0.1>", 100) = 13 <0.000012>
        7 pread64(3</d/a>, "x", 10, 9000) = 10 <0.000013>
        7 lseek(3</d/a>, -5, SEEK_END) = 10002 <0.000007>
        7 read(3</d/a>, "xxxxx", 10) = 5 <0.000007>
        7 read(3</d/a>, "", 10)         = 0 <0.000007>
        7 write(3</d/a>, "ab", 2) = 2 <0.000007>
        7 pwrite64(3</d/a>, "ab", 2, 9223372036854775000) = 2 <0.000007>
        7 readv(3</d/a>, [{iov_base="iov_len=9", iov_len=3}, {iov_base="", iov_len=5}], 2) = 4 <0.000007>
        7 preadv2(3</d/a>, [{iov_base="x", iov_len=3}], 1, -1, 0) = 3 <0.000007>
        7 preadv(3</d/a>, [{iov_base="x", iov_len=3}, ...], 99, 17) = 200 <0.000007>
        7 read(3</d/a>, 0x7ffd, 10) = ? ERESTARTSYS (To be restarted if SA_RESTART is set) <0.000007>
        7 read(3</d/a>, 0x7ffd, 10) = -1 EIO (Input/output error) <0.000007>
        7 close(3</d/a>) = 0 <0.000009>
        """,
    )
    assert accesses(brought) == [
        (7, "/d/a", "read", 0, 4096, 4096),
        (7, "/d/a", "read", 4096, 13, 100),
        (7, "/d/a", "read", 9000, 10, 10),
        (7, "/d/a", "read", 10002, 5, 10),
        (7, "/d/a", "read", 10007, 0, 10),
        (7, "/d/a", "write", 10007, 2, 2),
        (7, "/d/a", "write", 9223372036854775000, 2, 2),
        (7, "/d/a", "read", 10009, 4, 8),
        (7, "/d/a", "read", 10013, 3, 3),
        (7, "/d/a", "read", 17, 200, 200),
    ]
    assert brought.rows("SELECT flags, start_ns, latency_ns FROM opens WHERE trace = $trace") == [
        (0o2000002, 0, 10_000)
    ]
    assert brought.rows("""SELECT event::VARCHAR, op::VARCHAR, start_ns, value FROM events WHERE trace = $trace
        ORDER BY start_ns""") == [("error", "read", 13_000_000, 5), ("close", None, 14_000_000, 0)]
    assert brought.rows("SELECT epoch_ns(started)::BIGINT, duration_ns FROM traces WHERE trace = $trace") == [
        (1_700_000_000 * 10**9, 14_009_000)
    ]
    assert brought.written.skipped == {}


def test_descriptors_are_shared_by_dup_fork_and_threads_and_cloned_otherwise(store: Store, log: Path) -> None:
    brought = imported(
        store,
        log,
        r"""
        7 openat(AT_FDCWD</d>, "a", O_RDONLY) = 3</d/a> <0.000010>
        7 dup(3</d/a>) = 4</d/a> <0.000010>
        7 read(4</d/a>, "x", 10) = 10 <0.000010>
        7 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD <unfinished ...>
        8 read(3</d/a>, "x", 11) = 11 <0.000010>
        7 <... clone resumed>, child_tidptr=0x7) = 8 <0.000221>
        7 read(3</d/a>, "x", 12) = 12 <0.000010>
        8 close(3</d/a>) = 0 <0.000010>
        8 openat(AT_FDCWD</d>, "b", O_RDONLY) = 3</d/b> <0.000010>
        8 read(3</d/b>, "x", 20) = 20 <0.000010>
        7 clone3({flags=CLONE_VM|CLONE_FILES|CLONE_THREAD, child_tid=0x7}, 88) = 9 <0.000010>
        9 read(3</d/a>,  <unfinished ...>
        7 fcntl(3</d/a>, F_DUPFD_CLOEXEC, 10) = 10</d/a> <0.000010>
        9 <... read resumed>"x", 13) = 13 <0.002000>
        9 close(3</d/a>) = 0 <0.000010>
        7 openat(AT_FDCWD</d>, "c", O_RDONLY) = 3</d/c> <0.000010>
        7 read(3</d/c>, "x", 31) = 31 <0.000010>
        9 read(3</d/c>, "x", 30) = 30 <0.000010>
        9 read(10</d/a>, "x", 14) = 14 <0.000010>
        9 +++ exited with 0 +++
        8 +++ killed by SIGKILL +++
        7 exit_group(5) = ?
        7 +++ exited with 5 +++
        """,
    )
    assert accesses(brought) == [
        (7, "/d/a", "read", 0, 10, 10),
        (7, "/d/a", "read", 21, 12, 12),
        (7, "/d/c", "read", 0, 31, 31),
        (8, "/d/a", "read", 10, 11, 11),
        (8, "/d/b", "read", 0, 20, 20),
        (9, "/d/a", "read", 33, 13, 13),
        (9, "/d/c", "read", 31, 30, 30),
        (9, "/d/a", "read", 46, 14, 14),
    ]
    assert brought.rows("SELECT pid, ppid, exit_code FROM readers WHERE trace = $trace ORDER BY pid") == [
        (7, 0, 5),
        (8, 7, -9),
    ]
    assert brought.rows("""SELECT r.start_ns, latency_ns FROM runs r JOIN threads USING (trace, thread)
        WHERE trace = $trace AND tid = 9 ORDER BY seq LIMIT 1""") == [(11_000_000, 2_000_000)]
    assert brought.rows("SELECT count(*) FROM opens WHERE trace = $trace") == [(3,)]


def test_programs_close_what_is_closed_by_exec(store: Store, log: Path) -> None:
    brought = imported(
        store,
        log,
        r"""
        7 execve("/usr/bin/job", ["job", "a b"], 0x7ffc /* 35 vars */) = 0 <0.000287>
        7 openat(AT_FDCWD</d>, "a", O_RDONLY|O_CLOEXEC) = 3</d/a> <0.000010>
        7 openat(AT_FDCWD</d>, "b", O_RDONLY) = 4</d/b> <0.000010>
        7 read(3</d/a>, "x", 10) = 10 <0.000010>
        7 read(4</d/b>, "x", 10) = 10 <0.000010>
        7 execve("/nowhere", ["nowhere"], 0x7ffc /* 35 vars */) = -1 ENOENT (No such file or directory) <0.000287>
        7 execve("/usr/bin/next", ["next"], 0x7ffc /* 35 vars */) = 0 <0.000287>
        7 openat(AT_FDCWD</d>, "a", O_RDONLY) = 3</d/a> <0.000010>
        7 read(3</d/a>, "x", 11) = 11 <0.000010>
        7 read(4</d/b>, "x", 11) = 11 <0.000010>
        """,
    )
    assert [access[1:4] for access in accesses(brought)] == [
        ("/d/a", "read", 0), ("/d/b", "read", 0), ("/d/a", "read", 0), ("/d/b", "read", 10),
    ]  # fmt: skip
    assert brought.rows("SELECT command, exit_code FROM traces WHERE trace = $trace") == [("job 'a b'", None)]
    assert brought.rows("SELECT comm, command FROM readers WHERE trace = $trace") == [("next", "next")]


def test_bytes_moved_inside_the_kernel(store: Store, log: Path) -> None:
    brought = imported(
        store,
        log,
        r"""
        7 openat(AT_FDCWD</d>, "in", O_RDONLY) = 3</d/in> <0.000010>
        7 openat(AT_FDCWD</d>, "out", O_WRONLY|O_CREAT|O_TRUNC, 0644) = 4</d/out> <0.000010>
        7 sendfile(4</d/out>, 3</d/in>, [100] => [150], 60) = 50 <0.000010>
        7 sendfile(4</d/out>, 3</d/in>, [150 => 160], 10) = 10 <0.000010>
        7 sendfile(9<socket:[1]>, 3</d/in>, NULL, 11) = 11 <0.000010>
        7 copy_file_range(3</d/in>, NULL, 4</d/out>, [7] => [27], 20, 0) = 20 <0.000010>
        7 splice(3</d/in>, [5], 8<pipe:[2]>, NULL, 30, SPLICE_F_MOVE) = 30 <0.000010>
        7 splice(8<pipe:[2]>, NULL, 4</d/out>, NULL, 30, 0) = 30 <0.000010>
        7 sendfile(4</d/out>, 3</d/in>, NULL, 10) = -1 EINVAL (Invalid argument) <0.000010>
        """,
    )
    assert [access[1:] for access in accesses(brought)] == [
        ("/d/in", "sendfile", 100, 50, 60),
        ("/d/out", "write", 0, 50, 60),
        ("/d/in", "sendfile", 150, 10, 10),
        ("/d/out", "write", 50, 10, 10),
        ("/d/in", "sendfile", 0, 11, 11),
        ("/d/in", "copy", 11, 20, 20),
        ("/d/out", "write", 7, 20, 20),
        ("/d/in", "splice", 5, 30, 30),
        ("/d/out", "write", 60, 30, 30),
    ]
    assert brought.rows("SELECT op::VARCHAR, value FROM events WHERE trace = $trace AND event = 'error'") == [
        ("sendfile", 22)
    ]


def test_appending_needs_the_size(store: Store, log: Path) -> None:
    brought = imported(
        store,
        log,
        r"""
        7 openat(AT_FDCWD</d>, "a", O_WRONLY|O_APPEND) = 3</d/a> <0.000010>
        7 write(3</d/a>, "x", 10) = 10 <0.000010>
        7 newfstatat(3</d/a>, "", {st_mode=S_IFREG|0644, st_size=1000, ...}, AT_EMPTY_PATH) = 0 <0.000009>
        7 write(3</d/a>, "x", 10) = 10 <0.000010>
        7 write(3</d/a>, "x", 7) = 7 <0.000010>
        7 ftruncate(3</d/a>, 100) = 0 <0.000010>
        7 write(3</d/a>, "x", 7) = 7 <0.000010>
        """,
    )
    assert [access[3:5] for access in accesses(brought)] == [(1000, 10), (1010, 7), (100, 7)]
    assert brought.written.skipped == {"appending writes to files whose size is not known": 1}
    assert brought.rows("SELECT DISTINCT flags FROM runs WHERE trace = $trace") == [(2,)]


def test_what_was_open_before_is_estimated_until_a_seek(store: Store, log: Path) -> None:
    brought = imported(
        store,
        log,
        r"""
        7 read(3</d/a>, "x", 10) = 10 <0.000010>
        7 read(3</d/a>, "x", 10) = 10 <0.000010>
        7 lseek(3</d/a>, 500, SEEK_SET) = 500 <0.000010>
        7 read(3</d/a>, "x", 10) = 10 <0.000010>
        7 <... read resumed>"x", 13) = 13 <0.002000>
        """,
    )
    assert brought.accesses('"offset"') == [(0,), (10,), (500,)]
    assert brought.rows("SELECT flags, count FROM runs WHERE trace = $trace ORDER BY seq") == [(2, 2), (0, 1)]
    assert brought.rows("SELECT state FROM opens WHERE trace = $trace") == [(8,)]
    assert brought.written.skipped == {"ends of calls whose beginnings are not in the log": 1}


def test_names_and_what_happens_to_them(store: Store, log: Path) -> None:
    brought = imported(
        store,
        log,
        r"""
        7 openat(AT_FDCWD</d>, "new", O_WRONLY|O_CREAT|O_EXCL, 0644) = 3</d/we\"ird\303\251\76x> <0.000010>
        7 write(3</d/we\"ird\303\251\76x>, "x", 10) = 10 <0.000010>
        7 rename("/d/we\"ird\303\251>x", "/d/final") = 0 <0.000010>
        7 write(3</d/final>, "x", 11) = 11 <0.000010>
        7 unlinkat(AT_FDCWD</d>, "final", 0) = 0 <0.000010>
        7 write(3</d/final>(deleted), "x", 12) = 12 <0.000010>
        7 write(3</d/final (deleted)>, "x", 13) = 13 <0.000010>
        7 truncate("other", 17) = 0 <0.000010>
        7 renameat2(5</e>, "f", AT_FDCWD</d>, "g", RENAME_NOREPLACE) = -1 ENOENT (No such file or directory) <0.00001>
        """,
    )
    assert [access[1:4] for access in accesses(brought)] == [
        ('/d/we"irdé>x', "write", offset) for offset in (0, 10, 21, 33)
    ]
    assert brought.rows("""SELECT event::VARCHAR, path, value FROM events WHERE trace = $trace
        ORDER BY start_ns, event::VARCHAR""") == [
        ("rename_from", '/d/we"irdé>x', 0),
        ("rename_to", "/d/final", 0),
        ("unlink", "/d/final", 0),
        ("truncate", "/d/other", 17),
    ]


def test_what_is_no_regular_file_is_counted(store: Store, log: Path) -> None:
    brought = imported(
        store,
        log,
        r"""
        7 read(0</dev/null<char 1:3>>, "", 10) = 0 <0.000010>
        7 read(3<pipe:[39321]>, "x", 10) = 10 <0.000010>
        7 write(4<TCP:[127.0.0.1:1->127.0.0.1:2]>, "x", 10) = 10 <0.000010>
        7 read(5<anon_inode:[eventfd]>, "x", 8) = 8 <0.000010>
        7 openat(AT_FDCWD</d>, "/proc/self/stat", O_RDONLY) = 6</proc/7/stat> <0.000010>
        7 read(6</proc/7/stat>, "x", 8) = 8 <0.000010>
        7 read(9, "x", 8) = 8 <0.000010>
        7 openat(AT_FDCWD</d>, ".", O_RDONLY|O_DIRECTORY) = 6</d> <0.000010>
        7 read(7</dev/shm/x>, "x", 8) = 8 <0.000010>
        7 io_uring_enter(9<anon_inode:[io_uring]>, 1, 1, IORING_ENTER_GETEVENTS, NULL, 8) = 1 <0.000010>
        """,
    )
    assert [access[1] for access in accesses(brought)] == ["/dev/shm/x"]
    assert brought.written.skipped == {
        "accesses to pipes, sockets, devices, directories, /proc and /sys": 5,
        "accesses through descriptors whose path is not known: use strace -y": 1,
        "calls of io_uring: strace does not tell which accesses they made": 1,
    }
    assert brought.rows("SELECT path FROM opens JOIN files USING (trace, file) WHERE trace = $trace") == [
        ("/dev/shm/x",)
    ]


FDS = st.sampled_from([3, 3, 3, 4, 5])
PATHS = st.sampled_from(["/d/a"] * 6 + ["/d/b, c", "/d/é", "/dev/null", "/d/a (deleted)", "pipe:[3]"])
DATA = st.sampled_from(['"x"', r'"\"), 5) = 9 <0.1>"...', '""'])
TRANSFER = st.builds(
    "{}({}<{}>, {}, {}{}) = {}".format,
    st.sampled_from(["read", "write", "pread64", "pwrite64"]), FDS, PATHS, DATA, st.integers(0, 9000),
    st.sampled_from(["", "", ", 7", ", 4096", ", -1", ", 9223372036854775000"]),
    st.sampled_from(["0", "11", "4096", "-1 EIO (Input/output error)", "?"]),
)  # fmt: skip
OTHER = st.builds("close({}<{}>) = {}".format, FDS, PATHS, st.sampled_from(["0", "-1 EBADF (Bad file descriptor)"]))
OTHER |= st.builds(
    'openat(AT_FDCWD</d>, "x", {}) = {}<{}>'.format,
    st.sampled_from(["O_RDONLY", "O_WRONLY|O_APPEND|O_TRUNC"]),
    FDS,
    PATHS,
)


OTHER |= st.builds(
    "fstat({}<{}>, {{st_mode=S_IF{}|0644, st_size={}, ...}}) = 0".format,
    FDS,
    PATHS | st.just("/d/st_mode=S_IFDIR, st_size=7, "),
    st.sampled_from(["REG", "DIR"]),
    st.sampled_from(["0", "4096", "9" * 19]),
)
OTHER |= st.sampled_from([
    "lseek(3</d/a>, 5, SEEK_SET) = 5", "dup2(3</d/a>, 4) = 4</d/a>", "pread64(3</d/a>,  <unfinished ...>",
    "close(3) = 0", '<... pread64 resumed>"x", 9, 7) = 9', "+++ exited with 0 +++", '--- SIGCHLD {} ---',
    'rename("/d/a", "/d/b, c") = 0', "fcntl(3</d/a>, F_SETFL, O_RDWR|O_APPEND) = 0", "mmap(NULL, 9, PROT_READ) = 0x7f",
])  # fmt: skip
PIECES = rb"""(|)|<|>|) = |= 1|"|\\|\"|, |,|[|{|}|/*|*/|\303|(deleted)|0|9999999999999999999|-1|...|read""".split(b"|")
PIECES += [b"\n", b"\r\n", b"\xff", b"</d/a>", b" = ?", b"[pid 9] "]


@given(
    st.lists(
        st.tuples(TRANSFER | TRANSFER | OTHER, st.sampled_from([7, 7, 8]), st.booleans()), min_size=9, max_size=40
    ),
    st.data(),
)
@settings(max_examples=200)
def test_many_lines_at_once_say_what_each_says(
    folder: Path, called: list[tuple[str, int, bool]], data: st.DataObject
) -> None:
    lines = timed(
        "\n".join(
            f"{tid} {call}{' <0.000010>' if is_timed and ' = ' in call else ''}" for call, tid, is_timed in called
        )
    )
    path = folder / "log"
    path.write_bytes(hostile(data, lines.encode(), PIECES) if data.draw(st.booleans()) else lines.encode())
    at_once, each = both_ways(path, "strace", calls, "LINES", one_by_one(LINES))
    assert at_once == each


def test_a_path_says_nothing_of_its_file(store: Store, log: Path) -> None:
    path = "/d/st_mode=S_IFDIR, st_size=7, "
    brought = imported(
        store,
        log,
        f"""
        7 openat(AT_FDCWD</d>, "x", O_RDONLY) = 3<{path}> <0.000010>
        7 fstat(3<{path}>, {{st_mode=S_IFREG|0644, st_size=101, ...}}) = 0 <0.000010>
        7 read(3<{path}>, "x", 11) = 11 <0.000010>
        """,
    )
    assert brought.rows("SELECT path, size FROM files WHERE trace = $trace") == [(path, 101)]


def test_libaio_as_it_is_submitted(store: Store, log: Path) -> None:
    """The first four lines are what strace 6.1 prints of fio; the second call was cut short by the kernel."""
    brought = imported(
        store,
        log,
        r"""
        7 io_submit(0x7f94fde96000, 2, [{aio_data=0, aio_lio_opcode=IOCB_CMD_PREAD, aio_fildes=6</d/f>, aio_buf=0x7f94f0003260, aio_nbytes=4096, aio_offset=0}, {aio_data=0, aio_lio_opcode=IOCB_CMD_PREAD, aio_fildes=6</d/f>, aio_buf=0x7f94f0002260, aio_nbytes=4096, aio_offset=45056}]) = 2 <0.000016>
        7 io_submit(0x7f94fde96000, 2, [{aio_data=0, aio_lio_opcode=IOCB_CMD_PWRITE, aio_fildes=6</d/f>, aio_buf="\216}, {aio_offset=3\"\0"..., aio_nbytes=4093, aio_offset=28672}, {aio_data=0, aio_lio_opcode=IOCB_CMD_PREAD, aio_fildes=6</d/f>, aio_buf=0x7f94f0002260, aio_nbytes=4096, aio_offset=1}]) = 1 <0.000012>
        7 io_getevents(0x7f94fde96000, 1, 1, [{data=0, obj=0x7f94f0000fc8, res=4096, res2=0}], NULL) = 1 <0.000008>
        7 io_submit(0x7ff83a932000, 2, [{aio_data=0, aio_lio_opcode=IOCB_CMD_PREADV, aio_fildes=6</d/f>, aio_buf=[{iov_base=0x7ff7df9e6000, iov_len=509}, {iov_base=0x7ff7df9e6000, iov_len=3}], aio_offset=12289, aio_flags=IOCB_FLAG_RESFD, aio_resfd=14}, {aio_data=0, aio_lio_opcode=IOCB_CMD_FSYNC, aio_fildes=6</d/f>}]) = 2 <0.000011>
        7 io_submit(0x7f94fde96000, 3, [{aio_data=0, aio_lio_opcode=IOCB_CMD_PREAD, aio_fildes=5<socket:[7]>, aio_buf=0x7f, aio_nbytes=1, aio_offset=0}, ...]) = 3 <0.000016>
        7 io_submit(0x7f94fde96000, 1, [{aio_data=0, aio_lio_opcode=IOCB_CMD_PREAD, aio_fildes=6</d/f>, aio_buf=0x7f, aio_nbytes=1, aio_offset=0}]) = -1 EAGAIN (Resource temporarily unavailable) <0.000016>
        """,  # noqa: E501 - as strace prints them
    )
    assert brought.accesses() == [
        ("/d/f", "read", 0, 4096),
        ("/d/f", "read", 45056, 4096),
        ("/d/f", "write", 28672, 4093),
        ("/d/f", "read", 12289, 512),
    ]
    assert brought.rows("SELECT DISTINCT flags & 1 FROM runs WHERE trace = $trace") == [(1,)]
    assert brought.written.skipped == {
        "accesses to pipes, sockets, devices, directories, /proc and /sys": 1,
        "accesses of libaio that strace did not print whole": 2,
    }
    assert any(
        limit.startswith("libaio: accesses are told when they were submitted") for limit in brought.written.limits
    )


def test_without_f_ttt_T_and_y(store: Store, log: Path) -> None:  # noqa: N802 - strace's options
    log.write_text('open("a", O_RDONLY) = 3\nread(3, "x", 10) = 10\nread(3, "x", 10) = 4\nclose(3) = 0\n')
    brought = bring(store, log)
    assert brought.accesses() == [("a", "read", 0, 10), ("a", "read", 10, 4)]
    assert "times are not known: order alone is" in brought.written.limits


def test_written_to_the_terminal_with_pids_in_brackets(store: Store, log: Path) -> None:
    log.write_text(
        'open("a", O_RDONLY) = 3</d/a>\n'
        "clone(child_stack=NULL, flags=SIGCHLDstrace: Process 123 attached\n"
        " <unfinished ...>\n"
        '[pid   123] read(3</d/a>, "x", 10) = 10\n'
        "[pid    99] <... clone resumed>, child_tidptr=0x7) = 123\n"
        '[pid    99] read(3</d/a>, "x", 11) = 11\n'
        "[pid   123] +++ exited with 0 +++\n"
        "--- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED} ---\n"
        'read(3</d/a>, "x", 12) = 12\n'
    )
    assert [access[3:5] for access in accesses(bring(store, log))] == [
        (10, 11),
        (21, 12),
        (0, 10),
    ]  # the first thread's number is not known when it is met


@pytest.mark.parametrize(
    "line", ["hello", "7 1700000000.0 read(3</d/a>, 1", "7 read", '7 <... read resumed>"x"', "7 = 3"]
)
def test_what_is_no_line_of_it_is_told_with_its_number(store: Store, log: Path, line: str) -> None:
    log.write_text(f"7 close(3) = 0\n{line}\n7 close(3) = 0\n")
    with pytest.raises(InputError, match=r"strace\.log, line 2: no line of strace's: '.*'; was the file cut"):
        bring(store, log, "strace")
