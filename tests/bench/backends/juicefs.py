"""JuiceFS, with its metadata in SQLite and its objects on the slow storage."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.backends.mounts import check, fill_probe, is_mounted, serving
from tests.kernel.tool import wait_until
from tests.storage.slow import Control

JUICEFS = Path(sys.executable).with_name("juicefs")


@dataclass(frozen=True)
class JuiceFS:
    """A volume below a directory: `objects` is what the slow storage shows at `slow`, `point` is the volume's mount."""

    work: Path

    @property
    def objects(self) -> Path:
        return self.work / "objects"

    @property
    def slow(self) -> Path:
        return self.work / "slow"

    @property
    def point(self) -> Path:
        return self.work / "juicefs"

    @classmethod
    def made(cls, work: Path, fill: Callable[[Path], object]) -> JuiceFS:
        """Format a volume and let its files be written, at full speed."""
        volume = cls(work)
        for directory in (volume.objects, volume.slow, volume.point):
            directory.mkdir(parents=True)
        storage = ["--storage", "file", "--bucket", f"{volume.objects}/", "--trash-days", "0"]
        subprocess.run([JUICEFS, "format", *storage, volume._meta, "bench"], check=True, capture_output=True)
        with volume._serving("--cache-dir", str(work / "filling")):
            fill_probe(volume.point)
            fill(volume.point)
            subprocess.run(["sync", "--file-system", volume.point], check=True)
        shutil.rmtree(work / "filling")
        return volume

    @contextlib.contextmanager
    def mounted(self, storage: Control, *flags: str) -> Iterator[Path]:
        """Mount it with nothing in its cache, its objects on the slow storage, which is mounted already."""
        with self.in_background(self.slow, *flags):
            check(self.point, storage)
            yield self.point

    @contextlib.contextmanager
    def in_background(self, bucket: Path, *flags: str) -> Iterator[Path]:
        """Mount it by a client in the background, as it is used, with nothing in its cache."""
        cache = self.work / "cache"
        shutil.rmtree(cache, ignore_errors=True)
        log = ["--log", str(self.work / "juicefs.log"), "--cache-dir", str(cache), "--bucket", f"{bucket}/"]
        usual = ["--background", "--no-usage-report", "--backup-meta", "0", "--read-only"]
        argv = [str(JUICEFS), "mount", *usual, *log, *flags, self._meta, str(self.point)]
        subprocess.run(argv, check=True, capture_output=True)
        try:
            assert is_mounted(self.point, "fuse.juicefs")
            yield self.point
        finally:
            pid = json.loads((self.point / ".config").read_text())["Pid"]
            subprocess.run(["umount", "--lazy", self.point], check=True)
            wait_until(lambda: not Path(f"/proc/{pid}").exists(), "JuiceFS does not end")

    def warmup(self, parallel: int, path: Path) -> list[str]:
        """Return its own command to fetch a file into its cache."""
        return [str(JUICEFS), "warmup", "--threads", str(parallel), str(path)]

    @property
    def _meta(self) -> str:
        return f"sqlite3://{self.work}/meta.db"

    def _serving(self, *flags: str) -> contextlib.AbstractContextManager[None]:
        argv = [str(JUICEFS), "mount", "--no-usage-report", "--backup-meta", "0", *flags, self._meta, str(self.point)]
        return serving(argv, self.point, "fuse.juicefs", self.work / "juicefs.log")
