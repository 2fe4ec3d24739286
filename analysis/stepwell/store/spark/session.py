"""A Spark session of its own that leaves nothing behind: no process, no file, no word on standard output."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pyspark import SparkContext
from pyspark.sql import SparkSession

from stepwell.store.database import half_of_memory
from stepwell.store.errors import StoreError

_JAVA = ("java-17-openjdk-*", "java-21-openjdk-*")
"""Where Debian puts what Spark 4 runs on."""


LOCAL_MEMORY = 4 << 30
"""Most bytes of Java's heap when Spark runs on this machine alone; its own default of 1 GiB fails at 10 M runs."""


STOP_SECONDS = 20
"""How long Java may take to end by itself, when a job was broken off; it then is killed."""


@contextmanager
def session(master: str) -> Iterator[SparkSession]:
    """Start Spark; everything it writes is below one temporary directory, gone at the end.

    Args:
        master: Spark's master URL, such as local[2] or spark://host:7077.

    Raises:
        StoreError: there is no Java that Spark can run on, or the master cannot be reached.
    """
    logging.getLogger("SQLQueryContextLogger").disabled = True
    with _terminated_in_order():
        place = Path(tempfile.mkdtemp(prefix="stepwell-spark."))
        try:
            with _environment(place):
                spark = _start(master, place)
            yield spark
        finally:
            _stop()
            shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _terminated_in_order() -> Iterator[None]:
    """Let SIGTERM end this process as SIGINT does: by an exception, so that what is to be left behind is nothing."""

    def terminated(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield  # somebody else looks after it
        return
    signal.signal(signal.SIGTERM, terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _start(master: str, place: Path) -> SparkSession:
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.local.dir": str(place),
        "spark.sql.warehouse.dir": str(place / "warehouse"),
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        "spark.driver.extraJavaOptions": f"-Djava.io.tmpdir={place}",
    }
    if master.startswith("local"):
        settings |= {
            "spark.driver.host": "localhost",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.memory": f"{min(LOCAL_MEMORY, half_of_memory()) >> 20}m",  # Java takes no suffix for bytes
            "spark.sql.shuffle.partitions": "4",
        }
    builder = SparkSession.builder.appName("stepwell").master(master)
    for name, value in settings.items():
        builder = builder.config(name, value)
    try:
        with _output_to(place / "java.log"):
            return builder.getOrCreate()
    except Exception as error:
        raise StoreError(
            f"Spark does not start on {master}: {str(error).strip().splitlines()[0]}; "
            "it needs Java 17 (apt-get install openjdk-17-jre-headless) and a master that answers"
        ) from error


def _stop() -> None:
    """Stop Spark and wait until its Java process has ended, which otherwise lives as long as this one."""
    gateway, context = SparkContext._gateway, SparkContext._active_spark_context
    if gateway is None:
        return
    with suppress(Exception):  # the answer to a call that a signal broke off may come in the place of these
        if context is not None:
            context.stop()
        gateway.shutdown()
    process = gateway.proc
    process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if context is not None:
        context.stop()  # of one that could not be stopped, what is left here
    SparkContext._gateway = SparkContext._jvm = None


@contextmanager
def _output_to(log: Path) -> Iterator[None]:
    """Let what is started write into a file whatever it writes; its messages come as exceptions, too."""
    sys.stdout.flush()
    sys.stderr.flush()
    before = [(number, os.dup(number)) for number in (1, 2)]
    with log.open("ab") as stream:
        for number, _ in before:
            os.dup2(stream.fileno(), number)
    try:
        yield
    finally:
        for number, copy in before:
            os.dup2(copy, number)
            os.close(copy)


@contextmanager
def _environment(place: Path) -> Iterator[None]:
    """Set what the launcher of the Java process reads."""
    java = java_home()
    wanted = {"SPARK_LOCAL_DIRS": str(place), "PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable}
    wanted |= {"JAVA_HOME": java} if java else {}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def java_home() -> str | None:
    """Return the directory of the Java to use: $JAVA_HOME, or Debian's 17 or 21; None for the one in $PATH.

    Raises:
        StoreError: there is none.
    """
    if home := os.environ.get("JAVA_HOME"):
        return home
    for pattern in _JAVA:
        for home_found in sorted(Path("/usr/lib/jvm").glob(pattern)):
            if (home_found / "bin/java").exists():
                return str(home_found)
    if shutil.which("java"):
        return None
    raise StoreError(
        "Spark needs Java 17, and there is none; apt-get install openjdk-17-jre-headless, or set JAVA_HOME"
    )
