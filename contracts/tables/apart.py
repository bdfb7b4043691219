"""Parquet read by a process of its own: a file of strangers may unpack to more memory than there is, or end its reader.

The library that reads Parquet is not Python: on some broken files it aborts the process. So another one reads, with a limit on its memory
and without this one's credentials, and tells line by line what it finds: the columns, then lists of rows, and at last how it ended. A
process that ends without that last word says that the file is broken.
Linux counts address space (setrlimit(2), RLIMIT_AS), so the limit is what is in use after loading and BUDGET; elsewhere there is none.
"""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

from contracts.tables import columnar
from contracts.tables.formats import FormatError

BUDGET = 1 << 30  # bytes
_IN_USE = Path("/proc/self/statm")
_KEPT = ("LD_LIBRARY_PATH", "LANG", "PATH")
# Allocators reserve address space far beyond what is used: Arrow's own a gigabyte, each arena of glibc 64 MB.
_OWN = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1", "ARROW_IO_THREADS": "1"}


def rows(path: Path, most_bytes: int, budget: int = BUDGET) -> Generator[tuple[int, list[str]], None, None]:
    """(0, columns), then (row number, cells) of every row, counted from 1. Raises FormatError. `budget`: bytes that reading may take."""
    process = subprocess.Popen(
        [sys.executable, "-SP", "-m", "contracts.tables.apart", str(path), str(most_bytes), str(budget)],
        env={name: os.environ[name] for name in _KEPT if name in os.environ} | _OWN | {"PYTHONPATH": os.pathsep.join(_places())},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    ended = False
    try:
        number = 0
        for line in process.stdout:
            found = _read(line)
            if isinstance(found, dict):
                ended = True
                if "problem" in found:
                    raise FormatError(found["problem"], found["row"], found["column"])
                continue
            for cells in found:
                yield number, cells
                number += 1
        if not ended:
            raise FormatError(f"the file is not valid Parquet: it ended what read it ({_how(process.wait())}). Next: write it again")
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def _places() -> list[str]:
    """Where this process finds its packages: the other one has no places of its own."""
    return [str(Path(__file__).parents[2]), *(place for place in sys.path if place)]


def _read(line: bytes) -> Any:
    """A whole line; half of one is the last that the process wrote."""
    return json.loads(line) if line.endswith(b"\n") else []


def _how(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"


def tell(path: Path, most_bytes: int) -> None:
    """Write what a file holds to standard output."""
    try:
        for batch in columnar.batches(path, most_bytes):
            _say(batch)
        _say({"rows": "all"})
    except FormatError as error:
        _say({"problem": str(error), "row": error.row, "column": error.column})


def _say(what: Any) -> None:
    sys.stdout.write(json.dumps(what, ensure_ascii=False) + "\n")


def limit_memory(budget: int) -> None:
    """Whatever asks for more than the budget meets a MemoryError; and whoever crashes leaves no dump."""
    import resource  # noqa: PLC0415 - not on every system

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pages = int(_IN_USE.read_text().split()[0])
    wanted = pages * resource.getpagesize() + budget
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


if __name__ == "__main__":  # FILE CHARACTERS BYTES
    columnar.load()
    if _IN_USE.exists():
        limit_memory(int(sys.argv[3]))
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]  # it is a text stream
    tell(Path(sys.argv[1]), int(sys.argv[2]))
