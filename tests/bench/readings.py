"""What is read in the contest of readers: data sets, and workloads over them."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

MIB = 1 << 20
SMALL = 128 << 10

PLAIN, BARE, HAND = "plain reader", "no readahead", "read_ahead_kb of 16 MiB"
BEST, SIDECAR, TOUCH = "its best flags", "16 MiB whole-file sidecar", "vmtouch -t, then read"
STEERED, KNOWN = "stepwell run", "stepwell run, order known"
TUNED, PLANNED = "stepwell run --tune-mounts", "stepwell run --tune-mounts, planned"
WARMUP, WARMED = "juicefs warmup, then read", "stepwell warm, then read"

ALONG = {
    "JuiceFS": ("--prefetch", "3", "--max-readahead", "64", "--buffer-size", "600"),
    "rclone": (
        *("--vfs-cache-mode", "full", "--vfs-read-ahead", "128M", "--buffer-size", "0"),
        *("--vfs-read-chunk-size", "4M", "--vfs-read-chunk-streams", "16"),
    ),
}
"""Flags of each backend that are best for reading along."""
SCATTERED = {
    "JuiceFS": ("--prefetch", "0", "--max-readahead", "0"),
    "rclone": (
        "--vfs-cache-mode",
        "full",
        "--vfs-read-ahead",
        "0",
        "--buffer-size",
        "0",
        "--vfs-read-chunk-size",
        "64k",
    ),
}
"""Flags that fetch least for small reads here and there."""


@dataclass(frozen=True)
class Sizes:
    """How much there is of each."""

    files: int
    """Of 128 KiB."""
    large: int
    """Bytes of the file for strides and random reads, and of a model; a quarter, or all, of them are read along."""
    reads: int
    """At random."""
    latencies_ms: tuple[int, ...] = (20, 100)
    """Of requests; all but reading along takes place at the first only."""

    @property
    def fitting(self) -> int:
        """Bytes of the file that fits into the memory budget."""
        return min(16 * MIB, self.large // 16)

    @property
    def volumes(self) -> list[int]:
        """Bytes of each volume of images: MLPerf Storage's UNet3D has 146 MB (deviation 68 MB), a fifth of that."""
        return [self.large // 1024 * share for share in (29, 20, 40, 24, 35, 31, 22)]


@dataclass(frozen=True)
class Workload:
    """What is read in which order, on a storage of some latency, and who competes."""

    name: str
    latency_ms: int
    data: str
    """The data set: what it is called below the mount."""
    epochs: tuple[tuple[str, ...], ...]
    octets: int
    """That are asked for, in all epochs."""
    contenders: tuple[str, ...]
    reader: tuple[str, ...] = ()
    """Options of follow.py."""
    memory: str = ""
    """The budget that `stepwell run` is given."""
    cached: bool = False
    """All is in memory before."""
    best: dict[str, tuple[str, ...]] = field(default_factory=lambda: ALONG)


def fill(names: set[str], sizes: Sizes, directory: Path) -> None:
    """Make some of the data sets."""
    makers: dict[str, Callable[[Path], None]] = {
        "files": lambda path: _several(path, [SMALL] * sizes.files),
        "large": lambda path: _random(path, sizes.large),
        "fitting": lambda path: _random(path, sizes.fitting),
        "streams": lambda path: _several(path, [sizes.large // 32] * 8),
        "volumes": lambda path: _volumes(path, sizes.volumes),
        "model": lambda path: _model(path, sizes.large // 4),
    }
    for name in names:
        makers[name](directory / name)


def _random(path: Path, octets: int) -> None:
    with path.open("wb") as file:
        for at in range(0, octets, MIB):
            file.write(os.urandom(min(MIB, octets - at)))


def _several(directory: Path, sizes: list[int]) -> None:
    directory.mkdir()
    for number, octets in enumerate(sizes):
        _random(directory / str(number), octets)


def _volumes(directory: Path, sizes: list[int]) -> None:
    directory.mkdir()
    rng = np.random.default_rng(5)
    for number, octets in enumerate(sizes):
        np.savez(directory / f"{number}.npz", x=rng.integers(0, 256, octets, np.uint8))


def _model(path: Path, octets: int) -> None:
    """Write a file of safetensors: layers of one large tensor and two small ones."""
    layers, small, at = 16, 4096, 0
    header = {}
    for layer in range(layers):
        for name, length in (("weight", octets // layers), ("bias", small), ("norm", small)):
            header[f"{layer}.{name}"] = {"dtype": "U8", "shape": [length], "data_offsets": [at, at + length]}
            at += length
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _ in range(0, at, MIB):
            file.write(os.urandom(MIB))
        file.truncate(8 + len(text) + at)


def _share(octets: int) -> str:
    """A memory budget for a set that is larger than the memory."""
    return f"{max(octets // 2 // MIB, 1)}MiB"


def workloads(sizes: Sizes) -> list[Workload]:
    """Return them all."""
    rng, latency_ms = random.Random(5), sizes.latencies_ms[0]
    names = [f"files/{number}" for number in range(sizes.files)]
    volumes = [f"volumes/{number}.npz" for number in range(len(sizes.volumes))]
    quarter = sizes.large // 4
    strided = [f"large\t{offset}\t65536" for offset in range(0, sizes.large, 8 * MIB)]
    outer = sizes.large // 32
    grid = [f"large\t{row * outer + piece * outer // 32}\t65536" for row in range(32) for piece in range(13)]
    whole = [f"large\t{offset}\t131072" for offset in range(0, sizes.large, SMALL)]
    along = whole[: quarter // SMALL]
    eight = [f"streams/{file}\t{offset}\t131072" for offset in range(0, quarter // 8, SMALL) for file in range(8)]
    working = along[:128]

    def shuffled(paths: list[str], again: bool, epochs: int) -> tuple[tuple[str, ...], ...]:
        orders = [tuple(rng.sample(paths, len(paths))) for _ in range(epochs)]
        return tuple(orders[:1] * epochs if again else orders)

    def scattered(name: str, octets: int, memory: str, *more: str) -> Workload:
        steps = tuple(f"{name}\t{rng.randrange(octets // 4096) * 4096}\t4096" for _ in range(sizes.reads))
        title = f"4 KiB at random, {'within' if name == 'fitting' else 'beyond'} the budget"
        contenders = (PLAIN, HAND, BEST, STEERED, KNOWN, TUNED, PLANNED, *more)
        return Workload(
            title, latency_ms, name, (steps,), sizes.reads * 4096, contenders, memory=memory, best=SCATTERED
        )

    def sequential(latency_ms: int) -> Workload:
        return Workload("sequential", latency_ms, "large", (tuple(along),), quarter,
                        (PLAIN, BARE, HAND, BEST, SIDECAR, STEERED, TUNED))  # fmt: skip

    def longer(latency_ms: int) -> Workload:
        return Workload("sequential, to the end", latency_ms, "large", (tuple(whole),), sizes.large,
                        (PLAIN, BEST, STEERED))  # fmt: skip

    def small(name: str, again: bool, *more: str) -> Workload:
        return Workload(f"3 epochs by 4 workers, {name}", latency_ms, "files", shuffled(names, again, 3),
                        3 * sizes.files * SMALL, (PLAIN, SIDECAR, STEERED, *more), ("--workers", "4"),
                        memory=_share(sizes.files * SMALL))  # fmt: skip

    return [
        *map(sequential, sizes.latencies_ms),
        *map(longer, sizes.latencies_ms),
        Workload("eight sequential readers", latency_ms, "streams", (tuple(eight),), quarter,
                 (PLAIN, HAND, BEST, SIDECAR, STEERED), ("--workers", "8")),
        Workload("64 KiB every 8 MiB", latency_ms, "large", (tuple(strided),), len(strided) * 65_536,
                 (PLAIN, HAND, SIDECAR, STEERED, KNOWN)),
        Workload("64 KiB in 32 rows of 13", latency_ms, "large", (tuple(grid),), len(grid) * 65_536,
                 (PLAIN, HAND, STEERED)),
        scattered("fitting", sizes.fitting, f"{2 * sizes.fitting // MIB}MiB", TOUCH),
        scattered("large", sizes.large, f"{sizes.large // (8 * MIB)}MiB"),
        Workload("files by name", latency_ms, "files", (tuple(sorted(names)),), sizes.files * SMALL,
                 (PLAIN, SIDECAR, STEERED)),
        Workload("shuffled files", latency_ms, "files", shuffled(names, False, 1), sizes.files * SMALL,
                 (PLAIN, SIDECAR, TOUCH, WARMUP, WARMED, STEERED, KNOWN)),
        small("same order", True),
        small("new order", False, KNOWN),
        Workload("UNet3D-like, 4 workers", latency_ms, "volumes", shuffled(volumes, False, 2), 2 * sum(sizes.volumes),
                 (PLAIN, HAND, BEST, SIDECAR, STEERED, KNOWN),
                 ("--workers", "4", "--how", "npz", "--pause-ms", "300"), memory=_share(sum(sizes.volumes))),
        Workload("safetensors by mmap", latency_ms, "model", (("model",),), quarter,
                 (PLAIN, HAND, BEST, SIDECAR, TOUCH, STEERED), ("--how", "tensors")),
        Workload("a file in one call", latency_ms, "model", (("model",),), quarter,
                 (PLAIN, HAND, BEST, SIDECAR, STEERED), ("--how", "whole")),
        Workload("compute-bound", latency_ms, "large", (tuple(working),), len(working) * SMALL,
                 (PLAIN, STEERED), ("--work-ms", "40")),
        Workload("already cached", latency_ms, "large", (tuple(along) * 8,), 8 * quarter,
                 (PLAIN, STEERED), cached=True),
    ]  # fmt: skip
