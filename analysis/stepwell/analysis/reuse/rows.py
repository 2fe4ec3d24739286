"""What reuse adds to the rows of the view `patterns`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stepwell.analysis.native.reuse import Numbers
from stepwell.analysis.reuse.decide import ONCE, WORDS, Verdicts


@dataclass(frozen=True)
class Reused:
    """What is known of reuse.

    Attributes:
        verdicts: on all samples; those on single files come first.
        files: ids of these files.
        wholes: which verdict is on a scope (dataset or workload) and subject, as in the view `patterns`.
    """

    verdicts: Verdicts
    files: Numbers
    wholes: dict[tuple[str, str], int]

    def on(self, files: Numbers) -> Numbers:
        """Return which verdicts are on these files; -1 for none."""
        if not len(self.files):
            return np.full(len(files), -1)
        order = np.argsort(self.files)
        place = order[np.minimum(np.searchsorted(self.files, files, sorter=order), len(order) - 1)]
        return np.where(self.files[place] == files, place, -1)


def with_reuse(patterns: pa.Table, found: Reused) -> pa.Table:
    """Return rows of the view `patterns` with what is known of reuse; of writes nothing is said.

    A stream has its file's where that must be its own: no byte of the file was used twice, or nobody else read it.
    """
    patterns = patterns.combine_chunks()
    which = _which(patterns, found)
    records, known = found.verdicts.records, which >= 0
    reuse = pa.array(np.array(WORDS)[np.where(known, records["reuse"][which], 0)], pa.string())
    period = np.where(known, found.verdicts.period[which], 0)
    evidence = patterns["evidence"]
    shown = found.verdicts.texts().take(pa.array(which, mask=~known))
    added = pc.binary_join_element_wise(pc.utf8_slice_codeunits(evidence, 0, -1), ',"reuse":', shown, "}", "")
    made = {
        "reuse": reuse,
        "reuse_period": pa.array(period, pa.int64(), mask=period == 0),
        "evidence": pc.coalesce(added, evidence),
    }
    for name, column in made.items():
        patterns = patterns.set_column(patterns.schema.get_field_index(name), name, column)
    return patterns


def _which(patterns: pa.Table, found: Reused) -> Numbers:
    """Return which verdict is on the subject of each row; -1 for none."""
    scope, subject, reads = patterns["scope"], patterns["subject"], pc.not_equal(patterns["op"], "write")

    def rows(*scopes: str) -> Numbers:
        return np.flatnonzero(pc.and_(pc.is_in(scope, pa.array(scopes)), reads).to_numpy())

    which = np.full(len(patterns), -1)
    for row in rows("dataset", "workload").tolist():
        name = scope[row].as_py()
        which[row] = found.wholes.get((name, subject[row].as_py() if name == "dataset" else ""), -1)
    of_files, of_streams = rows("file"), rows("stream")
    files = pc.cast(subject.take(of_files), pa.int64()).to_numpy()
    which[of_files] = found.on(files)
    path = pc.dictionary_encode(pc.fill_null(patterns["path"], "")).combine_chunks()
    of, accesses = path.indices.to_numpy(), patterns["accesses"].to_numpy()
    # Several files can have had one path; then it tells nothing of which a stream is on.
    named = pc.not_equal(patterns["path"].take(of_files), "").to_numpy()
    files, named = files[named], of_files[named]
    file, number = np.full(len(path.dictionary), -1), np.bincount(of[named], accesses[named], len(path.dictionary))
    file[of[named]] = files
    several = np.zeros(len(file), bool)
    several[of[named][file[of[named]] != files]] = True
    its = np.where(several, -1, found.on(file))[of[of_streams]]
    once = found.verdicts.records["reuse"][its] == ONCE
    which[of_streams] = np.where(once | (accesses[of_streams] == number[of[of_streams]]), its, -1)
    return which
