"""The measured program `loop.c`: what one run of it is asked for, and what it says of itself."""

from __future__ import annotations

import statistics
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

FILE_BYTES = 64 << 20
"""The file that is read, 4 KiB at a time; it stays in the page cache."""


def compile_loop(directory: Path) -> tuple[Path, Path]:
    """Return the program and the file it reads, both new in `directory`."""
    program, data = directory / "loop", directory / "data"
    source = Path(__file__).with_suffix(".c")
    subprocess.run(["cc", "-O2", "-Wall", "-Werror", "-pthread", str(source), "-o", str(program)], check=True)
    data.write_bytes(bytes(FILE_BYTES))
    return program, data


@dataclass(frozen=True)
class Loop:
    """One run of the program; `rate` is in calls a second of all threads, 0 for as many as they can."""

    program: Path
    data: Path
    call: str = "sequential"
    threads: int = 1
    batches: int = 50
    calls: int = 8000
    rate: float = 0

    @property
    def total(self) -> int:
        """How many calls it makes in all."""
        return self.threads * self.batches * self.calls

    @property
    def result(self) -> Path:
        """Where it writes its batches' times."""
        return self.program.with_name("result")

    def argv(self) -> list[str]:
        """Return the command line."""
        numbers = (self.threads, self.batches, self.calls, self.rate)
        return [str(self.program), self.call, str(self.data), *map(str, numbers), str(self.result)]

    def times(self) -> Times:
        """Return what the run that has just ended said."""
        each = [int(line) / self.calls for line in self.result.read_text().split()]
        self.result.unlink()
        return Times(min(each), statistics.median(each))

    def shorter(self, factor: int) -> Loop:
        """Return the same with fewer calls a batch."""
        return replace(self, calls=max(1, self.calls // factor))


@dataclass(frozen=True)
class Times:
    """Nanoseconds per call, of the fastest batch and of the median one."""

    fastest: float
    median: float
