"""From one trace to where its time went."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stepwell.analysis.ask import Queryable, Row, ask, rows
from stepwell.analysis.naming import called
from stepwell.analysis.queries import IMPORTED, READERS, TRACE
from stepwell.analysis.thresholds import waits as limits
from stepwell.analysis.waits import questions
from stepwell.analysis.waits.accounts import Ints, Threads
from stepwell.analysis.waits.model import Account, Dataset, Process, Storage, Team, Use, Waits
from stepwell.analysis.waits.slow import slow_files
from stepwell.analysis.waits.storages import storages
from stepwell.analysis.waits.teams import Course, Members, course, teams
from stepwell.analysis.waits.verdict import Case, verdict
from stepwell.store.errors import NoTraceError

_SUMS = (
    "accesses", "bytes", "requested", "waited", "asleep_ns", "stall_ns", "filled", "consecutive_bytes", "asynchronous",
    "mapped", "untimed", "split",
)  # fmt: skip
_SYNC = ("sync",)
_DIRECTIONS = {
    os.O_RDONLY: ("read",),
    os.O_WRONLY: ("write",),
    os.O_RDWR: ("read", "write"),
    os.O_ACCMODE: (),
}
"""What files are opened for, by access mode; the last is Linux's, for ioctl() alone."""


def waits(store: Queryable, trace: int) -> Waits:
    """Return where the time of a trace went, and why.

    Raises:
        NoTraceError: the trace is not in the store.
    """
    about = rows(store, TRACE, trace)
    if not about:
        raise NoTraceError(f"there is no trace {trace}; `stepwell traces` lists those there are")
    return _Study(store, trace, about[0]["duration_ns"], seen=not about[0]["collector"].startswith(IMPORTED)).result()


