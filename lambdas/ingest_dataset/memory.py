"""A limit on the memory that reading a file may take, so that one that unpacks to gigabytes is refused, and does not end the function.

Linux counts a process's address space (setrlimit(2), RLIMIT_AS), so the limit is what is in use when it begins and a budget. Elsewhere, as
on a laptop without /proc, there is no limit: the file is then one's own.
"""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BUDGET = 1 << 30  # bytes; the function has 2 GB, of which it uses less than a third for itself
_IN_USE = Path("/proc/self/statm")


@contextmanager
def limited_memory(budget: int = BUDGET) -> Iterator[None]:
    """Whatever asks for more meets a MemoryError."""
    if not _IN_USE.exists():
        yield
        return
    pages = int(_IN_USE.read_text().split()[0])
    before, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = pages * resource.getpagesize() + budget
    if before != resource.RLIM_INFINITY:
        wanted = min(wanted, before)
    resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (before, hard))
