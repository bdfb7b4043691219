"""Keys that were seen before are found, and cost 8 bytes each, however many there are."""

import tracemalloc

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.monitoring.seen import SeenKeys


@given(st.lists(st.lists(st.integers(0, 60), unique=True).map(sorted), max_size=12))
def test_keys_of_earlier_parts_are_found(parts: list[list[int]]) -> None:
    seen, before = SeenKeys(), set[int]()
    for part in parts:
        keys = np.array(part, dtype=np.uint64)
        assert seen.among(keys).tolist() == [key for key in part if key in before]
        seen.add(keys)
        before |= set(part)


def test_a_million_keys_are_megabytes_and_not_a_set() -> None:
    generator = np.random.default_rng(1)
    parts = [np.sort(generator.integers(0, 1 << 63, 20_000, dtype=np.uint64)) for _ in range(50)]
    tracemalloc.start()
    try:
        seen = SeenKeys()
        for part in [*parts, parts[3]]:
            again = seen.among(part)
            seen.add(part)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(again) == 20_000
    assert peak < 30e6
