"""What each dataset's storage gave: the model, concurrency and limits of one direction at a time."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stepwell.analysis.ask import Queryable, Row, ask, rows
from stepwell.analysis.thresholds import waits as limits
from stepwell.analysis.waits import questions
from stepwell.analysis.waits.fit import Cells, fit
from stepwell.analysis.waits.flow import by_depth, concurrency, most, scales, throttle
from stepwell.analysis.waits.model import Storage

_CELLS = ("size_class", "time_class", "fetches", "bytes", "ns")


def storages(store: Queryable, trace: int, duration_ns: int, places: dict[int, Row]) -> dict[tuple[int, str], Storage]:
    """Return what each storage gave, by number and direction.

    Args:
        store: where the public views are.
        trace: number of the trace.
        duration_ns: its length.
        places: the storages by number, with `dataset`, `filesystem` and `dev`.
    """
    slice_ns = max(1, math.ceil(duration_ns / limits.SLICES))
    table = ask(store, questions.FETCHES, trace, slice_ns)
    if not table.num_rows:
        return {}
    several = pc.any(pc.less(table["slice"], 0)).as_py()
    moments = _moments(table, rows(store, questions.LONG_FETCHES, trace, slice_ns) if several else [])
    depth = _depths(store, trace, duration_ns, int(pc.sum(table["fetches"]).as_py()))
    column = {name: table[name].to_numpy() for name in table.column_names}
    found = {}
    for key in dict.fromkeys(zip(column["storage"].tolist(), column["direction"].tolist(), strict=True)):
        number, direction = key
        mask = (column["storage"] == number) & (column["direction"] == direction)
        # Others took several trips one after the other, or had begun before anybody waited for them.
        single = mask & column["single"]
        telling = single if column["fetches"][single].sum() >= limits.FEW else np.zeros_like(mask)
        model = fit(_merged(Cells(*(column[name][telling] for name in _CELLS))))
        fetches, octets, ns = moments.get(key, np.zeros((3, limits.SLICES)))
        depths = by_depth(fetches, octets, ns, slice_ns)
        place = places[number]
        found[key] = Storage(
            dataset=place["dataset"],
            filesystem=place["filesystem"],
            device="" if place["dev"] is None else f"{place['dev'] >> 20}:{place['dev'] & 0xFFFFF}",
            direction=direction,
            fetches=int(column["fetches"][mask].sum()),
            bytes=int(column["bytes"][mask].sum()),
            ns=int(column["ns"][mask].sum()),
            latency_ns=model.latency_ns,
            bytes_s=model.bytes_s,
            error=model.error,
            depth=depth.get(number, 0.0),
            most_bytes_s=most(fetches, octets, slice_ns),
            scales=scales(depths),
            throttle=throttle(fetches, octets, ns, slice_ns),
            tail=model.tail,
            sizes=model.sizes,
            depths=depths,
        )
    return found


def _merged(cells: Cells) -> Cells:
    """Return the cells sorted, with those of one size and time put together."""
    order = np.lexsort((cells.time_class, cells.size_class))
    sorted_ = Cells(*(column[order] for column in vars(cells).values()))
    new = np.ones(len(cells), bool)
    new[1:] = (np.diff(sorted_.size_class) != 0) | (np.diff(sorted_.time_class) != 0)
    first = np.flatnonzero(new)
    return Cells(
        sorted_.size_class[first],
        sorted_.time_class[first],
        *(np.add.reduceat(column, first) for column in (sorted_.fetches, sorted_.bytes, sorted_.ns)),
    )


def _moments(table: pa.Table, long: list[Row]) -> dict[tuple[int, str], np.ndarray]:
    """Return fetches, bytes and ns in each slice, by storage and direction; `long` is what runs over several."""
    sums = table.group_by(["storage", "direction", "slice"]).aggregate(
        [(name, "sum") for name in ("fetches", "bytes", "ns")]
    )
    short = [
        row | {name: row[f"{name}_sum"] for name in ("fetches", "bytes", "ns")}
        for row in sums.to_pylist()
        if row["slice"] >= 0
    ]
    found: dict[tuple[int, str], np.ndarray] = {}
    for row in short + long:
        series = found.setdefault((row["storage"], row["direction"]), np.zeros((3, limits.SLICES)))
        series[:, row["slice"]] += row["fetches"], row["bytes"], row["ns"]
    return found


def _depths(store: Queryable, trace: int, duration_ns: int, fetches: int) -> dict[int, float]:
    """Return the mean concurrency of each storage; of very many fetches, over windows of time."""
    share = min(1.0, limits.SWEPT / max(fetches, 1))
    period = max(1, math.ceil(duration_ns / limits.WINDOWS)) if share < 1 else 2**62
    table = ask(store, questions.SPANS, trace, period, max(1, round(period * share)))
    storage, low, high, busy = (table[name].to_numpy() for name in ("storage", "low", "high", "fetch_ns"))
    return {
        int(number): concurrency(low[storage == number], high[storage == number], busy[storage == number])
        for number in np.unique(storage)
    }
