from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stepwell.store import ParquetStore, QueryError
from stepwell.store.spark import SparkStore


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("select nothing from runs", "nothing"),
        ("create table t (i int)", "only queries"),
        ("selec 1", "selec"),
        ("select * from read_text('/etc/passwd')", "passwd"),
    ],
)
def test_what_is_no_query_is_refused_before_spark_sees_it(spark: SparkStore, sql: str, says: str) -> None:
    with pytest.raises(QueryError, match=says):
        spark.query(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "select sum(x) as s from (values (9223372036854775807), (9223372036854775807)) as v(x)",
        "select 7 // 2 as a, -7 // 2 as b, -7 % 3 as c, 7 / 2 as d",
        "select unnest(range(3, 3)) as i",
        "select unnest(range(0, 7, 3)) as i",
        "select max_by(x, x, 2) as two from (values (3), (7), (5)) as v(x)",
        "select (1, 2) in (select (1, 2)) as here",
        "select sum(x) as s, sum(x * 0.5::double) as d from (values (1), (2), (NULL)) as v(x)",
    ],
)
def test_sql_means_what_it_means_in_duckdb(duckdb: ParquetStore, spark: SparkStore, sql: str) -> None:
    assert spark.query(sql).read_all().equals(duckdb.query(sql).read_all())


ENVIRONMENT = {"PATH": "/usr/bin:/bin", "JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1"}


def test_nothing_is_left_when_spark_has_ended(exports: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from stepwell.store.spark import SparkStore\n"
        "with SparkStore.through('local[2]', Path(sys.argv[1])) as store:\n"
        "    print(store.query('select 7 as x').read_all().to_pylist())\n"
        "children = Path('/proc/self/task/%d/children' % __import__('os').getpid()).read_text(); assert not children"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, exports],
        cwd=tmp_path,
        env=ENVIRONMENT | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[{'x': 7}]\n", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_when_a_signal_ends_it_amid_a_query(exports: Path, tmp_path: Path, how: signal.Signals) -> None:
    program = (
        "import sys; from pathlib import Path; from stepwell.store.spark import SparkStore\n"
        "with SparkStore.through('local[2]', Path(sys.argv[1])) as store:\n"
        "    print('ready', flush=True)\n"
        "    while True:\n"
        "        store.query('select sum(count) as n from runs').read_all()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, exports],
        cwd=tmp_path,
        env=ENVIRONMENT | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as asking:
        try:
            assert asking.stdout
            assert asking.stdout.readline() == "ready\n"
            (place,) = tmp_path.iterdir()
            asking.send_signal(how)
            assert asking.wait(60) == (143 if how == signal.SIGTERM else -signal.SIGINT)
        finally:
            asking.kill()
    assert not place.exists()
    assert list(tmp_path.iterdir()) == []
