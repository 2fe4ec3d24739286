"""A storage with a known latency and bandwidth for one command: `slow.c`."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


def compile_slow(directory: Path) -> Path:
    """Return the program of `slow.c`."""
    program, source = directory / "slow", Path(__file__).with_name("slow.c")
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-o", program, source], check=True)
    return program


@dataclass(frozen=True)
class Slow:
    """A directory as seen through a slow storage; for all commands the mount is at the same place."""

    program: Path
    source: Path
    mount: Path
    latency_us: float = 0
    open_us: float = 0
    bytes_s: float = 1e12
    slow_file: str = ""
    factor: float = 1

    def argv(self, *command: str) -> list[str]:
        """Return the command line that runs a command with the storage mounted."""
        named = ["-f", self.slow_file, "-x", str(self.factor)] if self.slow_file else []
        speed = ["-l", str(self.latency_us), "-o", str(self.open_us), "-b", str(self.bytes_s)]
        return [str(self.program), *speed, *named, str(self.source), str(self.mount), *command]
