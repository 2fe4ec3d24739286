"""Datasets in which may be read, and on which storage each lies."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from stepwell.prefetch.mounted import Mounted
from stepwell.prefetch.protocol import Root
from stepwell.prefetch.storage import Storage


@dataclass
class Dataset:
    """One root, and its storage; roots on one storage share what is learnt of it and of its readers."""

    root: Root
    storage: Storage

    @property
    def block(self) -> int:
        """Bytes of a request."""
        return self.storage.block(self.root)


class Roots:
    """All datasets, by directory."""

    def __init__(self) -> None:
        self.first = ""
        self._datasets: dict[str, Dataset] = {}
        self._beside: dict[str, Storage] = {}
        """The storage of the last root in each directory: what lies beside it is likely on the same one."""
        self._devices: dict[int, Storage] = {}
        self._used: Counter[Storage] = Counter()
        """By how many roots, which may be very many."""

    @property
    def storages(self) -> list[Storage]:
        """All storages, each once."""
        return list(self._used)

    def tell(self, root: Root) -> None:
        """Add a root, or change its plan."""
        self.first = self.first or root.path
        known = self._datasets.get(root.path)
        if known:
            known.root = root
        else:
            storage = self._beside.get(parent_of(root.path)) or Storage(root.path)
            self._datasets[root.path] = Dataset(root, storage)
            self._used[storage] += 1
            self._beside[parent_of(root.path)] = storage

    def described(self, path: str, mounted: Mounted) -> None:
        """Take in what is mounted at a root."""
        dataset, device = self._datasets[path], mounted.device
        if device not in self._devices:
            # What was taken for the storage of its neighbours may be known to be another device.
            taken = any(one is dataset.storage for one in self._devices.values())
            self._devices[device] = Storage(path) if taken else dataset.storage
        self._used -= Counter([dataset.storage])
        dataset.storage = self._devices[device]
        self._used[dataset.storage] += 1
        dataset.storage.mounted = mounted
        self._beside[parent_of(path)] = dataset.storage

    def find(self, path: str) -> Dataset | None:
        """Return the innermost dataset that a path lies in, or is."""
        while path:
            if path in self._datasets:
                return self._datasets[path]
            path = parent_of(path)
        return self._datasets.get("/")


def parent_of(path: str) -> str:
    """Return the directory of a file, or of a directory."""
    return path.rpartition("/")[0]
