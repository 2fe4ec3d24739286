"""Fetches of files in windows of time, each held against those of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


class Series(NamedTuple):
    """Fetches in windows of time, in order: how many, and the mean logarithm of their time over what is expected."""

    moment: NDArray[np.int64]
    fetches: NDArray[np.float64]
    level: NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """The answer to `questions.MOMENTS`, a row a file and window; what belongs to no file in question is of file 0."""

    file: NDArray[np.int64]
    moment: NDArray[np.int64]
    fetches: NDArray[np.float64]
    log_excess: NDArray[np.float64]

    @classmethod
    def of(cls, table: pa.Table) -> Self:
        """Return the answer's columns."""
        file = table["file"].fill_null(0).to_numpy()
        return cls(file, *(table[name].to_numpy() for name in ("moment", "fetches", "log_excess")))

    def wider(self, factor: int) -> Moments:
        """Return the same in windows that are `factor` times as wide."""
        (file, moment), at = np.unique((self.file, self.moment // factor), axis=1, return_inverse=True)
        return Moments(file, moment, _sums(at, self.fetches), _sums(at, self.log_excess))

    def series(self, chosen: NDArray[np.bool_]) -> Series:
        """Return the chosen rows' sums by window."""
        moments, at = np.unique(self.moment[chosen], return_inverse=True)
        count = _sums(at, self.fetches[chosen])
        return Series(moments, count, _sums(at, self.log_excess[chosen]) / count)


def _sums(group: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of each group's values."""
    return np.bincount(group, values).astype(np.float64)
