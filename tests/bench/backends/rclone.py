"""rclone: its mount over its own S3 server, whose bucket lies on the slow storage."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.backends.mounts import check, serving
from tests.kernel.tool import SECONDS, wait_until
from tests.storage.slow import Control

RCLONE = Path(sys.executable).with_name("rclone")
_KEYS = ("bench", "bench-secret")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True)
class Rclone:
    """An S3 remote; `point` is where it is mounted."""

    work: Path
    port: int

    @property
    def point(self) -> Path:
        return self.work / "rclone"

    @classmethod
    @contextlib.contextmanager
    def serving(cls, work: Path, directory: Path) -> Iterator[Rclone]:
        """Serve a directory, whose subdirectories are buckets, while the context lasts."""
        remote = cls(work, _free_port())
        remote.point.mkdir(parents=True, exist_ok=True)
        address = ["--addr", f"127.0.0.1:{remote.port}", "--auth-key", ",".join(_KEYS)]
        # The server keeps nothing and reads nothing ahead: each GET opens the file anew, and reads what it sends.
        nothing = ["--vfs-cache-mode", "off", "--buffer-size", "0", "--no-modtime"]
        argv = [str(RCLONE), "serve", "s3", *address, *nothing, str(directory)]
        with (work / "server.log").open("w") as log:
            process = subprocess.Popen(argv, stdout=log, stderr=log)
        try:
            wait_until(lambda: process.poll() is not None or _answers(remote.port), "the S3 server does not begin")
            assert process.poll() is None, (work / "server.log").read_text()
            yield remote
        finally:
            process.terminate()
            process.wait(SECONDS)

    @contextlib.contextmanager
    def mounted(self, storage: Control, bucket: str, *flags: str) -> Iterator[Path]:
        """Mount a bucket with nothing in its cache."""
        cache = ["--cache-dir", str(self.work / "rclone-cache")]
        subprocess.run(["rm", "-rf", cache[1]], check=True)
        argv = [
            str(RCLONE),
            "mount",
            "--read-only",
            "--allow-other",
            *cache,
            *flags,
            self.remote(bucket),
            str(self.point),
        ]
        with serving(argv, self.point, "fuse.rclone", self.work / "rclone.log"):
            check(self.point, storage)
            yield self.point

    def copy(self, bucket: str, name: str, target: Path, streams: int) -> list[str]:
        """Return the command that copies one object with so many streams."""
        several = ["--multi-thread-streams", str(streams), "--multi-thread-cutoff", "1M"]
        return [str(RCLONE), "copyto", *several, self.remote(bucket, name), str(target)]

    def remote(self, bucket: str, name: str = "") -> str:
        """Return what rclone calls a bucket, or an object in it."""
        key, secret = _KEYS
        options = f"provider=Rclone,access_key_id={key},secret_access_key={secret}"
        return f":s3,{options},endpoint='http://127.0.0.1:{self.port}':{bucket}/{name}"
