"""Which files share a row of a picture that has fewer rows than there are files."""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Band:
    """Files beside each other in one row; `files` are indices into the paths given, in path order."""

    label: str
    files: tuple[int, ...]


def bands(paths: list[str], weights: list[int], rows: int) -> list[Band]:
    """Return at most `rows` bands that hold every file once, in the order of their paths.

    The heaviest directory is split into what it contains for as long as that fits.  A directory of very many files
    cannot be split so; rows left over then cut the largest of those into equal shares of its files in path order.
    """
    order = sorted(range(len(paths)), key=paths.__getitem__)
    if len(paths) <= rows:
        return [Band(paths[i], (i,)) for i in order]
    parts = {i: paths[i].split("/") for i in order}
    heap: list[tuple[int, int, int, list[int]]] = []
    """Still to be split: minus the weight, a tie breaker, how many leading parts they share, the files."""
    done: list[tuple[int, list[int]]] = []

    def add(files: list[int]) -> None:
        depth = _shared(parts[files[0]], parts[files[-1]])
        if len(files) == 1:
            done.append((depth, files))
        else:
            heapq.heappush(heap, (-sum(weights[i] for i in files), order_of[files[0]], depth, files))

    order_of = {i: position for position, i in enumerate(order)}
    add(order)
    while heap:
        _, _, depth, files = heapq.heappop(heap)
        children: dict[str, list[int]] = defaultdict(list)
        for i in files:
            children[parts[i][depth] if depth < len(parts[i]) else ""].append(i)
        if len(done) + len(heap) + len(children) <= rows:
            for child in children.values():
                add(child)
        else:
            done.append((depth, files))
    cut = _cut([files for _, files in done], rows - len(done))
    found = []
    for depth, files in done:
        common = "/".join(parts[files[0]][:depth])
        found += [
            Band(
                paths[files[low]] if len(files) == 1 else f"{common}/* ({_range(low, high, len(files))})",
                tuple(files[low:high]),
            )
            for low, high in _shares(len(files), cut.get(files[0], 1))
        ]
    return sorted(found, key=lambda band: order_of[band.files[0]])


def _shared(first: list[str], last: list[str]) -> int:
    """Return how many leading parts two paths share; with sorted paths, all between them share those too."""
    depth = 0
    while depth < min(len(first), len(last)) and first[depth] == last[depth]:
        depth += 1
    return depth


def _cut(groups: list[list[int]], spare: int) -> dict[int, int]:
    """Return, by a group's first file, into how many shares to cut it: one more at a time where shares are largest."""
    shares = {files[0]: 1 for files in groups}
    sizes = {files[0]: len(files) for files in groups}
    for _ in range(spare):
        largest = max(shares, key=lambda group: sizes[group] / shares[group])
        shares[largest] += 1
    return {group: min(number, sizes[group]) for group, number in shares.items()}


def _shares(files: int, number: int) -> list[tuple[int, int]]:
    edges = [files * k // number for k in range(number + 1)]
    return list(pairwise(edges))


def _range(low: int, high: int, files: int) -> str:
    return f"{files:,} files" if high - low == files else f"{low + 1:,}-{high:,} of {files:,} files"
