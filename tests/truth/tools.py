"""Programs of other authors whose way of reading is known from their options: what they run, and what is true of it.

The list was written from the programs' own manuals, before anything was recorded and without the rules of the analysis
at hand; what was measured of it at the first sight stands in the README.  Commands are for `bash -c`, in a directory
with the files of `DATA` in `data/`; `$PYTHON` is Python with the packages of the group `bench`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

MIB = 1 << 20

DATA = {
    "flat.bin": "head -c 64M /dev/urandom > data/flat.bin",
    "lines.txt": "seq -f '%012.0f a line of the text that is read here' 700000 > data/lines.txt",
    "small": """$PYTHON -c '
import os, random
random.seed(1009)
names = ["data/small/%s/%03d.bin" % ("abcdefgh"[n % 8], n) for n in range(307)]
random.shuffle(names)
for name in names:
    os.makedirs(os.path.dirname(name), exist_ok=True)
    open(name, "wb").write(os.urandom(random.randrange(16000, 200000)))
times = list(range(307))
random.shuffle(times)
for name, time in zip(names, times):
    os.utime(name, (1700000000 + 60 * time,) * 2)
'""",
    "members.tar": "mkdir -p members && for n in $(seq 101 221); do head -c 512K /dev/urandom > members/$n; done; "
    "tar cf data/members.tar members",
    "members.zip": "mkdir -p members && for n in $(seq 101 221); do head -c 512K /dev/urandom > members/$n; done; "
    "zip -q -0 -r data/members.zip members",
    "table.db": "sqlite3 data/table.db 'CREATE TABLE t (id INTEGER PRIMARY KEY, k INTEGER, v BLOB); "
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) "
    "INSERT INTO t SELECT i, abs(random()), randomblob(700) FROM n; CREATE INDEX tk ON t (k)'",
    "rocks": "db_bench --benchmarks=fillseq --db=data/rocks --num=50000 --value_size=1000 --compression_type=none "
    "--target_file_size_base=100000000 --write_buffer_size=200000000 --disable_wal=1 && "
    "db_bench --benchmarks=compact --db=data/rocks --use_existing_db=1 --num=50000 --compression_type=none",
    "rows.npy": "$PYTHON -c 'import numpy as np; np.save(\"data/rows.npy\", np.random.rand(97, 1 << 17))'",
    "plain.h5": "$PYTHON -c 'import h5py, numpy as np; "
    'h5py.File("data/plain.h5", "w")["d"] = np.random.rand(509, 1 << 14)\'',
    "tiles.h5": "$PYTHON -c 'import h5py, numpy as np; "
    'h5py.File("data/tiles.h5", "w").create_dataset("d", data=np.random.rand(8192, 1024), chunks=(64, 64))\'',
    "samples.h5": "$PYTHON -c 'import h5py, numpy as np; "
    'h5py.File("data/samples.h5", "w").create_dataset("d", data=np.random.rand(1009, 8192), chunks=(1, 8192))\'',
    "chunks.zarr": "$PYTHON -c 'import zarr, numpy as np; "
    'z = zarr.create_array("data/chunks.zarr", shape=(307, 16384), chunks=(1, 16384), dtype="f8", compressors=None); '
    "z[:] = np.random.rand(307, 16384)'",
    "columns.parquet": "$PYTHON -c 'import numpy as np, pyarrow as pa, pyarrow.parquet as pq; "
    'pq.write_table(pa.table({f"c{i}": np.random.rand(61 * 16384) for i in range(8)}), "data/columns.parquet", '
    'row_group_size=16384, compression="none", use_dictionary=False)\'',
    "table.arrow": "$PYTHON -c 'import numpy as np, pyarrow as pa, pyarrow.feather as f; "
    'f.write_feather(pa.table({"a": np.random.rand(4000000)}), "data/table.arrow", compression="uncompressed")\'',
    "model.safetensors": "$PYTHON -c 'import numpy as np; from safetensors.numpy import save_file; "
    'save_file({f"layer.{i:02}.w": np.random.rand(512, 512) for i in range(23)}, "data/model.safetensors")\'',
    "shards": '$PYTHON -c \'import os, webdataset as wds\nos.makedirs("data/shards")\n'
    'with wds.ShardWriter("data/shards/s-%03d.tar", maxcount=20, verbose=0) as w:\n'
    '  for i in range(47 * 20): w.write({"__key__": "%06d" % i, "bin": os.urandom(50000)})\'',
    "lmdb": '$PYTHON -c \'import lmdb, os\ne = lmdb.open("data/lmdb", map_size=1 << 28)\n'
    "with e.begin(write=True) as t:\n"
    '  for i in range(14000): t.put(b"%08d" % i, os.urandom(3000), append=True)\'',
    "pages.tif": "$PYTHON -c 'import numpy as np, tifffile; "
    'tifffile.imwrite("data/pages.tif", np.random.randint(0, 65535, (211, 512, 256), "u2"), metadata=None)\'',
    "db.duckdb": '$PYTHON -c \'import duckdb; duckdb.connect("data/db.duckdb").execute('
    '"CREATE TABLE t AS SELECT hash(i) AS a, hash(i + 7) AS b FROM range(3000000) n(i)")\'',
    "bench": "mkdir -p data/bench && cd data/bench && "
    "sysbench fileio --file-num=8 --file-total-size=32M prepare >/dev/null",
}
"""How each file or directory of `data/` is made, untraced."""