class _Study:
    """One trace while it is looked at."""

    def __init__(self, store: Queryable, trace: int, duration_ns: int, *, seen: bool) -> None:
        self.trace, self.duration_ns, self.seen = trace, duration_ns, seen
        self.described = rows(store, READERS, trace, duration_ns)
        self.places = {row["storage"]: row for row in rows(store, questions.PLACES, trace)}
        self.pairs = ask(store, questions.PAIRS, trace)
        self.opens = ask(store, questions.OPENS, trace)
        self.events = ask(store, questions.EVENTS, trace)
        self.threads = self._threads(ask(store, questions.THREADS, trace, duration_ns))
        self.by_number = storages(store, trace, duration_ns, self.places)
        self.storages: dict[tuple[str, str], Storage] = {
            (found.dataset, found.direction): found for found in self.by_number.values()
        }
        self.data = self.pairs.filter(pc.invert(self.pairs["software"]))
        self.slow = slow_files(store, trace, duration_ns, self.data, self.by_number)
        accesses = pc.sum(self.pairs["accesses"]).as_py() or 0
        self.timed = (pc.sum(self.pairs["untimed"]).as_py() or 0) < max(accesses, 1)

    def _threads(self, table: pa.Table) -> Threads:
        numbers = table["thread"].to_numpy()

        def spread(given: pa.Table, column: str, mask: Any = None) -> Ints:
            """Return the sums of a column by thread, in the order of threads."""
            chosen = given if mask is None else given.filter(mask)
            values = chosen[column].to_numpy()
            at = np.searchsorted(numbers, chosen["thread"].to_numpy())
            return np.bincount(at, values, len(numbers)).astype(np.int64)

        self._spread = spread
        write = pc.equal(self.pairs["direction"], "write")
        sync = pc.is_in(self.events["event"], pa.array(_SYNC))
        return Threads(
            thread=numbers,
            reader=table["reader"].to_numpy(),
            tid=table["tid"].to_numpy().astype(np.int64),
            start=table["start_ns"].to_numpy(),
            end=table["end_ns"].to_numpy(),
            cpu=table["cpu_ns"].to_numpy(),
            queued=table["queued_ns"].to_numpy(),
            read=spread(self.pairs, "asleep_ns", pc.invert(write)) + table["async_wait_ns"].to_numpy(),
            write=spread(self.pairs, "asleep_ns", write) + spread(self.events, "slow_ns", sync),
            metadata=spread(self.opens, "slow_ns") + spread(self.events, "slow_ns", pc.invert(sync)),
        )

    def result(self) -> Waits:
        """Return all that was found."""
        pids = {row["reader"]: row["pid"] for row in self.described}
        moved = self._spread(self.data, "bytes")
        stalled = self._spread(self.data, "asleep_ns") + self._spread(
            self.opens, "slow_ns", pc.invert(self.opens["software"])
        )
        reader_uses = self._uses({row["reader"]: row["reader"] for row in self.described})
        members = teams(self.described, self.threads, moved, stalled + self._asynchronous(), reader_uses)
        of_reader = {reader: number for number, team in enumerate(members) for reader in team.readers}
        team_uses = self._uses(of_reader)
        processes = [self._process(row, reader_uses.get(row["reader"], ())) for row in self.described]
        found = [
            self._team(team, course(team, self.threads, pids), team_uses.get(number, ()))
            for number, team in enumerate(members)
        ]
        return Waits(
            trace=self.trace,
            elapsed_ns=self.duration_ns,
            timed=self.timed,
            seen=self.seen,
            teams=tuple(sorted(found, key=lambda team: (-team.critical_high * team.elapsed_ns, team.readers))),
            processes=tuple(sorted(processes, key=lambda one: (-one.account.storage_ns, one.reader))),
            datasets=tuple(sorted(self._datasets(), key=lambda one: (-one.stall_ns, one.dataset))),
            storages=tuple(self.storages.values()),
        )

    def _asynchronous(self) -> Ints:
        """Return the time that each thread slept until asynchronous accesses were done: reads without `asleep_ns`."""
        return self.threads.read - self._spread(self.pairs, "asleep_ns", pc.not_equal(self.pairs["direction"], "write"))

    def _uses(self, groups: dict[int, int]) -> dict[int, tuple[Use, ...]]:
        """Return what groups of processes did with each dataset; `groups` names each process's."""
        keys = ["group", "storage", "direction"]
        if not self.data.num_rows or not groups:
            return {}

        def grouped(table: pa.Table) -> pa.Table:
            known = table.filter(pc.is_in(table["reader"], pa.array(list(groups), pa.int64())))
            names = pa.array([groups[reader] for reader in known["reader"].to_pylist()], pa.int64())
            return known.append_column("group", names)

        data = grouped(self.data)
        sums = data.group_by(keys).aggregate([(name, "sum") for name in _SUMS])
        files = data.group_by([*keys, "file"]).aggregate([("file_size", "max")])
        files = files.group_by(keys).aggregate([("file", "count"), ("file_size_max", "sum")])
        sizes = {tuple(row[key] for key in keys): row for row in files.to_pylist()}
        opened = self._opened(grouped(self.opens), grouped(self.events))
        slept = dict(zip(self.threads.thread.tolist(), self._asynchronous().tolist(), strict=True))
        waiting = self._shared_out(data, keys, slept)
        found: dict[int, list[Use]] = defaultdict(list)
        for row in sums.to_pylist():
            key = tuple(row[name] for name in keys)
            group, storage, direction = key
            total = {name: row[f"{name}_sum"] or 0 for name in _SUMS}
            opens = opened[group, storage, direction]
            octets = total["bytes"]
            found[group].append(
                Use(
                    dataset=self.places[storage]["dataset"] if storage in self.places else "",
                    direction=direction,
                    files=sizes[key]["file_count"],
                    file_bytes=sizes[key]["file_size_max_sum"] or 0,
                    accesses=total["accesses"],
                    bytes=octets,
                    request=round(total["requested"] / max(total["accesses"], 1)),
                    waited=total["waited"],
                    asleep_ns=total["asleep_ns"] + round(waiting.get(key, 0.0)),
                    awake_ns=total["stall_ns"] - total["asleep_ns"],
                    fetched=total["filled"] * limits.PAGE,
                    consecutive=total["consecutive_bytes"] / octets if octets else 0.0,
                    direct=opens["direct"] * 2 > opens["opens"],
                    synchronous=opens["synchronous"] * 2 > opens["opens"],
                    asynchronous=total["asynchronous"],
                    mapped=total["mapped"],
                    untimed=total["untimed"],
                    opens=opens["opens"],
                    opened=opens["files"],
                    metadata_ns=opens["slow_ns"],
                    split=total["split"],
                )
            )
        return {group: tuple(sorted(uses, key=lambda use: -use.asleep_ns)) for group, uses in found.items()}

    @staticmethod
    def _opened(opens: pa.Table, events: pa.Table) -> dict[tuple[int, int | None, str], Row]:
        """Return sums over opens, and the time spent in them and in closes, by group, storage and direction.

        What is opened for both counts in both.
        """
        found: dict[tuple[int, int | None, str], Row] = defaultdict(
            lambda: {"opens": 0, "files": 0, "slow_ns": 0, "direct": 0, "synchronous": 0}
        )
        for row in opens.to_pylist():
            for direction in _DIRECTIONS[row["mode"]]:
                entry = found[row["group"], row["storage"], direction]
                for name in entry:
                    entry[name] += row[name]
        for row in events.to_pylist():
            if row["event"] not in _SYNC:
                for direction in _DIRECTIONS[row["mode"]]:
                    found[row["group"], row["storage"], direction]["slow_ns"] += row["slow_ns"]
        return found

    @staticmethod
    def _shared_out(data: pa.Table, keys: list[str], slept: dict[int, int]) -> dict[tuple[Any, ...], float]:
        """Return threads' time in io_uring_enter and the like, by the group's asynchronous accesses."""
        some = data.filter(pc.greater(data["asynchronous"], 0)).to_pylist()
        whole: dict[int, int] = defaultdict(int)
        for row in some:
            whole[row["thread"]] += row["asynchronous"]
        found: dict[tuple[Any, ...], float] = defaultdict(float)
        for row in some:
            part = row["asynchronous"] / whole[row["thread"]]
            found[tuple(row[key] for key in keys)] += slept.get(row["thread"], 0) * part
        return found

    def _case(self, account: Account, uses: tuple[Use, ...], uneven: float = 0.0) -> Case:
        mine = {use.dataset for use in uses}
        whole = sum(use.asleep_ns for use in uses if use.direction == "read")
        excess = 0.0
        for dataset in mine:
            storage = self.storages.get((dataset, "read"))
            slow = sum(file.excess_ns for file in self.slow.get(dataset, ()))
            if storage and slow:
                share = sum(use.asleep_ns for use in uses if use.dataset == dataset and use.direction == "read")
                excess += slow * min(1.0, share / max(storage.ns, 1))
        return Case(account, uses, self.storages, self.timed, self.seen, uneven, round(min(excess, whole)))

    def _team(self, team: Members, found: Course, uses: tuple[Use, ...]) -> Team:
        account = self.threads.account(team.lanes)
        of = {row["reader"]: row for row in self.described}
        first = of[team.readers[0]]
        return Team(
            name=called(first["comm"], first["command"]),
            workload=first["command"],
            readers=team.readers,
            pids=tuple(of[reader]["pid"] for reader in team.readers),
            threads=int(team.lanes.sum()),
            width=found.width,
            start_ns=found.start,
            elapsed_ns=found.elapsed,
            account=account,
            consumer=found.consumer,
            consumer_cpu_ns=found.consumer_busy,
            critical_low=found.low,
            critical_high=found.high,
            straggler=found.straggler,
            uneven_ns=found.uneven,
            uses=uses,
            verdict=verdict(self._case(account, uses, found.uneven / found.elapsed)),
        )

    def _process(self, row: Row, uses: tuple[Use, ...]) -> Process:
        mask = self.threads.reader == row["reader"]
        account = self.threads.account(mask)
        alive = self.threads.end[mask].max(initial=row["start_ns"]) - row["start_ns"]
        return Process(
            reader=row["reader"],
            pid=row["pid"],
            ppid=row["ppid"],
            name=called(row["comm"], row["command"]),
            comm=row["comm"],
            command=row["command"],
            elapsed_ns=int(alive),
            account=account,
            verdict=verdict(self._case(account, uses)),
        )

    def _datasets(self) -> list[Dataset]:
        names = self.data["storage"].to_numpy(zero_copy_only=False)
        found = []
        by_storage = self._uses_of_storages()
        metadata_ns = self._metadata()
        for number in self.places:
            mine = by_storage.get(number)
            if not mine:
                continue
            lanes = np.isin(self.threads.thread, self.data["thread"].to_numpy()[names == number])
            place = self.places[number]
            whole = self.threads.account(lanes)
            read, write = (sum(u.asleep_ns for u in mine if u.direction == way) for way in ("read", "write"))
            metadata = metadata_ns.get(place["dataset"], 0)
            account = Account(
                wall_ns=whole.wall_ns,
                cpu_ns=whole.cpu_ns,
                read_ns=read,
                write_ns=write,
                metadata_ns=metadata,
                queued_ns=whole.queued_ns,
                other_ns=max(0, whole.wall_ns - whole.cpu_ns - whole.queued_ns - read - write - metadata),
            )
            found.append(
                Dataset(
                    dataset=place["dataset"],
                    filesystem=place["filesystem"],
                    stall_ns=account.storage_ns,
                    stall_share=account.share(account.storage_ns),
                    accesses=sum(use.accesses for use in mine),
                    waited=sum(use.waited for use in mine),
                    bytes=sum(use.bytes for use in mine),
                    verdict=verdict(self._case(account, mine)),
                    slow=self.slow.get(place["dataset"], ()),
                )
            )
        return found

    def _metadata(self) -> dict[str, int]:
        """Return the time that everybody spent in opens, closes and the like, by dataset."""
        found: dict[str, int] = defaultdict(int)
        for row in self.opens.to_pylist() + self.events.to_pylist():
            if row["storage"] in self.places and row.get("event") not in _SYNC:
                found[self.places[row["storage"]]["dataset"]] += row["slow_ns"]
        return found

    def _uses_of_storages(self) -> dict[int, tuple[Use, ...]]:
        """Return what everybody together did with each storage."""
        everybody = self._uses(dict.fromkeys((row["reader"] for row in self.described), 0)).get(0, ())
        by_name: dict[str, list[Use]] = defaultdict(list)
        for use in everybody:
            by_name[use.dataset].append(use)
        return {number: tuple(by_name[place["dataset"]]) for number, place in self.places.items()}
