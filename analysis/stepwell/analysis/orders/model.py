"""What is told of files' order; the words, units and order are those of the JSON report.

Times are nanoseconds since the start of the trace, sizes are bytes, shares are of 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True)
class Within:
    """In which order the files of one epoch are read."""

    by: Annotated[str, "name, size, mtime, inode, listing (as the directories list them), shuffled or unknown"]
    backward: Annotated[bool, "whether from the last to the first"]
    window: Annotated[int, "files within which the order is shuffled, as by a shuffle buffer; 0: strictly in order"]
    scope: Annotated[str, "dataset, or directory: each directory's files are in order, the directories are not"]
    directories: Annotated[str, "one by one, mixed, or single"]
    natural: Annotated[bool, "by name: whether numbers in names count as numbers (2 before 10)"]
    also: Annotated[tuple[str, ...], "other orders that explain the sequence as well"]
    confidence: Annotated[float, "from 0 to 1"]
    inverted: Annotated[float, "share of pairs of files in the wrong order; shuffled 0.5, unknown order -1"]
    chance: Annotated[float, "probability that a shuffle looks at least as much in order (Kendall's test)"]
    files: Annotated[int, "files judged, those of a sample where there are more"]


@dataclass(frozen=True)
class Across:
    """How an epoch's order relates to that of the epoch before."""

    relation: Annotated[str, "same, window (same but for a shuffle buffer), reversed, partly, reshuffled or unknown"]
    window: Annotated[int, "files within which the order changes; 0: it does not"]
    confidence: Annotated[float, "from 0 to 1"]
    inverted: Annotated[float, "share of pairs of files that changed their order; reshuffled 0.5, unknown -1"]
    chance: Annotated[float, "probability that reshuffling keeps or reverses at least as much of the order"]
    pairs: Annotated[int, "pairs of epochs compared"]
    next_file: Annotated[float, "share of visits to the very file that came next in the last epoch"]
    ahead: Annotated[int, "files that a prefetcher following the last epoch's order would keep ahead, for `hits`"]
    hits: Annotated[float, "share of visits to one of those files"]


@dataclass(frozen=True)
class Epoch:
    """One pass over the dataset."""

    start_ns: Annotated[int, "its first visit's start"]
    end_ns: Annotated[int, "its last visit's end"]
    visits: Annotated[int, "visits to files"]
    files: Annotated[int, "distinct files"]
    complete: Annotated[float, "share of the files seen in the whole trace"]
    bytes: Annotated[int, "bytes read"]
    readers: Annotated[int, "processes that took part"]
    probe: Annotated[bool, "whether only a small part of each file was read, and more of it later"]
    overlap_ns: Annotated[int, "time for which it ran beside the epoch before: its first visit before the other's last"]
    overlap_visits: Annotated[int, "its visits before the last one of the epoch before"]
    order: Annotated[str, "order of its files, as in `within`; empty when not judged"]


@dataclass(frozen=True)
class Steps:
    """How many files are read at a time."""

    files_per_step: Annotated[int, "files a process reads between two pauses, the median; 1 without distinct pauses"]
    pause_ns: Annotated[int, "median pause between steps; between files, without distinct pauses"]
    visit_ns: Annotated[int, "median time from a visit's first access to its last"]
    between_ns: Annotated[int, "median time between one file's start and the next one's, in one process"]
    open_at_once: Annotated[int, "most files that one process had open and went on reading"]
    open_at_once_mean: Annotated[float, "mean of that over the time in which there was one"]
    whole: Annotated[float, "share of visits that read the whole file"]
    part: Annotated[float, "median share of the file that a visit reads"]
    again: Annotated[float, "share of visits that follow shortly on another one of the same file; taken as one"]


@dataclass(frozen=True)
class Sharing:
    """Which process reads which files, within one epoch."""

    kind: Annotated[
        str, "alone, partitioned, all read all, overlapping, leader, process per file, in turn (one after the other)"
    ]
    readers: Annotated[int, "processes that read files"]
    at_once: Annotated[int, "most of them at the same time"]
    shared_files: Annotated[float, "share of files that several processes read in one epoch"]
    duplicated: Annotated[float, "share of bytes read by another process in the same epoch as well, but for the first"]
    jaccard_low: Annotated[float, "least similarity of two processes' files: common ones of all of both"]
    jaccard_median: Annotated[float, "median similarity"]
    jaccard_high: Annotated[float, "greatest similarity"]
    dealt: Annotated[str, "how files are dealt: stride of names, blocks of names, round robin, irregular, or empty"]
    block: Annotated[int, "files dealt at once, as a batch; 0 when irregular"]
    over_epochs: Annotated[str, "static, re-dealt, or empty when there is only one epoch or nothing to deal"]
    same_reader: Annotated[float, "share of files read by the matching process of the last epoch; -1 when unknown"]
    confidence: Annotated[float, "from 0 to 1"]


@dataclass(frozen=True)
class WorkingSet:
    """Distinct files over time."""

    window_ns: Annotated[int, "length of a window"]
    start_ns: Annotated[int, "start of the first one"]
    files: Annotated[tuple[int, ...], "distinct files in each window"]
    bytes: Annotated[tuple[int, ...], "size of those files"]


@dataclass(frozen=True)
class Points:
    """The picture: files by the rank of their name over time; columns, one entry per visit drawn."""

    start_ns: Annotated[tuple[int, ...], "start of the visit"]
    rank: Annotated[tuple[float, ...], "rank of the file's path among all, from 0 to 1"]
    epoch: Annotated[tuple[int, ...], "number of the epoch from 0; -1 when there are none"]
    reader: Annotated[tuple[int, ...], "process"]


@dataclass(frozen=True)
class Order:
    """How one workload goes over the files of one dataset."""

    dataset: Annotated[str, "directory of the dataset"]
    command: Annotated[str, "command line of the processes; where they differ, of the one with the most visits"]
    readers: Annotated[tuple[int, ...], "the processes, those with the most visits first; at most 64"]
    files: Annotated[int, "distinct files visited"]
    visits: Annotated[int, "visits: readings of a file, however many accesses each"]
    looping: Annotated[
        str,
        "epochs, sampling (with replacement or otherwise without epochs), once, or interleaved (bit by bit in turns)",
    ]
    epochs: Annotated[tuple[Epoch, ...], "the epochs; cut after 1,000"]
    epochs_found: Annotated[int, "how many there are"]
    pure: Annotated[float, "share of visits to files that are new in their epoch"]
    epoch_confidence: Annotated[float, "confidence in `looping` and the epochs, from 0 to 1"]
    hot: Annotated[int, "files visited far more often than the others, such as an index; left out of epochs"]
    within: Within
    across: Across
    steps: Steps
    sharing: Sharing
    working_set: WorkingSet
    points: Points
