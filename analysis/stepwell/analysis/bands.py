"""Which files share a row of a picture that has fewer rows than there are files."""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

SHARE = 20
"""Fewest files in a share of a directory: fewer are better seen together."""


@dataclass(frozen=True)
class Band:
    """Files beside each other in one row; `files` are indices into the paths given, in path order."""

    label: str
    files: tuple[int, ...]


def bands(paths: list[str], weights: list[int], rows: int) -> list[Band]:
    """Return at most `rows` bands that hold every file once, in the order of their paths.

    The heaviest directory is split into what it contains for as long as that fits, unless the parts would weigh
    less than half of an even share of a row, on average.  A directory of very many files
    cannot be split so; where that leaves most rows over, they cut the largest of those into equal shares of its files.
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

    total = sum(weights)
    order_of = {i: position for position, i in enumerate(order)}
    add(order)
    while heap:
        negative, _, depth, files = heapq.heappop(heap)
        children: dict[str, list[int]] = defaultdict(list)
        for i in files:
            children[parts[i][depth] if depth < len(parts[i]) else ""].append(i)
        if -negative * 2 * rows >= total * len(children) and len(done) + len(heap) + len(children) <= rows:
            for child in children.values():
                add(child)
        else:
            done.append((depth, files))
    cut = _cut([files for _, files in done], rows - len(done) if len(done) <= rows // 4 else 0)
    found = []
    for depth, files in done:
        common = "/".join(parts[files[0]][:depth])
        found += [
            Band(paths[files[0]] if len(files) == 1 else _label(len(files), common, low, high), tuple(files[low:high]))
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
    return {group: max(1, min(number, sizes[group] // SHARE)) for group, number in shares.items()}


def _shares(files: int, number: int) -> list[tuple[int, int]]:
    edges = [files * k // number for k in range(number + 1)]
    return list(pairwise(edges))


def _label(files: int, directory: str, low: int, high: int) -> str:
    if high - low == files:
        return f"{directory}/* ({files:,} files)"
    return f"{directory}/* {low + 1:,}-{high:,} of {files:,}"