class Claim(NamedTuple):
    """Something that is true: the verdict `what` on `subject` is one of `right`."""

    subject: str
    """A file below `data/` or a pattern of several, whose commonest verdict counts; `DATASET` or `ORDER`."""
    op: str
    """Kind of access; empty for the reading that moves most bytes."""
    what: str
    """pattern, stride or reuse; of `ORDER` by, looping, relation or sharing."""
    right: frozenset[str]


DATASET, ORDER = "dataset", "order"


def of(subject: str, op: str = "", **truths: str) -> list[Claim]:
    """Return claims; alternatives have a `|` between them."""
    return [Claim(subject, op, what, frozenset(right.split("|"))) for what, right in truths.items()]


@dataclass(frozen=True)
class Case:
    """One command and what is true of it."""

    name: str
    command: str
    needs: str
    claims: list[Claim]
    imported: bool = False
    """Whether the iolog that fio writes meanwhile (`iolog`) is imported and must say the same."""


def fio(options: str, *claims: list[Claim], imported: bool = False) -> Case:
    shared = "fio --name=job --filename=data/flat.bin --size=64m --output=/dev/null "
    given = options + (" --write_iolog=iolog" if imported else "")
    return Case(f"fio {options}", shared + given, "flat.bin", [*chain(*claims)], imported)


def case(command: str, needs: str, *claims: list[Claim], name: str = "") -> Case:
    return Case(name or command, command, needs, [*chain(*claims)])


def python(name: str, code: str, needs: str, *claims: list[Claim]) -> Case:
    return Case(name, f"$PYTHON -c '{code}'", needs, [*chain(*claims)])


def sysbench(options: str, *claims: list[Claim]) -> Case:
    command = f"cd data/bench && sysbench fileio --file-num=8 --file-total-size=32M {options} run >/dev/null"
    return Case(f"sysbench fileio {options}", command, "bench", [*chain(*claims)])


def stress(options: str, *claims: list[Claim]) -> Case:
    return Case(f"stress-ng {options}", f"stress-ng --temp-path data -q {options}", "", [*chain(*claims)])


def rocks(options: str, *claims: list[Claim]) -> Case:
    command = (
        f"db_bench --use_existing_db=1 --db=data/rocks --num=50000 --compression_type=none {options} >/dev/null 2>&1"
    )
    return Case(f"db_bench {options}", command, "rocks", [*chain(*claims)])


FLAT = "flat.bin"
SST = "rocks/*.sst"

