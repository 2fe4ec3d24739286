"""The second list of programs of others, written after the rules had learnt from the first."""

from __future__ import annotations

from tests.truth.tools import DATASET, FLAT, MIB, ORDER, SST, case, fio, of, python, rocks, stress, sysbench

SECOND = [
    fio("--rw=randread --bs=4k --size=4m --io_size=64m --norandommap", of(FLAT, pattern="random", reuse="unknown")),
    fio("--rw=read --bs=64k --size=16m --io_size=48m", of(FLAT, pattern="sequential", reuse="looping")),
    fio("--rw=randread --bssplit=4k/50:64k/50 --io_size=32m", of(FLAT, pattern="random"), imported=True),
    fio("--rw=randread --bs=16k --ioengine=libaio --iodepth=32 --direct=1 --io_size=32m", of(FLAT, pattern="random")),
    fio("--rw=read --bs=128k --thinktime=2000 --thinktime_blocks=8", of(FLAT, pattern="sequential", reuse="once")),
    fio(
        "--rw=read:12k --bs=4k --size=32m --io_size=8m --numjobs=2 --offset_increment=32m",
        of(FLAT, pattern="strided", stride="16384", reuse="once"),
    ),
    fio(
        "--rw=read --bs=4k --ioengine=mmap --numjobs=3 --size=20m --offset_increment=20m --thread",
        of(FLAT, "mmap", pattern="sequential"),
    ),
    fio("--rw=randread --bs=4k --io_size=24m --random_distribution=zipf:0.9", of(FLAT, reuse="popularity-skewed")),
    fio(
        "--rw=rw --rwmixread=80 --bs=16k --ioengine=io_uring --iodepth=4",
        of(FLAT, "read", pattern="sequential"),
        of(FLAT, "write", pattern="sequential"),
    ),
    fio(
        "--rw=read --bs=32k --zonemode=strided --zonesize=96k --zonerange=96k --zoneskip=160k --io_size=24m",
        of(FLAT, pattern="strided", reuse="once"),
        imported=True,
    ),
    fio("--rw=read:-20k --bs=4k --io_size=12m", of(FLAT, pattern="backward|strided", stride="-16384")),
    case(
        "fio --name=p --directory=data --nrfiles=41 --filesize=1m --rw=randread --bs=16k --io_size=96m --norandommap "
        "--file_service_type=zipf:1.2 --output=/dev/null",
        "",
        of("p.*", pattern="random|unknown"),
        of(DATASET, reuse="popularity-skewed"),
    ),
    sysbench("--file-test-mode=rndrd --events=6007 --time=0 --file-io-mode=mmap", of("bench/*", pattern="random")),
    sysbench(
        "--file-test-mode=seqrd --events=8192 --time=0 --file-block-size=4096",
        of("bench/*", pattern="sequential", reuse="once"),
        of(ORDER, by="name", looping="once"),
    ),
    stress(
        "--sendfile 1 --sendfile-size 4m --sendfile-ops 53",
        of("*/*", "sendfile", pattern="whole-file|sequential", reuse="looping"),
    ),
    stress("--copy-file 1 --copy-file-bytes 128m --copy-file-ops 301", of("*/*", "copy", pattern="random")),
    rocks("--benchmarks=readtocache", of(SST, pattern="sequential|header-then-body")),
    rocks(
        "--benchmarks=readrandom --reads=40009 --cache_size=1000000 --read_random_exp_range=20",
        of(SST, pattern="random", reuse="popularity-skewed"),
    ),
    case(
        "sst_dump --file=data/rocks --command=scan --readahead_size=262144 >/dev/null 2>&1",
        "rocks",
        of(SST, pattern="sequential|header-then-body"),
    ),
    case("ioping -q -c 1009 -i 0 -s 4k -S 32m data/flat.bin", FLAT, of(FLAT, pattern="random")),
    case("ioping -q -c 409 -i 0 -s 64k -L -S 64m data/flat.bin", FLAT, of(FLAT, pattern="sequential", reuse="once")),
    case("mdb_dump data/lmdb | wc -c", "lmdb", of("lmdb/data.mdb", "mmap", pattern="sequential")),
    python(
        "lmdb: a cursor backwards",
        'import lmdb; c = lmdb.open("data/lmdb", readonly=True).begin().cursor(); c.last(); '
        "sum(v[0] + v[-1] for k, v in c.iterprev())",
        "lmdb",
        of("lmdb/data.mdb", "mmap", pattern="backward"),
    ),
    case("pv -q data/flat.bin | wc -c", FLAT, of(FLAT, pattern="sequential", reuse="once")),
    case("mbuffer -q -i data/flat.bin -o /dev/null", FLAT, of(FLAT, pattern="sequential|whole-file", reuse="once")),
    case("split -b 4M data/flat.bin part- && rm part-*", FLAT, of(FLAT, pattern="sequential", reuse="once")),
    case("tail -c 20M data/flat.bin | wc -c", FLAT, of(FLAT, pattern="sequential", reuse="once")),
    case("for n in 1 2 3; do sha256sum data/flat.bin; done", FLAT, of(FLAT, pattern="sequential", reuse="looping")),
    case("shuf -n 100 data/lines.txt | wc -l", "lines.txt", of("lines.txt", pattern="sequential", reuse="once")),
    case(
        "h5repack data/plain.h5 repacked.h5 && rm repacked.h5",
        "plain.h5",
        of("plain.h5", pattern="sequential|header-then-body"),
    ),
    case(
        "mksquashfs data/small packed.sqfs -quiet -no-progress -noI -noD -noF && rm packed.sqfs",
        "small",
        of(DATASET, reuse="once"),
        of(ORDER, by="name|listing", looping="once"),
    ),
    case("zip -q -0 -r packed.zip data/small && rm packed.zip", "small", of(ORDER, by="listing|inode", looping="once")),
    case(
        "find data/small -type f -exec md5sum {} \\; | wc -l",
        "small",
        of(ORDER, by="listing|inode", looping="once", sharing="process per file"),
    ),
    case("ls -r data/small/*/* | xargs cat | wc -c", "small", of(ORDER, by="name", looping="once")),
    case(
        "for n in 1 2; do ls data/small/*/* | shuf | xargs -n 40 cat | wc -c; done",
        "small",
        of(DATASET, reuse="looping"),
        of(ORDER, by="shuffled", looping="epochs", relation="reshuffled"),
    ),
    case(
        "for n in 1 2; do ls data/small/*/* | xargs sha1sum; done | wc -l",
        "small",
        of(ORDER, by="name", looping="epochs", relation="same"),
    ),
    python(
        "tarfile: the list of members",
        'import tarfile; len(tarfile.open("data/members.tar").getmembers())',
        "members.tar",
        of("members.tar", pattern="strided", stride="524800"),
    ),
    python(
        "h5py: every sixteenth row",
        'import h5py; d = h5py.File("data/plain.h5")["d"]; sum(d[i][0] for i in range(0, 509, 16))',
        "plain.h5",
        of("plain.h5", pattern="strided", stride=str(2 * MIB)),
    ),
    python(
        "h5py: all tiles",
        'import h5py; h5py.File("data/tiles.h5")["d"][:].sum()',
        "tiles.h5",
        of("tiles.h5", pattern="sequential|header-then-body"),
    ),
    python(
        "sqlite3: rows by random keys",
        'import random, sqlite3; c = sqlite3.connect("data/table.db"); '
        '[c.execute("SELECT v FROM t WHERE id = ?", (random.randrange(1, 60000),)).fetchone() for _ in range(2003)]',
        "table.db",
        of("table.db", pattern="random"),
    ),
    python(
        "pyarrow: a CSV file",
        'import pyarrow.csv as c; c.read_csv("data/lines.txt", parse_options=c.ParseOptions(delimiter=" "))',
        "lines.txt",
        of("lines.txt", pattern="sequential", reuse="once"),
    ),
    python(
        "DuckDB: a CSV file",
        'import duckdb; duckdb.sql("SELECT count(*) FROM read_csv(\\"data/lines.txt\\", delim = \\" \\")").fetchall()',
        "lines.txt",
        of("lines.txt", pattern="sequential|whole-file"),
    ),
    python(
        "DuckDB: a table of its own",
        'import duckdb; duckdb.connect("data/db.duckdb", read_only=True)'
        '.execute("SELECT sum(a), sum(b) FROM t").fetchall()',
        "db.duckdb",
        of("db.duckdb", pattern="sequential"),
    ),
    python(
        "tifffile: all pages",
        'import tifffile; tifffile.imread("data/pages.tif").sum()',
        "pages.tif",
        of("pages.tif", pattern="sequential|header-then-body|whole-file"),
    ),
    python(
        "zarr: every fourth chunk",
        'import zarr; z = zarr.open_array("data/chunks.zarr", mode="r"); sum(z[i][0] for i in range(0, 307, 4))',
        "chunks.zarr",
        of("chunks.zarr/c/*/0", pattern="whole-file"),
        of(ORDER, by="name", looping="once"),
    ),
    python(
        "webdataset: samples shuffled in a buffer",
        "import webdataset as w; "
        '[s for s in w.WebDataset("data/shards/s-{000..046}.tar", shardshuffle=False).shuffle(100)]',
        "shards",
        of("shards/*", pattern="sequential", reuse="once"),
        of(ORDER, by="name", looping="once"),
    ),
]
"""Written after the rules had been mended for `FIRST`, by who had read them by then.

Four of its claims were mistakes and have been put right: two programs read whole files in a few large requests, HDF5
reads its header first, and most of 41 files were read too seldom to tell.
"""
