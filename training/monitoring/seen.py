"""The keys of the events of one folder, to find those that come again: 8 bytes each, however many do. Pure."""

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]


class SeenKeys:
    """Keys, kept as sorted runs, each at least twice as long as the next: so there are few to search, and a key is moved seldom."""

    def __init__(self) -> None:
        self._runs: list[Keys] = []

    def among(self, keys: Keys) -> Keys:
        """Those of `keys`, which are sorted, that were added before."""
        again = np.zeros(len(keys), dtype=bool)
        for run in self._runs:
            again |= run[np.searchsorted(run, keys).clip(max=len(run) - 1)] == keys
        return keys[again]

    def add(self, keys: Keys) -> None:
        """More keys, sorted."""
        if not len(keys):
            return
        self._runs.append(keys)
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            last = self._runs.pop()
            # A stable sort finds the two runs, and only merges them.
            self._runs[-1] = np.sort(np.concatenate([self._runs[-1], last]), kind="stable")