FIRST = [
    # fio: one file
    fio("--rw=read --bs=64k", of(FLAT, pattern="sequential", reuse="once"), imported=True),
    fio("--rw=read --bs=4k --io_size=16m", of(FLAT, pattern="sequential", reuse="once")),
    fio("--rw=read --bsrange=4k-64k", of(FLAT, pattern="sequential", reuse="once")),
    fio("--rw=randread --bs=4k --io_size=16m", of(FLAT, pattern="random", reuse="once"), imported=True),
    fio("--rw=randread --bsrange=4k-64k --io_size=32m --norandommap", of(FLAT, pattern="random")),
    fio("--rw=randread --bs=4k --size=16m --random_generator=lfsr", of(FLAT, pattern="random", reuse="once")),
    fio(
        "--rw=randread --bs=4k --io_size=32m --random_distribution=zipf:1.2",
        of(FLAT, pattern="random", reuse="popularity-skewed"),
        imported=True,
    ),
    fio(
        "--rw=randread --bs=4k --io_size=32m --random_distribution=pareto:0.2",
        of(FLAT, pattern="random", reuse="popularity-skewed"),
    ),
    fio(
        "--rw=randread --bs=4k --io_size=48m --random_distribution=normal:5",
        of(FLAT, pattern="random", reuse="popularity-skewed"),
    ),
    fio(
        "--rw=randread --bs=4k --io_size=48m --random_distribution=zoned:60/10:30/20:8/30:2/40 --norandommap",
        of(FLAT, pattern="random", reuse="popularity-skewed"),
    ),
    fio("--rw=read:60k --bs=4k --io_size=4m", of(FLAT, pattern="strided", stride="65536", reuse="once"), imported=True),
    fio("--rw=read:4k --bs=4k --io_size=8m", of(FLAT, pattern="strided", stride="8192", reuse="once")),
    fio("--rw=read:-8k --bs=4k --io_size=16m", of(FLAT, pattern="backward", reuse="once"), imported=True),
    fio("--rw=read:-128k --bs=64k --io_size=32m", of(FLAT, pattern="backward", reuse="once")),
    fio("--rw=read:-64k --bs=4k --io_size=4m", of(FLAT, pattern="backward|strided", stride="-61440")),
    fio(
        "--rw=read --bs=64k --zonemode=strided --zonesize=64k --zonerange=64k --zoneskip=448k --io_size=8m",
        of(FLAT, pattern="strided", stride="524288", reuse="once"),
    ),
    fio(
        "--rw=read --bs=16k --zonemode=strided --zonesize=64k --zonerange=64k --zoneskip=192k --io_size=16m",
        of(FLAT, pattern="strided", reuse="once"),
    ),
    fio("--rw=randread --bs=4k --percentage_random=1 --io_size=32m", of(FLAT, pattern="sequential|mixed")),
    fio("--rw=randread --bs=4k --percentage_random=10 --io_size=32m", of(FLAT, pattern="random|mixed")),
    fio("--rw=randread --bs=4k --percentage_random=50 --io_size=32m", of(FLAT, pattern="random|mixed")),
    fio("--rw=randread:8 --bs=4k --io_size=16m", of(FLAT, pattern="random|mixed")),
    fio(
        "--rw=randread:8 --rw_sequencer=identical --bs=4k --io_size=16m --norandommap",
        of(FLAT, pattern="random", reuse="clustered"),
    ),
    fio("--rw=rw --bs=64k", of(FLAT, "read", pattern="sequential"), of(FLAT, "write", pattern="sequential")),
    fio(
        "--rw=randrw --bs=4k --io_size=16m",
        of(FLAT, "read", pattern="random"),
        of(FLAT, "write", pattern="random"),
    ),
    fio("--rw=read --bs=64k --size=16m --loops=3", of(FLAT, pattern="sequential", reuse="looping"), imported=True),
    fio("--rw=randread --bs=4k --size=8m --loops=3", of(FLAT, pattern="random", reuse="looping")),
    fio(
        "--rw=read --bs=64k --numjobs=4 --size=16m --offset_increment=16m", of(FLAT, pattern="sequential", reuse="once")
    ),
    fio("--rw=read --bs=64k --numjobs=4 --thread", of(FLAT, pattern="sequential")),
    fio("--rw=randread --bs=4k --numjobs=3 --io_size=8m", of(FLAT, pattern="random")),
    fio("--rw=read --bs=64k --rate_iops=400 --io_size=24m", of(FLAT, pattern="sequential", reuse="once")),
    fio(
        "--rw=write --bs=64k --verify=crc32c --size=32m --offset=32m",
        of(FLAT, "write", pattern="sequential|append"),
        of(FLAT, "read", pattern="sequential"),
    ),
    # fio: other engines
    fio("--rw=read --bs=64k --ioengine=io_uring --iodepth=16", of(FLAT, pattern="sequential", reuse="once")),
    fio("--rw=randread --bs=4k --ioengine=io_uring --iodepth=16 --io_size=16m", of(FLAT, pattern="random")),
    fio("--rw=read --bs=64k --ioengine=libaio --iodepth=8 --direct=1", of(FLAT, pattern="sequential", reuse="once")),
    fio(
        "--rw=read:192k --bs=64k --ioengine=libaio --iodepth=8 --direct=1 --io_size=16m",
        of(FLAT, pattern="strided", stride="262144", reuse="once"),
    ),
    fio("--rw=read --bs=64k --ioengine=posixaio --iodepth=8", of(FLAT, pattern="sequential", reuse="once")),
    fio("--rw=read --bs=64k --ioengine=splice", of(FLAT, pattern="sequential", reuse="once")),
    fio("--rw=read --bs=16k --ioengine=vsync --iodepth=8", of(FLAT, pattern="sequential", reuse="once")),
    fio("--rw=read --bs=4k --ioengine=mmap", of(FLAT, "mmap", pattern="sequential")),
    fio("--rw=randread --bs=4k --ioengine=mmap --io_size=8m", of(FLAT, "mmap", pattern="random")),
    # fio: many files
    case(
        "fio --name=f --directory=data --nrfiles=97 --filesize=256k --rw=read --bs=64k --file_service_type=sequential "
        "--output=/dev/null",
        "",
        of("f.*", pattern="sequential|whole-file"),
        of(DATASET, pattern="directory-ordered|sequential", reuse="once"),
        of(ORDER, by="name", looping="once", sharing="alone"),
    ),
    case(
        "fio --name=r --directory=data --nrfiles=29 --filesize=1m --rw=read --bs=64k --file_service_type=roundrobin "
        "--output=/dev/null",
        "",
        of("r.*", pattern="sequential|whole-file"),
        of(ORDER, looping="interleaved"),
    ),
    case(
        "fio --name=z --directory=data --nrfiles=29 --filesize=1m --rw=read --bs=64k --file_service_type=random "
        "--output=/dev/null",
        "",
        of("z.*", pattern="sequential|whole-file"),
        of(ORDER, looping="interleaved"),
    ),
    # sysbench
    sysbench(
        "--file-test-mode=seqrd --events=2048 --time=0",
        of("bench/*", pattern="sequential", reuse="once"),
        of(ORDER, by="name", looping="once"),
    ),
    sysbench(
        "--file-test-mode=seqrd --events=6144 --time=0",
        of("bench/*", pattern="sequential", reuse="looping"),
        of(DATASET, reuse="looping"),
        of(ORDER, by="name", looping="epochs", relation="same"),
    ),
    sysbench("--file-test-mode=seqrd --events=2048 --time=0 --threads=4", of("bench/*", pattern="sequential")),
    sysbench("--file-test-mode=rndrd --events=6007 --time=0", of("bench/*", pattern="random")),
    sysbench("--file-test-mode=rndrd --events=6007 --time=0 --file-io-mode=async", of("bench/*", pattern="random")),
    sysbench(
        "--file-test-mode=rndrw --events=6007 --time=0",
        of("bench/*", "read", pattern="random"),
        of("bench/*", "write", pattern="random"),
    ),
    sysbench("--file-test-mode=seqrewr --events=2048 --time=0", of("bench/*", "write", pattern="sequential")),
    # stress-ng
    stress("--revio 1 --revio-bytes 16m --revio-ops 4000", of("*/*", "write", pattern="backward|strided")),
    stress("--seek 1 --seek-size 64m --seek-ops 2003", of("*/*", "read", pattern="random")),
    stress("--readahead 1 --readahead-bytes 32m --readahead-ops 300", of("*/*", "read", pattern="random")),
    stress(
        "--hdd 1 --hdd-bytes 32m --hdd-ops 1024 --hdd-opts wr-seq,rd-seq",
        of("*/*", "write", pattern="sequential|append"),
        of("*/*", "read", pattern="sequential"),
    ),
    stress(
        "--hdd 1 --hdd-bytes 32m --hdd-ops 1024 --hdd-opts wr-rnd,rd-rnd",
        of("*/*", "write", pattern="random"),
        of("*/*", "read", pattern="random"),
    ),
    # databases
    rocks("--benchmarks=readseq --cache_size=0", of(SST, pattern="sequential|header-then-body")),
    rocks("--benchmarks=readreverse --cache_size=0", of(SST, pattern="backward")),
    rocks("--benchmarks=readrandom --reads=3001", of(SST, pattern="random")),
    rocks("--benchmarks=readrandom --reads=3001 --mmap_read=1", of(SST, "mmap", pattern="random")),
    rocks("--benchmarks=seekrandom --seek_nexts=20 --reads=307", of(SST, pattern="random|mixed")),
    case(
        "sqlite3 data/table.db 'SELECT sum(length(v)) FROM t NOT INDEXED'",
        "table.db",
        of("table.db", pattern="sequential", reuse="once"),
    ),
    case(
        "sqlite3 data/table.db 'SELECT hex(v) FROM t ORDER BY id DESC' | wc -c",
        "table.db",
        of("table.db", pattern="backward", reuse="once"),
    ),
    case(
        "sqlite3 data/table.db 'SELECT sum(length(v)) FROM (SELECT v FROM t INDEXED BY tk WHERE k > 0 LIMIT 5003)'",
        "table.db",
        of("table.db", pattern="random"),
    ),
    case(
        "sqlite3 data/table.db 'PRAGMA mmap_size=1000000000; SELECT sum(length(v)) FROM t NOT INDEXED'",
        "table.db",
        of("table.db", "mmap", pattern="sequential"),
    ),
    python(
        "lmdb: 3001 random gets, readahead=False",
        'import lmdb, random; t = lmdb.open("data/lmdb", readonly=True, readahead=False).begin(); '
        '[t.get(b"%08d" % random.randrange(14000)) for _ in range(3001)]',
        "lmdb",
        of("lmdb/data.mdb", "mmap", pattern="random"),
    ),
    python(
        "lmdb: a cursor over all",
        'import lmdb; t = lmdb.open("data/lmdb", readonly=True).begin(); sum(v[0] + v[-1] for k, v in t.cursor())',
        "lmdb",
        of("lmdb/data.mdb", "mmap", pattern="sequential"),
    ),
    # coreutils, archives: one file
    case("cat data/flat.bin | wc -c", FLAT, of(FLAT, pattern="sequential", reuse="once")),
    case("cp data/flat.bin copied && rm copied", FLAT, of(FLAT, pattern="sequential|whole-file", reuse="once")),
    case("dd if=data/flat.bin of=/dev/null bs=1M skip=7 count=41 iflag=direct", FLAT, of(FLAT, pattern="sequential")),
    case("tac data/lines.txt | wc -c", "lines.txt", of("lines.txt", pattern="backward", reuse="once")),
    case("sort -R -S 4M data/lines.txt | wc -c", "lines.txt", of("lines.txt", pattern="sequential", reuse="once")),
    case("ddrescue -q data/flat.bin rescued; rm rescued", FLAT, of(FLAT, pattern="sequential", reuse="once")),
    case("ddrescue -q -R data/flat.bin rescued; rm rescued", FLAT, of(FLAT, pattern="backward", reuse="once")),
    case("zstd -q -1 -c data/flat.bin | wc -c", FLAT, of(FLAT, pattern="sequential", reuse="once")),
    case("vmtouch -q -t data/flat.bin", FLAT, of(FLAT, "mmap", pattern="sequential")),
    case("tar tf data/members.tar | wc -l", "members.tar", of("members.tar", pattern="strided")),
    case("tar xOf data/members.tar | wc -c", "members.tar", of("members.tar", pattern="sequential", reuse="once")),
    case("unzip -p data/members.zip | wc -c", "members.zip", of("members.zip", pattern="sequential|header-then-body")),
    python(
        "zipfile: members in random order",
        'import random, zipfile; z = zipfile.ZipFile("data/members.zip"); n = z.namelist(); random.shuffle(n); '
        "[z.read(i) for i in n]",
        "members.zip",
        of("members.zip", pattern="random|mixed", reuse="once"),
    ),
    # trees of files
    case(
        "find data/small -type f -print0 | sort -z | xargs -0 md5sum | wc -l",
        "small",
        of("small/*/*", pattern="sequential|whole-file"),
        of(DATASET, pattern="directory-ordered", reuse="once"),
        of(ORDER, by="name", looping="once"),
    ),
    case(
        "find data/small -type f | shuf | xargs cat | wc -c",
        "small",
        of(DATASET, pattern="random|whole-file", reuse="once"),
        of(ORDER, by="shuffled", looping="once"),
    ),
    case("find data/small -type f | xargs cat | wc -c", "small", of(ORDER, by="listing|inode", looping="once")),
    case(
        "ls -tr data/small/*/* | xargs cat | wc -c",
        "small",
        of(ORDER, by="mtime", looping="once"),
    ),
    case("ls -S data/small/*/* | xargs cat | wc -c", "small", of(ORDER, by="size", looping="once")),
    case("tar cf - data/small | wc -c", "small", of(ORDER, by="listing|inode", looping="once")),
    case("tar cf - --sort=name data/small | wc -c", "small", of(ORDER, by="name", looping="once")),
    case("grep -r -c zzzz data/small | wc -l", "small", of(ORDER, by="listing|inode", looping="once")),
    case("rg -j1 --sort path -uuu -c zzzz data/small; true", "small", of(ORDER, by="name", looping="once")),
    case("rsync -r data/small/ target && rm -r target", "small", of(ORDER, by="name", looping="once")),
    case("7z a -mx0 target.7z data/small >/dev/null && rm target.7z", "small", of(ORDER, looping="once")),
    case(
        "for n in 1 2 3; do cat data/small/*/* | wc -c; done",
        "small",
        of(DATASET, pattern="directory-ordered", reuse="looping"),
        of(ORDER, by="name", looping="epochs", relation="same"),
    ),
    case(
        "for n in 1 2 3; do ls data/small/*/* | shuf | xargs cat | wc -c; done",
        "small",
        of(DATASET, reuse="looping"),
        of(ORDER, by="shuffled", looping="epochs", relation="reshuffled"),
    ),
    case(
        "ls data/small/*/* | xargs -P 4 -n 8 md5sum | wc -l",
        "small",
        of(ORDER, by="name", looping="once", sharing="partitioned"),
    ),
    case(
        "for n in 1 2 3; do ls data/small/*/* | xargs cat | wc -c & done; wait",
        "small",
        of(ORDER, by="name", sharing="all read all"),
    ),
    # Python's formats
    python(
        "numpy.memmap: one column",
        'import numpy as np; np.load("data/rows.npy", mmap_mode="r")[:, 5].sum()',
        "rows.npy",
        of("rows.npy", "mmap", pattern="strided", stride=str(MIB)),
    ),
    python(
        "numpy.memmap: the whole",
        'import numpy as np; np.load("data/rows.npy", mmap_mode="r").sum()',
        "rows.npy",
        of("rows.npy", "mmap", pattern="sequential"),
    ),
    python(
        "numpy.load: the whole",
        'import numpy as np; np.load("data/rows.npy").sum()',
        "rows.npy",
        of("rows.npy", pattern="sequential|whole-file|header-then-body", reuse="once"),
    ),
    python(
        "h5py: columns of a contiguous dataset",
        'import h5py; h5py.File("data/plain.h5")["d"][:, 100:164].sum()',
        "plain.h5",
        of("plain.h5", pattern="strided", stride="131072"),
    ),
    python(
        "h5py: rows of a contiguous dataset, one by one",
        'import h5py; sum(row[0] for row in h5py.File("data/plain.h5")["d"])',
        "plain.h5",
        of("plain.h5", pattern="sequential|header-then-body", reuse="once"),
    ),
    python(
        "h5py: a column of tiles",
        'import h5py; h5py.File("data/tiles.h5")["d"][:, 128:192].sum()',
        "tiles.h5",
        of("tiles.h5", pattern="strided", stride="524288"),
    ),
    python(
        "h5py: samples in random order",
        'import h5py, random; d = h5py.File("data/samples.h5")["d"]; n = list(range(1009)); random.shuffle(n); '
        "sum(d[i][0] for i in n)",
        "samples.h5",
        of("samples.h5", pattern="random"),
    ),
    python(
        "zarr: all chunks",
        'import zarr; zarr.open_array("data/chunks.zarr", mode="r")[:].sum()',
        "chunks.zarr",
        of("chunks.zarr/c/*/0", pattern="whole-file|sequential", reuse="once"),
        of(ORDER, by="name", looping="once"),
    ),
    python(
        "zarr: chunks in random order, twice",
        'import random, zarr; z = zarr.open_array("data/chunks.zarr", mode="r"); n = list(range(307));\n'
        "for _ in range(2):\n  random.shuffle(n); sum(z[i][0] for i in n)",
        "chunks.zarr",
        of(DATASET, reuse="looping"),
        of(ORDER, by="shuffled", looping="epochs", relation="reshuffled"),
    ),
    python(
        "pyarrow: one column of a Parquet file",
        'import pyarrow.parquet as p; p.read_table("data/columns.parquet", columns=["c3"], use_threads=False)',
        "columns.parquet",
        of("columns.parquet", pattern="strided"),
    ),
    python(
        "pyarrow: a Parquet file by row groups",
        'import pyarrow.parquet as p; f = p.ParquetFile("data/columns.parquet"); '
        "[f.read_row_group(i, use_threads=False) for i in range(f.num_row_groups)]",
        "columns.parquet",
        of("columns.parquet", pattern="sequential|header-then-body"),
    ),
    python(
        "pyarrow: an Arrow file, mapped",
        'import pyarrow as pa, pyarrow.compute as pc; f = pa.ipc.open_file(pa.memory_map("data/table.arrow")); '
        "[pc.sum(f.get_batch(i)[0]) for i in range(f.num_record_batches)]",
        "table.arrow",
        of("table.arrow", "mmap", pattern="sequential"),
    ),
    python(
        "DuckDB: one column of a Parquet file",
        'import duckdb; duckdb.sql("SET threads = 1; SELECT sum(c5) FROM \\"data/columns.parquet\\"").fetchall()',
        "columns.parquet",
        of("columns.parquet", pattern="strided"),
    ),
    python(
        "pandas.read_csv",
        'import pandas; pandas.read_csv("data/lines.txt", sep=" ", header=None)',
        "lines.txt",
        of("lines.txt", pattern="sequential", reuse="once"),
    ),
    python(
        "safetensors: all tensors",
        'from safetensors.numpy import load_file; sum(v.sum() for v in load_file("data/model.safetensors").values())',
        "model.safetensors",
        of("model.safetensors", pattern="sequential|header-then-body|whole-file"),
    ),
    python(
        "webdataset: shards in order, 2 epochs",
        "import webdataset as w\nfor _ in range(2):\n  "
        'for s in w.WebDataset("data/shards/s-{000..046}.tar", shardshuffle=False): pass',
        "shards",
        of("shards/*", pattern="sequential", reuse="looping"),
        of(DATASET, pattern="directory-ordered|sequential", reuse="looping"),
        of(ORDER, by="name", looping="epochs", relation="same"),
    ),
    python(
        "webdataset: shards shuffled, 2 epochs",
        "import webdataset as w\nfor e in range(2):\n  "
        'for s in w.WebDataset("data/shards/s-{000..046}.tar", shardshuffle=100, seed=e, detshuffle=False): pass',
        "shards",
        of("shards/*", pattern="sequential"),
        of(ORDER, by="shuffled", looping="epochs", relation="reshuffled"),
    ),
    python(
        "tifffile: every fourth page",
        'import tifffile; f = tifffile.TiffFile("data/pages.tif"); [p.asarray() for p in f.pages[::4]]',
        "pages.tif",
        of("pages.tif", pattern="strided|mixed"),
    ),
]
"""Written first; rules have been mended after what was missed of it.

Six of its claims were mistakes of the list, and have been put right: files of a few requests are whole files, `unzip`
reads the archive's directory before its members, and `--hdd-ops` had ended stress-ng before it read.
"""
